/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of text. */
#include "ctl/common/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/text.h"
#include "lib/util.h"

#define BOLD  "\x1b[1m"
#define RED   "\x1b[31m"
#define GREEN "\x1b[32m"
#define PLAIN "\x1b[0m"

struct cell {
	char *text;	    /* escaped */
	const char *colour; /* or NULL */
};

struct ctl_table {
	const struct ctl_column *columns;
	size_t width;	   /* number of columns */
	uint64_t left_out; /* bit i: column i */
	struct cell *cells;
	size_t count;
	size_t room;
	bool is_broken; /* a cell is missing, for lack of memory */
};

struct ctl_table *ctl_table_create(const struct ctl_column *columns)
{
	struct ctl_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	while (columns[table->width].title)
		table->width++;
	return table;
}

void ctl_table_destroy(struct ctl_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void ctl_table_leave_out(struct ctl_table *table, const char *title)
{
	for (size_t i = 0; table && i < table->width; i++)
		if (strcmp(table->columns[i].title, title) == 0)
			table->left_out |= UINT64_C(1) << i;
}

static void add_cell(struct ctl_table *table, const char *text, const char *colour)
{
	struct cell *cell;

	if (!table || table->is_broken)
		return;
	if (table->count == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		struct cell *cells =
			reallocarray(table->cells, room, sizeof(*cells));

		if (!cells) {
			table->is_broken = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	cell = &table->cells[table->count];
	cell->text = ctl_text_escape(text && text[0] ? text : "-");
	cell->colour = colour;
	if (cell->text)
		table->count++;
	else
		table->is_broken = true;
}

void ctl_table_text(struct ctl_table *table, const char *text)
{
	add_cell(table, text, NULL);
}

void ctl_table_printf(struct ctl_table *table, const char *fmt, ...)
{
	vgpu_autofree char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (text)
		add_cell(table, text, NULL);
	else if (table)
		table->is_broken = true;
}

void ctl_table_string(struct ctl_table *table, sd_json_variant *object,
		      const char *key)
{
	add_cell(table, ctl_json_string(object, key), NULL);
}

void ctl_table_number(struct ctl_table *table, sd_json_variant *object,
		      const char *key, const char *unit)
{
	uint64_t n;

	if (ctl_json_unsigned(object, key, &n))
		ctl_table_printf(table, "%" PRIu64 "%s", n, unit);
	else
		add_cell(table, NULL, NULL);
}

void ctl_table_state(struct ctl_table *table, sd_json_variant *object)
{
	const char *state = ctl_json_string(object, "state");
	const char *colour = NULL;

	if (state && strcmp(state, "failed") == 0)
		colour = RED;
	else if (state && strcmp(state, "attached") == 0)
		colour = GREEN;
	if (state && ctl_json_is_true(object, "foreign")) {
		char text[32];

		snprintf(text, sizeof(text), "%s, foreign", state);
		add_cell(table, text, colour);
		return;
	}
	add_cell(table, state, colour);
}

bool ctl_has_colours(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term &&
	       strcmp(term, "dumb") != 0;
}

static size_t last_column(const struct ctl_table *table)
{
	size_t last = table->width - 1;

	while (last > 0 && table->left_out & UINT64_C(1) << last)
		last--;
	return last;
}

/* In column @i, which is @width wide. */
static void print_cell(const struct ctl_table *table, FILE *f, size_t i,
		       const char *text, const char *colour, size_t width)
{
	enum ctl_alignment alignment = table->columns[i].alignment;
	bool is_last = i == last_column(table);
	size_t own = ctl_text_width(text);
	int padding = own < width ? width - own : 0;

	if (table->left_out & UINT64_C(1) << i)
		return;
	if (alignment == CTL_RIGHT)
		fprintf(f, "%*s", padding, "");
	if (colour)
		fprintf(f, "%s%s" PLAIN, colour, text);
	else
		fputs(text, f);
	if (is_last)
		fputc('\n', f);
	else
		fprintf(f, "%*s", (alignment == CTL_LEFT ? padding : 0) + 2, "");
}

/* How wide each column is, left out or not: the caller's, or NULL. */
static size_t *measure(const struct ctl_table *table)
{
	size_t columns = table->width;
	size_t *widths = calloc(columns, sizeof(*widths));

	for (size_t i = 0; widths && i < columns; i++)
		widths[i] = strlen(table->columns[i].title);
	for (size_t i = 0; widths && i < table->count; i++) {
		size_t own = ctl_text_width(table->cells[i].text);

		widths[i % columns] = VGPU_MAX(widths[i % columns], own);
	}
	return widths;
}

void ctl_table_fit(struct ctl_table *table, size_t width,
		   const char *const *titles)
{
	vgpu_autofree size_t *widths = NULL;

	if (!table || table->is_broken || table->width == 0)
		return;
	widths = measure(table);
	for (; widths && *titles; titles++) {
		size_t all = 0;

		for (size_t i = 0; i < table->width; i++)
			if (!(table->left_out & UINT64_C(1) << i))
				all += widths[i] + (i ? 2 : 0);
		if (all <= width)
			return;
		ctl_table_leave_out(table, *titles);
	}
}

int ctl_table_print(const struct ctl_table *table, FILE *f)
{
	vgpu_autofree size_t *widths = NULL;
	bool has_colours = ctl_has_colours();
	size_t columns;

	if (!table || table->is_broken || table->width == 0)
		return -ENOMEM;
	columns = table->width;
	widths = measure(table);
	if (!widths)
		return -ENOMEM;

	for (size_t i = 0; i < columns; i++)
		print_cell(table, f, i, table->columns[i].title,
			   has_colours ? BOLD : NULL, widths[i]);
	for (size_t i = 0; i < table->count; i++)
		print_cell(table, f, i % columns, table->cells[i].text,
			   has_colours ? table->cells[i].colour : NULL,
			   widths[i % columns]);
	return 0;
}
