/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a head shows, as the manager captures it. */
#include "ctl/common/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "lib/type.h"
#include "lib/util.h"

/* A row may be padded, but not beyond the widest possible head. */
#define STRIDE_MAX (VGPU_DIMENSION_MAX * CTL_PIXEL_BYTES)

/*
 * Read rows instead of mapping the file: another holder of it could truncate
 * it, which makes a read fail, but kills a process that has it mapped.
 */
const uint8_t *ctl_frame_next_row(void *opaque, struct vgpu_err *err)
{
	struct ctl_frame *frame = opaque;
	size_t want = (size_t)frame->width * CTL_PIXEL_BYTES;
	size_t have = 0;

	while (have < want) {
		off_t at = (off_t)frame->next * frame->stride + have;
		ssize_t n = pread(frame->fd, frame->row + have, want - have, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			vgpu_err_set(err, -EIO, NULL,
				     "the frame could not be read: %s",
				     n < 0 ? strerror(errno) : "it ends early");
			return NULL;
		}
		have += n;
	}
	frame->next++;
	return frame->row;
}

void ctl_frame_finish(struct ctl_frame *frame)
{
	free(frame->row);
	frame->row = NULL;
}

/* Check the fd and the numbers before they are used. */
static int check_frame(const struct ctl_frame *frame, struct vgpu_err *err)
{
	uint64_t bytes;
	struct stat st;

	if (frame->width == 0 || frame->height == 0 ||
	    frame->width > VGPU_DIMENSION_MAX ||
	    frame->height > VGPU_DIMENSION_MAX ||
	    frame->stride < frame->width * CTL_PIXEL_BYTES ||
	    frame->stride > STRIDE_MAX)
		return ctl_manager_wrong_reply(
			"Capture", "has a frame of a size that cannot be", err);
	if (fstat(frame->fd, &st) < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot look at the frame: %m");
	bytes = (uint64_t)frame->height * frame->stride;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size < bytes)
		return ctl_manager_wrong_reply(
			"Capture",
			"has a frame that holds less than its size says", err);
	return 0;
}

int ctl_frame_capture(struct ctl *ctl, sd_json_variant *parameters,
		      struct ctl_frame *ret, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *reply = NULL;
	uint64_t width, height, stride, index;
	struct ctl_frame frame = {};
	int r;

	r = ctl_manager_connect(ctl, err);
	if (r < 0)
		return r;
	r = sd_varlink_set_allow_fd_passing_input(ctl->link, true);
	if (r < 0)
		return vgpu_err_set(err, r, NULL,
				    "cannot take file descriptors: %s",
				    strerror(-r));
	r = ctl_manager_call(ctl, "Capture", parameters, &reply, err);
	if (r < 0)
		return r;
	if (!ctl_json_unsigned(reply, "width", &width) ||
	    !ctl_json_unsigned(reply, "height", &height) ||
	    !ctl_json_unsigned(reply, "stride", &stride) ||
	    !ctl_json_unsigned(reply, "fileDescriptor", &index))
		return ctl_manager_wrong_reply("Capture",
					       "lacks the frame's size", err);
	frame.width = VGPU_MIN(width, UINT32_MAX);
	frame.height = VGPU_MIN(height, UINT32_MAX);
	frame.stride = VGPU_MIN(stride, UINT32_MAX);
	frame.fd = sd_varlink_peek_fd(ctl->link, index);
	if (frame.fd < 0)
		return ctl_manager_wrong_reply("Capture",
					       "came without the frame", err);
	r = check_frame(&frame, err);
	if (r < 0)
		return r;
	frame.row = malloc((size_t)frame.width * CTL_PIXEL_BYTES);
	if (!frame.row)
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	*ret = frame;
	return 0;
}
