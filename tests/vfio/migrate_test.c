// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vGPU that moves from one VF to another, by VFIO, and streams that no vGPU
 * has written. It runs in a host VM, see test_migration.py.
 */
#include "migrate.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_move(const struct arguments *arg)
{
	struct vfio_device_feature_mig_data_size size = {0};
	struct vfio_device_feature_migration can = {0};
	void *nowhere =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *from_memory, *to_memory;
	struct vf from, to;
	struct stream s;
	int32_t events[VECTORS];
	unsigned int i;
	int fd, out;

	from_memory = mig_open(&from, arg->vf);
	CHECK(mig_feature(&from,
			  VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
			  &can, sizeof(can)) == 0);
	CHECK_EQUAL(can.flags, VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P);
	vf_set_master(&from, true);
	for (i = 0; i < VECTORS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(vf_set_irqs(&from, VFIO_PCI_MSIX_IRQ_INDEX, events, VECTORS) == 0);
	mig_fill(&from, from_memory);
	from.bar1[arg->bar1_bytes - 1] = 0x77;
	vf_wr(&from, REG_SCRATCH, 0x5c5c5c5c);
	vf_wr(&from, REG_DRIVER, 1);
	vf_wr(&from, REG_FB_USED, 3);

	/* Stopped, it neither moves memory nor interrupts. */
	mig_set_state(&from, STOP);
	CHECK_EQUAL(mig_state(&from), STOP);
	CHECK_EQUAL(mig_move(&from, DMA_TO_FB, 0, 4096), DMA_NO_MASTER);
	vf_wr(&from, REG_DOORBELL, 3);
	usleep(QUIET_MS * 1000);
	CHECK_EQUAL(vf_rd(&from, REG_HELD), 1 << 3);
	CHECK(!vf_came(events[3], 0));

	/* Linux 6.1 has no such question. */
	if (mig_feature(&from,
			VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
			&size, sizeof(size)) != 0) {
		CHECK_EQUAL(errno, ENOTTY);
		size.stop_copy_length = UINT64_MAX;
	}
	CHECK(size.stop_copy_length > mig_fb_bytes(&from));
	fd = mig_set_state(&from, STOP_COPY);
	CHECK_ERRNO(write(fd, from_memory, 1), EBADF);
	CHECK_ERRNO(pread(fd, from_memory, 1, 0), ESPIPE);
	CHECK_ERRNO(read(fd, nowhere, 4096), EFAULT);
	s = mig_save(fd);
	CHECK(s.count < size.stop_copy_length);

	to_memory = mig_open(&to, arg->other);
	to.bar1[5 * MIB] = 0x11; /* what was there is not there any more */
	close(mig_set_state(&to, STOP_COPY));
	out = mig_set_state(&to, RESUMING);
	CHECK_ERRNO(read(out, to_memory, 1), EBADF);
	CHECK_EQUAL(mig_restore(out, s.bytes, s.count), 0);
	vf_set_master(&to, true);
	mig_set_state(&to, STOP);
	CHECK_EQUAL(mig_move(&to, DMA_TO_FB, 0, 4096), DMA_NO_MASTER);
	mig_set_state(&to, RUNNING);
	mig_check_filled(&to, to_memory);
	CHECK_EQUAL(to.bar1[arg->bar1_bytes - 1], 0x77);
	CHECK_EQUAL(to.bar1[5 * MIB], 0);
	CHECK_EQUAL(vf_rd(&to, REG_SCRATCH), 0x5c5c5c5c);
	CHECK_EQUAL(vf_rd(&to, REG_DRIVER), 1);
	CHECK_EQUAL(vf_rd(&to, REG_FB_USED), 3);
	CHECK_EQUAL(vf_rd(&to, REG_TOKEN), 3);
	CHECK_EQUAL(vf_rd(&to, REG_HELD), 0);
	CHECK_ERRNO(write(out, to_memory, 1), ENODEV);

	/* The source could have gone on: what it held back comes now. */
	mig_set_state(&from, RUNNING);
	CHECK_ERRNO(read(fd, from_memory, 1), ENODEV);
	CHECK(vf_came(events[3], WAIT_MS));
	mig_check_filled(&from, from_memory);
	vf_close(&from);
	/* Its files are nobody's, and no harm. */
	CHECK_ERRNO(read(fd, from_memory, 1), ENODEV);
	from_memory = mig_open(&from, arg->vf);
	mig_check_empty(&from, from_memory);
	mig_check_filled(&to, to_memory);
	vf_close(&from);
	vf_close(&to);
	printf("test: %zu bytes of a vGPU that is nearly empty\n", s.count);
}

/* Much of the framebuffer, and more than the ring holds: NUMBER MiB at most. */
static void check_full(const struct arguments *arg)
{
	uint8_t *from_memory, *to_memory, *buffer = malloc(BUFFER_BYTES);
	double began, took = 0;
	uint64_t at, fill, bytes = 0;
	struct vf from, to;
	ssize_t part;
	int in, out;
	uint32_t i;

	from_memory = mig_open(&from, arg->vf);
	to_memory = mig_open(&to, arg->other);
	vf_set_master(&from, true);
	vf_set_master(&to, true);
	fill = mig_fb_bytes(&from);
	if (fill > arg->number * MIB)
		fill = arg->number * MIB;
	CHECK(fill);
	for (at = 0; at < fill; at += BUFFER_BYTES) {
		for (i = 0; i < BUFFER_BYTES; i += 8)
			memcpy(from_memory + i, &(uint64_t){~(at + i)}, 8);
		CHECK_EQUAL(mig_move(&from, DMA_TO_FB, at, BUFFER_BYTES),
			    DMA_DONE);
	}
	began = mig_now_ms();
	in = mig_set_state(&from, STOP_COPY);
	out = mig_set_state(&to, RESUMING);
	while ((part = read(in, buffer, BUFFER_BYTES)) > 0) {
		CHECK_EQUAL(mig_restore(out, buffer, (size_t)part), 0);
		bytes += (uint64_t)part;
	}
	CHECK_EQUAL(part, 0);
	mig_set_state(&to, RUNNING);
	took = mig_now_ms() - began;
	for (at = 0; at < fill; at += BUFFER_BYTES) {
		CHECK_EQUAL(mig_move(&to, DMA_TO_MEMORY, at, BUFFER_BYTES),
			    DMA_DONE);
		for (i = 0; i < BUFFER_BYTES; i += 8)
			CHECK(memcmp(to_memory + i, &(uint64_t){~(at + i)}, 8) ==
			      0);
	}
	printf("test: moved %llu MiB of framebuffer: %llu bytes, %.0f ms\n",
	       (unsigned long long)(fill / MIB), (unsigned long long)bytes, took);
	vf_close(&from);
	vf_close(&to);
}

static void check_states(const struct arguments *arg)
{
	static const uint32_t none[] = {VFIO_DEVICE_STATE_PRE_COPY,
					VFIO_DEVICE_STATE_PRE_COPY_P2P, ERROR,
					100};
	static const uint32_t states[] = {RUNNING_P2P, STOP, STOP_COPY,
					  RESUMING, RUNNING};
	uint8_t *memory;
	unsigned int i;
	struct vf vf;
	int fd;

	memory = mig_open(&vf, arg->vf);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK(mig_try_state(&vf, none[i], &fd) == -1);
	CHECK_EQUAL(mig_state(&vf), RUNNING);
	/* Reset in each: it runs, and nothing of it is left. */
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		vf_set_master(&vf, true);
		mig_fill(&vf, memory);
		vf_wr(&vf, REG_DRIVER, 1);
		fd = mig_set_state(&vf, states[i]);
		CHECK_EQUAL(mig_state(&vf), states[i]);
		if (states[i] == STOP_COPY)
			CHECK(read(fd, memory, 5000) > 0);
		mig_reset(&vf);
		if (fd >= 0) {
			CHECK_ERRNO(read(fd, memory, 1),
				    states[i] == STOP_COPY ? ENODEV : EBADF);
			close(fd);
		}
		mig_check_empty(&vf, memory);
	}
	/* And back: the vGPU goes on where it was. */
	mig_fill(&vf, memory);
	/* What others write to it while it begins nothing by itself is kept. */
	mig_set_state(&vf, RUNNING_P2P);
	CHECK_EQUAL(mig_move(&vf, DMA_TO_FB, 0, 4096), DMA_NO_MASTER);
	vf.bar1[5 * MIB] = 0x21;
	mig_set_state(&vf, RUNNING);
	CHECK_EQUAL(vf.bar1[5 * MIB], 0x21);
	mig_check_filled(&vf, memory);
	for (i = 0; i < 3; i++) {
		fd = mig_set_state(&vf, STOP_COPY);
		if (i == 1)
			free(mig_save(fd).bytes);
		close(fd);
		mig_set_state(&vf, i == 2 ? STOP : RUNNING);
		mig_set_state(&vf, RUNNING);
		mig_check_filled(&vf, memory);
	}
	vf_close(&vf);
}

/* In state NUMBER, a stream half way, until it is killed or loses the vGPU. */
static void check_hold(const struct arguments *arg)
{
	uint32_t state = arg->number;
	struct pollfd told = {.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
	uint8_t *memory;
	struct vf vf;
	int fd, none;

	memory = mig_open(&vf, arg->vf);
	CHECK(vf_set_irqs(&vf, VFIO_PCI_ERR_IRQ_INDEX, &told.fd, 1) == 0);
	vf_set_master(&vf, true);
	mig_fill(&vf, memory);
	fd = mig_set_state(&vf, state);
	if (state == STOP_COPY)
		CHECK(read(fd, memory, 70000) > 0);
	printf("test: held in state %u\n", state);
	CHECK(poll(&told, 1, -1) == 1);
	CHECK_EQUAL(mig_state(&vf), ERROR);
	CHECK_ERRNO(mig_try_state(&vf, RUNNING, &none), EIO);
	if (state == STOP_COPY)
		CHECK(read(fd, memory, 1) == -1);
	else if (state == RESUMING)
		CHECK(write(fd, memory, 1) == -1);
	printf("test: let go of %s\n", arg->vf);
}

/* Reads on, and is told at once when there is no more to come. */
static void check_read(const struct arguments *arg)
{
	uint8_t *memory;
	struct vf vf;
	ssize_t part;
	uint64_t at;
	int fd;

	memory = mig_open(&vf, arg->vf);
	vf_set_master(&vf, true);
	memset(memory, 0x99, BUFFER_BYTES);
	for (at = 0; at < 256 * MIB; at += BUFFER_BYTES)
		CHECK_EQUAL(mig_move(&vf, DMA_TO_FB, at, BUFFER_BYTES), DMA_DONE);
	fd = mig_set_state(&vf, STOP_COPY);
	CHECK(read(fd, memory, 70000) > 0);
	printf("test: reads %s\n", arg->vf);
	/* Slowly: the crash comes while there is much to be read. */
	while ((part = read(fd, memory, 1000)) > 0)
		usleep(1000);
	CHECK_EQUAL(part, -1);
	printf("test: read no more: errno %d\n", errno);
	CHECK_EQUAL(mig_state(&vf), ERROR);
	vf_close(&vf);
}

/* One whose firmware cannot. */
static void check_none(const struct arguments *arg)
{
	struct vfio_device_feature_migration can = {0};
	struct vf vf;

	vf_open(&vf, arg->vf);
	CHECK_ERRNO(mig_feature(&vf,
				VFIO_DEVICE_FEATURE_GET |
					VFIO_DEVICE_FEATURE_MIGRATION,
				&can, sizeof(can)),
		    ENOTTY);
	vf_close(&vf);
}

const struct check checks[] = {
	{"move", check_move},	  {"full", check_full},
	{"type", check_type},	  {"hostile", check_hostile},
	{"states", check_states}, {"none", check_none},
	{"hold", check_hold},	  {"read", check_read},
	{"stall", check_stall},	  {NULL, NULL},
};
