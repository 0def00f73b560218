/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A console of vgpu-web: a browser's WebSocket that sends frames, or bytes that
 * are none, and a VNC server behind it, either of which may be slow or gone.
 * What one sends in order the other gets in order, as long as it is well formed.
 */
#include <sys/socket.h>

#include "ctl/web/relay.h"
#include "input.h"

/* Of a stream that is checked. */
#define BYTES_MAX (256 * 1024)

struct stream {
	uint8_t bytes[BYTES_MAX];
	size_t n;
};

struct MHD_UpgradeResponseHandle {
	int socket;
	bool is_closed;
};

static struct world {
	sd_event *event;
	struct web_relays relays;
	struct MHD_UpgradeResponseHandle handle;
	int browser, vnc;
	bool is_spoilt;		   /* not all that was sent has to arrive */
	struct stream typed, took; /* to the VNC server: sent, got */
	struct stream drawn, seen; /* to the browser: sent, frames got */
} world;

/* The double of libmicrohttpd's, which closes the socket it gave. */
enum MHD_Result MHD_upgrade_action(struct MHD_UpgradeResponseHandle *handle,
				   enum MHD_UpgradeAction action, ...)
{
	FUZZ_CHECK(action == MHD_UPGRADE_ACTION_CLOSE && !handle->is_closed);
	handle->is_closed = true;
	close(handle->socket);
	return MHD_YES;
}

static void run(void)
{
	while (sd_event_run(world.event, 0) > 0)
		;
}

/* Sends what fits: a piece of a frame would spoil all that follows. */
static bool send_all(int socket, const uint8_t *bytes, size_t n)
{
	ssize_t sent = send(socket, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent >= 0 && (size_t)sent < n)
		world.is_spoilt = true;
	return sent == (ssize_t)n;
}

/* A message as browsers send it. */
static void send_message(struct input *in)
{
	uint8_t frame[14 + 4096], mask[4];
	size_t n = take8(in) % 3 == 0 ? take32(in) % 4096 : take8(in), head = 2;
	static const uint8_t fill[4096] = {1, 2, 3};

	take_bytes(in, mask, sizeof(mask));
	frame[0] = 0x82;
	if (n < 126) {
		frame[1] = (uint8_t)(0x80 | n);
	} else {
		frame[1] = 0x80 | 126;
		frame[2] = (uint8_t)(n >> 8);
		frame[3] = (uint8_t)n;
		head = 4;
	}
	memcpy(frame + head, mask, 4);
	for (size_t i = 0; i < n; i++)
		frame[head + 4 + i] = fill[i] ^ mask[i % 4];
	if (!send_all(world.browser, frame, head + 4 + n) ||
	    world.typed.n + n > BYTES_MAX) {
		world.is_spoilt = true;
		return;
	}
	memcpy(world.typed.bytes + world.typed.n, fill, n);
	world.typed.n += n;
}

static void send_raw(struct input *in)
{
	uint8_t bytes[64];
	size_t n = take_bytes(in, bytes, 1 + take8(in) % sizeof(bytes));

	world.is_spoilt = true;
	send_all(world.browser, bytes, n);
}

static void draw(struct input *in)
{
	static uint8_t bytes[70000];
	size_t n = 1 + take32(in) % sizeof(bytes);
	ssize_t sent;

	if (world.drawn.n + n > BYTES_MAX)
		return;
	memset(bytes, take8(in), n);
	sent = send(world.vnc, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent <= 0)
		return;
	memcpy(world.drawn.bytes + world.drawn.n, bytes, (size_t)sent);
	world.drawn.n += (size_t)sent;
}

static void receive(int socket, struct stream *stream)
{
	ssize_t n;

	while (stream->n < BYTES_MAX &&
	       (n = recv(socket, stream->bytes + stream->n,
			 BYTES_MAX - stream->n, MSG_DONTWAIT)) > 0)
		stream->n += (size_t)n;
}

/* The payloads of the binary frames among @seen; others are ours to answer. */
static size_t join_frames(const struct stream *seen, uint8_t *to)
{
	size_t at = 0, n = 0;

	while (at + 2 <= seen->n) {
		const uint8_t *head = seen->bytes + at;
		uint64_t length = head[1];
		size_t bytes = 2;

		FUZZ_CHECK(!(head[1] & 0x80)); /* a server masks nothing */
		if (length >= 126) {
			size_t more = length == 126 ? 2 : 8;

			if (at + 2 + more > seen->n)
				break;
			length = 0;
			for (size_t i = 0; i < more; i++)
				length = length << 8 | head[2 + i];
			bytes += more;
		}
		if (length > seen->n - at - bytes)
			break;
		if ((head[0] & 15) < 8) {
			memcpy(to + n, head + bytes, length);
			n += length;
		}
		at += bytes + length;
	}
	return n;
}

static void check_streams(void)
{
	static uint8_t shown[BYTES_MAX];
	size_t n;

	/* Each gives the other room. */
	for (int i = 0; i < 64; i++) {
		run();
		receive(world.vnc, &world.took);
		receive(world.browser, &world.seen);
	}
	n = join_frames(&world.seen, shown);
	FUZZ_CHECK(n <= world.drawn.n && memcmp(shown, world.drawn.bytes, n) == 0);
	if (world.is_spoilt)
		return;
	FUZZ_CHECK(world.took.n == world.typed.n &&
		   memcmp(world.took.bytes, world.typed.bytes, world.took.n) == 0);
	/* Frames' heads take room of what is kept here, too. */
	FUZZ_CHECK(n == world.drawn.n || world.seen.n == BYTES_MAX);
}

static void begin(struct input *in)
{
	int web[2], vnc[2];
	struct web_relay *relay;
	char extra[64] = "";
	size_t n = 0;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, web) == 0 &&
		   socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, vnc) == 0);
	world.browser = web[0];
	world.handle = (struct MHD_UpgradeResponseHandle){.socket = web[1]};
	world.vnc = vnc[0];
	world.is_spoilt = false;
	world.typed.n = world.took.n = world.drawn.n = world.seen.n = 0;
	web_relays_init(&world.relays, world.event);
	FUZZ_CHECK(web_relay_create(&world.relays, vnc[1], &relay) == 0);
	if (take8(in) & 1) {
		n = take_bytes(in, extra, sizeof(extra));
		world.is_spoilt = n > 0;
	}
	web_relay_begin(relay, &world.handle, web[1], extra, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static int fds;

	if (!world.event)
		FUZZ_CHECK(sd_event_new(&world.event) >= 0);
	begin(&in);
	while (in.left > 0) {
		switch (take8(&in) % 8) {
		case 0:
			send_raw(&in);
			break;
		case 1:
		case 2:
			send_message(&in);
			break;
		case 3:
			draw(&in);
			break;
		case 4:
			receive(world.vnc, &world.took);
			break;
		case 5:
			receive(world.browser, &world.seen);
			break;
		case 6:
			if (take8(&in) % 4 == 0) {
				world.is_spoilt = true;
				shutdown(take8(&in) & 1 ? world.vnc
							: world.browser,
					 SHUT_RDWR);
			}
			break;
		default:
			run();
			break;
		}
	}
	check_streams();
	FUZZ_CHECK(world.is_spoilt || !world.handle.is_closed);
	web_relays_end(&world.relays);
	FUZZ_CHECK(world.handle.is_closed && world.relays.n == 0);
	close(world.browser);
	close(world.vnc);
	run();
	if (!fds)
		fds = count_fds() + LAZY_FDS;
	check_fds(fds);
	return 0;
}
