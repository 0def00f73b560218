/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vgpu-launch keeps of render processes for a successor of the device. */
#include "device/launch/kept.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "lib/util.h"

struct vgpu_kept_process *vgpu_kept_find_pid(struct vgpu_kept *kept, pid_t pid)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept->process); i++)
		if (kept->process[i].pid == pid)
			return &kept->process[i];
	return NULL;
}

struct vgpu_kept_process *vgpu_kept_find_id(struct vgpu_kept *kept, uint64_t id)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept->process); i++)
		if (kept->process[i].pid && kept->process[i].id == id)
			return &kept->process[i];
	return NULL;
}

void vgpu_kept_forget(struct vgpu_kept_process *process)
{
	vgpu_close(process->socket[0]);
	vgpu_close(process->socket[1]);
	vgpu_close(process->calls);
	while (process->n_files)
		vgpu_close(process->file[--process->n_files]);
	*process = (struct vgpu_kept_process){};
}

/* Keep memfds only: another fd could keep anything alive. */
static bool is_memfd(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       fcntl(fd, F_GET_SEALS) >= 0;
}

void vgpu_kept_add_file(struct vgpu_kept_process *process, int fd)
{
	if (process->n_files < VGPU_ARRAY_SIZE(process->file) && is_memfd(fd))
		process->file[process->n_files++] = fd;
	else
		vgpu_close(fd);
}

void vgpu_kept_put(struct vgpu_kept *kept, uint64_t id, int fd)
{
	if (id >= VGPU_ARRAY_SIZE(kept->memory) || !is_memfd(fd)) {
		vgpu_close(fd);
		return;
	}
	vgpu_kept_drop(kept, id);
	kept->memory[id] = (struct vgpu_kept_memory){fd + 1, true};
}

void vgpu_kept_drop(struct vgpu_kept *kept, uint64_t id)
{
	if (id >= VGPU_ARRAY_SIZE(kept->memory))
		return;
	vgpu_close(kept->memory[id].fd_plus_1 - 1);
	kept->memory[id] = (struct vgpu_kept_memory){};
}

int vgpu_kept_get(struct vgpu_kept *kept, uint64_t id)
{
	if (id >= VGPU_ARRAY_SIZE(kept->memory))
		return -1;
	kept->memory[id].is_named = true;
	return kept->memory[id].fd_plus_1 - 1;
}

void vgpu_kept_begin(struct vgpu_kept *kept)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept->process); i++)
		kept->process[i].is_named = false;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept->memory); i++)
		kept->memory[i].is_named = false;
}

void vgpu_kept_end_others(struct vgpu_kept *kept)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept->process); i++)
		if (kept->process[i].pid && !kept->process[i].is_named)
			kill(kept->process[i].pid, SIGKILL);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(kept->memory); i++)
		if (!kept->memory[i].is_named)
			vgpu_kept_drop(kept, i);
}
