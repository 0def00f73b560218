/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A full frame of 1920x1080, transferred and flushed, against memcpy of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/device/gpu_guest.h"

#define WIDTH  1920u
#define HEIGHT 1080u
#define BYTES  (WIDTH * HEIGHT * 4)
#define PAGES  ((BYTES + GUEST_PAGE - 1) / GUEST_PAGE)
#define RUNS   401

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

static double median_us(uint64_t *times)
{
	qsort(times, RUNS, sizeof(times[0]), compare);
	return (double)times[RUNS / 2] / 1000;
}

static void check(uint32_t answer)
{
	if (answer == VGPU_GPU_OK_NODATA)
		return;
	fprintf(stderr, "frame: the gpu answered 0x%x\n", answer);
	exit(1);
}

/* Each of the frame's pages anywhere in twice as much memory. */
static void attach_shuffled(struct guest *guest, uint32_t id)
{
	static struct vgpu_gpu_entry entries[PAGES];
	static uint32_t pages[2 * PAGES];
	const struct vgpu_gpu_attach_backing attach = {id, PAGES};

	for (uint32_t i = 0; i < 2 * PAGES; i++)
		pages[i] = i;
	srand(1);
	for (uint32_t i = 2 * PAGES - 1; i > 0; i--) {
		uint32_t j = (uint32_t)rand() % (i + 1), page = pages[i];

		pages[i] = pages[j];
		pages[j] = page;
	}
	for (uint32_t i = 0; i < PAGES; i++)
		entries[i] = (struct vgpu_gpu_entry){
			GUEST_BASE + (uint64_t)pages[i] * GUEST_PAGE,
			GUEST_PAGE, 0};
	check(guest_send_entries(guest, VGPU_GPU_RESOURCE_ATTACH_BACKING,
				 &attach, sizeof(attach), entries, PAGES));
}

static void measure(struct guest *guest, const char *name, uint32_t id)
{
	static uint64_t frame[RUNS], copy[RUNS];
	uint8_t *from = guest->memory, *to = malloc(BYTES);
	double frame_us, copy_us;

	if (!to)
		exit(1);
	/* By turns, so that what disturbs one disturbs the other. */
	for (int i = -20; i < RUNS; i++) {
		uint64_t start = now_ns(), middle;

		check(guest_transfer(guest, id, 0, 0, WIDTH, HEIGHT, 0));
		check(guest_flush(guest, id, 0, 0, WIDTH, HEIGHT));
		middle = now_ns();
		memcpy(to, from, BYTES);
		__asm__ volatile("" : : "r"(to) : "memory");
		if (i < 0)
			continue;
		frame[i] = middle - start;
		copy[i] = now_ns() - middle;
	}
	frame_us = median_us(frame);
	copy_us = median_us(copy);
	/* As bench/run reads it: what, measured, ratio. */
	printf("1920x1080 transfer and flush, %s: ratio to memcpy\t"
	       "%.0f us / %.0f us = %.2f\t%.3f\n",
	       name, copy_us, frame_us, copy_us / frame_us, copy_us / frame_us);
	free(to);
}

int main(void)
{
	struct guest *guest = guest_create(1, WIDTH, HEIGHT, 64, 64);

	/* Pages that a guest has written, not the one page of zeroes. */
	memset(guest->memory, 0x5a, guest->memory_bytes);
	for (uint32_t id = 1; id <= 2; id++)
		check(guest_create_2d(guest, id, VGPU_GPU_B8G8R8X8, WIDTH,
				      HEIGHT));
	check(guest_attach(guest, 1, 0, BYTES));
	attach_shuffled(guest, 2);
	check(guest_scanout(guest, 0, 1, 0, 0, WIDTH, HEIGHT));

	measure(guest, "one piece", 1);
	measure(guest, "4 KiB pages, shuffled", 2);
	guest_destroy(guest);
	return 0;
}
