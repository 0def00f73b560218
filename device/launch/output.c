/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output of render processes, passed on to our log at a limited rate. */
#include "device/launch/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

/* Lines at once: enough for a driver's message or a sanitizer's report. */
#define TOKENS_MAX 100
/* After that one line a second, so that no vGPU can fill the log. */
#define TOKENS_PER_S 1
/* Bytes read at a time: the launcher has other work. */
#define READ_BYTES 4096
/* Reads when nobody writes any more: more than the pipe holds. */
#define READS_MAX 64

static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec;
}

int vgpu_output_open(struct vgpu_output *output)
{
	*output = (struct vgpu_output){
		.pipe = {-1, -1},
		.tokens = TOKENS_MAX,
		.last_s = now_s(),
	};
	return pipe2(output->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

static bool take_token(struct vgpu_output *output)
{
	int64_t now = now_s();

	output->tokens =
		VGPU_MIN((int64_t)TOKENS_MAX,
			 output->tokens + (now - output->last_s) * TOKENS_PER_S);
	output->last_s = now;
	if (output->tokens == 0) {
		output->dropped++;
		return false;
	}
	output->tokens--;
	return true;
}

static void print_dropped(struct vgpu_output *output)
{
	if (output->dropped)
		fprintf(stderr,
			"vgpu-launch: %" PRIu64
			" lines of render processes left out\n",
			output->dropped);
	output->dropped = 0;
}

static void print_line(struct vgpu_output *output)
{
	output->line[output->n] = '\0';
	if (output->n > 0 && take_token(output)) {
		print_dropped(output);
		fprintf(stderr, "vgpu-launch: a render process says: %s\n",
			output->line);
	}
	output->n = 0;
}

static void add_byte(struct vgpu_output *output, unsigned char byte)
{
	if (byte == '\n') {
		print_line(output);
		return;
	}
	/* Drop the rest of a line that is too long. */
	if (output->n == VGPU_OUTPUT_LINE_MAX)
		return;
	output->line[output->n++] =
		(byte < 0x20 && byte != '\t') || byte >= 0x7f ? '?' : (char)byte;
}

bool vgpu_output_read(struct vgpu_output *output)
{
	unsigned char bytes[READ_BYTES];
	ssize_t n = read(output->pipe[0], bytes, sizeof(bytes));

	for (ssize_t i = 0; i < n; i++)
		add_byte(output, bytes[i]);
	return n > 0;
}

void vgpu_output_finish(struct vgpu_output *output)
{
	for (int i = 0; i < READS_MAX && vgpu_output_read(output); i++)
		;
	print_line(output);
	print_dropped(output);
	vgpu_close(output->pipe[0]);
	vgpu_close(output->pipe[1]);
}
