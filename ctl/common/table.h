/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of text: aligned columns, coloured where a terminal shows them. */
#ifndef VGPU_CTL_COMMON_TABLE_H
#define VGPU_CTL_COMMON_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include <systemd/sd-json.h>

enum ctl_alignment {
	CTL_LEFT,
	CTL_RIGHT, /* for numbers */
};

struct ctl_column {
	const char *title; /* NULL ends an array of columns, 64 at most */
	enum ctl_alignment alignment;
};

struct ctl_table;

/*
 * @columns must outlive the table. Returns NULL without memory; the functions
 * below accept NULL, and ctl_table_print() fails then.
 */
struct ctl_table *ctl_table_create(const struct ctl_column *columns);
void ctl_table_destroy(struct ctl_table *table);
/* Hide the column @title. Its cells are still added. */
void ctl_table_leave_out(struct ctl_table *table, const char *title);

/*
 * Hide columns, in the order of @titles (which ends with NULL), until the table
 * is no wider than @width. Call it after the last cell was added.
 */
void ctl_table_fit(struct ctl_table *table, size_t width,
		   const char *const *titles);

/* The next cell, from left to right and from top to bottom; NULL or "" is "-". */
void ctl_table_text(struct ctl_table *table, const char *text);
__attribute__((format(printf, 2, 3))) void
ctl_table_printf(struct ctl_table *table, const char *fmt, ...);
/* The member @key of @object, with @unit ("" for none) behind it. */
void ctl_table_string(struct ctl_table *table, sd_json_variant *object,
		      const char *key);
void ctl_table_number(struct ctl_table *table, sd_json_variant *object,
		      const char *key, const char *unit);
/* A vGPU's state, in its colour. */
void ctl_table_state(struct ctl_table *table, sd_json_variant *object);

/* Returns 0, or -ENOMEM if the table is not whole. */
int ctl_table_print(const struct ctl_table *table, FILE *f);

/* Whether what goes to stdout may hold colours. */
bool ctl_has_colours(void);

static inline void ctl_cleanup_table(struct ctl_table **table)
{
	ctl_table_destroy(*table);
}

#define ctl_autotable __attribute__((cleanup(ctl_cleanup_table)))

#endif
