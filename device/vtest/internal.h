/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of device/vtest share. */
#ifndef VGPU_DEVICE_VTEST_INTERNAL_H
#define VGPU_DEVICE_VTEST_INTERNAL_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "device/render/fd_share.h"
#include "device/render/host_memory.h"
#include "device/render/outbox.h"
#include "device/render/own_memory.h"
#include "device/render/render.h"
#include "device/vtest/abi.h"
#include "device/vtest/vtest.h"
#include "render/abi.h"

/* The largest command of a client. Mesa puts larger ones into its streams. */
#define BODY_BYTES_MAX (4UL * 1024 * 1024)
/* The largest answer but for its fd: a capset. */
#define ANSWER_BYTES_MAX 256U
#define SYNCS_MAX	 16384U
/* Waits that nobody has given up yet; those are looked for at each doubling. */
#define WAITS_MAX 1024U
/* Values of syncs that waits and submits of a context hold together. */
#define POINTS_MAX 16384U
/*
 * An id is not used again before so many others were that the render process
 * has taken in what was said of it: more than its queue holds.
 */
#define RESOURCES_MAX 8192U
#define RESOURCE_IDS  (2 * RESOURCES_MAX)
#define BATCHES_MAX   64U

static_assert(RESOURCE_IDS - RESOURCES_MAX > VGPU_RENDER_QUEUE_PACKETS_MAX,
	      "an id could come again before it has gone");

struct sync;
struct wait;
struct submission;
struct connection;
TAILQ_HEAD(waits, wait);
STAILQ_HEAD(submissions, submission);
TAILQ_HEAD(connections, connection);

struct vgpu_syncs {
	struct vgpu_fd_share *fds;
	struct sync **slot; /* id - 1 */
	uint32_t n_slots;
	uint32_t lowest_free; /* none is free below it */
	struct waits waits;
	uint32_t n_waits;
	uint32_t sweep_at;
	uint32_t n_points;
	struct submissions submissions[VGPU_RENDER_TIMELINES];
	uint64_t last_submission;
};

enum resource_kind { RESOURCE_NONE = 0, RESOURCE_SHM, RESOURCE_MEMORY };

struct resource {
	enum resource_kind kind;
	int fd; /* of shm, else -1 */
	uint64_t bytes;
};

struct vgpu_resources {
	struct resource *slot; /* id - 1 */
	uint32_t n_slots;
	uint32_t n; /* in use */
	uint32_t next;
};

/*
 *   NEW --CREATE_RENDERER--> NAMED --PROTOCOL_VERSION--> AGREED
 *     --GET_CAPSET--> STARTED (has a render process) --CONTEXT_INIT--> SERVED
 *
 * When the client breaks a rule, or its render process ends:
 *   SERVED --> LOST (it can look at its memory, and send nothing more)
 *     --it leaves, or has had the time to--> OVER
 *
 * From everywhere else to OVER, then, and when the client leaves; the event
 * loop takes it away from there.
 */
enum phase { NEW, NAMED, AGREED, STARTED, SERVED, LOST, OVER };

struct connection {
	TAILQ_ENTRY(connection) link;
	struct vgpu_vtest *vtest;
	uint64_t number; /* for the log */
	pid_t pid;
	enum phase phase;
	int socket;
	sd_event_source *on_io;
	sd_event_source *on_late; /* until it is SERVED, and when LOST */
	bool is_last_call;	  /* on_late came once */
	sd_event_source *on_end;  /* is LOST or OVER: go on from there */

	/* Input: the header, then the body. */
	struct vtest_header header;
	uint32_t *body;
	size_t header_bytes; /* that are there */
	size_t body_bytes;   /* that are there */
	size_t body_size;    /* that there will be */
	size_t body_capacity;
	bool is_drained; /* LOST: all that it had sent is read */

	/* Output: one answer. No command is read before it is sent. */
	uint8_t answer[ANSWER_BYTES_MAX];
	size_t answer_bytes;
	size_t answer_sent;
	int answer_fd; /* goes with that byte; -1 for none */
	bool has_byte; /* one more comes after it */
	bool has_answer;
	bool owes_answer;    /* to the command in the header */
	bool is_capset_held; /* an answer: until the render process is started */
	/* An answer that waits for the render process; this is its resource. */
	uint32_t held_resource; /* 0 for none */
	uint64_t held_bytes;

	/* Allocations may fail; who has no fd for a ring or a wait is lost. */
	struct vgpu_fd_share fds;
	struct vgpu_fd_share *memory_fds; /* as long as its process is there */
	struct vgpu_render *render;
	uint32_t capset; /* once there is a render process */
	bool is_started; /* the render process is */
	bool is_ready;	 /* ... to take commands */
	struct vgpu_syncs syncs;
	struct vgpu_resources resources;
};

struct vgpu_vtest {
	sd_event *event;
	struct vgpu_vtest_config config;
	sd_event_source *on_connect;
	struct vgpu_own_memory *memory;
	struct vgpu_fd_pool fds;
	uint32_t contexts_max;
	uint32_t connections_max;
	struct vgpu_launcher *launcher;
	struct vgpu_render_spare *spare;
	struct vgpu_host_memory *host_memory;
	int always_ready; /* an fd that everybody finds readable */
	int never_ready;  /* one whose other end is closed: a wait in vain */
	struct connections connections;
	uint32_t n_connections;
	uint32_t n_contexts;
	uint64_t shm_bytes;
	uint64_t last_number;
	uint64_t commands; /* handled, and clients that broke a rule */
	uint64_t errors;
	struct vgpu_figures figures; /* but for contexts */
};

/* vtest.c */
/* The status has changed. */
void vgpu_vtest_changed(struct vgpu_vtest *vtest);
/* Tell the owner that a client broke a rule, or cannot be served. */
__attribute__((format(printf, 2, 3))) void
vgpu_vtest_fault(struct vgpu_vtest *vtest, const char *fmt, ...);

/* connection.c */
int vgpu_connection_create(struct vgpu_vtest *vtest, int socket);
void vgpu_connection_destroy(struct connection *c);
/* Whether both belong to the same process, whose pid is known. */
bool vgpu_connection_is_of_same(const struct connection *a,
				const struct connection *b);
/* Close a silent connection, to make room for another. */
void vgpu_connection_evict(struct connection *c);
/* Report @fmt of its client. */
__attribute__((format(printf, 2, 3))) void
vgpu_connection_fault(struct connection *c, const char *fmt, ...);
/* Report @fmt, end the connection soon, and return -ECONNABORTED. */
__attribute__((format(printf, 2, 3))) int
vgpu_connection_end(struct connection *c, const char *fmt, ...);
/*
 * Send @n_words after a header, and @fd, which is taken over, after that (-1
 * for none).
 */
void vgpu_connection_answer(struct connection *c, const uint32_t *words,
			    size_t n_words, int fd);
/* The same for an answer whose fd there is not. */
void vgpu_connection_answer_no_fd(struct connection *c, const uint32_t *words,
				  size_t n_words);

/* command.c: 0, or -ECONNABORTED after vgpu_connection_end() */
/* Whether a body of @header.length may come; *ret_bytes is its size. */
int vgpu_command_check(struct connection *c, size_t *ret_bytes);
int vgpu_command_handle(struct connection *c);
/* The process that GET_CAPSET waits for was started, or cannot be. */
void vgpu_command_started(struct connection *c);
bool vgpu_command_is_answered(const struct connection *c);
/* Answer it, but with nothing: the context is lost. */
void vgpu_command_refuse(struct connection *c);

/* context.c */
/* @capset: its wire. */
int vgpu_context_start(struct connection *c, uint32_t capset,
		       struct vgpu_err *err);
void vgpu_context_finish(struct connection *c);
int vgpu_context_submit(struct connection *c, const uint32_t *body,
			size_t n_words);

/* resource.c */
int vgpu_resource_create_blob(struct connection *c, const uint32_t *body);
/* The render process takes commands: what was held back for that can go. */
void vgpu_resources_ready(struct connection *c);
int vgpu_resource_unref(struct connection *c, uint32_t id);
/* Set a ring's status: the context is lost. */
void vgpu_resource_fail_ring(struct connection *c, uint32_t id,
			     uint64_t status_offset);
/* The render process has said what the memory of held_resource is. */
void vgpu_resource_exported(struct connection *c, uint32_t id, int status,
			    uint64_t offset, uint64_t bytes);
void vgpu_resources_finish(struct connection *c);

/* sync.c */
void vgpu_syncs_init(struct vgpu_syncs *syncs, struct vgpu_fd_share *fds);
void vgpu_syncs_finish(struct vgpu_syncs *syncs);
int vgpu_sync_create(struct connection *c, uint64_t value);
int vgpu_sync_unref(struct connection *c, uint32_t id);
int vgpu_sync_read(struct connection *c, uint32_t id);
int vgpu_sync_write(struct connection *c, uint32_t id, uint64_t value);
int vgpu_sync_wait(struct connection *c, const uint32_t *body, size_t n_words);
/*
 * Set @n points when all before on timeline @ring_idx is done, or now if there
 * is none (VGPU_RENDER_TIMELINES). *ret_id is what to fence with, or 0.
 */
int vgpu_sync_submit(struct connection *c, uint32_t ring_idx,
		     const uint32_t *points, uint32_t n, uint64_t *ret_id);
void vgpu_sync_fence_done(struct connection *c, uint32_t ring_idx, uint64_t id);

static inline uint64_t vgpu_words_u64(const uint32_t *words)
{
	return (uint64_t)words[1] << 32 | words[0];
}

#endif
