/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log. */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Do not log the source line. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "lib/name.h"
#include "text.h"

#define JOURNAL	  "/run/systemd/journal/socket"
#define LINE_SIZE 1024
/* "VGPU_EVENT=" and the longest of the values. */
#define FIELD_SIZE (16 + VGPU_NAME_MAX)

/* systemd says which file it is that it reads (systemd.exec(5), JOURNAL_STREAM). */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	/* libsystemd does not report that no journal is running. */
	return stream && access(JOURNAL, W_OK) == 0 &&
	       sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
	       st.st_ino == inode;
}

static void add_field(struct iovec *fields, int *count, char text[FIELD_SIZE],
		      const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	snprintf(text, FIELD_SIZE, "%s=%s", key, value);
	fields[(*count)++] =
		(struct iovec){.iov_base = text, .iov_len = strlen(text)};
}

static int send_to_journal(const char *uuid, const char *name,
			   const char *event, const char *line)
{
	char uuid_field[FIELD_SIZE], name_field[FIELD_SIZE];
	char event_field[FIELD_SIZE], message[LINE_SIZE + 16];
	struct iovec fields[6] = {
		{.iov_base = (char *)"SYSLOG_IDENTIFIER=vgpud", .iov_len = 23},
		{.iov_base = (char *)"PRIORITY=6", .iov_len = 10},
	};
	int count = 2;

	snprintf(message, sizeof(message), "MESSAGE=%s", line);
	fields[count++] =
		(struct iovec){.iov_base = message, .iov_len = strlen(message)};
	add_field(fields, &count, uuid_field, "VGPU_UUID", uuid);
	add_field(fields, &count, name_field, "VGPU_NAME", name);
	add_field(fields, &count, event_field, "VGPU_EVENT", event);
	return sd_journal_sendv(fields, count);
}

static void write_line(const char *uuid, const char *name, const char *event,
		       char line[LINE_SIZE])
{
	vgpu_text_make_printable(line);
	if (is_journal() && send_to_journal(uuid, name, event, line) >= 0)
		return;
	/* One call, so that lines of several processes do not mix. */
	fprintf(stderr, "vgpud: %s\n", line);
}

void vgpu_log(const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	write_line(NULL, NULL, NULL, line);
}

void vgpu_log_vgpu(const char *uuid, const char *name, const char *event,
		   const char *fmt, ...)
{
	bool has_name = name && name[0];
	char line[LINE_SIZE];
	va_list args;
	int n;

	n = snprintf(line, sizeof(line), "%s%s%s%s%s%s: ", uuid,
		     has_name ? " (" : "", has_name ? name : "",
		     has_name ? ")" : "", event ? " " : "", event ? event : "");
	va_start(args, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
	va_end(args);
	write_line(uuid, name, event, line);
}
