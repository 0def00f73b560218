/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that a client's message is complete, for LibVNCServer blocks on the
 * rest of one.
 */
#include "device/display/vnc/gate.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/util.h"

/* Time limits: for the handshake, and for the rest of a message. */
#define LATE_NS (10 * 1000000000ULL)
/* For the answer to a challenge: somebody may be typing a password. */
#define PASSWORD_NS (60 * 1000000000ULL)
/* Nobody knows as many encodings. */
#define ENCODINGS_MAX 256U
/* Text that is cut; we want none of it. */
#define TEXT_BYTES_MAX (16U << 20)

#define VERSION_BYTES	   12U
#define PIXEL_FORMAT_BYTES 20U
#define ENCODINGS_BYTES(n) (4U + 4U * (n))
#define REQUEST_BYTES	   10U
#define KEY_BYTES	   8U
#define POINTER_BYTES	   6U
#define TEXT_BYTES	   8U
#define EXTENDED_KEY_BYTES 12U
#define CHALLENGE_BYTES	   16U

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void vgpu_vnc_gate_init(struct vgpu_vnc_gate *gate, bool has_input)
{
	*gate = (struct vgpu_vnc_gate){
		.since_ns = now_ns(),
		.is_half = true,
		.has_input = has_input,
	};
}

/*
 * Length of the message that begins with these @n bytes; 0: invalid. More than
 * @n: read so many to tell, or to have all of it.
 */
static uint32_t message_bytes(const uint8_t *data, uint32_t n, bool has_input,
			      bool *ret_is_void)
{
	uint32_t encodings, text;

	switch (data[0]) {
	case rfbSetPixelFormat:
		return PIXEL_FORMAT_BYTES;
	case rfbSetEncodings:
		if (n < ENCODINGS_BYTES(0))
			return n + 1;
		encodings = (uint32_t)data[2] << 8 | data[3];
		return encodings > ENCODINGS_MAX ? 0 : ENCODINGS_BYTES(encodings);
	case rfbFramebufferUpdateRequest:
		return REQUEST_BYTES;
	case rfbKeyEvent:
		*ret_is_void = !has_input;
		return KEY_BYTES;
	case rfbPointerEvent:
		*ret_is_void = !has_input;
		return POINTER_BYTES;
	case rfbQemuEvent:
		*ret_is_void = !has_input;
		if (n < 2)
			return 2;
		return data[1] == 0 ? EXTENDED_KEY_BYTES : 0;
	case rfbSetDesktopSize:
		if (n < VGPU_VNC_SIZE_BYTES(0))
			return VGPU_VNC_SIZE_BYTES(0);
		return data[6] > VGPU_VNC_SCREENS_MAX
			       ? 0
			       : VGPU_VNC_SIZE_BYTES(data[6]);
	case rfbClientCutText:
		*ret_is_void = true;
		if (n < TEXT_BYTES)
			return TEXT_BYTES;
		text = (uint32_t)data[4] << 24 | (uint32_t)data[5] << 16 |
		       (uint32_t)data[6] << 8 | data[7];
		if (text > INT32_MAX) /* what the extended clipboard says */
			text = -text;
		return text > TEXT_BYTES_MAX ? 0 : TEXT_BYTES + text;
	default:
		return 0;
	}
}

static uint32_t whole_bytes(const rfbClientRec *client, const uint8_t *data,
			    uint32_t n, bool has_input, bool *ret_is_void)
{
	*ret_is_void = false;
	switch (client->state) {
	case RFB_PROTOCOL_VERSION:
		return memcmp(data, "RFB ", VGPU_MIN(n, 4U)) ? 0 : VERSION_BYTES;
	case RFB_SECURITY_TYPE:
	case RFB_INITIALISATION:
		return 1;
	case RFB_AUTHENTICATION:
		return CHALLENGE_BYTES;
	case RFB_NORMAL:
		return message_bytes(data, n, has_input, ret_is_void);
	default:
		return 0;
	}
}

/* Returns whether all of it is gone. */
static bool drop_bytes(struct vgpu_vnc_gate *gate, int socket)
{
	uint8_t data[4096];

	while (gate->skip_bytes) {
		ssize_t n = recv(socket, data,
				 VGPU_MIN(gate->skip_bytes, sizeof(data)),
				 MSG_DONTWAIT);

		if (n <= 0)
			return false;
		gate->skip_bytes -= (uint32_t)n;
	}
	return true;
}

/* Wait for the rest within the time limit, unless the client has hung up. */
static enum vgpu_vnc_look wait_for_rest(struct vgpu_vnc_gate *gate,
					const rfbClientRec *client)
{
	struct pollfd hangup = {.fd = client->sock, .events = POLLRDHUP};
	uint64_t late_ns =
		client->state == RFB_AUTHENTICATION ? PASSWORD_NS : LATE_NS;

	if (poll(&hangup, 1, 0) != 0)
		return VGPU_VNC_LOOK_END;
	if (!gate->is_half)
		gate->since_ns = now_ns();
	gate->is_half = true;
	return now_ns() - gate->since_ns > late_ns ? VGPU_VNC_LOOK_END
						   : VGPU_VNC_LOOK_NOTHING;
}

enum vgpu_vnc_look vgpu_vnc_gate_look(struct vgpu_vnc_gate *gate,
				      const rfbClientRec *client)
{
	uint8_t data[ENCODINGS_BYTES(ENCODINGS_MAX)];
	bool is_normal = client->state == RFB_NORMAL, is_void;
	uint32_t bytes;
	ssize_t n;

	if (!drop_bytes(gate, client->sock))
		return wait_for_rest(gate, client);
	n = recv(client->sock, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return VGPU_VNC_LOOK_END;
	if (n < 0) {
		if (!is_normal)
			return wait_for_rest(gate, client);
		gate->is_half = false;
		return VGPU_VNC_LOOK_NOTHING;
	}
	bytes = whole_bytes(client, data, (uint32_t)n, gate->has_input, &is_void);
	if (!bytes)
		return VGPU_VNC_LOOK_END;
	if (is_void && n >= (ssize_t)VGPU_MIN(bytes, TEXT_BYTES)) {
		gate->skip_bytes = bytes;
		return drop_bytes(gate, client->sock)
			       ? VGPU_VNC_LOOK_NOTHING
			       : wait_for_rest(gate, client);
	}
	if ((uint32_t)n < bytes)
		return wait_for_rest(gate, client);
	/* One deadline for all steps of the handshake. */
	if (is_normal)
		gate->is_half = false;
	return VGPU_VNC_LOOK_WHOLE;
}
