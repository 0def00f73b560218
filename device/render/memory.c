/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers a render process's requests for memory, without trusting them. */
#include "internal.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/fds.h"
#include "lib/util.h"
#include "vulkan/udmabuf.h"

#define PAGE_BYTES 4096U

/*
 * Whether a predecessor died while it answered this question: *answer is then
 * what it had allocated.
 */
static bool find_given(struct vgpu_render *render, uint64_t question,
		       struct vgpu_render_message *answer)
{
	const struct vgpu_render_config *config = &render->config;

	return render->is_question_new && config->memory->find &&
	       config->memory->find(config->memory_opaque, render, question,
				    &answer->offset, &render->answer_fd) == 0;
}

static int64_t release_memory(struct vgpu_render *render, uint64_t name)
{
	int64_t mapped = render->config.memory->free(
		render->config.memory_opaque, render, name);

	if (mapped > 0)
		vgpu_host_memory_unmap(&render->host, (uint64_t)mapped);
	return mapped;
}

/* There is no memory for what was allocated. */
static void refuse_memory(struct vgpu_render *render,
			  struct vgpu_render_message *answer)
{
	release_memory(render, answer->offset);
	render->answer_fd = -1;
	answer->status = ENOMEM;
	answer->offset = 0;
}

static void on_filled(void *opaque, int status)
{
	struct vgpu_render *render = opaque;

	if (status < 0)
		refuse_memory(render, &render->answer);
	vgpu_render_release(render);
}

/*
 * Before answer_fd is sent: give the file its pages, and let the process map
 * it.
 */
static void fill_file(struct vgpu_render *render,
		      struct vgpu_render_message *answer, bool is_new)
{
	if (render->answer_fd < 0)
		return;
	/*
	 * It counts already if a predecessor allocated it, but may not be
	 * mapped yet.
	 */
	vgpu_host_memory_map(&render->host, is_new ? answer->bytes : 0);
	render->fill = (struct vgpu_fill){.filled = on_filled, .opaque = render};
	if (vgpu_reserve_fill(render->config.reserve, &render->fill,
			      render->answer_fd, answer->bytes, is_new) < 0)
		refuse_memory(render, answer);
}

static void answer_alloc(struct vgpu_render *render,
			 const struct vgpu_render_message *question,
			 struct vgpu_render_message *answer)
{
	bool is_charge = question->flags & VGPU_RENDER_FLAG_CHARGE;
	bool is_new = !find_given(render, question->id, answer);
	int r = 0;

	if (is_new)
		r = render->config.memory->alloc(
			render->config.memory_opaque, render, question->bytes,
			is_charge, question->id, &answer->offset,
			&render->answer_fd);
	answer->status = (uint32_t)-VGPU_MIN(r, 0);
	answer->bytes = question->bytes;
	if (r == 0)
		fill_file(render, answer, is_new);
	else if (r > 0)
		vgpu_host_memory_map(&render->host, answer->bytes);
}

static void answer_free(struct vgpu_render *render,
			const struct vgpu_render_message *question,
			struct vgpu_render_message *answer)
{
	int64_t mapped = release_memory(render, question->offset);

	/* A predecessor may have got so far. */
	if (mapped < 0 && !render->is_question_new)
		answer->status = (uint32_t)-mapped;
}

/* Somebody has shared it with the context. */
static void open_resource(struct vgpu_render *render,
			  const struct vgpu_render_message *question,
			  struct vgpu_render_message *answer)
{
	const struct vgpu_render_config *config = &render->config;
	bool is_first = false;
	int r = -EINVAL;

	if (config->memory->open)
		r = config->memory->open(
			config->memory_opaque, render, question->resource_id,
			&render->answer_fd, &answer->bytes, &is_first);
	answer->status = (uint32_t)-r;
	if (r == 0)
		vgpu_host_memory_attach(&render->host,
					is_first ? answer->bytes : 0);
}

/* A predecessor answered it, and was told that nobody had got that. */
static bool answer_again(struct vgpu_render *render,
			 const struct vgpu_render_message *question,
			 struct vgpu_render_message *answer)
{
	answer->status = render->kept->answer;
	answer->bytes = question->bytes;
	if (question->type == VGPU_RENDER_OPEN)
		open_resource(render, question, answer);
	if (question->type != VGPU_RENDER_ALLOC || answer->status)
		return true;
	if (!find_given(render, question->id, answer))
		return false;
	fill_file(render, answer, /* is_new= */ false);
	return true;
}

/* Returns whether there is an answer. */
static bool find_answer(struct vgpu_render *render,
			const struct vgpu_render_message *question,
			struct vgpu_render_message *answer)
{
	*answer = (struct vgpu_render_message){
		.type = question->type,
		.id = question->id,
		.flags = question->flags & VGPU_RENDER_FLAG_DMABUF,
	};
	render->answer_fd = -1;
	render->is_answer_new = question->id != render->kept->question;
	if (!render->is_answer_new)
		return render->is_question_new &&
		       answer_again(render, question, answer);
	if (question->id < render->kept->question)
		return false;
	if (question->type == VGPU_RENDER_ALLOC)
		answer_alloc(render, question, answer);
	else if (question->type == VGPU_RENDER_OPEN)
		open_resource(render, question, answer);
	else
		answer_free(render, question, answer);
	return true;
}

static int send_answer(int socket, const struct vgpu_render_message *answer,
		       int fd)
{
	const struct iovec part = {(void *)answer, sizeof(*answer)};
	ssize_t n = vgpu_fds_send(socket, &part, 1, fd, MSG_DONTWAIT);

	return (int)VGPU_MIN(n, 0);
}

static bool is_question(const struct vgpu_render_message *m)
{
	const uint32_t flags = VGPU_RENDER_FLAG_CHARGE | VGPU_RENDER_FLAG_DMABUF;

	if (m->type == VGPU_RENDER_FREE || m->type == VGPU_RENDER_OPEN)
		return true;
	return m->type == VGPU_RENDER_ALLOC && m->bytes &&
	       m->bytes % PAGE_BYTES == 0 && !(m->flags & ~flags);
}

/*
 * It is to have a dma-buf of the file: *ret_fd, which the caller closes.
 * Without one there is no memory for it.
 */
static void make_dmabuf(struct vgpu_render *render,
			struct vgpu_render_message *answer, int *ret_fd)
{
	int fd = render->config.udmabuf;

	if (fd >= 0)
		fd = vgpu_udmabuf_create(fd, render->answer_fd, answer->bytes);
	if (fd >= 0) {
		*ret_fd = fd;
		return;
	}
	if (answer->type == VGPU_RENDER_ALLOC)
		refuse_memory(render, answer);
	render->answer_fd = -1;
	answer->status = (uint32_t)-fd;
}

/* Returns as vgpu_render_answer(). */
static int finish_answer(struct vgpu_render *render,
			 struct vgpu_render_message *answer, struct vgpu_err *err)
{
	vgpu_autoclose int dmabuf = -1;
	int r;

	if (answer->flags & VGPU_RENDER_FLAG_DMABUF && render->answer_fd >= 0)
		make_dmabuf(render, answer, &dmabuf);
	/* Written before the answer is sent, for a successor. */
	if (render->is_answer_new) {
		render->kept->answer = answer->status;
		__atomic_store_n(&render->kept->question, answer->id,
				 __ATOMIC_RELEASE);
	}
	r = send_answer(render->memory, answer,
			dmabuf >= 0 ? dmabuf : render->answer_fd);
	render->answer_fd = -1;
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

static bool must_hold(const struct vgpu_render *render)
{
	return vgpu_host_memory_is_raising(&render->host) ||
	       vgpu_fill_is_active(&render->fill);
}

int vgpu_render_answer_held(struct vgpu_render *render, struct vgpu_err *err)
{
	if (!render->is_answer_held || must_hold(render))
		return 1;
	render->is_answer_held = false;
	return finish_answer(render, &render->answer, err);
}

void vgpu_render_answer_forget(struct vgpu_render *render)
{
	vgpu_fill_cancel(&render->fill);
	render->is_answer_held = false;
	render->answer_fd = -1;
}

int vgpu_render_answer(struct vgpu_render *render, struct vgpu_err *err)
{
	struct vgpu_render_message question;
	ssize_t n;

	/* It stays in the socket until it is answered. */
	n = vgpu_render_peek(render->memory, &question, sizeof(question));
	if (n == 0 || n == -EAGAIN)
		return (int)n;
	if (n != sizeof(question) || !is_question(&question) ||
	    !find_answer(render, &question, &render->answer))
		return vgpu_err_set(err, -EPROTO, NULL,
				    "the render process asks for memory in a"
				    " way that makes no sense");
	/* Whatever is asked meanwhile stays there, too. */
	render->is_answer_held = must_hold(render);
	return render->is_answer_held
		       ? 1
		       : finish_answer(render, &render->answer, err);
}
