/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts vgpu-render in namespaces of its own. */
#include "device/launch/start.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "device/launch/environment.h"
#include "lib/oom.h"
#include "lib/util.h"
#include "render/abi.h"
#include "sandbox/ids.h"
#include "sandbox/namespaces.h"

/* Fds from here on are free in the child while the lower ones are arranged. */
#define FD_ASIDE_MIN 16
#define CAP_BIT(cap) (1ULL << (cap))
/*
 * Of one process: its rings and the driver's are some 300. The kernel counts
 * them in its user namespace; where it has none it would count all its user's.
 */
#define THREADS_MAX 512

/* What all processes are started with. */
static struct {
	char path[PATH_MAX];
	int program; /* -1 if it was not found */
	int null;
	int self; /* a pidfd of ours */
	int oom;  /* our oom_score_adj, which what we start begins with */
	const char *record;
	int record_folder;
	int record_error; /* why there is no folder; or 0 */
	unsigned long namespaces;
	struct vgpu_environment environment;
} start = {.program = -1, .null = -1, .self = -1, .oom = -1, .record_folder = -1};

/* Find the program: as configured, beside our own, or where it is installed. */
static bool find_path(char *ret_path, size_t size)
{
	const char *told = secure_getenv("VGPU_RENDER");
	char own[PATH_MAX];
	char *slash;
	ssize_t n;

	if (told)
		return (size_t)snprintf(ret_path, size, "%s", told) < size;
	n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (n > 0) {
		own[n] = '\0';
		slash = strrchr(own, '/');
		if (slash &&
		    snprintf(ret_path, size, "%.*s/vgpu-render",
			     (int)(slash - own), own) < (int)size &&
		    access(ret_path, X_OK) == 0)
			return true;
	}
	return (size_t)snprintf(ret_path, size, "%s/vgpu-render",
				VGPU_LIBEXECDIR) < size;
}

int vgpu_start_prepare(struct vgpu_err *err)
{
	const char *folder = secure_getenv("VGPU_RECORD_DIR");

	start.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	start.self = pidfd_open(getpid(), 0);
	if (start.null < 0 || start.self < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot begin: %s",
				    strerror(errno));
	/* Once we are shut in it would be root's. */
	start.oom = vgpu_oom_open();
	vgpu_oom_raise(start.oom, VGPU_OOM_DEVICE);
	if (find_path(start.path, sizeof(start.path)) &&
	    access(start.path, X_OK) == 0)
		start.program = open(start.path, O_PATH | O_CLOEXEC);
	if (folder && *folder) {
		start.record = folder;
		start.record_folder =
			open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		start.record_error = start.record_folder < 0 ? errno : 0;
	}
	if (!vgpu_environment_init(&start.environment))
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	return 0;
}

const char *vgpu_start_record_folder(void)
{
	return start.record;
}

unsigned int vgpu_start_probe(void)
{
	struct vgpu_sandbox_report report = {};

	start.namespaces = vgpu_namespaces_probe(&report);
	return report.refused;
}

/*
 * No two recordings have one name, not even of launchers that had one process
 * id. A recording is worth less than its context, which goes on without.
 */
static int make_recording(void)
{
	static unsigned int n;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "context-%lld-%d-%u",
		 (long long)time(NULL), getpid(), ++n);
	fd = openat(start.record_folder, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		fprintf(stderr, "vgpu-launch: %s/%s: %s\n", start.record, name,
			strerror(start.record_error ? start.record_error : errno));
	return fd;
}

/* Whether our parent died before PR_SET_PDEATHSIG was set. */
static bool is_orphan(void)
{
	struct pollfd poll_fd = {.fd = start.self, .events = POLLIN};

	return poll(&poll_fd, 1, 0) != 0;
}

/*
 * In namespaces of its own a process has all capabilities there. The next
 * program has none of them, but one if it needs that to change its root.
 */
static int make_root(void)
{
	const uint64_t chroot_only = CAP_BIT(CAP_SYS_CHROOT);
	int fd, r;

	if (!(start.namespaces & CLONE_NEWNS))
		return -1;
	fd = vgpu_empty_root_open();
	if (fd < 0)
		_exit(EXIT_FAILURE);
	r = vgpu_sandbox_shrink_bounds(chroot_only);
	if (r == 0)
		r = vgpu_sandbox_drop_capabilities(chroot_only);
	if (r == 0)
		r = vgpu_sandbox_raise_ambient(chroot_only);
	if (r < 0)
		_exit(EXIT_FAILURE);
	return fcntl(fd, F_DUPFD, FD_ASIDE_MIN);
}

static void place_fd(int fd, int where)
{
	if (fd >= 0 && dup2(fd, where) < 0)
		_exit(EXIT_FAILURE);
	if (fd < 0)
		close(where);
}

/* Runs in the child: async-signal-safe calls only. */
__attribute__((noreturn)) static void become(struct vgpu_start_fds fds, int record)
{
	char *arguments[] = {(char *)"vgpu-render", NULL};
	const struct rlimit threads = {THREADS_MAX, THREADS_MAX};
	sigset_t none;
	int root = make_root();
	int null, program;

	if (start.namespaces & CLONE_NEWUSER)
		setrlimit(RLIMIT_NPROC, &threads);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (is_orphan())
		_exit(EXIT_FAILURE);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	/* Move all out of the way first: any may lie where another must go. */
	null = fcntl(start.null, F_DUPFD, FD_ASIDE_MIN);
	fds.command = fcntl(fds.command, F_DUPFD, FD_ASIDE_MIN);
	fds.memory = fcntl(fds.memory, F_DUPFD, FD_ASIDE_MIN);
	fds.calls = fcntl(fds.calls, F_DUPFD, FD_ASIDE_MIN);
	fds.output = fcntl(fds.output, F_DUPFD, FD_ASIDE_MIN);
	program = fcntl(start.program, F_DUPFD_CLOEXEC, FD_ASIDE_MIN);
	if (record >= 0)
		record = fcntl(record, F_DUPFD, FD_ASIDE_MIN);
	if (null < 0 || fds.command < 0 || fds.memory < 0 || fds.calls < 0 ||
	    fds.output < 0 || program < 0)
		_exit(EXIT_FAILURE);
	place_fd(null, STDIN_FILENO);
	place_fd(fds.output, STDOUT_FILENO);
	place_fd(fds.output, STDERR_FILENO);
	place_fd(fds.command, VGPU_RENDER_FD_COMMAND);
	place_fd(fds.memory, VGPU_RENDER_FD_MEMORY);
	place_fd(root, VGPU_RENDER_FD_ROOT);
	place_fd(record, VGPU_RENDER_FD_RECORD);
	place_fd(fds.calls, VGPU_RENDER_FD_CALLS);
	if (close_range(VGPU_RENDER_FD_CALLS + 1, UINT_MAX,
			CLOSE_RANGE_CLOEXEC) < 0)
		_exit(EXIT_FAILURE);
	syscall(SYS_execveat, program, "", arguments, start.environment.item,
		AT_EMPTY_PATH);
	/* A script is found by its interpreter, if everybody may read it. */
	if (errno == ENOENT)
		execve(start.path, arguments, start.environment.item);
	_exit(127);
}

int vgpu_start(const struct vgpu_start_fds *fds, pid_t *ret_pid,
	       struct vgpu_err *err)
{
	vgpu_autoclose int record = start.record ? make_recording() : -1;
	unsigned long flags = CLONE_VFORK | SIGCHLD | start.namespaces;
	int oom;
	pid_t pid;

	if (start.program < 0)
		return vgpu_err_set(err, -ENOENT, NULL,
				    "cannot run %s; is it installed?",
				    start.path);
	/*
	 * A fork, but we go on only when it has become the program: while both
	 * have all fds open, what we close would stay in epoll's sets.
	 */
	oom = vgpu_oom_raise(start.oom, VGPU_OOM_RENDER);
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid != 0)
		vgpu_oom_set(start.oom, oom);
	if (pid < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot start %s: %s",
				    start.path, strerror(errno));
	if (pid == 0)
		become(*fds, record);
	*ret_pid = pid;
	return 0;
}

int vgpu_start_open_statm(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void vgpu_start_limit(pid_t pid, const uint64_t limit[VGPU_LAUNCH_LIMITS])
{
	static const __rlimit_resource_t resource[VGPU_LAUNCH_LIMITS] = {
		[VGPU_LAUNCH_SPACE] = RLIMIT_AS,
		[VGPU_LAUNCH_DATA] = RLIMIT_DATA,
		[VGPU_LAUNCH_FILES] = RLIMIT_FSIZE,
	};
	static_assert(VGPU_LAUNCH_UNLIMITED == RLIM_INFINITY, "no limit");

	for (int i = 0; i < VGPU_LAUNCH_LIMITS; i++) {
		struct rlimit now;

		if (prlimit(pid, resource[i], NULL, &now) < 0)
			continue;
		now.rlim_cur = VGPU_MIN((rlim_t)limit[i], now.rlim_max);
		prlimit(pid, resource[i], &now, NULL);
	}
}
