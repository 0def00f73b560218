// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host_copy NODE MIB ROUNDS: the host uses the GPU by its DRM node. Buffers in
 * framebuffer are filled by the CPU, MIB of them, which is more than there is:
 * nouveau's copy engine moves some out for others. Then each must be as it was
 * filled, and no new one may have what only a guest writes. ROUNDS 0: until it
 * is killed.
 */
#include <drm/nouveau_drm.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER_BYTES (4 << 20)
#define BUFFER_WORDS (BUFFER_BYTES / 8)
#define PAGE_WORDS   512
#define FILLED_WORDS                                                           \
	32 /* of each page: by the CPU, all of it would take long */
#define BUFFERS_MAX 1024
#define MARK	    0x6f70656e00000000ULL

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("host_copy: %s:%d: %s (errno %d)\n", __FILE__,  \
			       __LINE__, #condition, errno);                   \
			exit(1);                                               \
		}                                                              \
	} while (0)

struct buffer {
	uint32_t handle;
	volatile uint64_t *words;
};

static struct buffer buffers[BUFFERS_MAX];

static uint64_t word_of(uint32_t round, uint32_t buffer, uint32_t word)
{
	uint32_t hash =
		round * 0x9e3779b1U ^ buffer * 0x85ebca77U ^ word * 0xc2b2ae3dU;

	return MARK | (hash ^ hash >> 15);
}

/* tests/vfio/vf_test.c writes 0xaa, 0xbb ... at the start of each page. */
static bool is_a_guests(uint64_t word)
{
	return word >= 0xaa && word <= 0xee && word % 0x11 == 0;
}

static void make_buffer(int node, struct buffer *buffer)
{
	struct drm_nouveau_gem_new new = {
		.info = {.domain = NOUVEAU_GEM_DOMAIN_VRAM |
				   NOUVEAU_GEM_DOMAIN_MAPPABLE,
			 .size = BUFFER_BYTES},
		.align = 4096,
	};
	uint32_t i;

	CHECK(ioctl(node, DRM_IOCTL_NOUVEAU_GEM_NEW, &new) == 0);
	CHECK(new.info.domain &NOUVEAU_GEM_DOMAIN_VRAM);
	buffer->handle = new.info.handle;
	buffer->words = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED, node, (off_t) new.info.map_handle);
	CHECK(buffer->words != MAP_FAILED);
	for (i = 0; i < BUFFER_WORDS; i += PAGE_WORDS)
		CHECK(!is_a_guests(buffer->words[i]));
}

static void fill_buffer(uint32_t round, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < BUFFER_WORDS; i++)
		if (i % PAGE_WORDS < FILLED_WORDS)
			buffers[number].words[i] = word_of(round, number, i);
}

static void check_buffer(uint32_t round, uint32_t number)
{
	uint64_t is, was;
	uint32_t i;

	for (i = 0; i < BUFFER_WORDS; i++) {
		is = buffers[number].words[i];
		was = word_of(round, number, i);
		if (i % PAGE_WORDS >= FILLED_WORDS || is == was)
			continue;
		printf("host_copy: buffer %u, word %#x: %#llx, not %#llx\n",
		       number, i, (unsigned long long)is,
		       (unsigned long long)was);
		CHECK(is == was);
	}
}

/* How many have been moved out of the framebuffer: what is used of it is less. */
static uint32_t count_moved(int node, uint32_t count)
{
	struct drm_nouveau_getparam used = {.param = NOUVEAU_GETPARAM_VRAM_USED};
	uint64_t there;

	CHECK(ioctl(node, DRM_IOCTL_NOUVEAU_GETPARAM, &used) == 0);
	there = used.value / BUFFER_BYTES;
	return there < count ? count - (uint32_t)there : 0;
}

static void drop_buffer(int node, struct buffer *buffer)
{
	struct drm_gem_close close = {.handle = buffer->handle};

	CHECK(munmap((void *)buffer->words, BUFFER_BYTES) == 0);
	CHECK(ioctl(node, DRM_IOCTL_GEM_CLOSE, &close) == 0);
}

static void run_round(int node, uint32_t round, uint32_t count)
{
	uint32_t i, moved;

	for (i = 0; i < count; i++) {
		make_buffer(node, &buffers[i]);
		fill_buffer(round, i);
	}
	moved = count_moved(node, count);
	for (i = 0; i < count; i++)
		check_buffer(round, i);
	for (i = 0; i < count; i++)
		drop_buffer(node, &buffers[i]);
	CHECK(moved > 0 && moved < count);
	printf("host_copy: round %u: %u of %u buffers were moved, all are right\n",
	       round, moved, count);
}

int main(int argc, char **argv)
{
	uint32_t count, rounds, round;
	int node;

	CHECK(argc == 4);
	setvbuf(stdout, NULL, _IOLBF, 0);
	node = open(argv[1], O_RDWR | O_CLOEXEC);
	CHECK(node >= 0);
	count = (uint32_t)(strtoul(argv[2], NULL, 10) * 1024 * 1024 /
			   BUFFER_BYTES);
	rounds = (uint32_t)strtoul(argv[3], NULL, 10);
	CHECK(count > 0 && count <= BUFFERS_MAX);
	for (round = 1; !rounds || round <= rounds; round++)
		run_round(node, round, count);
	return 0;
}
