// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's process that uses framebuffer by BAR1, and nothing else meanwhile. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCESSES 1000000
#define STEP	 521 /* of words: all pages in turn */
#define PAUSE_S	 3   /* for who counts the exits to look */

int main(int argc, char **argv)
{
	volatile uint32_t *words;
	uint32_t i, count, sum = 0;
	struct stat stat;
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || fstat(fd, &stat))
		return 1;
	words = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return 1;
	count = (uint32_t)(stat.st_size / 4);
	/* Each page is mapped when it is touched first. */
	for (i = 0; i < count; i += 1024)
		sum += words[i];
	puts("guest: data path begins");
	sleep(PAUSE_S);
	for (i = 0; i < ACCESSES / 2; i++) {
		words[(uint64_t)i * STEP % count] = i;
		sum += words[(uint64_t)i * STEP % count];
	}
	sleep(1);
	printf("guest: data path ends after %u accesses\n", ACCESSES);
	sleep(PAUSE_S);
	return sum == 1; /* the compiler is to keep it */
}
