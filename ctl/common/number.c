/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parse numbers and switches of the command line; format sizes. */
#include "ctl/common/number.h"

#include <string.h>

#include "lib/util.h"

/* Read digits from *@text on, which moves to what follows them. */
static bool read_digits(const char **text, uint32_t *ret)
{
	const char *c = *text;
	uint32_t n = 0;

	if (*c < '0' || *c > '9')
		return false;
	for (; *c >= '0' && *c <= '9'; c++)
		if (!vgpu_checked_mul(n, 10, &n) ||
		    !vgpu_checked_add(n, *c - '0', &n))
			return false;
	*text = c;
	*ret = n;
	return true;
}

bool ctl_number_parse(const char *text, uint32_t *ret)
{
	uint32_t n;

	if (!read_digits(&text, &n) || *text)
		return false;
	*ret = n;
	return true;
}

bool ctl_switch_parse(const char *text, bool *ret)
{
	bool is_on = strcmp(text, "on") == 0;

	if (!is_on && strcmp(text, "off") != 0)
		return false;
	*ret = is_on;
	return true;
}

bool ctl_size_parse(const char *text, uint32_t *ret_width, uint32_t *ret_height)
{
	uint32_t width, height;

	if (!read_digits(&text, &width) || *text != 'x' ||
	    !ctl_number_parse(text + 1, &height))
		return false;
	*ret_width = width;
	*ret_height = height;
	return true;
}

bool ctl_memory_parse(const char *text, uint64_t *ret_mib)
{
	static const char units[] = "MGT";
	uint64_t mib;
	uint32_t n;

	if (!read_digits(&text, &n) || n == 0)
		return false;
	mib = n;
	if (*text) {
		const char *unit = strchr(units, *text);

		if (!unit || text[1])
			return false;
		mib <<= 10 * (unit - units);
	}
	*ret_mib = mib;
	return true;
}

uint64_t ctl_mib(uint64_t bytes)
{
	return bytes / VGPU_MIB + (bytes % VGPU_MIB != 0);
}
