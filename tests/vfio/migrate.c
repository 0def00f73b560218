// SPDX-License-Identifier: GPL-2.0-or-later
/* A VF whose vGPU migrates, by VFIO. */
#include "migrate.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int mig_feature(struct vf *vf, uint32_t flags, void *data, uint32_t bytes)
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
int mig_try_state(struct vf *vf, uint32_t state, int *ret_fd)
{
	struct vfio_device_feature_mig_state s = {.device_state = state};
	int rc = mig_feature(vf,
			     VFIO_DEVICE_FEATURE_SET |
				     VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			     &s, sizeof(s));

	*ret_fd = rc ? -1 : s.data_fd;
	return rc;
}

int mig_set_state(struct vf *vf, uint32_t state)
{
	int fd;

	if (mig_try_state(vf, state, &fd))
		FAIL("no way to state %u", state);
	CHECK((fd >= 0) == (state == STOP_COPY || state == RESUMING));
	return fd;
}

uint32_t mig_state(struct vf *vf)
{
	struct vfio_device_feature_mig_state s = {0};

	CHECK(mig_feature(vf,
			  VFIO_DEVICE_FEATURE_GET |
				  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			  &s, sizeof(s)) == 0);
	return s.device_state;
}

uint32_t mig_move(struct vf *vf, uint32_t command, uint64_t fb, uint32_t bytes)
{
	return vf_move(vf, command, IOVA, fb, bytes);
}

/* Memory that the VF moves its framebuffer from and to. */
uint8_t *mig_open(struct vf *vf, const char *address)
{
	uint8_t *memory = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	vf_open(vf, address);
	CHECK(vf_map_dma(vf, memory, IOVA, BUFFER_BYTES) == 0);
	return memory;
}

uint64_t mig_fb_bytes(struct vf *vf)
{
	return vf_rd(vf, REG_FB_MIB) * MIB;
}

static uint8_t pattern(uint64_t place, uint32_t at)
{
	return (uint8_t)(place >> 12) ^ (uint8_t)(at * 7) ^ 0x5a;
}

/* Places all over the framebuffer, its last page among them. */
static uint64_t place(struct vf *vf, unsigned int i)
{
	const uint64_t page = 4096, end = mig_fb_bytes(vf);
	const uint64_t places[] = {0, 64 * MIB - page, 64 * MIB, end / 2 + page,
				   end - page};

	return i < sizeof(places) / sizeof(places[0]) ? places[i] : UINT64_MAX;
}

void mig_fill(struct vf *vf, uint8_t *memory)
{
	unsigned int i;
	uint32_t at;

	for (i = 0; place(vf, i) != UINT64_MAX; i++) {
		for (at = 0; at < 4096; at++)
			memory[at] = pattern(place(vf, i), at);
		CHECK_EQUAL(mig_move(vf, DMA_TO_FB, place(vf, i), 4096),
			    DMA_DONE);
	}
}

void mig_check_filled(struct vf *vf, uint8_t *memory)
{
	unsigned int i;
	uint32_t at;

	for (i = 0; place(vf, i) != UINT64_MAX; i++) {
		CHECK_EQUAL(mig_move(vf, DMA_TO_MEMORY, place(vf, i), 4096),
			    DMA_DONE);
		for (at = 0; at < 4096; at++)
			CHECK_EQUAL(memory[at], pattern(place(vf, i), at));
	}
}

/* Nothing of a guest's is in it. It masters the bus when this is done. */
void mig_check_empty(struct vf *vf, uint8_t *memory)
{
	unsigned int i;
	uint32_t at;

	CHECK_EQUAL(mig_state(vf), RUNNING);
	CHECK_EQUAL(vf_rd(vf, REG_DRIVER), 0);
	vf_set_master(vf, true);
	for (i = 0; place(vf, i) != UINT64_MAX; i++) {
		memset(memory, 0xee, 4096);
		CHECK_EQUAL(mig_move(vf, DMA_TO_MEMORY, place(vf, i), 4096),
			    DMA_DONE);
		for (at = 0; at < 4096; at++)
			CHECK_EQUAL(memory[at], 0);
	}
}

void mig_reset(struct vf *vf)
{
	CHECK(ioctl(vf->device, VFIO_DEVICE_RESET) == 0);
}

struct stream mig_save(int fd)
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
int mig_restore(int fd, const uint8_t *bytes, size_t count)
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
struct stream mig_save_of(const char *address)
{
	struct stream s;
	uint8_t *memory;
	struct vf vf;
	int fd;

	memory = mig_open(&vf, address);
	vf_set_master(&vf, true);
	mig_fill(&vf, memory);
	fd = mig_set_state(&vf, STOP_COPY);
	s = mig_save(fd);
	close(fd);
	mig_set_state(&vf, RUNNING);
	mig_check_filled(&vf, memory);
	vf_close(&vf);
	munmap(memory, BUFFER_BYTES);
	return s;
}

double mig_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
