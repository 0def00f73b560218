/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vkCmdDraw costs from its bytes to the driver, which does nothing. */
#include <err.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/render/context.h"

#define DRAWS  4096u
#define ROUNDS 201u

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t n_draws;

static void draw(VkCommandBuffer commands, uint32_t n_vertices,
		 uint32_t n_instances, uint32_t first_vertex,
		 uint32_t first_instance)
{
	n_draws++;
}

/* Instructions of this process in user mode; -1 where nobody counts them. */
static int open_counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t read_counter(int counter)
{
	uint64_t value = 0;

	return counter >= 0 && read(counter, &value, sizeof(value)) ==
				       sizeof(value)
		       ? value
		       : 0;
}

static size_t make_stream(uint8_t **ret_stream)
{
	const struct venus_test_command *command = venus_test_commands;
	uint8_t *stream;

	while (command->name && strcmp(command->name, "vkCmdDraw") != 0)
		command++;
	if (!command->name)
		errx(1, "there is no vkCmdDraw");
	context_encode(context_sample(command), -1, 0);
	/* Its flags: nobody wants an answer. */
	memset(context.sent + 4, 0, 4);
	stream = malloc(DRAWS * context.sent_bytes);
	if (!stream)
		errx(1, "no memory");
	for (uint32_t i = 0; i < DRAWS; i++)
		memcpy(stream + i * context.sent_bytes, context.sent,
		       context.sent_bytes);
	*ret_stream = stream;
	return DRAWS * context.sent_bytes;
}

static void run(const uint8_t *stream, size_t bytes)
{
	struct vgpu_decoder *d = &context.d;

	d->at = stream;
	d->end = stream + bytes;
	while (d->at < d->end)
		if (!vgpu_venus_dispatch(d))
			errx(1, "%s", d->fatal);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static struct vgpu_vk vk;
	static uint64_t times[ROUNDS];
	int counter = open_counter();
	uint64_t instructions;
	uint8_t *stream;
	size_t bytes;
	double ns;

	context_init();
	bytes = make_stream(&stream);
	vk = vgpu_null_vk;
	vk.CmdDraw = draw;
	/* There are two, and each call of context_id() names the other one. */
	for (int i = 0; i < 2; i++)
		vgpu_objects_find(context.objects,
				  context_id(VK_OBJECT_TYPE_COMMAND_BUFFER),
				  VK_OBJECT_TYPE_COMMAND_BUFFER)
			->vk = &vk;
	run(stream, bytes);
	instructions = read_counter(counter);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t begin = now_ns();

		run(stream, bytes);
		times[i] = now_ns() - begin;
	}
	instructions = read_counter(counter) - instructions;
	if (n_draws != (ROUNDS + 1) * (uint64_t)DRAWS)
		errx(1, "%llu draws came", (unsigned long long)n_draws);
	qsort(times, ROUNDS, sizeof(times[0]), compare);
	ns = (double)times[ROUNDS / 2] / DRAWS;
	printf("vkCmdDraw, decode to driver, median\t%.1f ns\t%.3f\n", ns, ns);
	if (instructions)
		printf("the same, instructions\t%.0f\t\n",
		       (double)instructions / ROUNDS / DRAWS);
	else
		printf("the same, instructions\tnot counted here\t\n");
	free(stream);
	context_finish();
	return 0;
}
