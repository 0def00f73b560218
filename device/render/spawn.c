/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the vgpu-render program. */
#include "spawn.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/util.h"
#include "render/abi.h"

/* The child's place for its fds while those below are put in order. */
#define FD_ASIDE_MIN 8

/*
 * What passes on. The rest of our environment is nothing that a process needs
 * which carries out a guest's commands, and some of it (VN_DEBUG) would send
 * its driver back to us.
 */
static const char *const passed_on[] = {
	"VK_DRIVER_FILES",	 "VK_ICD_FILENAMES",
	"VK_INSTANCE_LAYERS",	 "VK_LAYER_PATH",
	"LP_NUM_THREADS",	 "ASAN_OPTIONS",
	"UBSAN_OPTIONS",	 "LSAN_OPTIONS",
	"TSAN_OPTIONS",		 "VGPU_SUBMIT_SECONDS_MAX",
	"VGPU_WORK_SECONDS_MAX",
};

struct environment {
	char *item[VGPU_ARRAY_SIZE(passed_on) + 2];
	size_t n;
};

static void finish_environment(struct environment *environment)
{
	for (size_t i = 0; i < environment->n; i++)
		free(environment->item[i]);
}

static bool add_variable(struct environment *environment, const char *name,
			 const char *value)
{
	char **item = &environment->item[environment->n];

	if (asprintf(item, "%s=%s", name, value) < 0) {
		*item = NULL;
		return false;
	}
	environment->n++;
	return true;
}

static bool init_environment(struct environment *environment)
{
	*environment = (struct environment){};
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value && !add_variable(environment, passed_on[i], value))
			return false;
	}
	/* Guests would see in its timing what others have compiled. */
	return add_variable(environment, "MESA_SHADER_CACHE_DISABLE", "true");
}

/* Where the program is: told, beside our own, or where it is installed. */
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

/* Opened while we may still go where it is. */
static struct {
	char path[PATH_MAX];
	int fd;
} program = {.fd = -1};

void vgpu_render_find_program(void)
{
	if (find_path(program.path, sizeof(program.path)))
		program.fd = open(program.path, O_PATH | O_CLOEXEC);
}

const char *vgpu_render_record_folder(void)
{
	const char *folder = secure_getenv("VGPU_RECORD_DIR");

	return folder && *folder ? folder : NULL;
}

/*
 * What it is to be told: to record, if we were told where. No two recordings
 * have one name, not even of devices that had one process id.
 */
static bool init_arguments(char *argument[4], char *file, size_t size)
{
	const char *folder = vgpu_render_record_folder();
	static unsigned int n;

	argument[0] = (char *)"vgpu-render";
	argument[1] = NULL;
	if (!folder)
		return true;
	argument[1] = (char *)"--record";
	argument[2] = file;
	argument[3] = NULL;
	return (size_t)snprintf(file, size, "%s/context-%lld-%d-%u", folder,
				(long long)time(NULL), getpid(), ++n) < size;
}

/* In the child, where only calls that are safe in a signal handler may be made. */
__attribute__((noreturn)) static void become(char *const *arguments,
					     char *const *environment, int null,
					     int command, int memory,
					     pid_t parent)
{
	sigset_t none;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE); /* it died before we asked */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	/* Out of the way first, as any of them may lie where another goes. */
	null = fcntl(null, F_DUPFD, FD_ASIDE_MIN);
	command = fcntl(command, F_DUPFD, FD_ASIDE_MIN);
	memory = fcntl(memory, F_DUPFD, FD_ASIDE_MIN);
	fd = fcntl(program.fd, F_DUPFD_CLOEXEC, FD_ASIDE_MIN);
	if (fd < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(command, VGPU_RENDER_FD_COMMAND) < 0 ||
	    dup2(memory, VGPU_RENDER_FD_MEMORY) < 0 ||
	    close_range(VGPU_RENDER_FD_MEMORY + 1, UINT_MAX,
			CLOSE_RANGE_CLOEXEC) < 0)
		_exit(EXIT_FAILURE);
	syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
	/* A script is found by its interpreter, if everybody may read it. */
	if (errno == ENOENT)
		execve(program.path, arguments, environment);
	_exit(127);
}

static int spawn(char *const *arguments, char *const *environment, int command,
		 int memory, int *ret_pidfd)
{
	vgpu_autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t parent = getpid();
	pid_t pid;
	int pidfd;

	if (null < 0)
		return -errno;
	/*
	 * A fork, but we go on only when it has become the program: while both
	 * have all fds open, what we close would stay in epoll's sets.
	 */
	pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL,
			     NULL);
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(arguments, environment, null, command, memory, parent);
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		int r = -errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	*ret_pidfd = pidfd;
	return 0;
}

int vgpu_render_spawn(int command, int memory, int *ret_pidfd,
		      struct vgpu_err *err)
{
	struct environment environment;
	char file[PATH_MAX];
	char *argument[4];
	int r;

	if (program.fd < 0)
		return vgpu_err_set(err, -ENOENT, NULL,
				    "cannot run %s; is it installed?",
				    program.path);
	if (!init_arguments(argument, file, sizeof(file)))
		return vgpu_err_set(err, -ENAMETOOLONG, NULL,
				    "VGPU_RECORD_DIR is too long");
	r = init_environment(&environment) ? spawn(argument, environment.item,
						   command, memory, ret_pidfd)
					   : -ENOMEM;
	finish_environment(&environment);
	return r < 0 ? vgpu_err_set(err, r, NULL, "cannot start %s: %s",
				    program.path, strerror(-r))
		     : 0;
}
