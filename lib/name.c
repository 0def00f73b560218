/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and uuids of vGPUs. */
#include "name.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Not the ctype.h ones, which depend on the locale. */
static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static bool is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

static bool is_uuid_dash(size_t position)
{
	return position == 8 || position == 13 || position == 18 ||
	       position == 23;
}

int vgpu_name_check(const char *name, struct vgpu_err *err)
{
	size_t length = strlen(name);

	if (length == 0)
		return vgpu_err_set(err, -EINVAL, "BadName", "the name is empty");
	if (length > VGPU_NAME_MAX)
		return vgpu_err_set(err, -EINVAL, "BadName",
				    "the name has %zu bytes, at most %d are "
				    "allowed",
				    length, VGPU_NAME_MAX);
	for (const char *c = name; *c; c++)
		if (!is_letter_or_digit(*c) && !strchr("._-", *c))
			return vgpu_err_set(
				err, -EINVAL, "BadName",
				"'%s' is no name: only letters, digits, '.', "
				"'_' and '-' are allowed (A-Z, a-z, 0-9)",
				name);
	if (!is_letter_or_digit(*name))
		return vgpu_err_set(err, -EINVAL, "BadName",
				    "'%s' is no name: it must begin with a "
				    "letter or a digit",
				    name);
	if (vgpu_uuid_has_form(name))
		return vgpu_err_set(err, -EINVAL, "BadName",
				    "'%s' is no name: it has the form of a "
				    "uuid",
				    name);
	return 0;
}

bool vgpu_uuid_has_form(const char *text)
{
	for (size_t i = 0; i < VGPU_UUID_LENGTH; i++)
		if (is_uuid_dash(i) ? text[i] != '-' : !is_hex_digit(text[i]))
			return false;
	return text[VGPU_UUID_LENGTH] == '\0';
}

int vgpu_uuid_parse(const char *text, char ret_uuid[VGPU_UUID_SIZE],
		    struct vgpu_err *err)
{
	bool is_nil = true;

	if (!vgpu_uuid_has_form(text))
		return vgpu_err_set(
			err, -EINVAL, "BadUuid",
			"'%.64s' is no uuid: it must have the form "
			"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, x a hexadecimal "
			"digit",
			text);
	for (size_t i = 0; i < VGPU_UUID_LENGTH; i++)
		if (text[i] != '0' && text[i] != '-')
			is_nil = false;
	if (is_nil)
		return vgpu_err_set(err, -EINVAL, "BadUuid",
				    "the uuid of zeroes cannot be given to a "
				    "vGPU");

	for (size_t i = 0; i < VGPU_UUID_SIZE; i++) {
		char c = text[i];

		ret_uuid[i] = c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c;
	}
	return 0;
}

bool vgpu_uuid_bytes(const char *text, uint8_t ret_bytes[16])
{
	size_t n = 0;

	if (!vgpu_uuid_has_form(text))
		return false;
	for (const char *c = text; *c; c += 2) {
		char digits[3] = {};

		if (*c == '-')
			c++;
		memcpy(digits, c, 2);
		ret_bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

int vgpu_uuid_random(char ret_uuid[VGPU_UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[16];
	char *out = ret_uuid;

	/* getrandom() returns up to 256 bytes completely or not at all. */
	while (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		if (errno != EINTR)
			return -errno;
	bytes[6] = (bytes[6] & 0x0f) | 0x40; /* version 4 */
	bytes[8] = (bytes[8] & 0x3f) | 0x80; /* the RFC's variant */

	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (is_uuid_dash((size_t)(out - ret_uuid)))
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 0xf];
	}
	*out = '\0';
	return 0;
}
