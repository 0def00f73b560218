/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits of a context's host memory, which this process sets for itself. */
#include "context.h"
#include "work.h"

#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096ULL
/*
 * One part of this many is for files. device/render/host_memory.c adjusts the
 * limits later.
 */
#define FILE_PART 8
/* Fds to search for the driver's files. */
#define FDS_MAX 64

void vgpu_limits_prepare(void)
{
	pthread_attr_t attr;

	/*
	 * A write beyond RLIMIT_FSIZE fails then, instead of ending the
	 * process.
	 */
	signal(SIGXFSZ, SIG_IGN);
	if (!VGPU_IS_LIMITED || pthread_attr_init(&attr))
		return;
	/*
	 * Stacks count as address space: the default of 8 MiB would be too
	 * much.
	 */
	if (pthread_attr_setstacksize(&attr, VGPU_STACK_BYTES) == 0)
		pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

static bool read_statm(uint64_t *ret_space, uint64_t *ret_data)
{
	vgpu_autofclose FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long space, data;

	if (!file || fscanf(file, "%llu %*u %*u %*u %*u %llu", &space, &data) != 2)
		return false;
	*ret_space = space * PAGE_BYTES;
	*ret_data = data * PAGE_BYTES;
	return true;
}

/*
 * Pages of libraries that the loader wrote to and then made read-only are
 * private memory, though the kernel does not count them as data.
 */
static int add_relro(struct dl_phdr_info *info, size_t size, void *sum)
{
	uint64_t *bytes = sum;

	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			*bytes += vgpu_align_up(info->dlpi_phdr[i].p_memsz,
						PAGE_BYTES);
	return 0;
}

static bool limit(__rlimit_resource_t resource, uint64_t bytes)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return false;
	now.rlim_cur = VGPU_MIN((rlim_t)bytes, now.rlim_max);
	return setrlimit(resource, &now) == 0;
}

bool vgpu_limits_enter(uint64_t bytes, bool is_software, uint64_t *ret_fixed)
{
	uint64_t file_bytes = bytes / FILE_PART;
	uint64_t space, data, relro = 0;

	*ret_fixed = 0;
	if (!VGPU_IS_LIMITED || !bytes)
		return true;
	if (!read_statm(&space, &data))
		return false;
	dl_iterate_phdr(add_relro, &relro);
	*ret_fixed = space - data - relro;
	bytes -= file_bytes;
	return limit(RLIMIT_FSIZE, file_bytes) &&
	       (is_software ? limit(RLIMIT_AS, *ret_fixed + bytes)
			    : limit(RLIMIT_DATA, bytes));
}

/* Whether the fd is a file without a name, such as a memfd. */
static bool is_nameless(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0;
}

unsigned int vgpu_limits_find_files(int ret_fd[VGPU_RENDER_FILES_MAX])
{
	unsigned int n = 0;

	for (int fd = VGPU_RENDER_FD_MEMORY + 1;
	     fd < FDS_MAX && n < VGPU_RENDER_FILES_MAX; fd++)
		if (is_nameless(fd))
			ret_fd[n++] = fd;
	return n;
}
