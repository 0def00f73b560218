/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device model for tests of the transport: it does what requests tell it. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/gpu/gpu.h"
#include "lib/util.h"

/*
 * A request is a struct command, all of it in the first part. The answer to it
 * repeats its number. What was executed is counted in the state block.
 */
enum verb {
	VERB_ECHO = 1,	/* answer at once */
	VERB_KEEP,	/* answer when VERB_RELEASE comes */
	VERB_RELEASE,	/* answer those kept, the latest first, then this one */
	VERB_DIE,	/* be killed, unless this is a retry */
	VERB_DIE_AGAIN, /* be killed every time */
	VERB_FAULT,	/* say that the guest broke a rule */
	VERB_FEATURES,	/* the value is the features that were accepted */
	VERB_CONFIG,	/* say that the configuration changed */
};

struct command {
	uint32_t verb;
	uint32_t number;
	uint64_t address; /* ECHO: copy 8 bytes from there if not 0 */
};

struct answer {
	uint32_t number;
	uint32_t is_retry;
	uint64_t executed; /* requests before this one, over all processes */
	uint64_t value;	   /* what was at the address */
};

#define KEPT_MAX 16

struct vgpu_gpu_state {
	uint64_t executed;
	uint64_t resets;
	uint64_t features;
};

struct vgpu_gpu {
	const struct vgpu_gpu_transport_ops *ops;
	void *opaque;
	struct vgpu_gpu_state *state;
	struct vgpu_gpu_request *kept[KEPT_MAX];
	unsigned int n_kept;
	uint32_t heads;
	int viewer;
	uint8_t config[VGPU_GPU_CONFIG_BYTES];
};

size_t vgpu_gpu_state_bytes(void)
{
	return sizeof(struct vgpu_gpu_state);
}

int vgpu_gpu_create(const struct vgpu_gpu_config *config,
		    const struct vgpu_gpu_transport_ops *ops, void *opaque,
		    struct vgpu_gpu_state *state, struct vgpu_gpu **ret_gpu,
		    struct vgpu_err *err)
{
	struct vgpu_gpu *gpu = calloc(1, sizeof(*gpu));

	if (!gpu)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	gpu->ops = ops;
	gpu->opaque = opaque;
	gpu->state = state;
	gpu->heads = config->heads;
	gpu->viewer = -1;
	gpu->config[8] = (uint8_t)config->heads;
	*ret_gpu = gpu;
	return 0;
}

void vgpu_gpu_destroy(struct vgpu_gpu *gpu)
{
	if (!gpu)
		return;
	vgpu_gpu_reset(gpu);
	vgpu_close(gpu->viewer);
	free(gpu);
}

uint64_t vgpu_gpu_features(const struct vgpu_gpu *gpu)
{
	return 1 << 1;
}

int vgpu_gpu_set_console(struct vgpu_gpu *gpu, int socket)
{
	return 0;
}

void vgpu_gpu_set_features(struct vgpu_gpu *gpu, uint64_t features)
{
	gpu->state->features = features;
}

static void answer(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request,
		   uint32_t number, uint64_t value)
{
	struct answer answer = {
		.number = number,
		.is_retry = request->is_retry,
		.executed = gpu->state->executed,
		.value = value,
	};
	size_t written = 0;

	for (unsigned int i = 0; i < request->n_writable; i++) {
		const struct iovec *part = &request->writable[i];
		size_t size = VGPU_MIN(part->iov_len, sizeof(answer) - written);

		memcpy(part->iov_base, (char *)&answer + written, size);
		written += size;
	}
	gpu->ops->complete(gpu->opaque, request, written);
}

static struct command command_of(const struct vgpu_gpu_request *request)
{
	struct command command = {};
	size_t n = 0;

	for (unsigned int i = 0; i < request->n_readable; i++) {
		const struct iovec *part = &request->readable[i];
		size_t size = VGPU_MIN(part->iov_len, sizeof(command) - n);

		memcpy((char *)&command + n, part->iov_base, size);
		n += size;
	}
	return command;
}

static void release(struct vgpu_gpu *gpu)
{
	while (gpu->n_kept) {
		struct vgpu_gpu_request *kept = gpu->kept[--gpu->n_kept];

		answer(gpu, kept, command_of(kept).number, 0);
	}
}

void vgpu_gpu_control(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request)
{
	struct command command = command_of(request);
	uint64_t value = 0;
	uint64_t part;
	void *range;

	__atomic_add_fetch(&gpu->state->executed, 1, __ATOMIC_RELEASE);
	switch (command.verb) {
	case VERB_ECHO:
		range = command.address ? gpu->ops->guest_range(gpu->opaque,
								command.address,
								8, &part)
					: NULL;
		if (range && part == 8)
			memcpy(&value, range, sizeof(value));
		break;
	case VERB_KEEP:
		if (gpu->n_kept < KEPT_MAX) {
			gpu->kept[gpu->n_kept++] = request;
			return;
		}
		break;
	case VERB_RELEASE:
		release(gpu);
		break;
	case VERB_DIE:
		if (!request->is_retry)
			raise(SIGKILL);
		break;
	case VERB_DIE_AGAIN:
		raise(SIGKILL);
		break;
	case VERB_FAULT:
		gpu->ops->guest_fault(gpu->opaque, "the test says so");
		break;
	case VERB_FEATURES:
		value = gpu->state->features;
		break;
	case VERB_CONFIG:
		gpu->config[0]++;
		gpu->ops->config_changed(gpu->opaque);
		break;
	default:
		break;
	}
	answer(gpu, request, command.number, value);
	gpu->ops->status_changed(gpu->opaque);
}

uint32_t vgpu_gpu_count_held(struct vgpu_gpu *gpu)
{
	return 0;
}

void vgpu_gpu_requests_resumed(struct vgpu_gpu *gpu)
{
}

void vgpu_gpu_cursor(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request)
{
	answer(gpu, request, command_of(request).number, 0);
}

void vgpu_gpu_config_read(struct vgpu_gpu *gpu,
			  uint8_t ret_config[VGPU_GPU_CONFIG_BYTES])
{
	memcpy(ret_config, gpu->config, sizeof(gpu->config));
}

int vgpu_gpu_config_write(struct vgpu_gpu *gpu, uint32_t offset,
			  const uint8_t *data, uint32_t len)
{
	if (offset > sizeof(gpu->config) || len > sizeof(gpu->config) - offset)
		return -EINVAL;
	memcpy(gpu->config + offset, data, len);
	return 0;
}

void vgpu_gpu_set_frame_rate_limit(struct vgpu_gpu *gpu, uint32_t limit)
{
}

void vgpu_gpu_window_done(struct vgpu_gpu *gpu, uint64_t cookie, int status)
{
}

bool vgpu_gpu_shares(const struct vgpu_gpu *gpu, uint64_t inode)
{
	return false;
}

void vgpu_gpu_reset(struct vgpu_gpu *gpu)
{
	release(gpu);
	gpu->state->features = 0;
	gpu->state->resets++;
}

void vgpu_gpu_figures(const struct vgpu_gpu *gpu, struct vgpu_figures *figures)
{
}

void vgpu_gpu_status(const struct vgpu_gpu *gpu,
		     struct vgpu_control_status *status)
{
	status->commands = gpu->state->executed;
	status->errors = gpu->state->resets;
	/* All are plugged in. */
	for (uint32_t i = 0;
	     i < gpu->heads && i < VGPU_ARRAY_SIZE(status->head); i++) {
		status->head[i].preferred_width = 1;
		status->head[i].preferred_height = 1;
	}
}

int vgpu_gpu_set_mode(struct vgpu_gpu *gpu, uint32_t head, uint32_t width,
		      uint32_t height, struct vgpu_err *err)
{
	if (head >= gpu->heads)
		return vgpu_err_set(err, -EINVAL, NULL, "there is no head %u",
				    head);
	gpu->config[0]++;
	gpu->ops->config_changed(gpu->opaque);
	return 0;
}

int vgpu_gpu_capture(struct vgpu_gpu *gpu, uint32_t head,
		     struct vgpu_control_frame *ret_frame, int *ret_fd,
		     struct vgpu_err *err)
{
	if (head >= gpu->heads)
		return vgpu_err_set(err, -EINVAL, NULL, "there is no head %u",
				    head);
	*ret_fd = memfd_create("frame", MFD_CLOEXEC);
	if (*ret_fd < 0)
		return vgpu_err_set(err, -errno, NULL, "no memory");
	if (write(*ret_fd, "\1\2\3\4", 4) != 4)
		return vgpu_err_set(err, -EIO, NULL, "no memory");
	*ret_frame = (struct vgpu_control_frame){1, 1, 4, 0};
	return 0;
}

int vgpu_gpu_view(struct vgpu_gpu *gpu, uint32_t head, int socket,
		  struct vgpu_err *err)
{
	vgpu_close(gpu->viewer);
	gpu->viewer = socket;
	return 0;
}

void vgpu_gpu_take_input(struct vgpu_gpu *gpu, uint32_t head,
			 const struct vgpu_viewer_sink *sink, void *opaque)
{
}

void vgpu_gpu_layout(const struct vgpu_gpu *gpu, uint32_t head,
		     struct vgpu_gpu_layout *ret_layout)
{
	*ret_layout = (struct vgpu_gpu_layout){};
}

int vgpu_gpu_viewer_fd(const struct vgpu_gpu *gpu, uint32_t head)
{
	return head == 0 ? gpu->viewer : -1;
}

void vgpu_gpu_viewer_readable(struct vgpu_gpu *gpu, uint32_t head)
{
	char byte;

	/* Send back what comes. */
	if (read(gpu->viewer, &byte, 1) <= 0 || write(gpu->viewer, &byte, 1) != 1)
		gpu->viewer = vgpu_close(gpu->viewer);
}
