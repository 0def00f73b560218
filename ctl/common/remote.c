/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The manager of another machine, by ssh. */
#include "ctl/common/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "ctl/common/text.h"
#include "lib/util.h"

#define NAME_CHARACTERS                                                        \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
/* How long ssh may take to end once it has closed its output. */
#define END_MS 5000
/* What ssh exits with if it fails itself, and a shell that finds no program. */
#define EXIT_SSH     255
#define EXIT_NO_FILE 127
#define WORDS_MAX    24

struct ctl_remote {
	pid_t pid;  /* 0: it was waited for */
	int errors; /* a memfd: its standard error */
};

/* Of ssh://[USER@]HOST[:PORT]; each ends with a 0 byte, "" for none. */
struct place {
	char user[64];
	char host[256];
	char port[8];
};

/* A first '-' would make it an option of ssh's. */
static bool is_name(const char *text, size_t length, const char *more)
{
	if (length == 0 || text[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr(NAME_CHARACTERS, text[i]) && !strchr(more, text[i]))
			return false;
	return true;
}

static bool parse_host(const char *text, struct place *ret)
{
	const char *end, *colon;
	size_t length;
	uint32_t port;

	if (text[0] == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		length = (size_t)(end - text);
		colon = end[1] ? end + 1 : NULL;
		if (!is_name(text, length, ":%"))
			return false;
	} else {
		colon = strchr(text, ':');
		length = colon ? (size_t)(colon - text) : strlen(text);
		if (!is_name(text, length, ""))
			return false;
	}
	if (length >= sizeof(ret->host))
		return false;
	memcpy(ret->host, text, length);
	if (!colon)
		return true;
	if (!ctl_number_parse(colon + 1, &port) || port == 0 || port > UINT16_MAX)
		return false;
	snprintf(ret->port, sizeof(ret->port), "%u", port);
	return true;
}

static bool parse_url(const char *url, struct place *ret)
{
	const char *at;

	*ret = (struct place){};
	if (strncmp(url, "ssh://", 6) != 0)
		return false;
	url += 6;
	at = strchr(url, '@');
	if (at) {
		size_t length = (size_t)(at - url);

		if (!is_name(url, length, "") || length >= sizeof(ret->user))
			return false;
		memcpy(ret->user, url, length);
		url = at + 1;
	}
	return parse_host(url, ret);
}

bool ctl_remote_is_url(const char *url)
{
	struct place place;

	return parse_url(url, &place);
}

/* The line that the shell there gets. The caller frees it. */
static char *make_command(const struct ctl *ctl, const char *const *arguments)
{
	vgpu_autofree char *socket = NULL;
	char *line = NULL;
	size_t size;
	FILE *f = open_memstream(&line, &size);

	if (!f)
		return NULL;
	/* Where it is set for logins, that machine would ask another. */
	fputs("env VGPU_HOST= vgpuctl", f);
	if (ctl->has_socket) {
		socket = ctl_text_quote(ctl->socket);
		fprintf(f, " --socket %s", socket ? socket : "");
	}
	for (; *arguments; arguments++) {
		vgpu_autofree char *word = ctl_text_quote(*arguments);

		fprintf(f, " %s", word ? word : "");
	}
	if (fclose(f) != 0) {
		free(line);
		return NULL;
	}
	return line;
}

static size_t make_words(const struct ctl *ctl, const struct place *place,
			 char *line, const char *ret_words[WORDS_MAX])
{
	const char *program = getenv("VGPU_SSH");
	size_t n = 0;

	ret_words[n++] = program && program[0] ? program : "ssh";
	/* No terminal, no escapes, nothing forwarded: bytes, and nothing else. */
	ret_words[n++] = "-T";
	ret_words[n++] = "-x";
	ret_words[n++] = "-a";
	ret_words[n++] = "-oEscapeChar=none";
	ret_words[n++] = "-oClearAllForwardings=yes";
	ret_words[n++] = "-oConnectTimeout=10";
	ret_words[n++] = "-oServerAliveInterval=15";
	/* Many at a time cannot all ask for a password. */
	if (ctl->is_batch)
		ret_words[n++] = "-oBatchMode=yes";
	if (place->user[0]) {
		ret_words[n++] = "-l";
		ret_words[n++] = place->user;
	}
	if (place->port[0]) {
		ret_words[n++] = "-p";
		ret_words[n++] = place->port;
	}
	ret_words[n++] = "--";
	ret_words[n++] = place->host;
	ret_words[n++] = line;
	ret_words[n] = NULL;
	return n;
}

/* In the child: never returns. */
__attribute__((noreturn)) static void execute(const char *const *words,
					      int input, int output, int errors)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
	    (errors < 0 || dup2(errors, STDERR_FILENO) >= 0))
		execvp(words[0], (char *const *)words);
	fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
	_exit(EXIT_SSH);
}

static int start(const struct ctl *ctl, const char *const *arguments, int input,
		 int output, int errors, pid_t *ret_pid, struct vgpu_err *err)
{
	const char *words[WORDS_MAX];
	vgpu_autofree char *line = NULL;
	struct place place;
	pid_t pid;

	if (!parse_url(ctl->host, &place))
		return vgpu_err_set(
			err, -EINVAL, NULL,
			"--host takes ssh://[USER@]HOST[:PORT], not '%s'",
			ctl->host);
	line = make_command(ctl, arguments);
	if (!line)
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	make_words(ctl, &place, line, words);
	pid = fork();
	if (pid < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot start ssh: %m");
	if (pid == 0)
		execute(words, input, output, errors);
	*ret_pid = pid;
	return 0;
}

int ctl_remote_connect(struct ctl *ctl, int *ret_fd, struct vgpu_err *err)
{
	static const char *const bridge[] = {"bridge", NULL};
	struct ctl_remote *remote;
	int pair[2], r;

	ctl_remote_finish(ctl);
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	ctl->remote = remote;
	remote->errors = memfd_create("vgpuctl-ssh", MFD_CLOEXEC);
	if (remote->errors < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot make a socket: %m");
	r = start(ctl, bridge, pair[1], pair[1], remote->errors, &remote->pid,
		  err);
	vgpu_close(pair[1]);
	if (r < 0)
		vgpu_close(pair[0]);
	else
		*ret_fd = pair[0];
	return r;
}

/* Its exit status; it is ended if it does not end. */
static int wait_for_end(struct ctl_remote *remote)
{
	vgpu_autoclose int fd = pidfd_open(remote->pid, 0);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int status = 0;

	if (fd < 0 || poll(&poll_fd, 1, END_MS) != 1)
		kill(remote->pid, SIGTERM);
	while (waitpid(remote->pid, &status, 0) < 0 && errno == EINTR)
		;
	remote->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SSH;
}

/* The last line that was said, without the name of our program there. */
static void read_last_line(const struct ctl_remote *remote, char *ret, size_t size)
{
	off_t end = lseek(remote->errors, 0, SEEK_END);
	off_t from = end > (off_t)size - 1 ? end - (off_t)(size - 1) : 0;
	ssize_t n = pread(remote->errors, ret, size - 1, from);
	char *line;

	ret[n > 0 ? n : 0] = '\0';
	for (n--; n >= 0 && (ret[n] == '\n' || ret[n] == '\r'); n--)
		ret[n] = '\0';
	line = strrchr(ret, '\n');
	line = line ? line + 1 : ret;
	if (strncmp(line, "vgpuctl: ", 9) == 0)
		line += 9;
	memmove(ret, line, strlen(line) + 1);
}

int ctl_remote_explain(struct ctl *ctl, struct vgpu_err *err)
{
	struct ctl_remote *remote = ctl->remote;
	char line[300];
	int status;

	if (!remote || remote->pid <= 0)
		return 0;
	status = wait_for_end(remote);
	read_last_line(remote, line, sizeof(line));
	if (status == EXIT_SSH)
		return vgpu_err_set(err, -EHOSTUNREACH, NULL,
				    "%s cannot be reached by ssh: %s", ctl->host,
				    line[0] ? line : "it does not say why");
	if (status == EXIT_NO_FILE)
		return vgpu_err_set(err, -ENOPKG, NULL,
				    "%s has no vgpuctl: install OpenVGPU there",
				    ctl->host);
	if (line[0])
		return vgpu_err_set(err, -EREMOTEIO, NULL, "%s: %s", ctl->host,
				    line);
	return 0;
}

void ctl_remote_finish(struct ctl *ctl)
{
	struct ctl_remote *remote = ctl->remote;

	if (!remote)
		return;
	/* Its input has ended: so does it, and ssh with it. */
	if (remote->pid > 0)
		wait_for_end(remote);
	vgpu_close(remote->errors);
	free(remote);
	ctl->remote = NULL;
}

enum ctl_exit ctl_remote_run(struct ctl *ctl, const char *const *arguments,
			     int output)
{
	/* What ssh read of our input would be lost to whoever comes after us. */
	vgpu_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct vgpu_err err = {};
	int status = 0;
	pid_t pid;

	if (null < 0)
		return ctl_fail("cannot open /dev/null: %s", strerror(errno));
	fflush(stdout);
	if (start(ctl, arguments, null, output, -1, &pid, &err) < 0)
		return ctl_fail("%s", err.text);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) <= CTL_USAGE)
		return (enum ctl_exit)WEXITSTATUS(status);
	return ctl_fail("%s cannot be reached by ssh, or has no vgpuctl",
			ctl->host);
}
