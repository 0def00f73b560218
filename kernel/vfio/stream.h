/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vGPU's state is read from and written to: a file of the user's. */
#ifndef VGPU_KERNEL_VFIO_STREAM_H
#define VGPU_KERNEL_VFIO_STREAM_H

#include "vfio.h"

/*
 * A stream of the vGPU that is open, which begins to save or restore it, or an
 * ERR_PTR(): -ENOMEM and others of making a file. The caller holds v->lock,
 * here and below.
 */
struct vgpu_vfio_stream *vgpu_vfio_open_stream(struct vgpu_vfio *v,
					       bool is_saving);
/* From now on its file gives -ENODEV. */
void vgpu_vfio_close_stream(struct vgpu_vfio_stream *stream);
/* With a reference, for the user. */
struct file *vgpu_vfio_stream_file(struct vgpu_vfio_stream *stream);
/* Why it can only be given up; 0: nothing is wrong so far. */
int vgpu_vfio_check_stream(struct vgpu_vfio_stream *stream);
/* The same of one that nothing is to be written to any more. */
int vgpu_vfio_finish_stream(struct vgpu_vfio_stream *stream);

#endif
