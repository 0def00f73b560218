// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's process that fills framebuffer by BAR1, and looks at it again and
 * again: it must be as it was, wherever the guest has moved meanwhile.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_WORDS 1024
#define PAGES	   512
#define LOOKS	   10000
#define PAUSE_US   200000
#define WORD_OF(i) ((uint32_t)(i) * 0x9e3779b1U | 1)

int main(int argc, char **argv)
{
	volatile uint32_t *words;
	uint32_t look, i;
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		return 1;
	words = mmap(NULL, PAGES * PAGE_WORDS * sizeof(*words),
		     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < PAGES; i++)
		words[i * PAGE_WORDS] = WORD_OF(i);
	for (look = 1; look <= LOOKS; look++) {
		for (i = 0; i < PAGES; i++) {
			if (words[i * PAGE_WORDS] == WORD_OF(i))
				continue;
			printf("guest: page %u FAILED in look %u\n", i, look);
			return 1;
		}
		printf("guest: look %u is right\n", look);
		usleep(PAUSE_US);
	}
	return 0;
}
