/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VF whose vGPU migrates, by VFIO. Whatever fails ends the program. */
#ifndef VGPU_TESTS_VFIO_MIGRATE_H
#define VGPU_TESTS_VFIO_MIGRATE_H

#include "check.h"
#include "model.h"
#include "vf.h"

#define RUNNING	    VFIO_DEVICE_STATE_RUNNING
#define RUNNING_P2P VFIO_DEVICE_STATE_RUNNING_P2P
#define STOP	    VFIO_DEVICE_STATE_STOP
#define STOP_COPY   VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING    VFIO_DEVICE_STATE_RESUMING
#define ERROR	    VFIO_DEVICE_STATE_ERROR

#define BUFFER_BYTES MIB
#define STREAM_MAX   (32 * MIB)
#define HEADER_BYTES 56
#define PIECE_BYTES  16 /* what is before each piece of a stream */
#define REG_SCRATCH  0x2100

struct stream {
	uint8_t *bytes;
	size_t count;
};

double mig_now_ms(void);
/* With memory of BUFFER_BYTES that the VF moves its framebuffer from and to. */
uint8_t *mig_open(struct vf *vf, const char *address);
void mig_reset(struct vf *vf);

int mig_feature(struct vf *vf, uint32_t flags, void *data, uint32_t bytes);
uint32_t mig_state(struct vf *vf);
/* The state's file, or -1 where it has none; the first tells of errors by errno. */
int mig_try_state(struct vf *vf, uint32_t state, int *ret_fd);
int mig_set_state(struct vf *vf, uint32_t state);

/* Between that memory and the framebuffer; the status. */
uint32_t mig_move(struct vf *vf, uint32_t command, uint64_t fb, uint32_t bytes);
uint64_t mig_fb_bytes(struct vf *vf);
/* A pattern all over the framebuffer, its last page too. */
void mig_fill(struct vf *vf, uint8_t *memory);
void mig_check_filled(struct vf *vf, uint8_t *memory);
/* Nothing of a guest's is in it. It masters the bus when this is done. */
void mig_check_empty(struct vf *vf, uint8_t *memory);

struct stream mig_save(int fd);
/* 0, or the errno that writing it ends with. */
int mig_restore(int fd, const uint8_t *bytes, size_t count);
/* The stream of a VF that is filled, and closed when this is done. */
struct stream mig_save_of(const char *address);

/* migrate_hostile.c */
void check_type(const struct arguments *arg);
void check_hostile(const struct arguments *arg);
void check_stall(const struct arguments *arg);

#endif
