/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the back-end channel: maps, unmaps and their answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/vhost/abi.h"
#include "device/vhost/channel.h"

struct request {
	struct vhost_user_header header;
	struct vhost_user_mmap mmap;
} __attribute__((packed));

struct fixture {
	sd_event *event;
	struct vgpu_channel *channel;
	int ours; /* the device's end */
	int theirs;
	uint32_t is_begun;
	int done;   /* answers */
	int status; /* of the last */
};

static void on_done(void *opaque, int status)
{
	struct fixture *f = opaque;

	f->done++;
	f->status = status;
}

static void open_resumed(struct fixture *f, bool has_replies, bool is_resumed)
{
	int fd[2];

	*f = (struct fixture){};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	f->ours = fd[0];
	f->theirs = fd[1];
	assert_true(sd_event_new(&f->event) >= 0);
	assert_int_equal(vgpu_channel_create(f->event, f->ours, has_replies,
					     is_resumed, /* is_begun= */ NULL,
					     &f->channel),
			 0);
}

static void open_channel(struct fixture *f, bool has_replies)
{
	open_resumed(f, has_replies, /* is_resumed= */ false);
}

static void close_channel(struct fixture *f)
{
	vgpu_channel_destroy(f->channel);
	sd_event_unref(f->event);
	close(f->ours);
	close(f->theirs);
}

static void run(struct fixture *f)
{
	while (sd_event_run(f->event, 0) > 0)
		;
}

/* The next request and the fd with it, -1 if none. */
static struct request take(struct fixture *f, int *ret_fd)
{
	struct request request;
	struct iovec part = {&request, sizeof(request)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;

	assert_int_equal(recvmsg(f->theirs, &msg, MSG_DONTWAIT), sizeof(request));
	*ret_fd = -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(*ret_fd));
	return request;
}

static void reply(struct fixture *f, uint32_t request, uint64_t status)
{
	struct {
		struct vhost_user_header header;
		uint64_t status;
	} __attribute__((packed)) reply = {
		{request, VHOST_USER_VERSION | VHOST_USER_REPLY, 8},
		status,
	};

	assert_int_equal(send(f->theirs, &reply, sizeof(reply), 0),
			 sizeof(reply));
	run(f);
}

static void test_map_and_unmap(void **state)
{
	int memfd = memfd_create("blob", MFD_CLOEXEC);
	struct request request;
	struct fixture f;
	int fd;

	open_channel(&f, true);
	assert_int_equal(vgpu_channel_map(f.channel, 1, memfd, 4096, 8192,
					  65536, true, on_done, &f),
			 0);
	request = take(&f, &fd);
	assert_int_equal(request.header.request, VHOST_USER_BACKEND_SHMEM_MAP);
	assert_int_equal(request.header.flags,
			 VHOST_USER_VERSION | VHOST_USER_NEED_REPLY);
	assert_int_equal(request.header.size, sizeof(request.mmap));
	assert_int_equal(request.mmap.shmid, 1);
	assert_int_equal(request.mmap.fd_offset, 4096);
	assert_int_equal(request.mmap.shm_offset, 8192);
	assert_int_equal(request.mmap.bytes, 65536);
	assert_int_equal(request.mmap.flags, VHOST_USER_MAP_WRITABLE);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(f.done, 0);
	reply(&f, VHOST_USER_BACKEND_SHMEM_MAP, 0);
	assert_int_equal(f.done, 1);
	assert_int_equal(f.status, 0);

	assert_int_equal(
		vgpu_channel_unmap(f.channel, 1, 8192, 65536, on_done, &f), 0);
	request = take(&f, &fd);
	assert_int_equal(request.header.request, VHOST_USER_BACKEND_SHMEM_UNMAP);
	assert_int_equal(fd, -1);
	reply(&f, VHOST_USER_BACKEND_SHMEM_UNMAP, 22);
	assert_int_equal(f.done, 2);
	assert_int_equal(f.status, -EIO);
	close_channel(&f);
	close(memfd);
}

static void test_without_replies(void **state)
{
	struct request request;
	struct fixture f;
	int fd;

	open_channel(&f, false);
	assert_int_equal(vgpu_channel_map(f.channel, 1, 0, 0, 0, 4096, false,
					  on_done, &f),
			 0);
	assert_int_equal(f.done, 1);
	request = take(&f, &fd);
	assert_int_equal(request.header.flags, VHOST_USER_VERSION);
	assert_int_equal(request.mmap.flags, 0);
	close(fd);
	close_channel(&f);
}

static void test_too_many_unanswered(void **state)
{
	struct fixture f;
	int n = 0;

	open_channel(&f, true);
	while (!vgpu_channel_unmap(f.channel, 1, 0, 4096, on_done, &f))
		n++;
	assert_int_equal(vgpu_channel_unmap(f.channel, 1, 0, 4096, on_done, &f),
			 -EAGAIN);
	assert_in_range(n, 1, 64);
	for (int i = 0; i < n; i++)
		reply(&f, VHOST_USER_BACKEND_SHMEM_UNMAP, 0);
	assert_int_equal(f.done, n);
	assert_int_equal(vgpu_channel_unmap(f.channel, 1, 0, 4096, on_done, &f),
			 0);
	close_channel(&f);
	/* The last one will never be answered. */
	assert_int_equal(f.done, n + 1);
	assert_int_equal(f.status, -ECONNRESET);
}

static void test_wrong_answer(void **state)
{
	struct fixture f;

	open_channel(&f, true);
	/* To what a predecessor asked: of no interest. */
	reply(&f, VHOST_USER_BACKEND_SHMEM_MAP, 0);
	assert_int_equal(vgpu_channel_unmap(f.channel, 1, 0, 4096, on_done, &f),
			 0);
	reply(&f, VHOST_USER_BACKEND_SHMEM_MAP, 0);
	assert_int_equal(f.status, -ECONNRESET);
	assert_int_equal(vgpu_channel_config_changed(f.channel, on_done, &f),
			 -ECONNRESET);
	close_channel(&f);
}

static void test_front_end_gone(void **state)
{
	struct fixture f;

	open_channel(&f, true);
	assert_int_equal(vgpu_channel_unmap(f.channel, 1, 0, 4096, on_done, &f),
			 0);
	shutdown(f.theirs, SHUT_RDWR);
	run(&f);
	assert_int_equal(f.done, 1);
	assert_int_equal(f.status, -ECONNRESET);
	close_channel(&f);
	vgpu_channel_destroy(NULL);
}

static void open_handing_over(struct fixture *f, uint32_t is_begun)
{
	int fd[2];

	*f = (struct fixture){.is_begun = is_begun};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	f->ours = fd[0];
	f->theirs = fd[1];
	assert_true(sd_event_new(&f->event) >= 0);
	assert_int_equal(vgpu_channel_create(f->event, f->ours, true, false,
					     &f->is_begun, &f->channel),
			 0);
	run(f);
}

/* What the front end can read, in bytes, at most @max of it. */
static size_t read_all(struct fixture *f, void *ret, size_t max)
{
	size_t all = 0;
	ssize_t n;

	/* One call ends where fds came with what follows or precedes. */
	while ((n = recv(f->theirs, (char *)ret + all, max - all, MSG_DONTWAIT)) >
	       0)
		all += (size_t)n;
	return all;
}

static void test_handing_over(void **state)
{
	struct {
		struct request map;
		struct vhost_user_header sync;
		struct vhost_user_vring_area area;
	} __attribute__((packed)) got = {};
	struct fixture f;

	open_handing_over(&f, 0);
	assert_int_equal(vgpu_channel_map(f.channel, 1, 0, 0, 0, 4096, true,
					  on_done, &f),
			 0);
	assert_int_equal(vgpu_channel_sync(f.channel, on_done, &f), 0);
	run(&f);
	/* One at a time: a second one waits. */
	assert_int_equal(vgpu_channel_unmap(f.channel, 1, 0, 4096, on_done, &f),
			 -EAGAIN);
	assert_int_equal(f.is_begun, 1);
	assert_int_equal(read_all(&f, &got, sizeof(got)), 1);
	run(&f);
	assert_int_equal(f.is_begun, 0);
	assert_int_equal(read_all(&f, (char *)&got + 1, sizeof(got)),
			 sizeof(got) - 1);
	assert_int_equal(got.map.header.request, VHOST_USER_BACKEND_SHMEM_MAP);
	assert_int_equal(got.map.mmap.bytes, 4096);
	assert_int_equal(got.sync.request,
			 VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG);
	assert_int_equal(got.area.index, VHOST_USER_VRING_NO_FD);
	/* It is too late to take it back. */
	vgpu_channel_withdraw(f.channel);
	assert_int_equal(read_all(&f, &got, sizeof(got)), 0);
	reply(&f, VHOST_USER_BACKEND_SHMEM_MAP, 0);
	reply(&f, VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG, 0);
	assert_int_equal(f.done, 2);
	assert_int_equal(f.status, 0);
	close_channel(&f);
}

static void test_withdrawing(void **state)
{
	struct fixture f;
	char got[512];

	open_handing_over(&f, 0);
	assert_int_equal(vgpu_channel_map(f.channel, 1, 0, 0, 0, 4096, true,
					  on_done, &f),
			 0);
	assert_int_equal(vgpu_channel_sync(f.channel, on_done, &f), 0);
	vgpu_channel_withdraw(f.channel);
	assert_int_equal(f.done, 2);
	assert_int_equal(f.status, -ECANCELED);
	assert_int_equal(f.is_begun, 0);
	assert_int_equal(read_all(&f, got, sizeof(got)), 268);
	/* News, too, and nothing is answered. */
	assert_int_equal(vgpu_channel_config_changed(f.channel, on_done, &f), 0);
	vgpu_channel_withdraw(f.channel);
	assert_int_equal(f.done, 3);
	assert_int_equal(read_all(&f, got, sizeof(got)), 268);
	/* It works as before. */
	assert_int_equal(vgpu_channel_config_changed(f.channel, on_done, &f), 0);
	assert_int_equal(read_all(&f, got, sizeof(got)), 1);
	run(&f);
	assert_int_equal(f.done, 4);
	assert_int_equal(f.status, 0);
	assert_int_equal(read_all(&f, got, sizeof(got)), 11);
	close_channel(&f);
}

/* Read whole messages, none of which QEMU knows. */
static void read_unknown(const uint8_t *bytes, size_t n)
{
	while (n) {
		struct vhost_user_header header;

		assert_true(n >= sizeof(header));
		memcpy(&header, bytes, sizeof(header));
		assert_true(header.request > VHOST_USER_BACKEND_SHMEM_UNMAP);
		assert_false(header.flags & VHOST_USER_NEED_REPLY);
		assert_true(header.size <= 268);
		assert_true(header.size <= n - sizeof(header));
		bytes += sizeof(header) + header.size;
		n -= sizeof(header) + header.size;
	}
}

/* A predecessor died right before or right after it sent a first byte. */
static void test_begun_by_a_predecessor(void **state)
{
	static const uint8_t first[] = {2, VHOST_USER_BACKEND_SHMEM_MAP,
					VHOST_USER_BACKEND_SHMEM_UNMAP};
	struct fixture f;
	uint8_t got[512];
	size_t n;

	open_handing_over(&f, 1);
	assert_int_equal(f.is_begun, 0);
	n = read_all(&f, got + 1, sizeof(got) - 1);
	read_unknown(got + 1, n);
	for (size_t i = 0; i < sizeof(first); i++) {
		got[0] = first[i];
		read_unknown(got, n + 1);
	}
	close_channel(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_and_unmap),
		cmocka_unit_test(test_without_replies),
		cmocka_unit_test(test_too_many_unanswered),
		cmocka_unit_test(test_wrong_answer),
		cmocka_unit_test(test_front_end_gone),
		cmocka_unit_test(test_handing_over),
		cmocka_unit_test(test_withdrawing),
		cmocka_unit_test(test_begun_by_a_predecessor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
