/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A double of all contexts' render processes, which an input makes play. */
#include "fuzz/render_double.h"

#include <errno.h>
#include <fcntl.h>

#include "device/gpu/state_abi.h"
#include "device/render/launcher.h"
#include "device/render/render.h"
#include "device/render/state_abi.h"
#include "render/abi.h"

#define RENDERS_MAX 8
#define OWED_MAX    64

/* The double: what it owes, and what the ops allow now. */
struct vgpu_render {
	struct vgpu_render_config config;
	const struct vgpu_render_ops *ops;
	void *opaque;
	bool is_ready;
	bool is_lost;
	bool is_resuming;
	bool is_full;			 /* it takes nothing for a while */
	struct vgpu_render_state *state; /* or NULL */
	uint64_t last_token;
	struct {
		uint32_t ring_idx;
		uint64_t id;
		uint64_t token;
	} fence[OWED_MAX];
	unsigned int n_fences;
	struct {
		uint32_t resource_id;
		uint64_t bytes;
		uint64_t token;
	} export[OWED_MAX];
	unsigned int n_exports;
	uint64_t memory; /* the last that it was given */
	uint64_t last_question;
	sd_event_source *on_end;
	sd_event_source *on_resumed;
};

/* A process that takes nothing may be one that does not end at once. */
static struct vgpu_render *late[RENDERS_MAX];
static unsigned int n_late;

const char *vgpu_render_last_words(struct vgpu_render *render)
{
	return NULL;
}

enum vgpu_loss vgpu_render_loss(const struct vgpu_render *render)
{
	return VGPU_LOSS_OTHER;
}

/* It needs none. */
int vgpu_launcher_create(sd_event *event, int fd,
			 const struct vgpu_launcher_ops *ops, void *opaque,
			 struct vgpu_launcher **ret_launcher)
{
	*ret_launcher = NULL;
	return 0;
}

/* Nothing more is known of processes: whose memory it was is gone, too. */
void vgpu_launcher_destroy(struct vgpu_launcher *launcher)
{
	while (n_late)
		free(late[--n_late]);
}

/* Nobody has a process that is limited. */
void vgpu_launched_limit(struct vgpu_launched *process,
			 const uint64_t limit[VGPU_LAUNCH_LIMITS])
{
}

void vgpu_launcher_sync(struct vgpu_launcher *launcher,
			struct vgpu_launcher_sync *sync)
{
}

bool vgpu_launcher_sync_wait(struct vgpu_launcher_sync *sync)
{
	return false;
}

void vgpu_launcher_sync_forget(struct vgpu_launcher_sync *sync)
{
}

void vgpu_launcher_end_others(struct vgpu_launcher *launcher)
{
}

/* Files of framebuffer outlast the device; shared memory does not. */
static int kept_fd[VGPU_LAUNCH_MEMORY_MAX]; /* fd + 1 */

void vgpu_launcher_drop(struct vgpu_launcher *launcher, uint32_t number)
{
	vgpu_close(kept_fd[number] - 1);
	kept_fd[number] = 0;
}

void vgpu_launcher_keep(struct vgpu_launcher *launcher, uint32_t number, int fd)
{
	if (number < VGPU_GPU_KEPT_FILES || number >= VGPU_LAUNCH_MEMORY_MAX)
		return;
	vgpu_launcher_drop(launcher, number);
	kept_fd[number] = fcntl(fd, F_DUPFD_CLOEXEC, 3) + 1;
	FUZZ_CHECK(kept_fd[number]);
}

void vgpu_launcher_fetch(struct vgpu_launcher *launcher, const uint32_t *number,
			 int *ret_fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret_fd[i] = kept_fd[number[i]] ? fcntl(kept_fd[number[i]] - 1,
						       F_DUPFD_CLOEXEC, 3)
					       : -1;
}

static struct vgpu_render *renders[RENDERS_MAX];
static uint64_t last_process;
unsigned int renders_alive;

int vgpu_render_create(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err)
{
	struct vgpu_render *render;

	if (renders_alive == RENDERS_MAX)
		return vgpu_err_set(err, -EMFILE, NULL, "no more of them");
	render = calloc(1, sizeof(*render));
	FUZZ_CHECK(render);
	render->config = *config;
	render->ops = ops;
	render->opaque = opaque;
	render->state = state;
	if (state)
		*state = (struct vgpu_render_state){.process = ++last_process};
	renders[renders_alive++] = render;
	*ret_render = render;
	return 0;
}

/* As with a process that has got every second message. */
int vgpu_render_resume(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err)
{
	int r = state->process % 4 ? vgpu_render_create(config, NULL, ops,
							opaque, ret_render, err)
				   : vgpu_err_set(err, -ESRCH, NULL, "dead");

	if (r < 0)
		return r;
	(*ret_render)->state = state;
	(*ret_render)->is_ready = (*ret_render)->is_resuming = true;
	return 0;
}

bool vgpu_render_end_process(const struct vgpu_render_config *config,
			     uint64_t process)
{
	return true;
}

void vgpu_render_resume_told(struct vgpu_render *render,
			     const struct vgpu_render_told *told)
{
}

int vgpu_render_expect_fence(struct vgpu_render *render,
			     const struct vgpu_render_fence *fence,
			     uint64_t token)
{
	FUZZ_CHECK(render->is_resuming);
	FUZZ_CHECK(fence->ring_idx < VGPU_RENDER_TIMELINES);
	if (render->n_fences == OWED_MAX)
		return -ENOBUFS;
	render->fence[render->n_fences].ring_idx = fence->ring_idx;
	render->fence[render->n_fences].token = token;
	render->fence[render->n_fences++].id = fence->id;
	return 0;
}

int vgpu_render_expect_export(struct vgpu_render *render, uint32_t resource_id,
			      uint64_t bytes, uint64_t token)
{
	FUZZ_CHECK(render->is_resuming);
	if (render->n_exports == OWED_MAX)
		return -ENOBUFS;
	render->export[render->n_exports].resource_id = resource_id;
	render->export[render->n_exports].token = token;
	render->export[render->n_exports++].bytes = bytes;
	return 0;
}

bool vgpu_render_was_sent(const struct vgpu_render *render, uint64_t token)
{
	return token && !render->is_resuming && token % 2;
}

static int on_resumed(sd_event_source *source, void *opaque)
{
	struct vgpu_render *render = opaque;
	unsigned int n = 0;

	if (render->is_lost)
		return 0;
	render->is_resuming = false;
	for (unsigned int i = 0; i < render->n_fences; i++)
		if (render->fence[i].token % 2)
			render->fence[n++] = render->fence[i];
	render->n_fences = n;
	n = 0;
	for (unsigned int i = 0; i < render->n_exports; i++)
		if (render->export[i].token % 2)
			render->export[n++] = render->export[i];
	render->n_exports = n;
	render->ops->resumed(render->opaque);
	render->ops->room(render->opaque);
	return 0;
}

void vgpu_render_listen(struct vgpu_render *render)
{
	if (!render->on_resumed)
		FUZZ_CHECK(sd_event_add_defer(render->config.event,
					      &render->on_resumed, on_resumed,
					      render) >= 0);
}

struct vgpu_render_spare *vgpu_render_spare_new(void)
{
	return NULL;
}

void vgpu_render_spare_free(struct vgpu_render_spare *spare)
{
}

/* Its process has ended. */
static void end(struct vgpu_render *render)
{
	render->config.memory->free_all(render->config.memory_opaque, render);
	free(render);
}

void vgpu_render_destroy(struct vgpu_render *render)
{
	unsigned int i = 0;

	if (!render)
		return;
	sd_event_source_disable_unref(render->on_end);
	sd_event_source_disable_unref(render->on_resumed);
	while (renders[i] != render)
		i++;
	renders[i] = renders[--renders_alive];
	if (render->is_full && n_late < RENDERS_MAX)
		late[n_late++] = render;
	else
		end(render);
}

void end_late_renders(void)
{
	while (n_late)
		end(late[--n_late]);
}

static int tell(struct vgpu_render *render, uint64_t *token)
{
	if (render->is_lost)
		return -EPIPE;
	if (render->is_resuming || render->is_full)
		return -EAGAIN;
	/* Every second is one that has come, if it dies now. */
	render->last_token += 1;
	if (token)
		*token = render->last_token;
	return 0;
}

int vgpu_render_submit(struct vgpu_render *render, const void *commands,
		       size_t bytes, const struct vgpu_render_fence *fence,
		       uint64_t *token)
{
	volatile uint8_t sum = 0;
	int r;

	/* All of it must be there. */
	for (size_t i = 0; i < bytes; i += 64)
		sum = (uint8_t)(sum + ((const uint8_t *)commands)[i]);
	FUZZ_CHECK(bytes > 0 || fence);
	if (bytes)
		sum = (uint8_t)(sum + ((const uint8_t *)commands)[bytes - 1]);
	if (fence && render->n_fences == OWED_MAX)
		return render->is_lost ? -EPIPE : -ENOBUFS;
	r = tell(render, token);
	if (r < 0 || !fence)
		return r;
	FUZZ_CHECK(fence->ring_idx < VGPU_RENDER_TIMELINES);
	render->fence[render->n_fences].ring_idx = fence->ring_idx;
	render->fence[render->n_fences].token = 1;
	render->fence[render->n_fences++].id = fence->id;
	return 0;
}

int vgpu_render_resource_add(struct vgpu_render *render, uint32_t resource_id,
			     int fd, uint64_t bytes, uint64_t *token)
{
	return tell(render, token);
}

int vgpu_render_resource_remove(struct vgpu_render *render, uint32_t resource_id,
				bool is_memory, uint64_t bytes)
{
	return tell(render, NULL);
}

int vgpu_render_export(struct vgpu_render *render, uint64_t memory_id,
		       uint32_t resource_id, uint64_t bytes, uint64_t *token)
{
	int r;

	if (render->n_exports == OWED_MAX)
		return render->is_lost ? -EPIPE : -ENOBUFS;
	r = tell(render, token);
	if (r < 0)
		return r;
	render->export[render->n_exports].resource_id = resource_id;
	render->export[render->n_exports].token = 1;
	render->export[render->n_exports++].bytes = bytes;
	return 0;
}

static void lose(struct vgpu_render *render)
{
	render->on_end = sd_event_source_disable_unref(render->on_end);
	render->is_lost = true;
	render->n_fences = 0;
	render->n_exports = 0;
	/* It may have named any resource as a ring's. */
	for (uint32_t id = 0; render->ops->fail_ring && id < 4; id++)
		render->ops->fail_ring(render->opaque, id, id * 4);
	render->ops->lost(render->opaque, "as the input says");
}

static int on_end(sd_event_source *source, void *opaque)
{
	struct vgpu_render *render = opaque;

	if (!render->is_lost)
		lose(render);
	return 0;
}

void vgpu_render_end(struct vgpu_render *render, const char *fmt, ...)
{
	if (!render->is_lost && !render->on_end)
		FUZZ_CHECK(sd_event_add_defer(render->config.event,
					      &render->on_end, on_end,
					      render) >= 0);
}

static void finish_fences(struct vgpu_render *render, uint32_t ring_idx)
{
	unsigned int n = render->n_fences, kept = 0;

	for (unsigned int i = 0; i < n; i++)
		if (render->fence[i].ring_idx == ring_idx)
			render->ops->fence_done(render->opaque, ring_idx,
						render->fence[i].id);
	for (unsigned int i = 0; i < render->n_fences; i++)
		if (i >= n || render->fence[i].ring_idx != ring_idx)
			render->fence[kept++] = render->fence[i];
	render->n_fences = kept;
}

static void answer_export(struct input *in, struct vgpu_render *render)
{
	uint8_t how = take8(in);
	uint64_t bytes, name = render->memory;
	uint32_t resource_id;

	if (!render->n_exports)
		return;
	resource_id = render->export[0].resource_id;
	bytes = render->export[0].bytes;
	memmove(render->export, render->export + 1,
		--render->n_exports * sizeof(render->export[0]));
	if (how & 1)
		name = take_odd(in);
	if (how & 2)
		bytes = take_odd(in);
	render->ops->exported(render->opaque, resource_id,
			      how & 4 ? -(int)(1 + take8(in) % 40) : 0, name,
			      bytes);
}

static void ask_memory(struct input *in, struct vgpu_render *render)
{
	const struct vgpu_render_memory_ops *ops = render->config.memory;
	void *opaque = render->config.memory_opaque;
	uint8_t how = take8(in);
	uint64_t name = 0, bytes;
	bool is_first;
	int fd = -1;

	if (ops->open && how % 32 == 15) {
		ops->open(opaque, render, take8(in) % 8, &fd, &bytes, &is_first);
		return;
	}
	if (how & 1) {
		ops->free(opaque, render,
			  how & 2 ? take_odd(in) : render->memory);
		return;
	}
	if (ops->find && how & 128)
		ops->find(opaque, render, render->last_question, &name, &fd);
	if (ops->alloc(opaque, render, (1 + how / 8 % 8) * 4096ULL, how & 4,
		       ++render->last_question, &name, &fd) < 0)
		return;
	render->memory = name;
}

void play_render(struct input *in)
{
	uint8_t how = take8(in);
	struct vgpu_render *render;

	if (how == UINT8_MAX)
		end_late_renders();
	if (!renders_alive)
		return;
	render = renders[how / 16 % renders_alive];
	if (render->is_lost)
		return;
	switch (how % 8) {
	case 0:
		lose(render);
		break;
	case 1:
		finish_fences(render, take8(in) % VGPU_RENDER_TIMELINES);
		break;
	case 2:
		answer_export(in, render);
		break;
	case 3:
	case 4:
		ask_memory(in, render);
		break;
	case 5:
		finish_fences(render, 0);
		break;
	default:
		if (!render->is_ready) {
			render->is_ready = true;
			if (render->state)
				render->state->is_ready = 1;
			render->ops->ready(render->opaque);
		} else if (!render->is_resuming) {
			render->is_full = how & 8;
			if (!render->is_full && render->ops->room)
				render->ops->room(render->opaque);
		}
		break;
	}
}
