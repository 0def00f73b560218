/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helper processes: finding the program, starting, identifying and ending them.
 */
#include "process.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <systemd/sd-id128.h>

#include "cgroup.h"
#include "lib/util.h"

#ifndef PID_FS_MAGIC /* of linux/magic.h, since Linux 6.9 */
#define PID_FS_MAGIC 0x50494446
#endif
#define IDENTITY_SIZE 80

static char *join_path(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Where @name is, the first that can be run; the last place if none can. */
static char *find_helper(const char *name)
{
	const char *given = secure_getenv("VGPU_LIBEXECDIR");
	char self[PATH_MAX];
	const char *folders[3];
	size_t count = 0;
	ssize_t n;

	if (given && *given)
		folders[count++] = given;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		folders[count++] = self;
	}
	folders[count++] = VGPU_LIBEXECDIR;

	for (size_t i = 0; i < count - 1; i++) {
		vgpu_autofree char *path = join_path(folders[i], name);

		if (!path || access(path, X_OK) == 0)
			return vgpu_steal(&path);
	}
	return join_path(folders[count - 1], name);
}

/* Variables of vgpud's that every helper gets. */
static char **make_environment(void)
{
	static const char *const kept[] = {"ASAN_OPTIONS=",
					   "UBSAN_OPTIONS=",
					   "LSAN_OPTIONS=",
					   "VGPU_RECORD_DIR=",
					   "VGPU_SUBMIT_SECONDS_MAX=",
					   "VGPU_WORK_SECONDS_MAX=",
					   "VGPU_SANDBOX_WITHOUT=",
					   "VGPU_SANDBOX_ATTEMPT="};
	static char *environment[VGPU_ARRAY_SIZE(kept) + 3];
	size_t n = 0;

	environment[n++] = (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	environment[n++] = (char *)"LANG=C.UTF-8";
	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept); i++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0 &&
			    n < VGPU_ARRAY_SIZE(environment) - 1)
				environment[n++] = *e;
	environment[n] = NULL;
	return environment;
}

static int set_fds(posix_spawn_file_actions_t *actions, int fd, unsigned int flags)
{
	int r;

	/* Not stdout: whoever reads vgpud's would wait beyond vgpud's end. */
	r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
					     O_RDONLY, 0);
	if (r == 0 && flags & VGPU_PROCESS_STDOUT)
		r = posix_spawn_file_actions_adddup2(actions, fd, STDOUT_FILENO);
	else if (r == 0)
		r = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO,
						     "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, fd,
						     VGPU_PROCESS_CHILD_FD);
	return r;
}

static int set_attributes(posix_spawnattr_t *attributes, int group)
{
	short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
		      POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0 && group >= 0) {
		flags |= POSIX_SPAWN_SETCGROUP;
		r = posix_spawnattr_setcgroup_np(attributes, group);
	}
	if (r == 0)
		r = posix_spawnattr_setflags(attributes, flags);
	return r;
}

static int spawn_process(const char *path, char *const argv[], int fd,
			 int group, unsigned int flags, int *ret_pidfd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r != 0)
		goto finish_actions;

	r = set_fds(&actions, fd, flags);
	if (r == 0)
		r = set_attributes(&attributes, group);
	if (r == 0)
		r = pidfd_spawn(ret_pidfd, path, &actions, &attributes, argv,
				flags & VGPU_PROCESS_KEEP_ENVIRONMENT
					? environ
					: make_environment());

	posix_spawnattr_destroy(&attributes);
finish_actions:
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/*
 * Where clone3() is refused, as by systemd's RestrictNamespaces=, move the
 * child there. It has no children yet, for it waits for our first message.
 */
static int spawn_and_move(const char *path, char *const argv[], int fd,
			  int group, unsigned int flags, int *ret_pidfd)
{
	int r;

	r = spawn_process(path, argv, fd, /* group= */ -1, flags, ret_pidfd);
	if (r < 0)
		return r;
	r = vgpu_cgroup_adopt(group, pidfd_getpid(*ret_pidfd));
	if (r < 0) {
		siginfo_t info;

		pidfd_send_signal(*ret_pidfd, SIGKILL, NULL, 0);
		waitid(P_PIDFD, (id_t)*ret_pidfd, &info, WEXITED);
		*ret_pidfd = vgpu_close(*ret_pidfd);
	}
	return r;
}

int vgpu_process_start(char *const argv[], int fd, int group, unsigned int flags,
		       struct vgpu_process *ret_process, struct vgpu_err *err)
{
	vgpu_autofree char *path = find_helper(argv[0]);
	vgpu_autoclose int above = -1;
	int pidfd = -1;
	int r;

	if (!path)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	/* Above the numbers of the child's fds. */
	above = fcntl(fd, F_DUPFD_CLOEXEC, VGPU_PROCESS_CHILD_FD + 1);
	if (above < 0)
		r = -errno;
	else
		r = spawn_process(path, argv, above, group, flags, &pidfd);
	if (r < 0 && group >= 0)
		r = spawn_and_move(path, argv, above, group, flags, &pidfd);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "%s cannot be started: %s", path,
				    strerror(-r));
	*ret_process = (struct vgpu_process){
		.pid = pidfd_getpid(pidfd),
		.pidfd = pidfd,
	};
	return 0;
}

void vgpu_process_signal(const struct vgpu_process *process, int signal)
{
	if (process->pidfd >= 0)
		pidfd_send_signal(process->pidfd, signal, NULL, 0);
}

bool vgpu_process_reap(struct vgpu_process *process,
		       char ret_reason[VGPU_PROCESS_REASON_SIZE])
{
	siginfo_t info = {};
	bool is_forbidden = false;
	const char *name;

	if (process->pidfd < 0 ||
	    waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) < 0 ||
	    info.si_pid == 0) {
		/* A device that an earlier vgpud started is not our child. */
		snprintf(ret_reason, VGPU_PROCESS_REASON_SIZE, "ended");
	} else if (info.si_code == CLD_EXITED) {
		snprintf(ret_reason, VGPU_PROCESS_REASON_SIZE,
			 "ended with status %d", info.si_status);
	} else if (info.si_status == SIGSYS) {
		is_forbidden = true;
		snprintf(ret_reason, VGPU_PROCESS_REASON_SIZE,
			 "was ended for a forbidden system call (SIGSYS)");
	} else {
		name = sigabbrev_np(info.si_status);
		snprintf(ret_reason, VGPU_PROCESS_REASON_SIZE,
			 "was killed by SIG%s", name ? name : "?");
	}
	vgpu_process_finish(process);
	return is_forbidden;
}

void vgpu_process_finish(struct vgpu_process *process)
{
	vgpu_close(process->pidfd);
	*process = VGPU_PROCESS_NONE;
}

/* When process @pid started, in ticks since the machine did (proc(5)). */
static int start_time(pid_t pid, uint64_t *ret_ticks)
{
	vgpu_autofclose FILE *f = NULL;
	char path[64], line[1024];
	char *field;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return -ESRCH;
	/* Field 22; the second is a name in parentheses and may hold any. */
	field = strrchr(line, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field || sscanf(field, "%" SCNu64, ret_ticks) != 1)
		return -EIO;
	return 0;
}

/*
 * A word that no other process ever has. A pidfd's inode number is unique while
 * the machine is up, since Linux 6.9 (pidfs), and needs no /proc: where a service
 * has ProtectProc=invisible, processes that cannot be dumped are not there.
 */
static int identify_process(const struct vgpu_process *process,
			    char ret_identity[IDENTITY_SIZE])
{
	sd_id128_t boot;
	struct statfs fs;
	struct stat st;
	uint64_t number;
	bool has_pidfs;
	int r;

	if (fstatfs(process->pidfd, &fs) < 0 || fstat(process->pidfd, &st) < 0)
		return -errno;
	r = sd_id128_get_boot(&boot);
	if (r < 0)
		return r;
	has_pidfs = fs.f_type == PID_FS_MAGIC;
	number = st.st_ino;
	if (!has_pidfs) {
		r = start_time(process->pid, &number);
		if (r < 0)
			return r;
	}
	snprintf(ret_identity, IDENTITY_SIZE,
		 "%s:%" PRIu64 ":" SD_ID128_FORMAT_STR,
		 has_pidfs ? "pidfs" : "started", number,
		 SD_ID128_FORMAT_VAL(boot));
	return 0;
}

int vgpu_process_record(const struct vgpu_process *process, const char *path,
			const char *temporary)
{
	vgpu_autofclose FILE *f = NULL;
	char identity[IDENTITY_SIZE];
	int r;

	r = identify_process(process, identity);
	if (r < 0)
		return r;
	f = fopen(temporary, "we");
	if (!f || fprintf(f, "%d %s\n", process->pid, identity) < 0 ||
	    fflush(f) == EOF || rename(temporary, path) < 0) {
		r = -errno;
		unlink(temporary);
		return r;
	}
	return 0;
}

int vgpu_process_recall(const char *path, struct vgpu_process *ret_process)
{
	vgpu_autofclose FILE *f = fopen(path, "re");
	struct vgpu_process process = VGPU_PROCESS_NONE;
	char recorded[IDENTITY_SIZE], identity[IDENTITY_SIZE];
	vgpu_autoclose int pidfd = -1;

	if (!f)
		return -errno;
	static_assert(IDENTITY_SIZE == 80, "the width below");
	if (fscanf(f, "%d %79s", &process.pid, recorded) != 2 || process.pid <= 1)
		return -ESRCH;

	/*
	 * Open the pidfd before checking: then the pid cannot be reused in
	 * between.
	 */
	pidfd = pidfd_open(process.pid, 0);
	if (pidfd < 0)
		return -errno;
	process.pidfd = pidfd;
	if (identify_process(&process, identity) < 0 ||
	    strcmp(identity, recorded) != 0)
		return -ESRCH;

	vgpu_steal_fd(&pidfd);
	*ret_process = process;
	return 0;
}
