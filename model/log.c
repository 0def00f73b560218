// SPDX-License-Identifier: GPL-2.0-or-later
/* What the model did and what it refused, one line each. */
#include "model/model.h"

static void emit(GpuModel *m, const char *kind, const char *part,
		 const char *format, va_list ap)
{
	g_autofree char *text = g_strdup_vprintf(format, ap);
	int64_t us = qemu_clock_get_us(QEMU_CLOCK_VIRTUAL);

	fprintf(m->log, "ad102 %" PRId64 ".%06" PRId64 " %s%s: %s\n",
		us / 1000000, us % 1000000, kind, part, text);
	fflush(m->log);
}

void model_log(GpuModel *m, const char *part, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	emit(m, "", part, format, ap);
	va_end(ap);
}

void model_refuse(GpuModel *m, const char *part, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	emit(m, "refused: ", part, format, ap);
	va_end(ap);
}

/* A driver may poll such a register: each is named once per kind of access. */
void model_unmodelled(GpuModel *m, uint32_t gfid, bool write, uint32_t reg,
		      uint32_t value)
{
	gpointer key = GUINT_TO_POINTER(gfid << 25 | reg << 1 | write);
	g_autofree char *part = NULL;

	if (!g_hash_table_add(m->log_seen, key))
		return;
	part = gfid ? g_strdup_printf("vf %u", gfid) : g_strdup("bar0");
	if (write)
		model_log(m, part, "not modelled: write of %08x to %06x", value,
			  reg);
	else
		model_log(m, part, "not modelled: read of %06x", reg);
}
