/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The venus capset, which is generated with the decoder. */
#ifndef VGPU_DEVICE_VTEST_CAPSET_H
#define VGPU_DEVICE_VTEST_CAPSET_H

#define VGPU_VENUS_CAPSET_BYTES 160

extern const struct vgpu_venus_capset vgpu_venus_capset;

#endif
