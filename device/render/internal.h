/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of device/render share. */
#ifndef VGPU_DEVICE_RENDER_INTERNAL_H
#define VGPU_DEVICE_RENDER_INTERNAL_H

#include <sys/types.h>

#include "device/render/host_memory.h"
#include "device/render/launcher.h"
#include "device/render/outbox.h"
#include "device/render/render.h"
#include "device/render/state_abi.h"

/* Answers that a guest can leave its render process to owe us. */
#define FENCES_MAX  16384U
#define EXPORTS_MAX 4096U

struct fence;
struct export;
struct bulk;

TAILQ_HEAD(fences, fence);
STAILQ_HEAD(exports, export);
STAILQ_HEAD(bulks, bulk);

/*
 *   RUNNING -- a rule is broken (SIGKILL), it says FATAL --> ENDING
 *      |                                                       |
 *      +------------- the process is dead ---------------------+--> LOST
 */
enum state { RUNNING, ENDING, LOST };

struct vgpu_render {
	struct vgpu_render_config config;
	const struct vgpu_render_ops *ops;
	void *opaque;
	enum state state;
	struct vgpu_err why; /* of the end; empty: its exit status says it */
	enum vgpu_loss loss; /* of what kind it is */
	bool is_started;
	bool is_ready;
	bool is_killed; /* by us */
	/* Its answer is held until that is filled, and it may map it. */
	bool is_answer_held;
	bool is_answer_new; /* ... and not said before */

	/*
	 * What a successor goes on from; our own where there will be none, and
	 * while it is a spare.
	 */
	struct vgpu_render_state *kept;
	struct vgpu_render_state own;
	bool has_successor;
	bool wants_room;       /* ops->room() is to be called */
	bool waits_for_socket; /* ... when that has room */
	uint32_t sharing;      /* resource that @host counts already; 0: none */
	/* Of a predecessor: what it had got is not known before RESUMED. */
	bool is_resuming;
	bool is_question_new;  /* it has asked us nothing yet */
	uint64_t resume_seq;   /* of our RESUME; 0: there was no predecessor */
	uint64_t received_seq; /* the last before that */

	struct vgpu_launched process;
	int command;
	int memory;
	int answer_fd; /* the memory's, for the answer that is held; or -1 */
	struct vgpu_fill fill; /* of it */
	sd_event_source *on_command;
	sd_event_source *on_memory;
	sd_event_source *on_late; /* to be READY, or to end */
	struct vgpu_render_outbox outbox;
	struct vgpu_host_process host;
	struct vgpu_render_message answer; /* if is_answer_held */

	/* What it owes: it may tell us nothing that was not asked. */
	struct fences fences[VGPU_RENDER_TIMELINES];
	uint32_t n_fences;
	struct exports exports;
	uint32_t n_exports;
	struct bulks bulks;
};

/* render.c */
/* As vgpu_render_create(), with a process of its own in any case. */
int vgpu_render_start(const struct vgpu_render_config *config, bool is_spare,
		      struct vgpu_render_state *state,
		      const struct vgpu_render_ops *ops, void *opaque,
		      struct vgpu_render **ret_render, struct vgpu_err *err);
/* Send or keep what is no guest's; own_fd is taken over. Returns as tell(). */
int vgpu_render_put(struct vgpu_render *render,
		    const struct vgpu_render_parcel *parcel);
/*
 * Send on behalf of the guest, see vgpu_render_submit(); own_fd is taken over.
 * The fence in it gets the message's number.
 */
int vgpu_render_tell(struct vgpu_render *render,
		     const struct vgpu_render_parcel *parcel, uint64_t *token);
/* -EAGAIN, and room() follows, if nothing can be told now; 0 or -EPIPE. */
int vgpu_render_may_tell(struct vgpu_render *render);
/* Something that held an answer or messages back does not any more. */
void vgpu_render_release(struct vgpu_render *render);
/* What comes of @r, got on the way to put something; returns the like. */
int vgpu_render_sent(struct vgpu_render *render, int r);

/* spare.c */
/* The process that was kept, RUNNING, or NULL. */
struct vgpu_render *vgpu_render_spare_take(struct vgpu_render_spare *spare);
/* A context is there, is ready, has gone. @spare may be NULL. */
void vgpu_render_spare_used(struct vgpu_render_spare *spare);
void vgpu_render_spare_ready(struct vgpu_render_spare *spare,
			     const struct vgpu_render_config *config);
/* The driver lost the GPU under @render: one that began before is no use. */
void vgpu_render_spare_drop(struct vgpu_render_spare *spare,
			    const struct vgpu_render *render);
void vgpu_render_spare_unused(struct vgpu_render_spare *spare);

/* packet.c */
/*
 * Receive one packet into @buffer. Returns its size, 0 if the other side is
 * gone, -EAGAIN, or -EPROTO if it is larger or brings fds (which are closed).
 */
ssize_t vgpu_render_receive(int socket, void *buffer, size_t size);
/* Leave it in the socket: vgpu_render_take_packet() takes it. */
ssize_t vgpu_render_peek(int socket, void *buffer, size_t size);
void vgpu_render_take_packet(int socket);
/* The same with up to VGPU_RENDER_FILES_MAX fds, which become the caller's. */
ssize_t vgpu_render_receive_files(int socket, void *buffer, size_t size,
				  int *ret_files, unsigned int *ret_n_files);

/* ring.c */
/* Returns whether what it says of a ring can be true. */
bool vgpu_render_note_ring(struct vgpu_render *render,
			   const struct vgpu_render_message *message);
/* Tell the guest, which looks at its rings, that nobody serves them. */
void vgpu_render_fail_rings(struct vgpu_render *render);

/* memory.c */
/* Answer one question. Returns as vgpu_render_receive(), 1 if there was one. */
int vgpu_render_answer(struct vgpu_render *render, struct vgpu_err *err);
/* Send the answer that was held, if it may go. Returns as above, 1 if not. */
int vgpu_render_answer_held(struct vgpu_render *render, struct vgpu_err *err);
/* ... which, and whatever comes of it, is nobody's business any more. */
void vgpu_render_answer_forget(struct vgpu_render *render);

/* owed.c: what was asked, and whether it is what was answered */
int vgpu_render_owe_fence(struct vgpu_render *render,
			  const struct vgpu_render_fence *fence, uint64_t seq);
int vgpu_render_owe_export(struct vgpu_render *render, uint32_t resource_id,
			   uint64_t bytes, uint64_t seq);
int vgpu_render_owe_bulk(struct vgpu_render *render, uint64_t bytes,
			 uint64_t seq);
void vgpu_render_owe_nothing(struct vgpu_render *render);
/* What was asked with a later number was not. */
void vgpu_render_owe_until(struct vgpu_render *render, uint64_t seq);
/* Returns false if that was never asked. */
bool vgpu_render_settle_fence(struct vgpu_render *render,
			      const struct vgpu_render_message *message);
bool vgpu_render_settle_export(struct vgpu_render *render,
			       const struct vgpu_render_message *message);
bool vgpu_render_settle_bulk(struct vgpu_render *render,
			     const struct vgpu_render_message *message);

#endif
