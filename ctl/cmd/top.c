/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl top: show what vGPUs use, every second. */
#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "ctl/common/sample.h"
#include "ctl/common/table.h"
#include "ctl/common/terminal.h"
#include "lib/util.h"

#define INTERVAL_MS   1000
#define HISTORY	      10 /* samples that are shown as bars */
#define HISTORY_TITLE "LAST 10 S"
#define NAME_COLUMNS  20u
#define WIDE_COLUMNS  140u /* a terminal where names are whole */

static void add_rate(struct ctl_table *table, sd_json_variant *vgpu,
		     const char *key, sd_json_variant *old, double seconds)
{
	double rate = ctl_sample_rate(vgpu, key, old, seconds);

	if (rate >= 0)
		ctl_table_printf(table, "%.0f", rate);
	else
		ctl_table_text(table, NULL);
}

/* How much of the time an engine worked, by the time that @key counts. */
static void add_engine(struct ctl_table *table, sd_json_variant *vgpu,
		       const char *key, sd_json_variant *old, double seconds)
{
	double percent = ctl_sample_rate(vgpu, key, old, seconds) / 1e9 * 100;

	/*
	 * The driver gets samples in pieces: one interval may contain a piece
	 * too many.
	 */
	if (percent >= 0)
		ctl_table_printf(table, "%.0f%%", VGPU_MIN(percent, 100.0));
	else
		ctl_table_text(table, NULL);
}

/* Its share of the GPU's time if all vGPUs have work. */
static void add_granted(struct ctl_table *table, sd_json_variant *vgpu)
{
	uint64_t ppm;

	if (ctl_json_unsigned(vgpu, "grantedPpm", &ppm))
		ctl_table_printf(table, "%.1f%%", ppm / 1e4);
	else
		ctl_table_text(table, NULL);
}

/* Its processes' share of the time of all processors. */
static void add_processors(struct ctl_table *table,
			   const struct ctl_sample *now, sd_json_variant *vgpu,
			   sd_json_variant *old, double seconds)
{
	double percent = ctl_sample_cpu_percent(now, vgpu, old, seconds);

	if (percent >= 0)
		ctl_table_printf(table, "%.1f%%", percent);
	else
		ctl_table_text(table, NULL);
}

static void add_memory(struct ctl_table *table, sd_json_variant *vgpu)
{
	uint64_t bytes, max;

	if (ctl_json_unsigned(vgpu, "memoryBytes", &bytes) &&
	    ctl_json_unsigned(vgpu, "memoryMaxBytes", &max))
		ctl_table_printf(table, "%" PRIu64 "/%" PRIu64 " MiB",
				 ctl_mib(bytes), ctl_mib(max));
	else
		ctl_table_text(table, NULL);
}

/* What head @i shows: false if it shows nothing. */
static bool head_size(sd_json_variant *heads, size_t i, uint64_t *ret_width,
		      uint64_t *ret_height)
{
	sd_json_variant *head = sd_json_variant_by_index(heads, i);

	return ctl_json_unsigned(head, "width", ret_width) && *ret_width > 0 &&
	       ctl_json_unsigned(head, "height", ret_height) && *ret_height > 0;
}

/*
 * The sizes that its heads show, as in "1920x1080 800x600"; if that is to be
 * short, the first one and how many show something besides.
 */
static void add_heads(struct ctl_table *table, sd_json_variant *vgpu,
		      bool is_short)
{
	sd_json_variant *heads = sd_json_variant_by_key(vgpu, "heads");
	vgpu_autofree char *text = NULL;
	unsigned int more = 0;
	uint64_t width, height;
	size_t size = 0;
	FILE *f;

	if (!sd_json_variant_is_array(heads)) {
		ctl_table_text(table, NULL);
		return;
	}
	f = open_memstream(&text, &size);
	for (size_t i = 0; f && i < sd_json_variant_elements(heads); i++) {
		bool is_on = head_size(heads, i, &width, &height);

		if (is_short && i > 0)
			more += is_on;
		else if (is_on)
			fprintf(f, "%s%" PRIu64 "x%" PRIu64, i ? " " : "",
				width, height);
		else
			fprintf(f, "%s-", i ? " " : "");
	}
	if (f && more > 0)
		fprintf(f, " +%u", more);
	if (f)
		fclose(f);
	ctl_table_text(table, text);
}

/* @columns_max: the width of the terminal; 0 for no limit. */
static int print_gpus(const struct ctl_sample *now, size_t columns_max, FILE *f)
{
	static const char *const least[] = {"READY", "NAME", NULL};
	static const struct ctl_column columns[] = {
		{"GPU", CTL_LEFT},
		{"FRAMEBUFFER", CTL_RIGHT},
		{"FREE", CTL_RIGHT},
		{"READY", CTL_RIGHT},
		{"VGPUS", CTL_RIGHT},
		{"NAME", CTL_LEFT},
		{},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);

	for (size_t i = 0; i < sd_json_variant_elements(now->gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(now->gpus, i);

		ctl_table_string(table, gpu, "gpu");
		ctl_table_number(table, gpu, "framebufferMib", " MiB");
		ctl_table_number(table, gpu, "freeMib", " MiB");
		ctl_table_number(table, gpu, "readyMib", " MiB");
		ctl_table_number(table, gpu, "vgpus", "");
		ctl_table_string(table, gpu, "name");
	}
	if (columns_max)
		ctl_table_fit(table, columns_max, least);
	return ctl_table_print(table, f);
}

static double load_of(const struct ctl_sample *now, sd_json_variant *vgpu,
		      sd_json_variant *old, double seconds)
{
	double engine = ctl_sample_rate(vgpu, "graphicsNs", old, seconds);

	return engine >= 0 ? VGPU_MIN(engine / 1e7, 100.0)
			   : ctl_sample_cpu_percent(now, vgpu, old, seconds);
}

/* What one vGPU did in the last seconds, the newest last; negative: unknown. */
struct history {
	char uuid[40];
	double percent[HISTORY];
};

/* How the person looks at it. */
struct view {
	enum sort {
		SORT_NAME,
		SORT_LOAD,
		SORT_FRAMES,
		SORT_USED,
		SORT_SHARE,
		SORT_MAX,
	} sort;
	bool is_reversed;
	bool is_utf8;
	size_t scroll; /* rows that are above */
	size_t page;   /* rows that fit */
	struct history *histories;
	size_t n_histories;
};

struct row {
	sd_json_variant *vgpu;
	sd_json_variant *old; /* or NULL */
	double value;	      /* to sort by, the largest first */
	size_t index;
	bool is_reversed;
};

/* Add the newest load of each vGPU; forget those that have gone. */
static int add_history(struct view *view, const struct ctl_sample *now,
		       const struct ctl_sample *before)
{
	size_t n = sd_json_variant_elements(now->vgpus);
	struct history *histories = calloc(n + 1, sizeof(*histories));
	double seconds = now->seconds - before->seconds;

	if (!histories)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(now->vgpus, i);
		const char *uuid = ctl_json_string(vgpu, "uuid");
		struct history *at = &histories[i], *old = NULL;

		snprintf(at->uuid, sizeof(at->uuid), "%s", uuid ? uuid : "");
		for (size_t j = 0; !old && j < view->n_histories; j++)
			if (strcmp(view->histories[j].uuid, at->uuid) == 0)
				old = &view->histories[j];
		for (size_t j = 0; j < HISTORY; j++)
			at->percent[j] = old && j + 1 < HISTORY
						 ? old->percent[j + 1]
						 : -1;
		at->percent[HISTORY - 1] = load_of(
			now, vgpu, ctl_sample_find(before, vgpu), seconds);
	}
	free(view->histories);
	view->histories = histories;
	view->n_histories = n;
	return 0;
}

/* Small bars, as many as there are seconds. */
static void add_bars(struct ctl_table *table, const struct view *view, size_t i)
{
	static const char *const of_utf8[] = {"▁", "▂", "▃", "▄",
					      "▅", "▆", "▇", "█"};
	static const char *const of_ascii[] = {"_", ".", "-", ":",
					       "=", "+", "*", "#"};
	char text[HISTORY * sizeof("▁")], *end = text;

	if (!view || i >= view->n_histories) {
		ctl_table_text(table, NULL);
		return;
	}
	for (size_t j = 0; j < HISTORY; j++) {
		double percent = view->histories[i].percent[j];
		size_t level = (size_t)(VGPU_MIN(VGPU_MAX(percent, 0.0), 99.0) *
					8 / 100);

		end = stpcpy(end, percent < 0	  ? " "
				  : view->is_utf8 ? of_utf8[level]
						  : of_ascii[level]);
	}
	ctl_table_text(table, text);
}

static double value_of(const struct ctl_sample *now, const struct row *row,
		       enum sort sort, double seconds)
{
	static const char *const keys[SORT_MAX] = {
		[SORT_FRAMES] = "framesPerSecond",
		[SORT_USED] = "usedBytes",
		[SORT_SHARE] = "grantedPpm",
	};
	uint64_t n;

	if (sort == SORT_LOAD)
		return load_of(now, row->vgpu, row->old, seconds);
	if (keys[sort] && ctl_json_unsigned(row->vgpu, keys[sort], &n))
		return (double)n;
	return -1;
}

static int compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = a->value != b->value ? (a->value < b->value ? 1 : -1)
					 : (a->index < b->index ? -1 : 1);

	return a->is_reversed ? -order : order;
}

/* All of them as @view (NULL: none) has them sorted. The caller frees them. */
static struct row *sort_rows(const struct view *view,
			     const struct ctl_sample *now,
			     const struct ctl_sample *before)
{
	size_t n = sd_json_variant_elements(now->vgpus);
	struct row *rows = calloc(n + 1, sizeof(*rows));
	double seconds = before ? now->seconds - before->seconds : 0;

	for (size_t i = 0; rows && i < n; i++) {
		struct row *row = &rows[i];

		row->vgpu = sd_json_variant_by_index(now->vgpus, i);
		row->old = before ? ctl_sample_find(before, row->vgpu) : NULL;
		row->index = i;
		row->is_reversed = view && view->is_reversed;
		if (view)
			row->value = value_of(now, row, view->sort, seconds);
	}
	if (rows && view)
		qsort(rows, n, sizeof(*rows), compare);
	return rows;
}

/* A name that would have other columns left out is cut. */
static void add_name(struct ctl_table *table, sd_json_variant *vgpu, size_t max)
{
	const char *name = ctl_json_string(vgpu, "name");

	if (!name || !name[0])
		name = ctl_json_string(vgpu, "uuid");
	if (name && max && strlen(name) > max)
		ctl_table_printf(table, "%.*s~", (int)max - 1, name);
	else
		ctl_table_text(table, name);
}

static void add_row(struct ctl_table *table, const struct ctl_sample *now,
		    const struct row *row, const struct view *view,
		    double seconds)
{
	sd_json_variant *vgpu = row->vgpu, *old = row->old;
	uint64_t used;

	add_name(table, vgpu,
		 view && ctl_terminal_columns() < WIDE_COLUMNS ? NAME_COLUMNS
							       : 0);
	ctl_table_string(table, vgpu, "type");
	ctl_table_state(table, vgpu);
	if (ctl_json_unsigned(vgpu, "usedBytes", &used))
		ctl_table_printf(table, "%" PRIu64 " MiB", ctl_mib(used));
	else
		ctl_table_text(table, NULL);
	ctl_table_number(table, vgpu, "framebufferMib", " MiB");
	add_granted(table, vgpu);
	add_processors(table, now, vgpu, old, seconds);
	add_memory(table, vgpu);
	add_engine(table, vgpu, "graphicsNs", old, seconds);
	add_engine(table, vgpu, "encoderNs", old, seconds);
	add_engine(table, vgpu, "decoderNs", old, seconds);
	add_bars(table, view, row->index);
	add_rate(table, vgpu, "frames", old, seconds);
	add_rate(table, vgpu, "commands", old, seconds);
	ctl_table_number(table, vgpu, "commands", "");
	ctl_table_number(table, vgpu, "errors", "");
	ctl_table_number(table, vgpu, "restarts", "");
	add_heads(table, vgpu, view);
}

/* Columns that no vGPU has figures for. */
static void leave_out_unknown(struct ctl_table *table, sd_json_variant *vgpus)
{
	static const struct {
		const char *key, *title;
	} columns[] = {
		{"graphicsNs", "GRAPHICS"}, {"graphicsNs", "ENCODER"},
		{"graphicsNs", "DECODER"},  {"frames", "FRAMES/S"},
		{"grantedPpm", "GRANTED"},  {"cpuUsec", "CPU"},
		{"memoryBytes", "MEMORY"},
	};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(columns); i++)
		if (!ctl_json_some_has(vgpus, columns[i].key))
			ctl_table_leave_out(table, columns[i].title);
	if (!ctl_json_some_has(vgpus, "cpuUsec") &&
	    !ctl_json_some_has(vgpus, "graphicsNs"))
		ctl_table_leave_out(table, HISTORY_TITLE);
}

/* @view: NULL where there is no terminal. */
static int print_vgpus(const struct ctl_sample *now,
		       const struct ctl_sample *before, const struct view *view,
		       FILE *f)
{
	/*
	 * Columns to leave out on a narrow terminal, the least important first.
	 */
	static const char *const least[] = {
		"COMMANDS",    "REFUSED",  "RESTARTS", "DECODER",
		"ENCODER",     "GRANTED",  "MEMORY",   "COMMANDS/S",
		"FRAMEBUFFER", "GRAPHICS", "TYPE",     "FRAMES/S",
		HISTORY_TITLE, "HEADS",	   NULL,
	};
	static const struct ctl_column columns[] = {
		{"VGPU", CTL_LEFT},
		{"TYPE", CTL_LEFT},
		{"STATE", CTL_LEFT},
		{"USED", CTL_RIGHT},
		{"FRAMEBUFFER", CTL_RIGHT},
		{"GRANTED", CTL_RIGHT},
		{"CPU", CTL_RIGHT},
		{"MEMORY", CTL_RIGHT},
		{"GRAPHICS", CTL_RIGHT},
		{"ENCODER", CTL_RIGHT},
		{"DECODER", CTL_RIGHT},
		{HISTORY_TITLE, CTL_RIGHT},
		{"FRAMES/S", CTL_RIGHT},
		{"COMMANDS/S", CTL_RIGHT},
		{"COMMANDS", CTL_RIGHT},
		{"REFUSED", CTL_RIGHT},
		{"RESTARTS", CTL_RIGHT},
		{"HEADS", CTL_LEFT},
		{},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);
	vgpu_autofree struct row *rows = sort_rows(view, now, before);
	double seconds = before ? now->seconds - before->seconds : 0;

	if (!rows)
		return -ENOMEM;
	leave_out_unknown(table, now->vgpus);
	for (size_t i = 0; i < sd_json_variant_elements(now->vgpus); i++)
		add_row(table, now, &rows[i], view, seconds);
	if (view)
		ctl_table_fit(table, ctl_terminal_columns(), least);
	else
		ctl_table_leave_out(table, HISTORY_TITLE);
	return ctl_table_print(table, f);
}

static int print_sample(const struct ctl_sample *now, FILE *f)
{
	int r = print_gpus(now, 0, f);

	if (r < 0)
		return r;
	fputc('\n', f);
	return print_vgpus(now, /* before= */ NULL, /* view= */ NULL, f);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* @count lines of @text from line @first on. */
static void print_lines(const char *text, size_t first, size_t count, FILE *f)
{
	for (size_t i = 0; *text && i < first + count; i++) {
		size_t length = strcspn(text, "\n");

		if (i >= first)
			fprintf(f, "%.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

/*
 * The GPUs, and as many rows of vGPUs as fit below; the last line says what can
 * be done.
 */
static void compose(struct view *view, const char *gpus, const char *vgpus,
		    FILE *f)
{
	static const char *const sorts[SORT_MAX] = {
		[SORT_NAME] = "name",	  [SORT_LOAD] = "load",
		[SORT_FRAMES] = "frames", [SORT_USED] = "use",
		[SORT_SHARE] = "share",
	};
	/* A blank line, the titles, and the last line. */
	size_t above = count_lines(gpus) + 3, rows = ctl_terminal_rows();
	size_t all = count_lines(vgpus) - 1;

	view->page = rows > above ? rows - above : 1;
	view->scroll =
		VGPU_MIN(view->scroll, all > view->page ? all - view->page : 0);
	fprintf(f, "%s\n", gpus);
	print_lines(vgpus, 0, 1, f);
	print_lines(vgpus, 1 + view->scroll, view->page, f);
	fprintf(f, "q ends, s sorts (by %s), r reverses", sorts[view->sort]);
	if (all > view->page)
		fprintf(f, ", arrows scroll (%zu-%zu of %zu)", view->scroll + 1,
			VGPU_MIN(view->scroll + view->page, all), all);
	fputs(".\n", f);
}

static int draw(struct view *view, const struct ctl_sample *now,
		const struct ctl_sample *before)
{
	vgpu_autofree char *gpus = NULL, *vgpus = NULL, *all = NULL;
	size_t size;
	FILE *f = open_memstream(&gpus, &size);
	int r = f ? print_gpus(now, ctl_terminal_columns(), f) : -ENOMEM;

	if (f && fclose(f) != 0)
		return -ENOMEM;
	f = r == 0 ? open_memstream(&vgpus, &size) : NULL;
	r = f ? print_vgpus(now, before, view, f) : -ENOMEM;
	if (f && fclose(f) != 0)
		return -ENOMEM;
	f = r == 0 ? open_memstream(&all, &size) : NULL;
	if (!f)
		return -ENOMEM;
	compose(view, gpus, vgpus, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	ctl_terminal_draw(all);
	return 0;
}

static void obey(struct view *view, int key)
{
	switch (key) {
	case 's':
		view->sort = (view->sort + 1) % SORT_MAX;
		break;
	case 'r':
		view->is_reversed = !view->is_reversed;
		break;
	case CTL_KEY_UP:
		view->scroll -= view->scroll > 0;
		break;
	case CTL_KEY_DOWN:
		view->scroll++; /* compose() knows where the end is */
		break;
	case CTL_KEY_PAGE_UP:
		view->scroll -= VGPU_MIN(view->scroll, view->page);
		break;
	case CTL_KEY_PAGE_DOWN:
		view->scroll += view->page;
		break;
	case CTL_KEY_FIRST:
		view->scroll = 0;
		break;
	case CTL_KEY_LAST:
		view->scroll = SIZE_MAX / 2;
		break;
	default:
		break;
	}
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/*
 * Draw @now, again after each key, until the next sample is due. Returns 0, 1
 * if the person ends it, or -ENOMEM.
 */
static int show(struct view *view, const struct ctl_sample *now,
		const struct ctl_sample *before)
{
	double due = now->seconds + INTERVAL_MS / 1000.0;
	int key, r;

	do {
		double left = VGPU_MAX(due - now_seconds(), 0.0);

		r = draw(view, now, before->vgpus ? before : NULL);
		if (r < 0)
			return r;
		key = ctl_terminal_wait((int)(left * 1000));
		obey(view, key);
	} while (key != CTL_KEY_NONE && key != CTL_KEY_END);
	return key == CTL_KEY_END;
}

/*
 * Draw @now, then a new sample every second, until the user quits. Frees @now.
 * Errors are printed after the screen was restored.
 */
static int draw_on(struct ctl *ctl, struct ctl_sample now, struct vgpu_err *err)
{
	struct view view = {.is_utf8 =
				    strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
	struct ctl_sample before = {};
	int r;

	for (;;) {
		r = add_history(&view, &now, &before);
		if (r == 0)
			r = show(&view, &now, &before);
		if (r < 0)
			vgpu_err_set(err, r, NULL, "out of memory");
		ctl_sample_finish(&before);
		before = now;
		if (r != 0)
			break;
		r = ctl_sample_init(&now, ctl, err);
		if (r < 0)
			break;
	}
	ctl_sample_finish(&before);
	free(view.histories);
	return r;
}

static enum ctl_exit print_once(struct ctl *ctl, const struct ctl_sample *now)
{
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, now->vgpus);
	if (print_sample(now, stdout) < 0)
		return ctl_fail("out of memory");
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct vgpu_err err = {};
	struct ctl_sample now = {};
	enum ctl_exit e;
	int r;

	if (ctl_sample_init(&now, ctl, &err) < 0)
		return ctl_fail("%s", err.text);
	if (ctl->format != CTL_TEXT || !ctl_terminal_is_there()) {
		e = print_once(ctl, &now);
		ctl_sample_finish(&now);
		return e;
	}
	r = ctl_terminal_init();
	if (r < 0) {
		ctl_sample_finish(&now);
		return ctl_fail("cannot use the terminal: %s", strerror(-r));
	}
	r = draw_on(ctl, now, &err);
	ctl_terminal_finish();
	return r < 0 ? ctl_fail("%s", err.text) : CTL_DONE;
}

const struct ctl_command ctl_command_top = {
	.name = "top",
	.words = "[--json=pretty|short]",
	.summary = "Watch what the vGPUs do",
	.help = "Draws once a second on a terminal, until q or ctrl-C; prints once elsewhere,\n"
		"and as JSON. s sorts by name, load, frames a second, framebuffer in use and\n"
		"share in turn, r reverses, arrows and page keys scroll. GRANTED is its part of\n"
		"the GPU's time if all have work, CPU the part of all the processors' time that\n"
		"it used in the last second, MEMORY what it has of the host's, where the kernel\n"
		"counts it (vgpud(8)). GRAPHICS, ENCODER and DECODER are how much of the last\n"
		"second these engines of the GPU worked for the vGPU, where its driver says it;\n"
		"estimates. LAST 10 S has a small bar for the load of each second: GRAPHICS\n"
		"where that is known, else CPU. A narrow terminal shows fewer columns.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl top\n"
		"  vgpuctl top | cat\n",
	.options = CTL_OPTION_JSON,
	.run = run,
};
