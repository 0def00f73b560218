/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_failing MODULE N: load a module while the Nth allocation of that fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char left[16] = "";
	int module, nth, failed;
	long unreached;

	if (argc != 3)
		return 2;
	module = open(argv[1], O_RDONLY | O_CLOEXEC);
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (module < 0 || nth < 0 ||
	    pwrite(nth, argv[2], strlen(argv[2]), 0) < 0) {
		perror("load_failing");
		return 2;
	}
	failed = syscall(SYS_finit_module, module, "", 0) ? errno : 0;
	/* Counted down to 0: there were so many. More must not be struck. */
	if (pread(nth, left, sizeof(left) - 1, 0) <= 0 ||
	    pwrite(nth, "0", 1, 0) != 1) {
		perror("load_failing");
		return 2;
	}
	unreached = strtol(left, NULL, 10);
	printf("nth %s: error %d, %ld allocations%s\n", argv[2], failed,
	       strtol(argv[2], NULL, 10) - unreached,
	       unreached ? "" : ", the last failed");
	return 0;
}
