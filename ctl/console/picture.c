/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small pictures of what heads show. */
#include "ctl/console/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl/common/frame.h"
#include "ctl/common/manager.h"
#include "ctl/common/png_file.h"
#include "lib/util.h"

#define CHANNELS 3 /* blue, green, red; the fourth byte means nothing */

/* Each pixel is the mean of a square of the frame's, cut off at its edges. */
struct small {
	struct ctl_frame *frame;
	uint32_t factor;
	uint32_t width;
	uint32_t height;
	uint32_t *sums; /* of a row, CHANNELS for each pixel */
	uint8_t *row;
};

static void add_row(struct small *small, const uint8_t *from)
{
	for (uint32_t x = 0; x < small->frame->width; x++) {
		uint32_t *sum =
			small->sums + (size_t)(x / small->factor) * CHANNELS;

		for (uint32_t c = 0; c < CHANNELS; c++)
			sum[c] += from[x * CTL_PIXEL_BYTES + c];
	}
}

static void divide_row(struct small *small, uint32_t rows)
{
	for (uint32_t x = 0; x < small->width; x++) {
		uint32_t columns = VGPU_MIN(
			small->factor, small->frame->width - x * small->factor);
		uint32_t pixels = VGPU_MAX(rows * columns, 1);
		const uint32_t *sum = small->sums + (size_t)x * CHANNELS;
		uint8_t *pixel = small->row + (size_t)x * CTL_PIXEL_BYTES;

		for (uint32_t c = 0; c < CHANNELS; c++)
			pixel[c] = (uint8_t)(sum[c] / pixels);
	}
}

static const uint8_t *next_row(void *opaque, struct vgpu_err *err)
{
	struct small *small = opaque;
	uint32_t rows = VGPU_MIN(small->factor,
				 small->frame->height - small->frame->next);

	memset(small->sums, 0,
	       (size_t)small->width * CHANNELS * sizeof(small->sums[0]));
	for (uint32_t y = 0; y < rows; y++) {
		const uint8_t *row = ctl_frame_next_row(small->frame, err);

		if (!row)
			return NULL;
		add_row(small, row);
	}
	divide_row(small, rows);
	return small->row;
}

static int write_file(struct small *small, int *ret_fd, struct vgpu_err *err)
{
	vgpu_autoclose int fd =
		memfd_create("vgpu-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	vgpu_autofclose FILE *file = NULL;
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r;

	file = copy < 0 ? NULL : fdopen(copy, "w");
	if (!file) {
		vgpu_close(copy);
		return vgpu_err_set(err, -errno, NULL,
				    "cannot make a file of it: %m");
	}
	r = ctl_png_write(file, small->width, small->height, next_row, small,
			  err);
	if (r < 0)
		return r;
	if (fflush(file) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot write it: %m");
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

static int shrink(struct ctl_frame *frame, int *ret_fd, struct vgpu_err *err)
{
	uint32_t longest = VGPU_MAX(frame->width, frame->height);
	struct small small = {
		.frame = frame,
		.factor = (longest + CTL_PICTURE_PIXELS_MAX - 1) /
			  CTL_PICTURE_PIXELS_MAX,
	};
	vgpu_autofree uint32_t *sums = NULL;
	vgpu_autofree uint8_t *row = NULL;

	small.width = (frame->width + small.factor - 1) / small.factor;
	small.height = (frame->height + small.factor - 1) / small.factor;
	small.sums = sums = calloc((size_t)small.width * CHANNELS, sizeof(*sums));
	small.row = row = calloc(small.width, CTL_PIXEL_BYTES);
	if (!sums || !row)
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	return write_file(&small, ret_fd, err);
}

int ctl_console_picture(struct ctl *ctl, const char *vgpu, uint32_t head,
			int *ret_fd, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	struct ctl_frame frame = {};
	int r;

	r = sd_json_variant_set_field_string(&parameters, "vgpu", vgpu);
	if (r >= 0)
		r = sd_json_variant_set_field_unsigned(&parameters, "head", head);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "out of memory");
	r = ctl_frame_capture(ctl, parameters, &frame, err);
	if (r >= 0)
		r = shrink(&frame, ret_fd, err);
	ctl_frame_finish(&frame);
	return r;
}
