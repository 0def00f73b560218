/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors with a text for people. */
#include "err.h"

#include <stddef.h>
#include <stdio.h>

/* Length of the UTF-8 character at @c; 0 if it is invalid (RFC 3629). */
static size_t utf8_length(const unsigned char *c)
{
	/* Smallest values that need 2, 3 and 4 bytes. */
	static const unsigned int least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned int value;
	size_t length;

	if (c[0] < 0x80)
		return 1;
	length = c[0] >= 0xf8 ? 0 : c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
	if (c[0] < 0xc0 || length == 0)
		return 0;
	value = c[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((c[i] & 0xc0) != 0x80) /* the terminating NUL too */
			return 0;
		value = value << 6 | (c[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return length;
}

int vgpu_err_set(struct vgpu_err *err, int status, const char *name,
		 const char *fmt, ...)
{
	unsigned char *c;
	va_list args;
	size_t length;

	if (!err)
		return status;

	err->status = status;
	err->name = name;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);

	for (c = (unsigned char *)err->text; *c; c += length) {
		length = utf8_length(c);
		/* C0 and C1 controls, and what is no character at all. */
		if (length == 0 || *c < 0x20 || *c == 0x7f ||
		    (length == 2 && *c == 0xc2 && c[1] < 0xa0)) {
			for (size_t i = 0; i < (length ? length : 1); i++)
				c[i] = '?';
			length = 1;
		}
	}
	return status;
}
