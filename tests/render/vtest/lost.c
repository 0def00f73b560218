/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lost CALL [break]: what Vulkan tells a program whose context is lost while
 * its work is not done. It says "submitted", and makes CALL when it reads a
 * line. With `break` it then breaks the rules of the vtest protocol itself.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/render/vtest/program.h"

#define BYTES	   (1024u * 1024)
#define INPUT	   0x5a
#define OUTPUT	   0x11
#define FDS	   1024
#define BOUNDED_NS 1000000000ULL
#define POLL_US	   10000
#define NO_COMMAND 99

struct lost {
	struct program program;
	struct program_buffer input, output;
	VkEvent event; /* that the work waits for, and nobody sets */
	VkFence fence; /* of the work */
};

static void submit(const struct lost *l, uint32_t n,
		   const VkCommandBuffer *commands, VkFence fence)
{
	const VkSubmitInfo info = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.commandBufferCount = n,
		.pCommandBuffers = commands,
	};

	program_check(vkQueueSubmit(l->program.queue, 1, &info, fence));
}

static void begin_work(struct lost *l)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	const VkEventCreateInfo event_info = {
		.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO,
	};
	const VkBufferCopy region = {.size = BYTES};
	struct program *p = &l->program;
	VkCommandBuffer commands;

	program_check(vkCreateEvent(p->device, &event_info, NULL, &l->event));
	l->fence = program_fence(p);
	program_buffer_init(p, &l->input, BYTES,
			    VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
	program_buffer_init(p, &l->output, BYTES,
			    VK_BUFFER_USAGE_TRANSFER_DST_BIT);
	memset(l->input.map, INPUT, BYTES);
	memset(l->output.map, OUTPUT, BYTES);
	program_command_buffers(p, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1, &commands);
	program_check(vkBeginCommandBuffer(commands, &begin));
	vkCmdWaitEvents(commands, 1, &l->event, VK_PIPELINE_STAGE_HOST_BIT,
			VK_PIPELINE_STAGE_TRANSFER_BIT, 0, NULL, 0, NULL, 0,
			NULL);
	vkCmdCopyBuffer(commands, l->input.buffer, l->output.buffer, 1, &region);
	program_check(vkEndCommandBuffer(commands));
	submit(l, 1, &commands, l->fence);
}

static bool is_all(const struct program_buffer *buffer, uint8_t value)
{
	const uint8_t *bytes = buffer->map;

	for (uint32_t i = 0; i < BYTES; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* Send a command that does not exist over the driver's own connection. */
static void break_rules(void)
{
	const char *path = getenv("VTEST_SOCKET_NAME");
	const uint32_t command[2] = {0, NO_COMMAND};

	for (int fd = 3; path && fd < FDS; fd++) {
		struct sockaddr_un name = {};
		socklen_t length = sizeof(name);

		if (getpeername(fd, (struct sockaddr *)&name, &length) < 0 ||
		    strcmp(name.sun_path, path) != 0)
			continue;
		if (write(fd, command, sizeof(command)) != sizeof(command))
			program_die("cannot send: %s", strerror(errno));
		return;
	}
	program_die("no connection to break");
}

static VkResult call_wait(struct lost *l)
{
	return vkWaitForFences(l->program.device, 1, &l->fence, VK_TRUE,
			       UINT64_MAX);
}

static VkResult call_bounded(struct lost *l)
{
	return vkWaitForFences(l->program.device, 1, &l->fence, VK_TRUE,
			       BOUNDED_NS);
}

static VkResult call_idle(struct lost *l)
{
	return vkDeviceWaitIdle(l->program.device);
}

static VkResult call_submit(struct lost *l)
{
	VkFence fence = program_fence(&l->program);

	submit(l, 0, NULL, fence);
	return vkWaitForFences(l->program.device, 1, &fence, VK_TRUE, UINT64_MAX);
}

static VkResult call_poll(struct lost *l)
{
	VkResult r;

	for (;;) {
		r = vkGetFenceStatus(l->program.device, l->fence);
		if (r != VK_NOT_READY)
			return r;
		usleep(POLL_US);
	}
}

static const struct {
	const char *name;
	VkResult (*call)(struct lost *l);
} calls[] = {
	{"wait", call_wait},	 {"bounded", call_bounded}, {"idle", call_idle},
	{"submit", call_submit}, {"poll", call_poll},
};

static void look(struct lost *l)
{
	printf("{\"fence\": %d, \"event\": %d, \"input\": %d, \"output\": %d}\n",
	       vkGetFenceStatus(l->program.device, l->fence),
	       vkGetEventStatus(l->program.device, l->event),
	       is_all(&l->input, INPUT), is_all(&l->output, OUTPUT));
}

int main(int argc, char **argv)
{
	static struct lost l;
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(argv[1], calls[i].name) != 0)
			continue;
		program_init(&l.program);
		begin_work(&l);
		puts("submitted");
		if (argc > 2)
			break_rules();
		if (!fgets(line, sizeof(line), stdin))
			return 2;
		look(&l);
		printf("{\"result\": %d}\n", calls[i].call(&l));
		look(&l);
		fflush(stdout);
		_exit(0); /* what is lost cannot be destroyed in order */
	}
	fputs("usage: lost wait|bounded|idle|submit|poll [break]\n", stderr);
	return 2;
}
