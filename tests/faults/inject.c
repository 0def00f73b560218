/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into a program: fails, cuts or never returns from a call of it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * $VGPU_FAULT_FILE is mapped and holds a struct control, which a test changes
 * while the program runs: faults.py. Calls of one name are counted while it is
 * armed, and those from the n-th on are struck, a number of times. Nothing
 * here passes on to children: a test says for each program what is preloaded.
 */
enum action {
	ACTION_FAIL = 1, /* return an error, having done nothing */
	ACTION_KILL,	 /* the process dies before the call does anything */
	ACTION_CUT,	 /* one byte is read, written, sent or received */
	ACTION_END, /* the process dies when the call has done what it does */
};

struct control {
	uint32_t is_armed;
	uint32_t n;
	uint32_t times;
	uint32_t action;
	uint32_t error; /* errno */
	uint32_t count;
	uint32_t struck;
	uint32_t pad;
	char name[32];
};

static struct control *control;

/* glibc's own, which no other library replaces here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);

#define REAL(name)                                                             \
	({                                                                     \
		static __typeof__(name) *real;                                 \
		if (!real)                                                     \
			real = (__typeof__(real))dlsym(RTLD_NEXT, #name);      \
		real;                                                          \
	})

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("VGPU_FAULT_FILE");
	int fd = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = REAL(mmap)(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	unsetenv("LD_PRELOAD");
	unsetenv("VGPU_FAULT_FILE");
	if (at != MAP_FAILED)
		control = at;
}

__attribute__((noreturn)) static void die(void)
{
	kill(getpid(), SIGKILL);
	__builtin_trap(); /* in a sandbox that lets no signal out */
}

/* Whether this call of @name is struck; if it is to fail errno is set. */
static enum action strike(const char *name)
{
	uint32_t k;

	if (!control || !__atomic_load_n(&control->is_armed, __ATOMIC_ACQUIRE) ||
	    strcmp(control->name, name) != 0)
		return 0;
	k = __atomic_add_fetch(&control->count, 1, __ATOMIC_RELAXED);
	if (k < control->n || k - control->n >= control->times)
		return 0;
	__atomic_add_fetch(&control->struck, 1, __ATOMIC_RELEASE);
	if (control->action == ACTION_KILL)
		die();
	errno = (int)control->error;
	return control->action;
}

static bool fails(const char *name)
{
	return strike(name) == ACTION_FAIL;
}

void *malloc(size_t bytes)
{
	return fails("alloc") ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
	return fails("alloc") ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *at, size_t bytes)
{
	return fails("alloc") ? NULL : __libc_realloc(at, bytes);
}

/* What returns -1 and sets errno. */
#define WRAP(name, group, parameters, arguments)                               \
	int name parameters                                                    \
	{                                                                      \
		return fails(group) ? -1 : REAL(name) arguments;               \
	}

WRAP(memfd_create, "memfd_create", (const char *name, unsigned int flags),
     (name, flags))
WRAP(eventfd, "eventfd", (unsigned int value, int flags), (value, flags))
WRAP(timerfd_create, "timerfd_create", (int clock, int flags), (clock, flags))
WRAP(socket, "socket", (int domain, int type, int protocol),
     (domain, type, protocol))
WRAP(socketpair, "socket", (int domain, int type, int protocol, int pair[2]),
     (domain, type, protocol, pair))
WRAP(accept4, "accept4",
     (int fd, struct sockaddr *address, socklen_t *length, int flags),
     (fd, address, length, flags))
WRAP(bind, "bind", (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(listen, "listen", (int fd, int backlog), (fd, backlog))
WRAP(connect, "connect",
     (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(pipe2, "pipe2", (int pair[2], int flags), (pair, flags))
WRAP(fsync, "fsync", (int fd), (fd))
WRAP(rename, "rename", (const char *from, const char *to), (from, to))
WRAP(unlink, "unlink", (const char *path), (path))
WRAP(mkdir, "mkdir", (const char *path, mode_t mode), (path, mode))
WRAP(rmdir, "rmdir", (const char *path), (path))
WRAP(ftruncate, "ftruncate", (int fd, off_t bytes), (fd, bytes))
WRAP(ftruncate64, "ftruncate", (int fd, off64_t bytes), (fd, bytes))
WRAP(fallocate, "fallocate", (int fd, int mode, off_t at, off_t bytes),
     (fd, mode, at, bytes))
WRAP(fallocate64, "fallocate", (int fd, int mode, off64_t at, off64_t bytes),
     (fd, mode, at, bytes))
WRAP(lsetxattr, "xattr",
     (const char *path, const char *name, const void *value, size_t bytes,
      int flags),
     (path, name, value, bytes, flags))
WRAP(pidfd_open, "pidfd_open", (pid_t pid, unsigned int flags), (pid, flags))

/* Only what adds something takes what there may be no more of. */
int epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && fails("epoll_ctl"))
		return -1;
	return REAL(epoll_ctl)(ep, op, fd, event);
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t bytes)
{
	return fails("xattr") ? -1 : REAL(lgetxattr)(path, name, value, bytes);
}

#define WRAP_POINTER(type, bad, name, group, parameters, arguments)            \
	type name parameters                                                   \
	{                                                                      \
		return fails(group) ? (type)(bad) : REAL(name) arguments;      \
	}

WRAP_POINTER(void *, MAP_FAILED, mmap, "mmap",
	     (void *at, size_t bytes, int protection, int flags, int fd,
	      off_t from),
	     (at, bytes, protection, flags, fd, from))
WRAP_POINTER(void *, MAP_FAILED, mmap64, "mmap",
	     (void *at, size_t bytes, int protection, int flags, int fd,
	      off64_t from),
	     (at, bytes, protection, flags, fd, from))
WRAP_POINTER(FILE *, NULL, fopen, "open", (const char *path, const char *mode),
	     (path, mode))
WRAP_POINTER(FILE *, NULL, fopen64, "open",
	     (const char *path, const char *mode), (path, mode))

/* What returns the error itself. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
		   void *(*run)(void *), void *argument)
{
	return fails("pthread_create")
		       ? errno
		       : REAL(pthread_create)(thread, attributes, run, argument);
}

int pidfd_spawn(int *pidfd, const char *path,
		const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const argv[],
		char *const environment[])
{
	return fails("spawn") ? errno
			      : REAL(pidfd_spawn)(pidfd, path, actions,
						  attributes, argv, environment);
}

static unsigned int mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, unsigned int)
					       : 0;
}

#define WRAP_OPEN(name)                                                        \
	int name(const char *path, int flags, ...)                             \
	{                                                                      \
		unsigned int mode;                                             \
		va_list arguments;                                             \
                                                                               \
		va_start(arguments, flags);                                    \
		mode = mode_of(flags, arguments);                              \
		va_end(arguments);                                             \
		return fails("open") ? -1 : REAL(name)(path, flags, mode);     \
	}
WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_OPENAT(name)                                                      \
	int name(int folder, const char *path, int flags, ...)                 \
	{                                                                      \
		unsigned int mode;                                             \
		va_list arguments;                                             \
                                                                               \
		va_start(arguments, flags);                                    \
		mode = mode_of(flags, arguments);                              \
		va_end(arguments);                                             \
		return fails("open") ? -1                                      \
				     : REAL(name)(folder, path, flags, mode);  \
	}
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

/* Duplicates are all that is struck: other commands have no reason to fail. */
#define WRAP_FCNTL(name)                                                       \
	int name(int fd, int command, ...)                                     \
	{                                                                      \
		void *argument;                                                \
		va_list arguments;                                             \
                                                                               \
		va_start(arguments, command);                                  \
		argument = va_arg(arguments, void *);                          \
		va_end(arguments);                                             \
		if (command == F_DUPFD_CLOEXEC && fails("dup"))                \
			return -1;                                             \
		return REAL(name)(fd, command, argument);                      \
	}
WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)

/* What moves bytes may move fewer; but a packet, or what a pipe has room for,
 * is moved whole or not at all. */
static bool is_cuttable(int fd)
{
	int type = 0;
	socklen_t length = sizeof(type);
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
	       type == SOCK_STREAM;
}

static bool is_cut(enum action action, int fd, size_t *bytes)
{
	if (action == ACTION_CUT && *bytes > 1 && is_cuttable(fd))
		*bytes = 1;
	return action == ACTION_FAIL;
}

ssize_t read(int fd, void *buffer, size_t bytes)
{
	return is_cut(strike("read"), fd, &bytes)
		       ? -1
		       : REAL(read)(fd, buffer, bytes);
}

ssize_t write(int fd, const void *buffer, size_t bytes)
{
	return is_cut(strike("write"), fd, &bytes)
		       ? -1
		       : REAL(write)(fd, buffer, bytes);
}

ssize_t send(int fd, const void *buffer, size_t bytes, int flags)
{
	return is_cut(strike("send"), fd, &bytes)
		       ? -1
		       : REAL(send)(fd, buffer, bytes, flags);
}

ssize_t recv(int fd, void *buffer, size_t bytes, int flags)
{
	return is_cut(strike("recv"), fd, &bytes)
		       ? -1
		       : REAL(recv)(fd, buffer, bytes, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	enum action action = strike("sendmsg");
	struct msghdr shorter = *message;
	struct iovec part;
	ssize_t n;

	if (action == ACTION_FAIL)
		return -1;
	if (action == ACTION_CUT && message->msg_iovlen && is_cuttable(fd)) {
		part = (struct iovec){message->msg_iov[0].iov_base, 1};
		shorter.msg_iov = &part;
		shorter.msg_iovlen = 1;
	}
	n = REAL(sendmsg)(fd, &shorter, flags);
	if (action == ACTION_END)
		die();
	return n;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	enum action action = strike("recvmsg");
	struct iovec *parts = message->msg_iov;
	size_t n = message->msg_iovlen;
	struct iovec part;
	ssize_t got;

	if (action == ACTION_FAIL)
		return -1;
	if (action == ACTION_CUT && n && is_cuttable(fd)) {
		part = (struct iovec){parts[0].iov_base, 1};
		message->msg_iov = &part;
		message->msg_iovlen = 1;
	}
	got = REAL(recvmsg)(fd, message, flags);
	if (action == ACTION_END)
		die();
	message->msg_iov = parts;
	message->msg_iovlen = n;
	return got;
}
