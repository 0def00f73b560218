/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A password from standard input. */
#include "ctl/common/password.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "lib/util.h"

/* Wait for a line, or for a signal, which stays pending. */
static bool wait_for_line(const sigset_t *mask)
{
	vgpu_autoclose int signals = signalfd(-1, mask, SFD_CLOEXEC);
	struct pollfd ready[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = signals, .events = POLLIN},
	};
	int n;

	do
		n = poll(ready, VGPU_ARRAY_SIZE(ready), -1);
	while (n < 0 && errno == EINTR);
	return n > 0 && !ready[1].revents;
}

static bool read_quietly(char *password, size_t size, const struct termios *before)
{
	struct termios quiet = *before;
	sigset_t mask, before_mask;
	bool is_read;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, &before_mask) < 0)
		return false;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* A stopped program would leave a silent terminal to the shell. */
	quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
	fputs("Password: ", stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	is_read = wait_for_line(&mask) && fgets(password, (int)size, stdin);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
	fputc('\n', stderr);
	/* If a signal came, this is the end. */
	sigprocmask(SIG_SETMASK, &before_mask, NULL);
	return is_read;
}

bool ctl_password_read(char *password, size_t size)
{
	struct termios before;
	bool is_read = tcgetattr(STDIN_FILENO, &before) == 0
			       ? read_quietly(password, size, &before)
			       : fgets(password, (int)size, stdin) != NULL;

	if (is_read)
		password[strcspn(password, "\n")] = '\0';
	return is_read && password[0];
}
