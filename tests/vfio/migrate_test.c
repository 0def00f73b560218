// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vGPU that moves from one VF to another, by VFIO, and streams that no vGPU
 * has written:
 *
 *	migrate_test CHECK VF BAR1_MIB [OTHER_VF [MIB]]
 *
 * It runs in a host VM, see test_migration.py.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model.h"
#include "vf.h"

#define RUNNING	  VFIO_DEVICE_STATE_RUNNING
#define STOP	  VFIO_DEVICE_STATE_STOP
#define STOP_COPY VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING  VFIO_DEVICE_STATE_RESUMING
#define ERROR	  VFIO_DEVICE_STATE_ERROR

#define IOVA	     0x10000000
#define BUFFER_BYTES MIB
#define STREAM_MAX   (32 * MIB)
#define HEADER_BYTES 56
#define PIECE_BYTES  16 /* what is before each piece of a stream */
#define REG_SCRATCH  0x2100
#define WAIT_MS	     10000
#define QUIET_MS     300

struct arguments {
	const char *vf, *other;
	uint64_t bar1_bytes;
	uint64_t fill_bytes; /* of the framebuffer, at most */
};

struct stream {
	uint8_t *bytes;
	size_t count;
};

static uint32_t rd(struct vf *vf, uint32_t reg)
{
	return vf->bar0[reg / 4];
}

static void wr(struct vf *vf, uint32_t reg, uint32_t value)
{
	vf->bar0[reg / 4] = value;
}

static void master(struct vf *vf)
{
	vf_set_config(vf, PCI_COMMAND, 2,
		      PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static int feature(struct vf *vf, uint32_t flags, void *data, uint32_t bytes)
{
	uint64_t words[8] = {0};
	struct vfio_device_feature *f = (void *)words;
	int rc;

	CHECK(sizeof(*f) + bytes <= sizeof(words));
	f->argsz = (uint32_t)sizeof(*f) + bytes;
	f->flags = flags;
	memcpy(f->data, data, bytes);
	rc = ioctl(vf->device, VFIO_DEVICE_FEATURE, f);
	memcpy(data, f->data, bytes);
	return rc;
}

/* A file, or -1 where the state has none, or an error. */
static int try_state(struct vf *vf, uint32_t state, int *ret_fd)
{
	struct vfio_device_feature_mig_state s = {.device_state = state};
	int rc = feature(vf,
			 VFIO_DEVICE_FEATURE_SET |
				 VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			 &s, sizeof(s));

	*ret_fd = rc ? -1 : s.data_fd;
	return rc;
}

static int set_state(struct vf *vf, uint32_t state)
{
	int fd;

	if (try_state(vf, state, &fd))
		FAIL("no way to state %u", state);
	CHECK((fd >= 0) == (state == STOP_COPY || state == RESUMING));
	return fd;
}

static uint32_t state_of(struct vf *vf)
{
	struct vfio_device_feature_mig_state s = {0};

	CHECK(feature(vf,
		      VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		      &s, sizeof(s)) == 0);
	return s.device_state;
}

static uint32_t move(struct vf *vf, uint32_t command, uint64_t fb, uint32_t bytes)
{
	wr(vf, REG_DMA_ADDR, IOVA);
	wr(vf, REG_DMA_ADDR + 4, 0);
	wr(vf, REG_DMA_FB, (uint32_t)fb);
	wr(vf, REG_DMA_FB + 4, (uint32_t)(fb >> 32));
	wr(vf, REG_DMA_BYTES, bytes);
	wr(vf, REG_DMA_GO, command);
	return rd(vf, REG_DMA_STATUS);
}

/* Memory that the VF moves its framebuffer from and to. */
static uint8_t *open_with_memory(struct vf *vf, const char *address)
{
	uint8_t *memory = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	vf_open(vf, address);
	CHECK(vf_map_dma(vf, memory, IOVA, BUFFER_BYTES) == 0);
	return memory;
}

static uint64_t fb_bytes(struct vf *vf)
{
	return rd(vf, REG_FB_MIB) * MIB;
}

static uint8_t pattern(uint64_t place, uint32_t at)
{
	return (uint8_t)(place >> 12) ^ (uint8_t)(at * 7) ^ 0x5a;
}

/* Places all over the framebuffer, its last page among them. */
static uint64_t place(struct vf *vf, unsigned int i)
{
	const uint64_t page = 4096, end = fb_bytes(vf);
	const uint64_t places[] = {0, 64 * MIB - page, 64 * MIB, end / 2 + page,
				   end - page};

	return i < sizeof(places) / sizeof(places[0]) ? places[i] : UINT64_MAX;
}

static void fill(struct vf *vf, uint8_t *memory)
{
	unsigned int i;
	uint32_t at;

	for (i = 0; place(vf, i) != UINT64_MAX; i++) {
		for (at = 0; at < 4096; at++)
			memory[at] = pattern(place(vf, i), at);
		CHECK_EQUAL(move(vf, DMA_TO_FB, place(vf, i), 4096), DMA_DONE);
	}
}

static void check_filled(struct vf *vf, uint8_t *memory)
{
	unsigned int i;
	uint32_t at;

	for (i = 0; place(vf, i) != UINT64_MAX; i++) {
		CHECK_EQUAL(move(vf, DMA_TO_MEMORY, place(vf, i), 4096),
			    DMA_DONE);
		for (at = 0; at < 4096; at++)
			CHECK_EQUAL(memory[at], pattern(place(vf, i), at));
	}
}

/* Nothing of a guest's is in it. It masters the bus when this is done. */
static void check_empty(struct vf *vf, uint8_t *memory)
{
	unsigned int i;
	uint32_t at;

	CHECK_EQUAL(state_of(vf), RUNNING);
	CHECK_EQUAL(rd(vf, REG_DRIVER), 0);
	master(vf);
	for (i = 0; place(vf, i) != UINT64_MAX; i++) {
		memset(memory, 0xee, 4096);
		CHECK_EQUAL(move(vf, DMA_TO_MEMORY, place(vf, i), 4096),
			    DMA_DONE);
		for (at = 0; at < 4096; at++)
			CHECK_EQUAL(memory[at], 0);
	}
}

static void reset(struct vf *vf)
{
	CHECK(ioctl(vf->device, VFIO_DEVICE_RESET) == 0);
}

static struct stream save(int fd)
{
	struct stream s = {.bytes = malloc(STREAM_MAX)};
	ssize_t part;

	CHECK(s.bytes);
	/* Pieces of all sizes, which end where they like. */
	while ((part = read(fd, s.bytes + s.count, s.count % 3 ? 100 : 700000)) >
	       0) {
		s.count += (size_t)part;
		CHECK(s.count < STREAM_MAX - 700000);
	}
	CHECK_EQUAL(part, 0);
	CHECK_EQUAL(read(fd, s.bytes + s.count, 1), 0);
	return s;
}

/* 0, or the errno that writing it ends with. */
static int restore(int fd, const uint8_t *bytes, size_t count)
{
	ssize_t part;
	size_t done;

	for (done = 0; done < count; done += (size_t)part) {
		size_t some = done % 3 ? 33 : 300000;

		part = write(fd, bytes + done,
			     some < count - done ? some : count - done);
		if (part < 0)
			return errno;
		CHECK(part);
	}
	return 0;
}

/* A stream of a vGPU that goes on as if nothing had been. */
static struct stream save_of(const char *address)
{
	struct stream s;
	uint8_t *memory;
	struct vf vf;
	int fd;

	memory = open_with_memory(&vf, address);
	master(&vf);
	fill(&vf, memory);
	fd = set_state(&vf, STOP_COPY);
	s = save(fd);
	close(fd);
	set_state(&vf, RUNNING);
	check_filled(&vf, memory);
	vf_close(&vf);
	munmap(memory, BUFFER_BYTES);
	return s;
}

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

	from_memory = open_with_memory(&from, arg->vf);
	CHECK(feature(&from,
		      VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
		      &can, sizeof(can)) == 0);
	CHECK_EQUAL(can.flags, VFIO_MIGRATION_STOP_COPY);
	master(&from);
	for (i = 0; i < VECTORS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(vf_set_irqs(&from, VFIO_PCI_MSIX_IRQ_INDEX, events, VECTORS) == 0);
	fill(&from, from_memory);
	from.bar1[arg->bar1_bytes - 1] = 0x77;
	wr(&from, REG_SCRATCH, 0x5c5c5c5c);
	wr(&from, REG_DRIVER, 1);
	wr(&from, REG_FB_USED, 3);

	/* Stopped, it neither moves memory nor interrupts. */
	set_state(&from, STOP);
	CHECK_EQUAL(state_of(&from), STOP);
	CHECK_EQUAL(move(&from, DMA_TO_FB, 0, 4096), DMA_NO_MASTER);
	wr(&from, REG_DOORBELL, 3);
	usleep(QUIET_MS * 1000);
	CHECK_EQUAL(rd(&from, REG_HELD), 1 << 3);
	CHECK(poll(&(struct pollfd){.fd = events[3], .events = POLLIN}, 1, 0) ==
	      0);

	CHECK(feature(&from,
		      VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
		      &size, sizeof(size)) == 0);
	CHECK(size.stop_copy_length > fb_bytes(&from));
	fd = set_state(&from, STOP_COPY);
	CHECK_ERRNO(write(fd, from_memory, 1), EBADF);
	CHECK_ERRNO(pread(fd, from_memory, 1, 0), ESPIPE);
	CHECK_ERRNO(read(fd, nowhere, 4096), EFAULT);
	s = save(fd);
	CHECK(s.count < size.stop_copy_length);

	to_memory = open_with_memory(&to, arg->other);
	to.bar1[5 * MIB] = 0x11; /* what was there is not there any more */
	close(set_state(&to, STOP_COPY));
	out = set_state(&to, RESUMING);
	CHECK_ERRNO(read(out, to_memory, 1), EBADF);
	CHECK_EQUAL(restore(out, s.bytes, s.count), 0);
	master(&to);
	set_state(&to, STOP);
	CHECK_EQUAL(move(&to, DMA_TO_FB, 0, 4096), DMA_NO_MASTER);
	set_state(&to, RUNNING);
	check_filled(&to, to_memory);
	CHECK_EQUAL(to.bar1[arg->bar1_bytes - 1], 0x77);
	CHECK_EQUAL(to.bar1[5 * MIB], 0);
	CHECK_EQUAL(rd(&to, REG_SCRATCH), 0x5c5c5c5c);
	CHECK_EQUAL(rd(&to, REG_DRIVER), 1);
	CHECK_EQUAL(rd(&to, REG_FB_USED), 3);
	CHECK_EQUAL(rd(&to, REG_TOKEN), 3);
	CHECK_EQUAL(rd(&to, REG_HELD), 0);
	CHECK_ERRNO(write(out, to_memory, 1), ENODEV);

	/* The source could have gone on: what it held back comes now. */
	set_state(&from, RUNNING);
	CHECK_ERRNO(read(fd, from_memory, 1), ENODEV);
	CHECK(poll(&(struct pollfd){.fd = events[3], .events = POLLIN}, 1,
		   WAIT_MS) == 1);
	check_filled(&from, from_memory);
	vf_close(&from);
	/* Its files are nobody's, and no harm. */
	CHECK_ERRNO(read(fd, from_memory, 1), ENODEV);
	from_memory = open_with_memory(&from, arg->vf);
	check_empty(&from, from_memory);
	check_filled(&to, to_memory);
	vf_close(&from);
	vf_close(&to);
	printf("test: %zu bytes of a vGPU that is nearly empty\n", s.count);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Much of the framebuffer, and more than the ring holds, goes to the other. */
static void check_full(const struct arguments *arg)
{
	uint8_t *from_memory, *to_memory, *buffer = malloc(BUFFER_BYTES);
	double began, took = 0;
	uint64_t at, fill, bytes = 0;
	struct vf from, to;
	ssize_t part;
	int in, out;
	uint32_t i;

	from_memory = open_with_memory(&from, arg->vf);
	to_memory = open_with_memory(&to, arg->other);
	master(&from);
	master(&to);
	fill = fb_bytes(&from);
	if (fill > arg->fill_bytes)
		fill = arg->fill_bytes;
	for (at = 0; at < fill; at += BUFFER_BYTES) {
		for (i = 0; i < BUFFER_BYTES; i += 8)
			memcpy(from_memory + i, &(uint64_t){~(at + i)}, 8);
		CHECK_EQUAL(move(&from, DMA_TO_FB, at, BUFFER_BYTES), DMA_DONE);
	}
	began = now_ms();
	in = set_state(&from, STOP_COPY);
	out = set_state(&to, RESUMING);
	while ((part = read(in, buffer, BUFFER_BYTES)) > 0) {
		CHECK_EQUAL(restore(out, buffer, (size_t)part), 0);
		bytes += (uint64_t)part;
	}
	CHECK_EQUAL(part, 0);
	set_state(&to, RUNNING);
	took = now_ms() - began;
	for (at = 0; at < fill; at += BUFFER_BYTES) {
		CHECK_EQUAL(move(&to, DMA_TO_MEMORY, at, BUFFER_BYTES), DMA_DONE);
		for (i = 0; i < BUFFER_BYTES; i += 8)
			CHECK(memcmp(to_memory + i, &(uint64_t){~(at + i)}, 8) ==
			      0);
	}
	printf("test: moved %llu MiB of framebuffer: %llu bytes, %.0f ms\n",
	       (unsigned long long)(fill / MIB), (unsigned long long)bytes, took);
	vf_close(&from);
	vf_close(&to);
}

/*
 * What cannot be restored makes the state an error, until a reset. Some of that
 * is known while it is written (-1: perhaps), some in the end.
 */
static void check_refused(struct vf *vf, uint8_t *memory, const char *what,
			  const uint8_t *bytes, size_t count, int write_errno)
{
	int fd = set_state(vf, RESUMING), none, rc;

	rc = restore(fd, bytes, count);
	if (rc != write_errno && write_errno >= 0)
		FAIL("%s: writing it is %d, not %d", what, rc, write_errno);
	if (rc) {
		CHECK_ERRNO(write(fd, bytes, 1), rc);
		CHECK_EQUAL(state_of(vf), ERROR);
		CHECK_ERRNO(try_state(vf, STOP, &none), EIO);
	} else if (try_state(vf, STOP, &none) != -1 || errno != EINVAL) {
		FAIL("%s: it is taken for a vGPU", what);
	}
	CHECK_EQUAL(state_of(vf), ERROR);
	CHECK_ERRNO(try_state(vf, RUNNING, &none), EIO);
	reset(vf);
	close(fd);
	check_empty(vf, memory);
	printf("test: refused: %s\n", what);
}

/* VF is of another type than OTHER_VF is. */
static void check_type(const struct arguments *arg)
{
	struct stream s = save_of(arg->other);
	uint8_t *memory;
	struct vf vf;

	memory = open_with_memory(&vf, arg->vf);
	check_refused(&vf, memory, "another type", s.bytes, s.count, EINVAL);
	vf_close(&vf);
}

static void check_hostile(const struct arguments *arg)
{
	struct stream s = save_of(arg->other),
		      bad = {.bytes = malloc(STREAM_MAX)};
	size_t i, data = HEADER_BYTES + PIECE_BYTES;
	uint8_t *memory;
	struct vf vf;
	int fd;

	memory = open_with_memory(&vf, arg->vf);
	check_refused(&vf, memory, "nothing", s.bytes, 0, 0);
	check_refused(&vf, memory, "half a header", s.bytes, HEADER_BYTES / 2, 0);
	check_refused(&vf, memory, "a header", s.bytes, HEADER_BYTES, 0);
	check_refused(&vf, memory, "half of it", s.bytes, s.count / 2, 0);
	check_refused(&vf, memory, "all but its end", s.bytes,
		      s.count - PIECE_BYTES, 0);
	check_refused(&vf, memory, "all but a byte", s.bytes, s.count - 1, 0);
	memcpy(bad.bytes, s.bytes, s.count);
	check_refused(&vf, memory, "a byte more", bad.bytes, s.count + 1, EINVAL);
	/* Each field of the header, and of the first piece's. */
	for (i = 0; i < data; i += 4) {
		memcpy(bad.bytes, s.bytes, s.count);
		bad.bytes[i] ^= 0x40;
		check_refused(&vf, memory, "a broken header", bad.bytes,
			      s.count, EINVAL);
	}
	memset(bad.bytes, 0xff, s.count);
	memcpy(bad.bytes, s.bytes, HEADER_BYTES);
	check_refused(&vf, memory, "a piece that is too long", bad.bytes,
		      s.count, EINVAL);
	/* What only the firmware can know. */
	for (i = data; i < s.count - PIECE_BYTES; i += s.count / 5) {
		memcpy(bad.bytes, s.bytes, s.count);
		bad.bytes[i] ^= 1;
		check_refused(&vf, memory, "a bit that is wrong", bad.bytes,
			      s.count, -1);
	}
	/* It is as good as new. */
	fd = set_state(&vf, RESUMING);
	CHECK_EQUAL(restore(fd, s.bytes, s.count), 0);
	set_state(&vf, RUNNING);
	master(&vf);
	check_filled(&vf, memory);
	vf_close(&vf);
}

static void check_states(const struct arguments *arg)
{
	static const uint32_t none[] = {
		VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_PRE_COPY,
		VFIO_DEVICE_STATE_PRE_COPY_P2P, ERROR, 100};
	static const uint32_t states[] = {STOP, STOP_COPY, RESUMING, RUNNING};
	uint8_t *memory;
	unsigned int i;
	struct vf vf;
	int fd;

	memory = open_with_memory(&vf, arg->vf);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK(try_state(&vf, none[i], &fd) == -1);
	CHECK_EQUAL(state_of(&vf), RUNNING);
	/* Reset in each: it runs, and nothing of it is left. */
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		master(&vf);
		fill(&vf, memory);
		wr(&vf, REG_DRIVER, 1);
		fd = set_state(&vf, states[i]);
		CHECK_EQUAL(state_of(&vf), states[i]);
		if (states[i] == STOP_COPY)
			CHECK(read(fd, memory, 5000) > 0);
		reset(&vf);
		if (fd >= 0) {
			CHECK_ERRNO(read(fd, memory, 1),
				    states[i] == STOP_COPY ? ENODEV : EBADF);
			close(fd);
		}
		check_empty(&vf, memory);
	}
	/* To and fro: the vGPU goes on where it was. */
	fill(&vf, memory);
	for (i = 0; i < 3; i++) {
		fd = set_state(&vf, STOP_COPY);
		if (i == 1)
			free(save(fd).bytes);
		close(fd);
		set_state(&vf, i == 2 ? STOP : RUNNING);
		set_state(&vf, RUNNING);
		check_filled(&vf, memory);
	}
	vf_close(&vf);
}

/* In a state, with a stream half way, until it is killed or loses the vGPU. */
static void check_hold(const struct arguments *arg)
{
	uint32_t state = (uint32_t)strtoul(arg->other, NULL, 0);
	struct pollfd told = {.fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN};
	uint8_t *memory;
	struct vf vf;
	int fd, none;

	memory = open_with_memory(&vf, arg->vf);
	CHECK(vf_set_irqs(&vf, VFIO_PCI_ERR_IRQ_INDEX, &told.fd, 1) == 0);
	master(&vf);
	fill(&vf, memory);
	fd = set_state(&vf, state);
	if (state == STOP_COPY)
		CHECK(read(fd, memory, 70000) > 0);
	printf("test: held in state %u\n", state);
	CHECK(poll(&told, 1, -1) == 1);
	CHECK_EQUAL(state_of(&vf), ERROR);
	CHECK_ERRNO(try_state(&vf, RUNNING, &none), EIO);
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

	memory = open_with_memory(&vf, arg->vf);
	master(&vf);
	memset(memory, 0x99, BUFFER_BYTES);
	for (at = 0; at < 256 * MIB; at += BUFFER_BYTES)
		CHECK_EQUAL(move(&vf, DMA_TO_FB, at, BUFFER_BYTES), DMA_DONE);
	fd = set_state(&vf, STOP_COPY);
	CHECK(read(fd, memory, 70000) > 0);
	printf("test: reads %s\n", arg->vf);
	/* Slowly: the crash comes while there is much to be read. */
	while ((part = read(fd, memory, 1000)) > 0)
		usleep(1000);
	CHECK_EQUAL(part, -1);
	printf("test: read no more: errno %d\n", errno);
	CHECK_EQUAL(state_of(&vf), ERROR);
	vf_close(&vf);
}

/* Writes a stream, or reads one into framebuffer, until that ends. */
static pid_t use_stream(struct vf *vf, int fd, const struct stream *s)
{
	pid_t child = fork();
	ssize_t part;

	if (child)
		return child;
	if (s)
		_exit(restore(fd, s->bytes, s->count));
	while ((part = read(fd, (void *)vf->bar1, 65536)) > 0)
		;
	_exit(part ? errno : 0);
}

static void check_ended(pid_t child, int wanted)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), wanted);
}

/*
 * A task that has met something broken takes no more; who has more than the
 * ring holds waits, until it is clear that nothing comes of it, or a reset.
 */
static void check_stall(const struct arguments *arg)
{
	uint8_t *memory;
	struct stream s;
	double began;
	struct vf vf;
	uint64_t at;
	int fd, i;

	memory = open_with_memory(&vf, arg->vf);
	master(&vf);
	memset(memory, 0x99, BUFFER_BYTES);
	for (at = 0; at < 8 * MIB; at += BUFFER_BYTES)
		CHECK_EQUAL(move(&vf, DMA_TO_FB, at, BUFFER_BYTES), DMA_DONE);
	fd = set_state(&vf, STOP_COPY);
	s = save(fd);
	CHECK(s.count > 8 * MIB);
	close(fd);

	/* Into memory of the VF's own, too. */
	set_state(&vf, RUNNING);
	fd = set_state(&vf, STOP_COPY);
	check_ended(use_stream(&vf, fd, NULL), 0);
	close(fd);
	reset(&vf);
	s.bytes[HEADER_BYTES + PIECE_BYTES] ^= 0x40;
	/* A reset does not wait for who waits for the firmware, or reads. */
	for (i = 0; i < 2; i++) {
		pid_t child;

		master(&vf);
		CHECK_EQUAL(move(&vf, DMA_TO_FB, 64 * MIB, BUFFER_BYTES),
			    DMA_DONE);
		fd = set_state(&vf, i ? STOP_COPY : RESUMING);
		child = use_stream(&vf, fd, i ? NULL : &s);
		usleep(i ? 1000 : QUIET_MS * 1000);
		began = now_ms();
		reset(&vf);
		CHECK(now_ms() - began < WAIT_MS);
		if (i == 0)
			check_ended(child, ENODEV);
		else
			CHECK(waitpid(child, NULL, 0) == child);
		close(fd);
		/* The last of what it read may have come after the reset. */
		if (i)
			reset(&vf);
		check_empty(&vf, memory);
	}
	fd = set_state(&vf, RESUMING);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK_EQUAL(restore(fd, s.bytes, s.count), EAGAIN);
	CHECK(fcntl(fd, F_SETFL, 0) == 0);
	/* Half of it is there: what is wanted now is the rest. */
	CHECK_ERRNO(write(fd, s.bytes, 1000), ETIMEDOUT);
	CHECK_EQUAL(state_of(&vf), ERROR);
	reset(&vf);
	check_empty(&vf, memory);
	close(fd);
	vf_close(&vf);
}

static const struct {
	const char *name;
	void (*check)(const struct arguments *arg);
} checks[] = {
	{"move", check_move},	  {"full", check_full},
	{"type", check_type},	  {"hostile", check_hostile},
	{"states", check_states}, {"hold", check_hold},
	{"read", check_read},	  {"stall", check_stall},
};

int main(int argc, char **argv)
{
	struct arguments arg;
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4)
		return 2;
	arg.vf = argv[2];
	arg.bar1_bytes = strtoull(argv[3], NULL, 0) * MIB;
	arg.other = argc > 4 ? argv[4] : NULL;
	arg.fill_bytes = argc > 5 ? strtoull(argv[5], NULL, 0) * MIB : UINT64_MAX;
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (strcmp(checks[i].name, argv[1]) == 0) {
			checks[i].check(&arg);
			printf("test: %s is as it is to be\n", argv[1]);
			return 0;
		}
	return 2;
}
