/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the gpu: valid sequences of commands in which one thing is broken. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "device/display/viewer_abi.h"
#include "tests/device/gpu_guest.h"

/*
 * An input is a program for the generator below: each step takes an opcode and
 * what it needs, so that any bytes make a sequence in which most commands are
 * good and ids, sizes and heads often meet. A step can break one word of its
 * command, cut its iovecs oddly, leave little room for the answer, come as a
 * retry, or be followed by a new process that goes on from the state. The
 * checks are those of the guest (gpu_guest.c) after every step, and those of
 * the sanitizers.
 */
#define STEPS_MAX 200
/* Small heads, so that pictures of them are quick. */
#define WIDTH		128
#define HEIGHT		96
#define MEMORY_MIB	1
#define FRAMEBUFFER_MIB 1
#define SOCKETS_MAX	3 /* heads */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static struct guest *guest;
static int sockets[SOCKETS_MAX] = {-1, -1, -1};

static uint8_t take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static uint32_t take32(struct input *in)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | take8(in);
	return value;
}

static uint32_t take_id(struct input *in)
{
	static const uint32_t odd[] = {0, 0x80000000, UINT32_MAX, 4097};
	uint8_t byte = take8(in);

	return byte < 0xf0 ? 1 + byte % 6 : odd[byte % 4];
}

/* A resource that exists and is of @kind, if there is one; mostly. */
static uint32_t take_live(struct input *in, uint32_t kind, bool is_backed)
{
	uint8_t byte = take8(in);

	for (uint32_t i = 0; byte < 0xe0 && i < 8; i++) {
		const struct vgpu_gpu_state_resource *resource;

		resource = &guest->state->resource[(byte + i) % 8];
		if (resource->id && resource->kind == kind &&
		    is_backed == (resource->backing != 0))
			return resource->id;
	}
	return take_id(in);
}

/* A name that no resource has; mostly. */
static uint32_t take_free(struct input *in)
{
	uint8_t byte = take8(in);

	for (uint32_t i = 0; byte < 0xe0 && i < 8; i++)
		if (vgpu_gpu_slot_find(guest->gpu, 1 + (byte + i) % 8) ==
		    VGPU_GPU_NO_SLOT)
			return 1 + (byte + i) % 8;
	return take_id(in);
}

static uint32_t take_size(struct input *in)
{
	static const uint32_t sizes[] = {1, 16, 63, 64, 65, 100, 640, 0};

	return sizes[take8(in) % VGPU_ARRAY_SIZE(sizes)];
}

static uint32_t take_odd(struct input *in)
{
	static const uint32_t odd[] = {
		0,	    1,		0x7f,	    0x4000,	0x4001,
		0xffff,	    0x10000,	0x3fffffff, 0x40000000, 0x7fffffff,
		0x80000000, 0xfffffffc, 0xffffffff,
	};
	uint8_t byte = take8(in);

	return byte < 0x80 ? odd[byte % VGPU_ARRAY_SIZE(odd)] : take32(in);
}

static uint32_t take_format(struct input *in)
{
	static const uint32_t formats[] = {1, 2, 3, 4, 67, 68, 121, 134};

	return formats[take8(in) % VGPU_ARRAY_SIZE(formats)];
}

/* In @width x @height, or nearly so. */
static struct vgpu_gpu_rect take_rect(struct input *in, uint32_t width,
				      uint32_t height)
{
	struct vgpu_gpu_rect rect = {0, 0, width, height};
	uint8_t byte = take8(in);

	if (byte & 1) {
		rect.x = take8(in) % (width + 1);
		rect.width = width - rect.x;
	}
	if (byte & 2) {
		rect.y = take8(in) % (height + 1);
		rect.height = height - rect.y;
	}
	if (byte & 4)
		rect.width = take_size(in);
	if (byte & 8)
		rect.height = take_size(in);
	return rect;
}

static struct vgpu_gpu_rect take_rect_of(struct input *in, uint32_t id)
{
	uint32_t slot = vgpu_gpu_slot_find(guest->gpu, id);

	if (slot == VGPU_GPU_NO_SLOT)
		return take_rect(in, take_size(in), take_size(in));
	return take_rect(in, guest->state->resource[slot].width,
			 guest->state->resource[slot].height);
}

/* Entries that mostly are guest memory. Returns their number. */
static uint32_t take_entries(struct input *in, struct vgpu_gpu_entry *entries,
			     uint32_t max)
{
	uint8_t how = take8(in);
	uint32_t n = 1 + how % max;

	if (how & 0x80) {
		/* One that is enough for what there is. */
		entries[0] = (struct vgpu_gpu_entry){
			GUEST_BASE + take8(in), (1 + take8(in) % 64) * 4096u, 0};
		return 1;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint8_t byte = take8(in);

		entries[i] = (struct vgpu_gpu_entry){
			GUEST_BASE + (uint64_t)(byte & 0x7f) * GUEST_PAGE +
				(byte & 3),
			GUEST_PAGE << (byte >> 6), 0};
		if (byte == 0xff) {
			entries[i].gpa =
				(uint64_t)take_odd(in) << 32 | take_odd(in);
			entries[i].bytes = take_odd(in);
		}
	}
	return n;
}

union body {
	struct vgpu_gpu_resource_create_2d create_2d;
	struct vgpu_gpu_resource_only only;
	struct vgpu_gpu_set_scanout set_scanout;
	struct vgpu_gpu_resource_flush flush;
	struct vgpu_gpu_transfer_to_host_2d transfer;
	struct vgpu_gpu_attach_backing attach;
	struct vgpu_gpu_get_edid get_edid;
	struct vgpu_gpu_create_blob create_blob;
	struct vgpu_gpu_set_scanout_blob set_scanout_blob;
	struct vgpu_gpu_cursor_request cursor;
	uint32_t words[18];
};

/* Fill the body of a good command of @type. Returns its bytes. */
static size_t make_body(struct input *in, uint32_t type, union body *body,
			struct vgpu_gpu_entry *entries, uint32_t max,
			uint32_t *ret_n)
{
	uint32_t id, width, height;

	*ret_n = 0;
	memset(body, 0, sizeof(*body));
	switch (type) {
	case VGPU_GPU_RESOURCE_CREATE_2D:
		body->create_2d.resource_id = take_free(in);
		body->create_2d.format = take_format(in);
		body->create_2d.width = take_size(in);
		body->create_2d.height = take_size(in);
		return sizeof(body->create_2d);
	case VGPU_GPU_SET_SCANOUT:
		id = take_live(in, VGPU_GPU_KIND_2D, take8(in) & 1);
		body->set_scanout.resource_id = id;
		body->set_scanout.rect = take_rect_of(in, id);
		body->set_scanout.scanout_id = take8(in) % 3;
		return sizeof(body->set_scanout);
	case VGPU_GPU_RESOURCE_FLUSH:
		id = take_live(in, VGPU_GPU_KIND_2D, take8(in) & 1);
		body->flush.resource_id = id;
		body->flush.rect = take_rect_of(in, id);
		return sizeof(body->flush);
	case VGPU_GPU_TRANSFER_TO_HOST_2D:
		id = take_live(in, VGPU_GPU_KIND_2D, true);
		body->transfer.resource_id = id;
		body->transfer.rect = take_rect_of(in, id);
		body->transfer.offset = take8(in);
		return sizeof(body->transfer);
	case VGPU_GPU_RESOURCE_ATTACH_BACKING:
		id = take_live(in, VGPU_GPU_KIND_2D, false);
		*ret_n = take_entries(in, entries, max);
		body->attach.resource_id = id;
		body->attach.n_entries = *ret_n;
		return sizeof(body->attach);
	case VGPU_GPU_RESOURCE_DETACH_BACKING:
		body->only.resource_id = take_live(in, 1 + take8(in) % 2, true);
		return sizeof(body->only);
	case VGPU_GPU_RESOURCE_UNREF:
		body->only.resource_id =
			take_live(in, 1 + take8(in) % 2, take8(in) & 1);
		return sizeof(body->only);
	case VGPU_GPU_RESOURCE_CREATE_BLOB:
		*ret_n = take_entries(in, entries, max);
		body->create_blob.resource_id = take_free(in);
		body->create_blob.blob_mem = VGPU_GPU_BLOB_MEM_GUEST;
		body->create_blob.blob_flags = take8(in) & 7;
		body->create_blob.n_entries = *ret_n;
		body->create_blob.bytes = (1 + take8(in) % 32) * 1024u;
		return sizeof(body->create_blob);
	case VGPU_GPU_SET_SCANOUT_BLOB:
		width = take_size(in);
		height = take_size(in);
		body->set_scanout_blob.resource_id =
			take_live(in, VGPU_GPU_KIND_BLOB, true);
		body->set_scanout_blob.rect = take_rect(in, width, height);
		body->set_scanout_blob.scanout_id = take8(in) % 3;
		body->set_scanout_blob.width = width;
		body->set_scanout_blob.height = height;
		body->set_scanout_blob.format = take_format(in);
		body->set_scanout_blob.strides[0] = width * 4 + (take8(in) & 15);
		body->set_scanout_blob.offsets[0] = take8(in);
		return sizeof(body->set_scanout_blob);
	case VGPU_GPU_GET_EDID:
		body->get_edid.scanout_id = take8(in) % 3;
		return sizeof(body->get_edid);
	default:
		body->only.resource_id = take_id(in);
		return sizeof(body->only);
	}
}

static void send_command(struct input *in, uint32_t type)
{
	struct vgpu_gpu_entry entries[12];
	union body body;
	uint32_t n;
	size_t bytes = make_body(in, type, &body, entries,
				 VGPU_ARRAY_SIZE(entries), &n);
	uint8_t how = take8(in);

	/* Most commands stay good, else nothing would be there to break. */
	if (how % 16 == 1)
		body.words[take8(in) % (bytes / 4)] = take_odd(in);
	if (how % 16 == 2)
		bytes = take8(in) % (bytes + 1);
	if (how % 16 == 3)
		guest->writable = take8(in);
	if (how % 16 == 4)
		guest->cut = 1 + take8(in) % 64;
	if (how % 16 == 5)
		type = take_odd(in);
	guest->is_retry = how & 0x40;
	guest->flags = how & 0x80 ? take8(in) : 0;
	guest_send_entries(guest, type, &body, bytes, entries, n);
	guest->is_retry = false;
	guest->cut = 0;
	guest->writable = sizeof(guest->answer);
}

static void send_cursor(struct input *in)
{
	struct vgpu_gpu_cursor_request cursor = {};
	uint8_t how = take8(in);

	cursor.scanout_id = how % 4 == 3 ? take_odd(in) : how % 4;
	cursor.x = how & 0x10 ? take_odd(in) : take8(in);
	cursor.y = how & 0x20 ? take_odd(in) : take8(in);
	cursor.resource_id = take_id(in);
	cursor.hot_x = how & 0x40 ? take_odd(in) : 0;
	guest_send_cursor(guest,
			  how & 0x80 ? VGPU_GPU_MOVE_CURSOR
				     : VGPU_GPU_UPDATE_CURSOR,
			  &cursor);
}

static void end_viewer(uint32_t head)
{
	sockets[head] = vgpu_close(sockets[head]);
	vgpu_gpu_viewer_readable(guest->gpu, head);
}

static void play_viewer(struct input *in)
{
	uint32_t head = take8(in) % SOCKETS_MAX;
	struct vgpu_viewer_msg msg = {.type = VGPU_VIEWER_ACK};
	struct vgpu_err err = {};
	int pair[2];

	switch (take8(in) % 4) {
	case 0:
		if (socketpair(AF_UNIX,
			       SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			       pair) < 0)
			abort();
		vgpu_gpu_view(guest->gpu, head, pair[1], &err);
		vgpu_close(sockets[head]);
		sockets[head] = pair[0];
		break;
	case 1:
		end_viewer(head);
		break;
	default:
		/* Mostly the acknowledgement that the gpu waits for. */
		if (take8(in) % 4 == 0)
			msg.type = take8(in) % 8;
		if (sockets[head] >= 0)
			send(sockets[head], &msg, sizeof(msg), MSG_NOSIGNAL);
		vgpu_gpu_viewer_readable(guest->gpu, head);
		break;
	}
}

static void capture(uint32_t head)
{
	struct picture picture;

	if (head >= guest->config.heads)
		return;
	guest_capture(guest, head, &picture);
	picture_finish(&picture);
}

/* Another process, on a state that may have been tampered with. */
static void resume(struct input *in)
{
	uint8_t how = take8(in);

	if (how & 1) {
		size_t at = take32(in) %
			    offsetof(struct vgpu_gpu_state, resource[8]);

		((uint8_t *)guest->state)[at] ^= take8(in);
	}
	if (how & 2) {
		/* Where what is in use of the entries is. */
		uint32_t *words = (uint32_t *)guest->state->entry;

		words[take8(in)] = take_odd(in);
	}
	if (how & 4)
		guest->config.heads = take8(in) % (SOCKETS_MAX + 1);
	guest_resume(guest);
}

static void configure(struct input *in)
{
	struct vgpu_err err = {};
	uint8_t data[16];
	uint32_t value = take_odd(in);

	memset(data, (int)value, sizeof(data));
	switch (value % 4) {
	case 0:
		vgpu_gpu_config_write(guest->gpu, take_odd(in), data,
				      value / 4 % sizeof(data));
		break;
	case 1:
		/* All that fits this small is to unplug the head. */
		vgpu_gpu_set_mode(guest->gpu, take8(in) % 4,
				  take8(in) % 2 * 640, 0, &err);
		break;
	case 2:
		vgpu_gpu_set_features(guest->gpu, take8(in));
		break;
	default:
		/* The guest's memory shrinks, and comes back. */
		guest->memory_bytes = value & 4 ? MEMORY_MIB * VGPU_MIB
						: take8(in) * GUEST_PAGE;
		break;
	}
}

static void do_step(struct input *in)
{
	static const uint32_t commands[] = {
		VGPU_GPU_RESOURCE_CREATE_2D,
		VGPU_GPU_RESOURCE_CREATE_2D,
		VGPU_GPU_RESOURCE_ATTACH_BACKING,
		VGPU_GPU_RESOURCE_ATTACH_BACKING,
		VGPU_GPU_TRANSFER_TO_HOST_2D,
		VGPU_GPU_TRANSFER_TO_HOST_2D,
		VGPU_GPU_SET_SCANOUT,
		VGPU_GPU_RESOURCE_FLUSH,
		VGPU_GPU_RESOURCE_CREATE_BLOB,
		VGPU_GPU_SET_SCANOUT_BLOB,
		VGPU_GPU_RESOURCE_UNREF,
		VGPU_GPU_RESOURCE_DETACH_BACKING,
		VGPU_GPU_RESOURCE_ASSIGN_UUID,
		VGPU_GPU_GET_EDID,
		VGPU_GPU_GET_DISPLAY_INFO,
		VGPU_GPU_GET_CAPSET,
	};
	uint8_t op = take8(in) % 32;

	if (op < VGPU_ARRAY_SIZE(commands))
		send_command(in, commands[op]);
	else if (op < 20)
		send_command(in, commands[op % 10]);
	else if (op < 23)
		send_cursor(in);
	else if (op < 25)
		resume(in);
	else if (op < 28)
		play_viewer(in);
	else if (op < 30)
		configure(in);
	else if (op < 31)
		capture(take8(in) % SOCKETS_MAX);
	else
		vgpu_gpu_reset(guest->gpu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	if (!guest) {
		guest = guest_create(0, WIDTH, HEIGHT, FRAMEBUFFER_MIB,
				     MEMORY_MIB);
		/* Nowhere what the framebuffer holds already. */
		for (uint32_t i = 0; i < MEMORY_MIB * VGPU_MIB / 4; i++)
			((uint32_t *)guest->memory)[i] = i * 2654435761u | 1;
	}
	guest->memory_bytes = MEMORY_MIB * VGPU_MIB;
	guest->config.heads = take8(&in) % (SOCKETS_MAX + 1);
	guest->state->magic = 0; /* as a new vGPU */
	guest_resume(guest);
	vgpu_gpu_set_features(guest->gpu, vgpu_gpu_features(guest->gpu));

	for (int i = 0; i < STEPS_MAX && in.left > 0; i++) {
		do_step(&in);
		guest_check(guest);
	}
	for (uint32_t head = 0; head < SOCKETS_MAX; head++)
		end_viewer(head);
	return 0;
}
