/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control messages: whole, with their fd, and whatever a bad peer sends. */
#include "lib/control.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/util.h"
#include "test.h"

struct pair {
	int a, b;
	int fds_before; /* open before the test, the pair included */
};

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int setup(void **state)
{
	static struct pair pair;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, fds))
		return -1;
	pair = (struct pair){fds[0], fds[1], count_fds()};
	*state = &pair;
	return 0;
}

/* Every test leaves as many fds as it found, but for ends that it closed. */
static int teardown(void **state)
{
	struct pair *pair = *state;
	int closed = (pair->a < 0) + (pair->b < 0);
	int leaked = count_fds() + closed - pair->fds_before;

	pair->a = vgpu_close(pair->a);
	pair->b = vgpu_close(pair->b);
	return leaked;
}

/* What a bad peer may send: @bytes of zeroes with @n_fds fds. */
static void send_raw(int socket, size_t bytes, size_t n_fds)
{
	static uint8_t data[2 * sizeof(struct vgpu_control_msg)];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = {};
	struct iovec iov = {data, bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[64];

	if (n_fds) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			fds[i] = socket;
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &header, MSG_NOSIGNAL), bytes);
}

static void assert_receives(int socket, int expected)
{
	struct vgpu_control_msg msg;
	int fd = -7;

	assert_int_equal(vgpu_control_receive(socket, &msg, &fd), expected);
	if (expected <= 0)
		assert_int_equal(fd, -7); /* outputs are set on success only */
}

static void passes_a_message(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg in = {.type = VGPU_CONTROL_SET_MODE,
				      .serial = 7,
				      .mode = {1, 1920, 1080}};
	struct vgpu_control_msg out;
	int fd = 0;

	assert_receives(pair->b, -EAGAIN);
	assert_int_equal(vgpu_control_send(pair->a, &in, -1), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &out, &fd), 1);
	assert_int_equal(fd, -1);
	assert_memory_equal(&in, &out, sizeof(in));
}

static void passes_an_fd(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg in = {.type = VGPU_CONTROL_FD,
				      .slot = VGPU_SLOT_MEMORY + 3};
	struct vgpu_control_msg out;
	struct stat sent, received;
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = -1;

	assert_int_equal(vgpu_control_send(pair->a, &in, file), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &out, &fd), 1);
	assert_true(fd >= 0 && fd != file);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(file, &sent), 0); /* still ours */
	assert_int_equal(fstat(fd, &received), 0);
	assert_int_equal(sent.st_ino, received.st_ino);
	close(file);
	close(fd);
}

static void keeps_order_and_bounds(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_FD_DROP};
	int fd, rc = 0, sent = 0;

	while (rc == 0) {
		msg.serial = (uint32_t)sent;
		rc = vgpu_control_send(pair->a, &msg, -1);
		sent += rc == 0;
	}
	assert_int_equal(rc, -EAGAIN);
	assert_true(sent > 0);
	for (int i = 0; i < sent; i++) {
		assert_int_equal(vgpu_control_receive(pair->b, &msg, &fd), 1);
		assert_int_equal(msg.serial, i);
	}
	assert_receives(pair->b, -EAGAIN);
}

static void terminates_strings(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg in, out;
	int fd;

	memset(&in, 'x', sizeof(in));
	in.type = VGPU_CONTROL_START;
	assert_int_equal(vgpu_control_send(pair->a, &in, -1), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &out, &fd), 1);
	assert_int_equal(strlen(out.start.uuid), sizeof(out.start.uuid) - 1);
	assert_int_equal(strlen(out.start.name), sizeof(out.start.name) - 1);
	assert_int_equal(strlen(out.start.type), sizeof(out.start.type) - 1);
	in.type = VGPU_CONTROL_EVENT;
	assert_int_equal(vgpu_control_send(pair->a, &in, -1), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &out, &fd), 1);
	assert_int_equal(strlen(out.event.text), VGPU_CONTROL_TEXT_MAX - 1);
	in.type = VGPU_CONTROL_REPLY;
	assert_int_equal(vgpu_control_send(pair->a, &in, -1), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &out, &fd), 1);
	assert_int_equal(strlen(out.reply.text), VGPU_CONTROL_TEXT_MAX - 1);
	/* Without an error there is no text, but there may be figures. */
	in.reply.status = 0;
	assert_int_equal(vgpu_control_send(pair->a, &in, -1), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &out, &fd), 1);
	assert_memory_equal(&out.reply, &in.reply, sizeof(in.reply));
}

static void refuses_a_wrong_size(void **state)
{
	struct pair *pair = *state;
	size_t size = sizeof(struct vgpu_control_msg);

	send_raw(pair->a, 1, 0);
	send_raw(pair->a, size - 1, 1);
	send_raw(pair->a, size + 1, 0);
	send_raw(pair->a, 2 * size, 1);
	for (int i = 0; i < 4; i++)
		assert_receives(pair->b, -EPROTO);
	/* The next good one is not harmed. */
	send_raw(pair->a, size, 0);
	assert_receives(pair->b, 1);
}

static void refuses_several_fds(void **state)
{
	struct pair *pair = *state;

	/* One by one: there is a limit on how many are under way at once. */
	for (size_t n = 2; n <= 64; n++) {
		send_raw(pair->a, sizeof(struct vgpu_control_msg), n);
		assert_receives(pair->b, -EPROTO);
	}
}

static void says_that_no_fd_is_free(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg msg;
	struct rlimit before, limit;
	int fd, lowest = dup(0);

	close(lowest);
	send_raw(pair->a, sizeof(struct vgpu_control_msg), 1);
	send_raw(pair->a, sizeof(struct vgpu_control_msg), 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_receives(pair->b, -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(vgpu_control_receive(pair->b, &msg, &fd), 1);
	assert_true(fd >= 0);
	close(fd);
}

static void tells_that_the_peer_is_gone(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_STATUS};

	pair->b = vgpu_close(pair->b);
	assert_int_equal(vgpu_control_send(pair->a, &msg, -1), -EPIPE);
	assert_int_equal(vgpu_control_send(pair->a, &msg, 0), -EPIPE);
	assert_receives(pair->a, 0);
	assert_receives(pair->a, 0);
}

/* It died with our message unread: what it sent before still arrives. */
static void receives_a_dead_peers_last_words(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_FD,
				       .slot = VGPU_SLOT_KICK};
	int fd = -1;

	assert_int_equal(vgpu_control_send(pair->a, &msg, -1), 0);
	assert_int_equal(vgpu_control_send(pair->b, &msg, 0), 0);
	assert_int_equal(vgpu_control_send(pair->b, &msg, -1), 0);
	pair->b = vgpu_close(pair->b);

	assert_int_equal(vgpu_control_receive(pair->a, &msg, &fd), 1);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(msg.slot, VGPU_SLOT_KICK);
	assert_receives(pair->a, 1);
	assert_receives(pair->a, 0);
}

static void tells_of_a_bad_fd(void **state)
{
	struct pair *pair = *state;
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_FD};

	assert_int_equal(vgpu_control_send(pair->a, &msg, 100000), -EBADF);
	assert_int_equal(vgpu_control_send(-1, &msg, -1), -EBADF);
	assert_receives(pair->b, -EAGAIN);
	assert_receives(-1, -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(passes_a_message),
		TEST(passes_an_fd),
		TEST(keeps_order_and_bounds),
		TEST(terminates_strings),
		TEST(refuses_a_wrong_size),
		TEST(refuses_several_fds),
		TEST(says_that_no_fd_is_free),
		TEST(tells_that_the_peer_is_gone),
		TEST(receives_a_dead_peers_last_words),
		TEST(tells_of_a_bad_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
