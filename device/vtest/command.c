/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vtest commands: a table of lengths and states, and their handlers. */
#include "internal.h"

#include <fcntl.h>
#include <string.h>

#include "lib/util.h"
#include "render/gfxstream/capset.h"

#define NAME_BYTES_MAX 4096U

/* Lengths are in words, but for the name's. */
struct command {
	int (*handle)(struct connection *c, const uint32_t *body);
	uint32_t length_min;
	uint32_t length_max;
	enum phase from; /* the phases in which it may come */
	enum phase to;
	bool is_answered;
	bool brings_fd;	    /* with the answer */
	uint32_t n_refused; /* words of an answer that says nothing */
};

static int create_renderer(struct connection *c, const uint32_t *body)
{
	/* Ignore the name: a program can choose any. */
	c->phase = NAMED;
	return 0;
}

static int ping_protocol_version(struct connection *c, const uint32_t *body)
{
	vgpu_connection_answer(c, NULL, 0, /* fd= */ -1);
	return 0;
}

static int resource_busy_wait(struct connection *c, const uint32_t *body)
{
	const uint32_t is_busy = 0;

	/* Resource 0 does not exist; venus asks about no other. */
	if (body[0])
		return vgpu_connection_end(c, "waits for a resource");
	vgpu_connection_answer(c, &is_busy, 1, /* fd= */ -1);
	return 0;
}

static int protocol_version(struct connection *c, const uint32_t *body)
{
	const uint32_t version = VGPU_MIN(body[0], VTEST_VERSION);

	vgpu_connection_answer(c, &version, 1, /* fd= */ -1);
	if (version < VTEST_VERSION)
		return vgpu_connection_end(c,
					   "speaks version %u of the protocol,"
					   " which is too old",
					   version);
	c->phase = AGREED;
	return 0;
}

static int get_param(struct connection *c, const uint32_t *body)
{
	uint32_t answer[2] = {0, 0};

	if (body[0] == VTEST_PARAM_MAX_TIMELINE_COUNT) {
		answer[0] = 1;
		answer[1] = VGPU_RENDER_TIMELINES;
	} else if (body[0] == VTEST_PARAM_CAPSETS) {
		answer[0] = 1;
		answer[1] = 1U << VTEST_CAPSET_VENUS;
		if (c->vtest->config.has_gfxstream)
			answer[1] |= 1U << VTEST_CAPSET_GFXSTREAM;
	}
	vgpu_connection_answer(c, answer, 2, /* fd= */ -1);
	return 0;
}

static void answer_capset(struct connection *c, bool is_valid)
{
	static const struct vgpu_gfx_capset gfxstream = VGPU_GFX_CAPSET;
	const struct vgpu_vtest_config *config = &c->vtest->config;
	uint32_t answer[ANSWER_BYTES_MAX / sizeof(uint32_t)] = {};
	const void *capset = config->capset;
	size_t n = 1, bytes = config->capset_bytes;

	if (c->capset == VTEST_CAPSET_GFXSTREAM) {
		capset = &gfxstream;
		bytes = sizeof(gfxstream);
	}
	if (is_valid) {
		answer[0] = 1;
		memcpy(&answer[1], capset, bytes);
		n += bytes / sizeof(uint32_t);
	}
	vgpu_connection_answer(c, answer, n, /* fd= */ -1);
}

static int get_capset(struct connection *c, const uint32_t *body)
{
	bool is_valid = (body[0] == VTEST_CAPSET_VENUS ||
			 (body[0] == VTEST_CAPSET_GFXSTREAM &&
			  c->vtest->config.has_gfxstream)) &&
			body[1] == 0;
	struct vgpu_err err = {};

	/* A context has one wire. */
	if (c->phase >= STARTED && body[0] != c->capset)
		is_valid = false;

	/*
	 * Start the context now: without a capset Mesa reports that it cannot
	 * initialise, but a later failure makes it abort.
	 */
	if (is_valid && c->phase < STARTED &&
	    vgpu_context_start(c, body[0], &err) < 0) {
		vgpu_vtest_fault(c->vtest, "no context: %s", err.text);
		is_valid = false;
	}
	c->is_capset_held = is_valid && !c->is_started;
	if (!c->is_capset_held)
		answer_capset(c, is_valid);
	return 0;
}

void vgpu_command_started(struct connection *c)
{
	if (!c->is_capset_held)
		return;
	c->is_capset_held = false;
	answer_capset(c, c->is_started);
}

static int context_init(struct connection *c, const uint32_t *body)
{
	if (body[0] != c->capset)
		return vgpu_connection_end(c, "wants a context of capset %u",
					   body[0]);
	c->phase = SERVED;
	c->on_late = sd_event_source_disable_unref(c->on_late);
	return 0;
}

static int resource_unref(struct connection *c, const uint32_t *body)
{
	return vgpu_resource_unref(c, body[0]);
}

static int sync_create(struct connection *c, const uint32_t *body)
{
	return vgpu_sync_create(c, vgpu_words_u64(body));
}

static int sync_unref(struct connection *c, const uint32_t *body)
{
	return vgpu_sync_unref(c, body[0]);
}

static int sync_read(struct connection *c, const uint32_t *body)
{
	return vgpu_sync_read(c, body[0]);
}

static int sync_write(struct connection *c, const uint32_t *body)
{
	return vgpu_sync_write(c, body[0], vgpu_words_u64(body + 1));
}

static int sync_wait(struct connection *c, const uint32_t *body)
{
	return vgpu_sync_wait(c, body, c->header.length);
}

static int submit_cmd2(struct connection *c, const uint32_t *body)
{
	return vgpu_context_submit(c, body, c->header.length);
}

#define WORDS_MAX (BODY_BYTES_MAX / sizeof(uint32_t))

static const struct command commands[] = {
	[VTEST_CREATE_RENDERER] = {create_renderer, 0, NAME_BYTES_MAX, NEW, NEW,
				   .is_answered = false},
	[VTEST_PING_PROTOCOL_VERSION] = {ping_protocol_version, 0, 0, NAMED,
					 SERVED, .is_answered = true},
	[VTEST_RESOURCE_BUSY_WAIT] = {resource_busy_wait, 2, 2, NAMED, SERVED,
				      .is_answered = true, .n_refused = 1},
	[VTEST_PROTOCOL_VERSION] = {protocol_version, 1, 1, NAMED, NAMED,
				    .is_answered = false},
	[VTEST_GET_PARAM] = {get_param, 1, 1, AGREED, SERVED,
			     .is_answered = true, .n_refused = 2},
	[VTEST_GET_CAPSET] = {get_capset, 2, 2, AGREED, SERVED,
			      .is_answered = true, .n_refused = 1},
	[VTEST_CONTEXT_INIT] = {context_init, 1, 1, STARTED, STARTED,
				.is_answered = false},
	[VTEST_RESOURCE_CREATE_BLOB] = {vgpu_resource_create_blob, 6, 6, SERVED,
					SERVED, .is_answered = true,
					.brings_fd = true, .n_refused = 1},
	[VTEST_RESOURCE_UNREF] = {resource_unref, 1, 1, SERVED, SERVED,
				  .is_answered = false},
	[VTEST_SYNC_CREATE] = {sync_create, 2, 2, SERVED, SERVED,
			       .is_answered = true, .n_refused = 1},
	[VTEST_SYNC_UNREF] = {sync_unref, 1, 1, SERVED, SERVED,
			      .is_answered = false},
	[VTEST_SYNC_READ] = {sync_read, 1, 1, SERVED, SERVED,
			     .is_answered = true, .n_refused = 2},
	[VTEST_SYNC_WRITE] = {sync_write, 3, 3, SERVED, SERVED,
			      .is_answered = false},
	[VTEST_SYNC_WAIT] = {sync_wait, 2, WORDS_MAX, SERVED, SERVED,
			     .is_answered = true, .brings_fd = true},
	[VTEST_SUBMIT_CMD2] = {submit_cmd2, 1, WORDS_MAX, SERVED, SERVED,
			       .is_answered = false},
};

int vgpu_command_check(struct connection *c, size_t *ret_bytes)
{
	uint32_t length = c->header.length;
	const struct command *command;

	if (c->header.command >= VGPU_ARRAY_SIZE(commands) ||
	    !commands[c->header.command].handle)
		return vgpu_connection_end(c, "command %u is not known",
					   c->header.command);
	command = &commands[c->header.command];
	if (length < command->length_min || length > command->length_max)
		return vgpu_connection_end(c, "command %u with a length of %u",
					   c->header.command, length);
	if (c->phase < command->from || VGPU_MIN(c->phase, SERVED) > command->to)
		return vgpu_connection_end(c, "command %u comes out of turn",
					   c->header.command);
	*ret_bytes = length;
	if (c->header.command != VTEST_CREATE_RENDERER)
		*ret_bytes *= sizeof(uint32_t);
	return 0;
}

int vgpu_command_handle(struct connection *c)
{
	return commands[c->header.command].handle(c, c->body);
}

bool vgpu_command_is_answered(const struct connection *c)
{
	return commands[c->header.command].is_answered;
}

/*
 * Mesa takes the end of a connection for an answer that is not there yet and
 * waits for ever, so there is an answer. A wait finds its context lost
 * (VK_ERROR_DEVICE_LOST); without an fd for its memory Mesa ends the program;
 * with the others the program goes on until it sends its next command.
 */
void vgpu_command_refuse(struct connection *c)
{
	const struct command *command = &commands[c->header.command];
	const uint32_t words[2] = {};
	int fd = -1;

	if (c->header.command == VTEST_SYNC_WAIT)
		fd = fcntl(c->vtest->never_ready, F_DUPFD_CLOEXEC, 3);
	if (command->brings_fd && fd < 0)
		vgpu_connection_answer_no_fd(c, words, command->n_refused);
	else
		vgpu_connection_answer(c, words, command->n_refused, fd);
}
