/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A terminal that is redrawn repeatedly. */
#include "ctl/common/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>

#include "lib/util.h"

#define ENTER_SCREEN                                                           \
	"\x1b[?1049h\x1b[?25l\x1b[?7l" /* other screen, no cursor, no wrap */
#define LEAVE_SCREEN "\x1b[?7h\x1b[?25h\x1b[?1049l"
#define HOME	     "\x1b[H"
#define CLEAR_LINE   "\x1b[K"
#define CLEAR_REST   "\x1b[J"

/* A process has one terminal, so its state is the process's. */
static struct {
	int signals;   /* signalfd for signals that end or resize the program */
	bool has_keys; /* stdin is a terminal too */
	struct termios before; /* with has_keys */
	sigset_t before_signals;
	/* What was typed and not taken yet. */
	char typed[64];
	size_t typed_bytes;
} terminal;

bool ctl_terminal_is_there(void)
{
	return isatty(STDOUT_FILENO);
}

int ctl_terminal_init(void)
{
	struct termios keys;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGWINCH);
	/* Take signals by fd, so that the screen can be restored first. */
	if (sigprocmask(SIG_BLOCK, &mask, &terminal.before_signals) < 0)
		return -errno;
	terminal.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (terminal.signals < 0) {
		int r = -errno;

		sigprocmask(SIG_SETMASK, &terminal.before_signals, NULL);
		return r;
	}
	terminal.has_keys = isatty(STDIN_FILENO) &&
			    tcgetattr(STDIN_FILENO, &terminal.before) == 0;
	if (terminal.has_keys) {
		keys = terminal.before;
		keys.c_lflag &= ~(ICANON | ECHO);
		/*
		 * Disable ctrl-Z: a stopped program would leave its screen to
		 * the shell.
		 */
		keys.c_cc[VSUSP] = _POSIX_VDISABLE;
		keys.c_cc[VMIN] = 1;
		keys.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	fputs(ENTER_SCREEN, stdout);
	fflush(stdout);
	return 0;
}

void ctl_terminal_finish(void)
{
	fputs(LEAVE_SCREEN, stdout);
	fflush(stdout);
	if (terminal.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
	terminal.signals = vgpu_close(terminal.signals);
	sigprocmask(SIG_SETMASK, &terminal.before_signals, NULL);
}

unsigned int ctl_terminal_columns(void)
{
	struct winsize size = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

unsigned int ctl_terminal_rows(void)
{
	struct winsize size = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
		return size.ws_row;
	return 24;
}

void ctl_terminal_draw(const char *text)
{
	unsigned int rows = ctl_terminal_rows();

	fputs(HOME, stdout);
	for (unsigned int row = 0; row < rows && *text; row++) {
		size_t length = strcspn(text, "\n");

		/*
		 * Newlines between lines only: one after the last would scroll.
		 */
		if (row > 0)
			putchar('\n');
		fwrite(text, 1, length, stdout);
		fputs(CLEAR_LINE, stdout);
		text += length;
		if (*text == '\n')
			text++;
	}
	fputs(CLEAR_REST, stdout);
	fflush(stdout);
}

static void drop_typed(size_t bytes)
{
	terminal.typed_bytes -= bytes;
	memmove(terminal.typed, terminal.typed + bytes, terminal.typed_bytes);
}

/* The next key of those typed; CTL_KEY_NONE: there is none. */
static int take_key(void)
{
	static const struct {
		const char *bytes;
		int key;
	} keys[] = {
		{"\x1b[A", CTL_KEY_UP},	      {"\x1bOA", CTL_KEY_UP},
		{"\x1b[B", CTL_KEY_DOWN},     {"\x1bOB", CTL_KEY_DOWN},
		{"\x1b[5~", CTL_KEY_PAGE_UP}, {"\x1b[6~", CTL_KEY_PAGE_DOWN},
		{"\x1b[H", CTL_KEY_FIRST},    {"\x1bOH", CTL_KEY_FIRST},
		{"\x1b[F", CTL_KEY_LAST},     {"\x1bOF", CTL_KEY_LAST},
		{"q", CTL_KEY_END},	      {"Q", CTL_KEY_END},
	};
	int key;

	if (terminal.typed_bytes == 0)
		return CTL_KEY_NONE;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i].bytes);

		if (n <= terminal.typed_bytes &&
		    memcmp(terminal.typed, keys[i].bytes, n) == 0) {
			drop_typed(n);
			return keys[i].key;
		}
	}
	key = (unsigned char)terminal.typed[0];
	/* Of what no key is known by, no part is one. */
	drop_typed(key == '\x1b' ? terminal.typed_bytes : 1);
	return key;
}

/* Returns false if there will be no more. */
static bool read_keys(void)
{
	/* take_key() has left nothing. */
	ssize_t n = read(STDIN_FILENO, terminal.typed, sizeof(terminal.typed));

	terminal.typed_bytes = n > 0 ? (size_t)n : 0;
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static bool has_signal_to_end(void)
{
	struct signalfd_siginfo info;

	while (read(terminal.signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGWINCH)
			return true;
	return false;
}

static int milliseconds_until(const struct timespec *end)
{
	struct timespec now;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (int64_t)(end->tv_sec - now.tv_sec) * 1000 +
	       (end->tv_nsec - now.tv_nsec) / 1000000;
	return VGPU_MAX(left, 0);
}

int ctl_terminal_wait(int milliseconds)
{
	struct timespec end;
	int key;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += milliseconds / 1000;
	end.tv_nsec += milliseconds % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000L) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000L;
	}

	while ((key = take_key()) == CTL_KEY_NONE) {
		struct pollfd fds[] = {
			{.fd = terminal.signals, .events = POLLIN},
			{.fd = terminal.has_keys ? STDIN_FILENO : -1,
			 .events = POLLIN},
		};
		int n = poll(fds, VGPU_ARRAY_SIZE(fds), milliseconds_until(&end));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? CTL_KEY_END : CTL_KEY_NONE;
		if (fds[0].revents && has_signal_to_end())
			return CTL_KEY_END;
		if (fds[0].revents)
			return CTL_KEY_RESIZED;
		if (fds[1].revents && !read_keys())
			return CTL_KEY_END;
	}
	return key;
}
