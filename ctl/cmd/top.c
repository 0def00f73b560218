/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl top: show what vGPUs use, every second. */
#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "ctl/common/sample.h"
#include "ctl/common/table.h"
#include "ctl/common/terminal.h"
#include "lib/util.h"

#define INTERVAL_MS 1000

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
static void add_processors(struct ctl_table *table, sd_json_variant *vgpu,
			   sd_json_variant *old, double seconds)
{
	double percent = ctl_sample_cpu_percent(vgpu, old, seconds);

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

/* The sizes that its heads show, as in "1920x1080 800x600". */
static void add_heads(struct ctl_table *table, sd_json_variant *vgpu)
{
	sd_json_variant *heads = sd_json_variant_by_key(vgpu, "heads");
	vgpu_autofree char *text = NULL;
	size_t size = 0;
	FILE *f;

	if (!sd_json_variant_is_array(heads)) {
		ctl_table_text(table, NULL);
		return;
	}
	f = open_memstream(&text, &size);
	for (size_t i = 0; f && i < sd_json_variant_elements(heads); i++) {
		sd_json_variant *head = sd_json_variant_by_index(heads, i);
		uint64_t width, height;

		if (ctl_json_unsigned(head, "width", &width) && width > 0 &&
		    ctl_json_unsigned(head, "height", &height) && height > 0)
			fprintf(f, "%s%" PRIu64 "x%" PRIu64, i ? " " : "",
				width, height);
		else
			fprintf(f, "%s-", i ? " " : "");
	}
	if (f)
		fclose(f);
	ctl_table_text(table, text);
}

static int print_gpus(const struct ctl_sample *now, FILE *f)
{
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
	return ctl_table_print(table, f);
}

/* @columns_max: the width of the terminal; 0 for no limit. */
static int print_vgpus(const struct ctl_sample *now,
		       const struct ctl_sample *before, size_t columns_max,
		       FILE *f)
{
	/*
	 * Columns to leave out on a narrow terminal, the least important first.
	 */
	static const char *const least[] = {
		"COMMANDS", "REFUSED",	  "RESTARTS", "DECODER",     "ENCODER",
		"GRANTED",  "COMMANDS/S", "MEMORY",   "FRAMEBUFFER", "GRAPHICS",
		"TYPE",	    "FRAMES/S",	  NULL,
	};
	static const struct ctl_column columns[] = {
		{"VGPU", CTL_LEFT},	    {"TYPE", CTL_LEFT},
		{"STATE", CTL_LEFT},	    {"USED", CTL_RIGHT},
		{"FRAMEBUFFER", CTL_RIGHT}, {"GRANTED", CTL_RIGHT},
		{"CPU", CTL_RIGHT},	    {"MEMORY", CTL_RIGHT},
		{"GRAPHICS", CTL_RIGHT},    {"ENCODER", CTL_RIGHT},
		{"DECODER", CTL_RIGHT},	    {"FRAMES/S", CTL_RIGHT},
		{"COMMANDS/S", CTL_RIGHT},  {"COMMANDS", CTL_RIGHT},
		{"REFUSED", CTL_RIGHT},	    {"RESTARTS", CTL_RIGHT},
		{"HEADS", CTL_LEFT},	    {},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);
	double seconds = before ? now->seconds - before->seconds : 0;
	uint64_t used;

	/* If no vGPU has figures for engines. */
	if (!ctl_json_some_has(now->vgpus, "graphicsNs")) {
		ctl_table_leave_out(table, "GRAPHICS");
		ctl_table_leave_out(table, "ENCODER");
		ctl_table_leave_out(table, "DECODER");
	}
	/* If no vGPU has a cgroup that counts what its processes use. */
	if (!ctl_json_some_has(now->vgpus, "frames"))
		ctl_table_leave_out(table, "FRAMES/S");
	if (!ctl_json_some_has(now->vgpus, "grantedPpm"))
		ctl_table_leave_out(table, "GRANTED");
	if (!ctl_json_some_has(now->vgpus, "cpuUsec"))
		ctl_table_leave_out(table, "CPU");
	if (!ctl_json_some_has(now->vgpus, "memoryBytes"))
		ctl_table_leave_out(table, "MEMORY");
	for (size_t i = 0; i < sd_json_variant_elements(now->vgpus); i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(now->vgpus, i);
		sd_json_variant *old =
			before ? ctl_sample_find(before, vgpu) : NULL;
		const char *name = ctl_json_string(vgpu, "name");

		ctl_table_text(table, name && name[0]
					      ? name
					      : ctl_json_string(vgpu, "uuid"));
		ctl_table_string(table, vgpu, "type");
		ctl_table_state(table, vgpu);
		if (ctl_json_unsigned(vgpu, "usedBytes", &used))
			ctl_table_printf(table, "%" PRIu64 " MiB", ctl_mib(used));
		else
			ctl_table_text(table, NULL);
		ctl_table_number(table, vgpu, "framebufferMib", " MiB");
		add_granted(table, vgpu);
		add_processors(table, vgpu, old, seconds);
		add_memory(table, vgpu);
		add_engine(table, vgpu, "graphicsNs", old, seconds);
		add_engine(table, vgpu, "encoderNs", old, seconds);
		add_engine(table, vgpu, "decoderNs", old, seconds);
		add_rate(table, vgpu, "frames", old, seconds);
		add_rate(table, vgpu, "commands", old, seconds);
		ctl_table_number(table, vgpu, "commands", "");
		ctl_table_number(table, vgpu, "errors", "");
		ctl_table_number(table, vgpu, "restarts", "");
		add_heads(table, vgpu);
	}
	if (columns_max)
		ctl_table_fit(table, columns_max, least);
	return ctl_table_print(table, f);
}

static int print_sample(const struct ctl_sample *now,
			const struct ctl_sample *before, size_t columns_max,
			FILE *f)
{
	int r = print_gpus(now, f);

	if (r < 0)
		return r;
	fputc('\n', f);
	return print_vgpus(now, before, columns_max, f);
}

static int draw(const struct ctl_sample *now, const struct ctl_sample *before)
{
	vgpu_autofree char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return -ENOMEM;
	r = print_sample(now, before, ctl_terminal_columns(), f);
	fputs("\nq ends.\n", f);
	if (fclose(f) != 0)
		return -ENOMEM;
	if (r == 0)
		ctl_terminal_draw(text);
	return r;
}

/*
 * Draw @now, then a new sample every second, until the user quits. Frees @now.
 * Errors are printed after the screen was restored.
 */
static int draw_on(struct ctl *ctl, struct ctl_sample now, struct vgpu_err *err)
{
	struct ctl_sample before = {};
	int r;

	for (;;) {
		r = draw(&now, before.vgpus ? &before : NULL);
		if (r < 0)
			vgpu_err_set(err, r, NULL, "out of memory");
		ctl_sample_finish(&before);
		before = now;
		if (r < 0 || ctl_terminal_wait(INTERVAL_MS))
			break;
		r = ctl_sample_init(&now, ctl, err);
		if (r < 0)
			break;
	}
	ctl_sample_finish(&before);
	return r;
}

static enum ctl_exit print_once(struct ctl *ctl, const struct ctl_sample *now)
{
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, now->vgpus);
	if (print_sample(now, NULL, 0, stdout) < 0)
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
	.help = "Draws once a second on a terminal, until q or ctrl-C; prints once elsewhere, and\n"
		"as JSON. GRANTED is its part of the GPU's time if all have work, CPU the part of\n"
		"all the processors' time that it used in the last second, MEMORY what it has of\n"
		"the host's, where the kernel counts it (vgpud(8)). GRAPHICS, ENCODER and DECODER\n"
		"are how much of the last second these engines of the GPU worked for the vGPU,\n"
		"where its driver says it; estimates. A narrow terminal shows fewer columns.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl top\n"
		"  vgpuctl top | cat\n",
	.options = CTL_OPTION_JSON,
	.run = run,
};
