/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of mediated devices that a GPU's own driver has, by what it says of them. */
#include "types.h"

#include <string.h>

#include "lib/util.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"

#define TYPES	    "%s/mdev_supported_types"
#define DESCRIPTION 1024 /* NVIDIA's and GVT-g's are below 200 */
/* More is no number of devices that anybody has. */
#define INSTANCES_MAX 65535

/* The number behind @key in @text, and what comes behind that; NULL: none. */
static const char *find_number(const char *text, const char *key,
			       uint64_t *ret_number)
{
	const char *at = strstr(text, key);
	char *end;

	if (!at)
		return NULL;
	at += strlen(key);
	at += strspn(at, ":= ");
	if (*at < '0' || *at > '9')
		return NULL;
	errno = 0;
	*ret_number = strtoull(at, &end, 10);
	return errno ? NULL : end;
}

static uint32_t read_number(const char *text, const char *key, uint32_t max)
{
	uint64_t number;

	return find_number(text, key, &number) && number <= max ? (uint32_t)number
								: 0;
}

static void read_resolution(const char *text, const char *key,
			    struct vgpu_type *type)
{
	uint64_t width, height;
	const char *rest = find_number(text, key, &width);

	if (!rest || *rest != 'x' || !find_number(rest, "x", &height) ||
	    width > VGPU_DIMENSION_MAX || height > VGPU_DIMENSION_MAX)
		return;
	type->max_width = (uint32_t)width;
	type->max_height = (uint32_t)height;
}

void vgpu_mdev_types_describe(const char *description, struct vgpu_type *type)
{
	/* GVT-g: two parts of the GPU's memory. NVIDIA: one. */
	uint64_t mib = (uint64_t)read_number(description, "low_gm_size",
					     VGPU_TYPE_FRAMEBUFFER_MIB_MAX) +
		       read_number(description, "high_gm_size",
				   VGPU_TYPE_FRAMEBUFFER_MIB_MAX);

	if (mib == 0)
		mib = read_number(description, "framebuffer",
				  VGPU_TYPE_FRAMEBUFFER_MIB_MAX);
	type->framebuffer_mib =
		(uint32_t)VGPU_MIN(mib, VGPU_TYPE_FRAMEBUFFER_MIB_MAX);
	type->heads = read_number(description, "num_heads", VGPU_HEADS_MAX);
	read_resolution(description, "resolution", type);
	if (type->max_width && !type->heads)
		type->heads = 1; /* GVT-g's */
	type->frame_rate_limit =
		read_number(description, "frl_config", VGPU_TYPE_FRAME_RATE_MAX);
	type->max_instances =
		read_number(description, "max_instance", INSTANCES_MAX);
}

/* All of an attribute's lines, which are joined by a blank. */
static int read_lines(int sysfs, const char *parent, const char *folder,
		      char ret[DESCRIPTION])
{
	vgpu_autoclose int fd =
		vgpu_sysfs_open(sysfs, TYPES "/%s/description", parent, folder);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, ret, DESCRIPTION - 1, 0);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	for (char *c = ret; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = ' ';
	return 0;
}

/* "GRID P40-1Q" is 1Q; what has no such name is called as its folder is. */
static void name_type(const struct vgpu_mdev_types *types, const char *folder,
		      const char *full_name, struct vgpu_type *type)
{
	const char *dash = strrchr(full_name, '-');
	const char *name = dash ? dash + 1 : "";
	char series;
	uint32_t mib;

	if (!vgpu_type_parse_name(name, &series, &mib)) {
		dash = strchr(folder, '-');
		name = dash && strlen(dash + 1) > 2 ? dash + 1 : folder;
	}
	for (size_t i = 0; i < types->count; i++)
		if (strcmp(types->types[i].name, name) == 0)
			name = folder;
	if (!VGPU_TEXT_SET(type->name, name))
		snprintf(type->name, sizeof(type->name), "%u", type->id);
	series = type->name[strlen(type->name) - 1];
	type->series = strchr("QBAC", series) ? series : '?';
}

/* NVIDIA's have numbers; others are counted in the order of their names. */
static uint32_t number_of(const char *folder, size_t i)
{
	unsigned int number;
	int end = 0;

	if (sscanf(folder, "nvidia-%u%n", &number, &end) == 1 && !folder[end] &&
	    number > 0)
		return number;
	return (uint32_t)i + 1;
}

static void add_type(struct vgpu_mdev_types *types, int sysfs,
		     const char *parent, const char *folder, size_t i)
{
	struct vgpu_type type = {.id = number_of(folder, i), .weight = 100};
	char text[DESCRIPTION], name[128], api[32];

	if (vgpu_sysfs_read(sysfs, api, sizeof(api), TYPES "/%s/device_api",
			    parent, folder) < 0 ||
	    strcmp(api, "vfio-pci") != 0 ||
	    !VGPU_TEXT_SET(types->folders[types->count], folder))
		return;
	if (vgpu_sysfs_read(sysfs, name, sizeof(name), TYPES "/%s/name", parent,
			    folder) < 0)
		name[0] = '\0';
	if (read_lines(sysfs, parent, folder, text) == 0)
		vgpu_mdev_types_describe(text, &type);
	vgpu_type_fill_in(&type);
	type.host_memory_mib = 0;
	name_type(types, folder, name, &type);
	types->types[types->count++] = type;
}

int vgpu_mdev_types_read(int sysfs, const char *parent,
			 struct vgpu_mdev_types *ret_types)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	struct vgpu_mdev_types types = {};
	size_t count;
	int r;

	r = vgpu_sysfs_list(sysfs, &names, &count, TYPES, parent);
	if (r < 0)
		return r;
	types.types = calloc(count + 1, sizeof(*types.types));
	types.folders = calloc(count + 1, sizeof(*types.folders));
	if (!types.types || !types.folders) {
		vgpu_mdev_types_finish(&types);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		add_type(&types, sysfs, parent, names[i], i);
	*ret_types = types;
	return 0;
}

void vgpu_mdev_types_finish(struct vgpu_mdev_types *types)
{
	free(types->types);
	free(types->folders);
	*types = (struct vgpu_mdev_types){};
}

uint64_t vgpu_mdev_types_available(const struct vgpu_mdev_types *types,
				   size_t i, int sysfs, const char *parent)
{
	uint64_t n;

	return vgpu_sysfs_read_number(sysfs, &n, TYPES "/%s/available_instances",
				      parent, types->folders[i]) < 0
		       ? 0
		       : VGPU_MIN(n, INSTANCES_MAX);
}
