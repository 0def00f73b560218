/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a virtual machine is called. */
#include "vm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "lib/name.h"
#include "lib/util.h"

#include "manager.h"

#define LINE_BYTES_MAX (256UL * 1024)

/* "NAME,more" or "guest=NAME,more"; a comma of the name is written twice. */
static void copy_name(const char *word, char name[static CTL_VM_NAME_SIZE])
{
	size_t n = 0;

	if (strncmp(word, "guest=", 6) == 0)
		word += 6;
	while (*word && n < CTL_VM_NAME_SIZE - 1u) {
		if (*word == ',' && *++word != ',')
			break;
		name[n++] = *word++;
	}
	name[n] = '\0';
}

static void read_words(const char *line, size_t bytes, struct ctl_vm *ret)
{
	const char *end = line + bytes, *option = "";

	/* It ends with a 0 byte, see ctl_vm_find(). */
	for (const char *word = line; word < end; word += strlen(word) + 1) {
		if (strcmp(option, "-name") == 0)
			copy_name(word, ret->name);
		else if (strcmp(option, "-uuid") == 0 && vgpu_uuid_has_form(word))
			snprintf(ret->uuid, sizeof(ret->uuid), "%s", word);
		option = word;
	}
}

void ctl_vm_find(uint64_t pid, struct ctl_vm *ret)
{
	vgpu_autofree char *line = malloc(LINE_BYTES_MAX);
	vgpu_autoclose int fd = -1;
	size_t bytes = 0;
	char path[64];
	ssize_t n = 1;

	*ret = (struct ctl_vm){};
	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!line || fd < 0)
		return;
	while (n > 0 && bytes < LINE_BYTES_MAX - 1) {
		n = read(fd, line + bytes, LINE_BYTES_MAX - 1 - bytes);
		if (n > 0)
			bytes += (size_t)n;
	}
	line[bytes] = '\0';
	read_words(line, bytes, ret);
}

void ctl_vm_of_vgpu(const struct ctl *ctl, sd_json_variant *vgpu,
		    struct ctl_vm *ret)
{
	uint64_t pid;

	*ret = (struct ctl_vm){};
	/* A number of another machine says nothing here. */
	if (!ctl->host && ctl_json_unsigned(vgpu, "vmPid", &pid))
		ctl_vm_find(pid, ret);
}
