/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making the state block, or taking one over. */
#include "state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/util.h"

#define PAGE_BYTES 4096U

static uint64_t gpu_offset(void)
{
	return vgpu_align_up(sizeof(struct vgpu_state), PAGE_BYTES);
}

static uint64_t block_bytes(size_t gpu_bytes)
{
	return vgpu_align_up(gpu_offset() + gpu_bytes, PAGE_BYTES);
}

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static const char *check_request(uint64_t word)
{
	uint32_t phase = word & 0xf;

	if (phase > VGPU_REQUEST_WAITING || (word & 0xffffff00))
		return "a request in flight has an unknown phase";
	if (phase == VGPU_REQUEST_FREE && word)
		return "a free request is not zero";
	return NULL;
}

static const char *check_queue(const struct vgpu_state_queue *queue)
{
	const char *fault;

	if (queue->num &&
	    (!is_power_of_two(queue->num) || queue->num > VGPU_STATE_QUEUE_NUM))
		return "the size of a queue is not one";
	if (queue->is_addressed > 1 || queue->is_started > 1 ||
	    queue->is_enabled > 1 || queue->is_broken > 1)
		return "a mark of a queue is not 0 or 1";
	if (queue->is_started && (!queue->num || !queue->is_addressed))
		return "a queue runs that was not set up";
	for (uint32_t i = 0; i < VGPU_STATE_QUEUE_NUM; i++) {
		fault = check_request(queue->request[i]);
		if (!fault && queue->request[i] && i >= queue->num)
			fault = "a request lies beyond its queue";
		if (fault)
			return fault;
	}
	if ((queue->completing & VGPU_STATE_COMPLETING) &&
	    (queue->completing & 0x7fff) >= queue->num)
		return "an answer lies beyond its queue";
	return NULL;
}

static const char *check_state(const struct vgpu_state *state, size_t gpu_bytes,
			       uint64_t bytes)
{
	const char *fault;

	if (state->magic != VGPU_STATE_MAGIC)
		return "it is no state block";
	if (state->version != VGPU_STATE_VERSION)
		return "it is of another version";
	if (state->bytes != bytes || state->gpu_offset != gpu_offset() ||
	    state->gpu_bytes != gpu_bytes)
		return "its sizes are not those of this version";
	if (state->is_connected > 1 || state->has_config_changed > 1 ||
	    state->is_request_begun > 1)
		return "a mark is not 0 or 1";
	if (state->message.phase > VGPU_MESSAGE_GATHERING ||
	    (state->message.gathered & 0xffff) > VGPU_STATE_MESSAGE_MAX ||
	    state->message.gathered >> 16 > VGPU_SLOT_MEMORY_MAX ||
	    state->message.size > VGPU_STATE_PAYLOAD_MAX ||
	    state->message.n_fds > VGPU_SLOT_MEMORY_MAX ||
	    (state->message.emptied & ~VGPU_STATE_EMPTYING) >
		    VGPU_STATE_MESSAGE_MAX)
		return "the message in it is not one";
	for (int i = 0; i < VGPU_SLOT_MEMORY_MAX; i++)
		if (state->region[i].is_used > 1)
			return "a mark of a region is not 0 or 1";
	for (int i = 0; i < VGPU_STATE_QUEUES; i++) {
		fault = check_queue(&state->queue[i]);
		if (fault)
			return fault;
	}
	return NULL;
}

int vgpu_state_map(int fd, size_t gpu_bytes, struct vgpu_state **ret_state,
		   struct vgpu_err *err)
{
	uint64_t bytes = block_bytes(gpu_bytes);
	struct vgpu_state *state;
	const char *fault;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return vgpu_err_set(err, -EBADMSG, NULL,
				    "state block: not a file");
	if (!st.st_size && ftruncate(fd, bytes) < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "state block: cannot make it %" PRIu64
				    " bytes large: %s",
				    bytes, strerror(errno));
	if (st.st_size && (uint64_t)st.st_size != bytes)
		return vgpu_err_set(err, -EBADMSG, NULL,
				    "state block: %" PRIu64 " bytes large"
				    " instead of %" PRIu64
				    "; it is of another version",
				    (uint64_t)st.st_size, bytes);
	/* A shrunk file would kill us by SIGBUS at some later time. */
	if (seals >= 0 && !(seals & F_SEAL_SEAL))
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);

	state = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		return vgpu_err_set(err, -errno, NULL,
				    "state block: cannot map it: %s",
				    strerror(errno));
	if (!state->magic) {
		state->version = VGPU_STATE_VERSION;
		state->bytes = bytes;
		state->gpu_offset = gpu_offset();
		state->gpu_bytes = gpu_bytes;
		vgpu_state_commit(state->magic, VGPU_STATE_MAGIC);
	} else {
		fault = check_state(state, gpu_bytes, bytes);
		if (fault) {
			vgpu_state_unmap(state, gpu_bytes);
			return vgpu_err_set(err, -EBADMSG, NULL,
					    "state block: %s", fault);
		}
		state->generation++;
	}
	*ret_state = state;
	return 0;
}

void vgpu_state_unmap(struct vgpu_state *state, size_t gpu_bytes)
{
	if (state)
		munmap(state, block_bytes(gpu_bytes));
}

void *vgpu_state_gpu(struct vgpu_state *state)
{
	return (char *)state + gpu_offset();
}

void vgpu_state_note_file(struct vgpu_state_file *file, int fd)
{
	struct stat st;

	/* Of a file that there is not, no fd will be. */
	*file = (struct vgpu_state_file){};
	if (fstat(fd, &st) < 0)
		return;
	file->device = st.st_dev;
	file->inode = st.st_ino;
}

bool vgpu_state_is_file(const struct vgpu_state_file *file, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && file->device == st.st_dev &&
	       file->inode == st.st_ino;
}
