/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A picture in a memfd, sealed so that its receiver can trust its size. */
#include "device/display/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "lib/util.h"

int vgpu_frame_init(struct vgpu_frame *frame, uint32_t width, uint32_t height)
{
	vgpu_autoclose int fd = -1;
	uint64_t bytes;
	void *pixels;

	if (width == 0 || height == 0 || width > UINT32_MAX / 4 ||
	    !vgpu_checked_mul((uint64_t)width * 4, height, &bytes) ||
	    bytes > SIZE_MAX / 2)
		return -EINVAL;
	fd = memfd_create("vgpu-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	pixels = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED)
		return -errno;
	*frame = (struct vgpu_frame){
		.fd = vgpu_steal_fd(&fd),
		.pixels = pixels,
		.bytes = bytes,
		.width = width,
		.height = height,
		.stride_bytes = width * 4,
	};
	return 0;
}

static void unmap(struct vgpu_frame *frame)
{
	if (frame->pixels)
		munmap(frame->pixels, frame->bytes);
	frame->pixels = NULL;
}

void vgpu_frame_finish(struct vgpu_frame *frame)
{
	unmap(frame);
	vgpu_close(frame->fd);
	*frame = VGPU_FRAME_NONE;
}

int vgpu_frame_seal(struct vgpu_frame *frame)
{
	const int seals =
		F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	return fcntl(frame->fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int vgpu_frame_seal_contents(struct vgpu_frame *frame)
{
	/*
	 * Without a writable mapping F_SEAL_FUTURE_WRITE is as good as
	 * F_SEAL_WRITE, which fails with EBUSY while the kernel holds a page
	 * (compaction, reclaim).
	 */
	unmap(frame);
	return vgpu_frame_seal(frame);
}
