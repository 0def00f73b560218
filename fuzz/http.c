/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What connects to vgpu-exporter: requests, in pieces. The first byte says how
 * long these are. Whoever has sent a whole request has one whole answer.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/exporter/server.h"
#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[] = "vgpu_up 1\n";
static struct exporter_text answer = {.bytes = sizeof(text) - 1, .text = text};

/* The double: its figures are always there. */
struct exporter_text *exporter_scrape(struct exporter_scrape *scrape)
{
	answer.refs++;
	return &answer;
}

void exporter_text_unref(struct exporter_text *unused)
{
	if (unused)
		unused->refs--;
}

static void run(sd_event *event)
{
	while (sd_event_run(event, 0) > 0)
		;
}

/* "HTTP/1.1 NNN ", and as much text as it says. */
static void check_answer(const char *got, size_t bytes, bool is_whole)
{
	const char *end, *length;

	if (bytes == 0) {
		if (is_whole)
			abort();
		return;
	}
	if (bytes < 13 || memcmp(got, "HTTP/1.1 ", 9) != 0)
		abort();
	end = memmem(got, bytes, "\r\n\r\n", 4);
	length = memmem(got, bytes, "Content-Length: ", 16);
	if (!end || !length || length > end)
		abort();
	/* HEAD has none of it. */
	if (bytes != (size_t)(end + 4 - got) &&
	    bytes != (size_t)(end + 4 - got) + strtoul(length + 16, NULL, 10))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exporter_scrape scrape = {};
	struct exporter_server *server = NULL;
	static sd_event *event;
	char got[4096] = "";
	size_t piece, n = 0;
	bool is_whole;
	ssize_t r;
	int pair[2];

	if (size < 2)
		return 0;
	piece = 1 + data[0];
	data++;
	size--;
	is_whole = memmem(data, size, "\n\n", 2) ||
		   memmem(data, size, "\r\n\r\n", 4);
	if ((!event && sd_event_new(&event) < 0) ||
	    exporter_server_create(event, &scrape, &server) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair) < 0 ||
	    exporter_server_add(server, pair[1]) < 0)
		abort();
	for (size_t at = 0; at < size; at += piece) {
		if (send(pair[0], data + at, VGPU_MIN(piece, size - at),
			 MSG_NOSIGNAL) < 0)
			break;
		run(event);
	}
	shutdown(pair[0], SHUT_WR);
	run(event);
	while ((r = recv(pair[0], got + n, sizeof(got) - 1 - n, 0)) > 0)
		n += (size_t)r;
	check_answer(got, n, is_whole);
	close(pair[0]);
	run(event);
	exporter_server_destroy(server);
	if (answer.refs != 0)
		abort();
	return 0;
}
