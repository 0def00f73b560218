/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write_failing PATH VALUE N: write to a file while the Nth allocation of that fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char left[16] = "";
	int file, nth, failed;
	long unreached;

	if (argc != 4)
		return 2;
	file = open(argv[1], O_WRONLY | O_CLOEXEC);
	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (file < 0 || nth < 0 || pwrite(nth, argv[3], strlen(argv[3]), 0) < 0) {
		perror("write_failing");
		return 2;
	}
	failed = write(file, argv[2], strlen(argv[2])) < 0 ? errno : 0;
	/* Counted down to 0: there were so many. More must not be struck. */
	if (pread(nth, left, sizeof(left) - 1, 0) <= 0 ||
	    pwrite(nth, "0", 1, 0) != 1) {
		perror("write_failing");
		return 2;
	}
	unreached = strtol(left, NULL, 10);
	printf("nth %s: error %d, %ld allocations%s\n", argv[3], failed,
	       strtol(argv[3], NULL, 10) - unreached,
	       unreached ? "" : ", the last failed");
	return 0;
}
