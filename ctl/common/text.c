/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Make strings of any origin safe to print. */
#include "ctl/common/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "lib/util.h"

/*
 * Decode the character at @s into *ret; returns its bytes, or 0 if there is no
 * valid one. A NUL is never reached: it is no continuation byte.
 */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = s[0];
	size_t n;

	if (c < 0x80) {
		*ret = c;
		return 1;
	}
	if (c >= 0xc0 && c < 0xe0)
		n = 2, c &= 0x1f;
	else if (c >= 0xe0 && c < 0xf0)
		n = 3, c &= 0x0f;
	else if (c >= 0xf0 && c < 0xf8)
		n = 4, c &= 0x07;
	else
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

/* C0, DEL, C1, line ends, and marks that turn the direction of what follows. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

bool ctl_text_is_plain(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c;

	while (*s) {
		size_t n = decode(s, &c);

		if (n == 0 || is_control(c))
			return false;
		s += n;
	}
	return true;
}

static void put_escaped(FILE *f, uint32_t c)
{
	if (c == '\n')
		fputs("\\n", f);
	else if (c == '\t')
		fputs("\\t", f);
	else if (c < 0x80)
		fprintf(f, "\\x%02x", c);
	else
		fprintf(f, "\\u%04x", c);
}

/*
 * A copy of @text in which @put writes each character: @c, of @n bytes at @s;
 * @n is 0 for a byte that is not valid UTF-8.
 */
static char *rewrite(const char *text,
		     void (*put)(FILE *f, const unsigned char *s, size_t n,
				 uint32_t c))
{
	const unsigned char *s = (const unsigned char *)text;
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	while (*s) {
		uint32_t c = 0;
		size_t n = decode(s, &c);

		put(f, s, n, c);
		s += n ? n : 1;
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static void put_plain(FILE *f, const unsigned char *s, size_t n, uint32_t c)
{
	if (n == 0)
		fprintf(f, "\\x%02x", *s);
	else if (is_control(c))
		put_escaped(f, c);
	else
		fwrite(s, 1, n, f);
}

char *ctl_text_escape(const char *text)
{
	return rewrite(text, put_plain);
}

/*
 * The JSON formatter has escaped controls below DEL in strings; outside of
 * strings they are its own white space.
 */
static void put_json(FILE *f, const unsigned char *s, size_t n, uint32_t c)
{
	if (n == 0)
		fputs("\\ufffd", f);
	else if (c >= 0x7f && is_control(c))
		fprintf(f, "\\u%04x", c);
	else
		fwrite(s, 1, n, f);
}

char *ctl_text_escape_json(const char *text)
{
	return rewrite(text, put_json);
}

size_t ctl_text_width(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t width = 0;
	uint32_t c;

	while (*s) {
		size_t n = decode(s, &c);
		int columns = n ? wcwidth(c) : 1;

		/* -1: a character that the locale cannot show. */
		width += columns < 0 ? 1 : columns;
		s += n ? n : 1;
	}
	return width;
}

/* Only bytes that have no special meaning in any POSIX shell. */
static bool needs_no_quotes(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789@%+=:,./_-";

	return word[0] && word[strspn(word, safe)] == '\0';
}

/*
 * $'...' of bash and POSIX 2024: the only way to quote control characters
 * without printing them.
 */
static void quote_dollar(FILE *f, const char *word)
{
	fputs("$'", f);
	for (const unsigned char *s = (const unsigned char *)word; *s; s++) {
		if (*s == '\'' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (*s < 0x20 || *s >= 0x7f)
			fprintf(f, "\\%03o", *s);
		else
			fputc(*s, f);
	}
	fputc('\'', f);
}

char *ctl_text_quote(const char *word)
{
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	if (!f)
		return NULL;
	if (needs_no_quotes(word)) {
		fputs(word, f);
	} else if (!ctl_text_is_plain(word)) {
		quote_dollar(f, word);
	} else {
		fputc('\'', f);
		for (; *word; word++) {
			if (*word == '\'')
				fputs("'\\''", f);
			else
				fputc(*word, f);
		}
		fputc('\'', f);
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

/* Whether XML 1.0 can represent it: no controls but white space, no U+FFFE. */
static bool is_xml(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c;

	while (*s) {
		size_t n = decode(s, &c);

		if (n == 0 || c == 0xfffe || c == 0xffff ||
		    (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
			return false;
		s += n;
	}
	return true;
}

static void put_xml(FILE *f, const unsigned char *s, size_t n, uint32_t c)
{
	if (is_control(c) || (c < 0x80 && strchr("&<>'\"", (int)c)))
		fprintf(f, "&#%u;", c);
	else
		fwrite(s, 1, n, f);
}

char *ctl_text_escape_xml(const char *text)
{
	if (!is_xml(text)) {
		errno = EILSEQ;
		return NULL;
	}
	errno = ENOMEM;
	return rewrite(text, put_xml);
}
