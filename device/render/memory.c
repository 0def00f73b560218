/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The render process asks for memory; what it says is not believed. */
#include "internal.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/util.h"

#define PAGE_BYTES 4096U

uint32_t vgpu_render_find_pieces(const struct vgpu_render *render,
				 uint64_t offset, uint64_t bytes,
				 struct vgpu_render_piece *ret_piece)
{
	const struct vgpu_render_config *config = &render->config;

	return config->memory->pieces
		       ? config->memory->pieces(config->memory_opaque, offset,
						bytes, ret_piece)
		       : 0;
}

/* What a predecessor had given for it, if that is the question it died on. */
static bool find(struct vgpu_render *render, uint64_t question,
		 uint64_t *ret_offset)
{
	const struct vgpu_render_config *config = &render->config;

	return render->is_question_new && config->memory->find &&
	       config->memory->find(config->memory_opaque, render, question,
				    ret_offset) == 0;
}

static void allocate(struct vgpu_render *render,
		     const struct vgpu_render_message *question,
		     struct vgpu_render_message *answer, int *ret_fd)
{
	bool is_charge = question->flags & VGPU_RENDER_FLAG_CHARGE;
	bool is_zero = false;
	int r = 0;

	if (!find(render, question->id, &answer->offset))
		r = render->config.memory->alloc(
			render->config.memory_opaque, render, question->bytes,
			is_charge, question->id, &answer->offset, ret_fd,
			&is_zero);
	answer->status = (uint32_t)-r;
	answer->bytes = question->bytes;
	if (r == 0 && *ret_fd >= 0)
		vgpu_host_memory_map(&render->host, question->bytes);
	if (r == 0 && is_zero)
		answer->flags = VGPU_RENDER_FLAG_ZERO;
}

static void release(struct vgpu_render *render,
		    const struct vgpu_render_message *question,
		    struct vgpu_render_message *answer)
{
	int64_t mapped = render->config.memory->free(
		render->config.memory_opaque, render, question->offset);

	if (mapped > 0)
		vgpu_host_memory_unmap(&render->host, (uint64_t)mapped);
	/* A predecessor may have got so far. */
	if (mapped < 0 && !render->is_question_new)
		answer->status = (uint32_t)-mapped;
}

/* A predecessor answered it, and was told that nobody had got that. */
static bool answer_again(struct vgpu_render *render,
			 const struct vgpu_render_message *question,
			 struct vgpu_render_message *answer)
{
	answer->status = render->kept->answer;
	answer->bytes = question->bytes;
	return question->type == VGPU_RENDER_FREE || answer->status ||
	       find(render, question->id, &answer->offset);
}

/* Returns whether there is an answer. */
static bool find_answer(struct vgpu_render *render,
			const struct vgpu_render_message *question,
			struct vgpu_render_message *answer, int *ret_fd)
{
	*answer = (struct vgpu_render_message){
		.type = question->type,
		.id = question->id,
	};
	if (render->is_question_new && question->id == render->kept->question)
		return answer_again(render, question, answer);
	if (question->id <= render->kept->question)
		return false;
	if (question->type == VGPU_RENDER_ALLOC)
		allocate(render, question, answer, ret_fd);
	else
		release(render, question, answer);
	render->kept->answer = answer->status;
	__atomic_store_n(&render->kept->question, question->id, __ATOMIC_RELEASE);
	return true;
}

static int send_answer(int socket, const struct vgpu_render_message *answer,
		       const struct vgpu_render_piece *piece, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov[] = {
		{(void *)answer, sizeof(*answer)},
		{(void *)piece, answer->n * sizeof(*piece)},
	};
	struct msghdr header = {.msg_iov = iov,
				.msg_iovlen = VGPU_ARRAY_SIZE(iov)};
	ssize_t sent;

	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static bool is_question(const struct vgpu_render_message *m)
{
	if (m->type == VGPU_RENDER_FREE)
		return true;
	return m->type == VGPU_RENDER_ALLOC && m->bytes &&
	       m->bytes % PAGE_BYTES == 0 &&
	       !(m->flags & ~VGPU_RENDER_FLAG_CHARGE);
}

/* Returns as vgpu_render_answer(). */
static int finish_answer(struct vgpu_render *render,
			 struct vgpu_render_message *answer, int fd,
			 struct vgpu_err *err)
{
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	int r;

	if (answer->type == VGPU_RENDER_ALLOC && !answer->status)
		answer->n = vgpu_render_find_pieces(render, answer->offset,
						    answer->bytes, piece);
	r = send_answer(render->memory, answer, piece, fd);

	if (r == -EAGAIN)
		return vgpu_err_set(err, -EPROTO, NULL,
				    "the render process asks for memory but"
				    " takes no answers");
	if (r == -EPIPE || r == -ECONNRESET)
		return 0;
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "cannot hand out memory: %s",
				    strerror(-r));
	vgpu_render_take_packet(render->memory);
	render->is_question_new = false;
	return 1;
}

int vgpu_render_answer_held(struct vgpu_render *render, struct vgpu_err *err)
{
	vgpu_autoclose int fd = vgpu_steal_fd(&render->answer_fd);

	if (!render->is_answer_held)
		return 1;
	render->is_answer_held = false;
	return finish_answer(render, &render->answer, fd, err);
}

int vgpu_render_answer(struct vgpu_render *render, struct vgpu_err *err)
{
	struct vgpu_render_message question, answer;
	vgpu_autoclose int fd = -1;
	ssize_t n;

	/* It stays in the socket until it is answered. */
	n = vgpu_render_peek(render->memory, &question, sizeof(question));
	if (n == 0 || n == -EAGAIN)
		return (int)n;
	if (n != sizeof(question) || !is_question(&question) ||
	    !find_answer(render, &question, &answer, &fd))
		return vgpu_err_set(err, -EPROTO, NULL,
				    "the render process asks for memory in a"
				    " way that makes no sense");
	/* Whatever is asked meanwhile stays there, too. */
	if (vgpu_host_memory_is_raising(&render->host)) {
		render->is_answer_held = true;
		render->answer = answer;
		render->answer_fd = vgpu_steal_fd(&fd);
		return 1;
	}
	return finish_answer(render, &answer, fd, err);
}
