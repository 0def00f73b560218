/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of 100,000 (--frames N: 4,096) small draws, with constants of their own. */
#include <stdbool.h>
#include <string.h>

#include "bench/vulkan/target.h"

#define SECONDARIES	 10u
#define FRAMES_MAX	 100000u
#define FRAMES_IN_FLIGHT 2u
#define WAIT_NS		 60000000000ULL

struct frame {
	VkCommandBuffer primary;
	VkCommandBuffer secondary[SECONDARIES];
	VkFence fence;
	bool is_busy;
};

struct bench {
	struct target target;
	struct frame frames[FRAMES_IN_FLIGHT];
	uint64_t record_ns;	    /* all frames together */
	uint64_t times[FRAMES_MAX]; /* from one frame's begin to the next one's */
};

/* --frames: more of them, and smaller, for how long single ones take. */
static uint32_t n_draws = 100000, n_frames = 12;
#define SMALL_DRAWS 4096u /* one for each pixel */

static void draw(const struct target *t, VkCommandBuffer c, uint32_t first,
		 uint32_t n)
{
	vkCmdBindPipeline(c, VK_PIPELINE_BIND_POINT_GRAPHICS, t->pipeline);
	for (uint32_t i = first; i < first + n; i++) {
		vkCmdPushConstants(c, t->layout, VK_SHADER_STAGE_VERTEX_BIT, 0,
				   sizeof(i), &i);
		vkCmdDraw(c, 1, 1, 0, 0);
	}
}

static void record_secondary(const struct target *t, VkCommandBuffer c,
			     uint32_t part)
{
	const VkCommandBufferInheritanceInfo inheritance = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
		.renderPass = t->pass,
		.framebuffer = t->framebuffer,
	};
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		.flags = VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT |
			 VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
		.pInheritanceInfo = &inheritance,
	};
	const uint32_t n = n_draws / SECONDARIES;

	program_check(vkBeginCommandBuffer(c, &begin));
	draw(t, c, part * n, n);
	program_check(vkEndCommandBuffer(c));
}

static void record(const struct target *t, struct frame *frame, bool secondary)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
	};
	const VkClearValue clear = {};
	const VkRenderPassBeginInfo pass = {
		.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
		.renderPass = t->pass,
		.framebuffer = t->framebuffer,
		.renderArea = {{0, 0}, {TARGET_SIZE, TARGET_SIZE}},
		.clearValueCount = 1,
		.pClearValues = &clear,
	};
	VkCommandBuffer c = frame->primary;

	for (uint32_t i = 0; secondary && i < SECONDARIES; i++)
		record_secondary(t, frame->secondary[i], i);
	program_check(vkBeginCommandBuffer(c, &begin));
	vkCmdBeginRenderPass(c, &pass,
			     secondary ? VK_SUBPASS_CONTENTS_SECONDARY_COMMAND_BUFFERS
				       : VK_SUBPASS_CONTENTS_INLINE);
	if (secondary)
		vkCmdExecuteCommands(c, SECONDARIES, frame->secondary);
	else
		draw(t, c, 0, n_draws);
	vkCmdEndRenderPass(c);
	program_check(vkEndCommandBuffer(c));
}

static void wait_frame(const struct bench *b, struct frame *frame)
{
	if (!frame->is_busy)
		return;
	program_check(vkWaitForFences(b->target.program.device, 1,
				      &frame->fence, VK_TRUE, WAIT_NS));
	program_check(vkResetFences(b->target.program.device, 1, &frame->fence));
	frame->is_busy = false;
}

/* Draw @n frames, as an application does: one is made while one is drawn. */
static uint64_t run(struct bench *b, uint32_t n, bool secondary)
{
	const uint64_t start = program_now_ns();
	uint64_t last = start;

	b->record_ns = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct frame *frame = &b->frames[i % FRAMES_IN_FLIGHT];
		const VkSubmitInfo submit = {
			.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
			.commandBufferCount = 1,
			.pCommandBuffers = &frame->primary,
		};
		uint64_t begin;

		wait_frame(b, frame);
		begin = program_now_ns();
		b->times[i] = begin - last;
		last = begin;
		record(&b->target, frame, secondary);
		b->record_ns += program_now_ns() - begin;
		program_check(vkQueueSubmit(b->target.program.queue, 1, &submit,
					    frame->fence));
		frame->is_busy = true;
	}
	for (uint32_t i = 0; i < FRAMES_IN_FLIGHT; i++)
		wait_frame(b, &b->frames[i]);
	return program_now_ns() - start;
}

/* Each pixel has the colour of the last point that was drawn there. */
static void check_picture(struct bench *b)
{
	const uint32_t pixels = TARGET_SIZE * TARGET_SIZE;
	const uint32_t *picture;

	picture = target_read(&b->target, b->frames[0].primary,
			      b->frames[0].fence);
	for (uint32_t i = 0; i < pixels; i++) {
		uint32_t last = i + (n_draws - 1 - i) / pixels * pixels;

		if (picture[i] != (0xff000000u | last))
			program_die("pixel %u is 0x%x, not of point %u", i,
				    picture[i], last);
	}
}

int main(int argc, char **argv)
{
	bool secondary = argc > 1 && strcmp(argv[1], "--secondary") == 0;
	const struct program *p;
	static struct bench b;
	uint64_t ns;

	if (argc > 2 && strcmp(argv[1], "--frames") == 0) {
		n_draws = SMALL_DRAWS;
		n_frames = (uint32_t)strtoul(argv[2], NULL, 10);
		if (n_frames < FRAMES_IN_FLIGHT || n_frames > FRAMES_MAX)
			program_die("--frames: %u to %u", FRAMES_IN_FLIGHT,
				    FRAMES_MAX);
	}

	target_init(&b.target);
	p = &b.target.program;
	for (uint32_t i = 0; i < FRAMES_IN_FLIGHT; i++) {
		struct frame *frame = &b.frames[i];

		frame->fence = program_fence(p);
		program_command_buffers(p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1,
					&frame->primary);
		program_command_buffers(p, VK_COMMAND_BUFFER_LEVEL_SECONDARY,
					SECONDARIES, frame->secondary);
	}
	run(&b, FRAMES_IN_FLIGHT, secondary);
	ns = run(&b, n_frames, secondary);
	check_picture(&b);
	printf("{\"program\": \"draw\", \"secondary\": %s, \"draws\": %u,"
	       " \"frame_ms\": %.3f, \"record_ms\": %.3f,"
	       " \"frame_p50_ms\": %.3f, \"frame_p99_ms\": %.3f}\n",
	       secondary ? "true" : "false", n_draws,
	       (double)ns / n_frames / 1e6, (double)b.record_ns / n_frames / 1e6,
	       (double)program_percentile(b.times, n_frames, 50) / 1e6,
	       (double)program_percentile(b.times, n_frames, 99) / 1e6);
	for (uint32_t i = 0; i < FRAMES_IN_FLIGHT; i++)
		vkDestroyFence(p->device, b.frames[i].fence, NULL);
	target_finish(&b.target);
	return 0;
}
