/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control command's way through the ring and back, against an eventfd's. */
#include <err.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/vhost/abi.h"
#include "lib/fds.h"
#include "lib/util.h"

#define MEMORY_BYTES (1U << 20)
#define USER_BASE    0x10000000ULL
#define NUM	     64U
#define DESC	     0x0000U
#define AVAIL	     0x2000U
#define USED	     0x4000U
#define REQUEST	     0x6000U
#define ANSWER	     0x7000U
/* Both in turn, so that what else the machine does hits both alike. */
#define ROUNDS	    20
#define ROUND_TRIPS 2000

struct front {
	int socket;
	int memfd;
	char *memory;
	int kick;
	int call;
	uint16_t next;
};

static void send_message(const struct front *front, uint32_t request,
			 const void *payload, uint32_t size, int fd)
{
	struct vhost_user_header header = {request, VHOST_USER_VERSION, size};
	struct iovec part[2] = {{&header, sizeof(header)},
				{(void *)payload, size}};

	if (vgpu_fds_send(front->socket, part, 2, fd, 0) < 0)
		errx(1, "cannot send to the device");
}

static void send_u64(const struct front *front, uint32_t request,
		     uint64_t value, int fd)
{
	send_message(front, request, &value, sizeof(value), fd);
}

static void send_vring(const struct front *front, uint32_t request, uint32_t num)
{
	struct vhost_user_vring_state state = {0, num};

	send_message(front, request, &state, sizeof(state), -1);
}

/* A device that serves one front end; *ret_socket is its connection. */
static pid_t start_device(int *ret_socket)
{
	char path[4096], program[sizeof(path) + 32], number[16];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd[2];
	pid_t pid;

	if (n < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		err(1, "cannot start vgpu-device");
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	snprintf(program, sizeof(program), "%s/../vgpu-device", path);
	snprintf(number, sizeof(number), "%d", fd[1]);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		close(fd[0]);
		execl(program, "vgpu-device", "--fd", number,
		      "--framebuffer-mib", "1", (char *)NULL);
		err(1, "%s", program);
	}
	close(fd[1]);
	*ret_socket = fd[0];
	return pid;
}

static void set_up(struct front *front)
{
	struct {
		uint32_t n;
		uint32_t pad;
		struct vhost_user_region region;
	} table = {1, 0, {0, MEMORY_BYTES, USER_BASE, 0}};
	struct vhost_user_vring_addr addr = {
		.desc = USER_BASE + DESC,
		.avail = USER_BASE + AVAIL,
		.used = USER_BASE + USED,
	};
	struct vring_desc *desc;
	struct virtio_gpu_ctrl_hdr *request;
	char answer[sizeof(struct vhost_user_header) + 8];

	front->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (front->memfd < 0 || ftruncate(front->memfd, MEMORY_BYTES) < 0)
		err(1, "memfd");
	front->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED, front->memfd, 0);
	front->kick = eventfd(0, EFD_CLOEXEC);
	front->call = eventfd(0, EFD_CLOEXEC);
	if (front->memory == MAP_FAILED || front->kick < 0 || front->call < 0)
		err(1, "guest memory");

	desc = (struct vring_desc *)(front->memory + DESC);
	desc[0] = (struct vring_desc){REQUEST, sizeof(*request),
				      VRING_DESC_F_NEXT, 1};
	desc[1] = (struct vring_desc){ANSWER,
				      sizeof(struct virtio_gpu_resp_display_info),
				      VRING_DESC_F_WRITE, 0};
	request = (struct virtio_gpu_ctrl_hdr *)(front->memory + REQUEST);
	request->type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO;

	send_u64(front, VHOST_USER_SET_FEATURES,
		 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX,
		 -1);
	send_message(front, VHOST_USER_SET_MEM_TABLE, &table, sizeof(table),
		     front->memfd);
	send_vring(front, VHOST_USER_SET_VRING_NUM, NUM);
	send_vring(front, VHOST_USER_SET_VRING_BASE, 0);
	send_message(front, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	send_u64(front, VHOST_USER_SET_VRING_CALL, 0, front->call);
	send_u64(front, VHOST_USER_SET_VRING_KICK, 0, front->kick);
	/* The device made it nonblocking, and has, once it answers this. */
	send_message(front, VHOST_USER_GET_FEATURES, NULL, 0, -1);
	if (recv(front->socket, &answer, sizeof(answer), MSG_WAITALL) < 0 ||
	    fcntl(front->call, F_SETFL, O_RDWR) < 0)
		err(1, "vgpu-device");
}

static void signal_one(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		err(1, "eventfd");
}

static void wait_one(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		err(1, "eventfd");
}

/* What a driver does: make available, kick, wait for the call. */
static void round_trip(struct front *front)
{
	struct vring_avail *avail = (struct vring_avail *)(front->memory + AVAIL);
	struct vring_used *used = (struct vring_used *)(front->memory + USED);

	/* used_event: call when this one is done */
	__atomic_store_n(&avail->ring[NUM], front->next, __ATOMIC_RELEASE);
	avail->ring[front->next % NUM] = 0;
	front->next++;
	__atomic_store_n(&avail->idx, front->next, __ATOMIC_SEQ_CST);
	signal_one(front->kick);
	while (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != front->next)
		wait_one(front->call);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t median(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* The @n-th processor that we may use, or -1. */
static int get_cpu(int n)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		err(1, "sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && n-- == 0)
			return cpu;
	return -1;
}

static void pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) < 0)
		err(1, "sched_setaffinity");
}

/*
 * Where a scheduler puts them decides more than what they do: a processor that
 * has to be woken takes ten times as long. So both pairs are put alike.
 */
static void compare_pairs(struct front *front, int ping, int pong,
			  const char *where)
{
	static uint64_t bare[ROUNDS * ROUND_TRIPS], ring[ROUNDS * ROUND_TRIPS];
	double bare_us, ring_us;
	size_t n = 0;

	for (int i = 0; i < ROUND_TRIPS; i++)
		round_trip(front);
	for (int i = 0; i < ROUNDS; i++) {
		for (int j = 0; j < ROUND_TRIPS; j++) {
			uint64_t begin = now_ns();

			signal_one(ping);
			wait_one(pong);
			bare[n + (size_t)j] = now_ns() - begin;
		}
		for (int j = 0; j < ROUND_TRIPS; j++, n++) {
			uint64_t begin = now_ns();

			round_trip(front);
			ring[n] = now_ns() - begin;
		}
	}
	bare_us = (double)median(bare, n) / 1e3;
	ring_us = (double)median(ring, n) / 1e3;
	printf("eventfd ping-pong, %s, median\t%.2f us\t\n", where, bare_us);
	printf("control command through the ring, %s, median\t%.2f us\t\n",
	       where, ring_us);
	printf("ratio of control command to ping-pong, %s\t%.2f\t%.3f\n", where,
	       ring_us / bare_us, ring_us / bare_us);
}

int main(void)
{
	struct front front = {};
	int ping = eventfd(0, 0), pong = eventfd(0, 0);
	int first = get_cpu(0), second = get_cpu(1);
	pid_t device = start_device(&front.socket);
	pid_t partner = fork();

	if (partner < 0 || ping < 0 || pong < 0)
		err(1, "cannot start");
	if (!partner) {
		for (;;) {
			wait_one(ping);
			signal_one(pong);
		}
	}
	set_up(&front);
	pin(getpid(), first);
	pin(device, first);
	pin(partner, first);
	compare_pairs(&front, ping, pong, "one processor");
	if (second >= 0) {
		pin(device, second);
		pin(partner, second);
		compare_pairs(&front, ping, pong, "two processors");
	}
	kill(partner, SIGKILL);
	kill(device, SIGKILL);
	close(front.socket);
	waitpid(partner, NULL, 0);
	waitpid(device, NULL, 0);
	return 0;
}
