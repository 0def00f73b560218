/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded copies of text, and escaping of untrusted text. */
#include "text.h"

#include <string.h>

bool vgpu_text_copy(char *ret, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	memcpy(ret, text, n);
	ret[n] = '\0';
	return !text[n];
}

void vgpu_text_make_printable(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

const char *vgpu_text_quote(char ret[VGPU_QUOTED_SIZE], const char *text)
{
	if (!vgpu_text_copy(ret, VGPU_QUOTED_SIZE, text))
		memcpy(ret + VGPU_QUOTED_SIZE - 4, "...", 4);
	vgpu_text_make_printable(ret);
	return ret;
}
