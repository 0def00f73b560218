/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GPUs of this machine, as vgpu-probe finds them through Vulkan. */
#include "inventory.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "manager/host/json.h"
#include "lib/util.h"
#include "manager/host/text.h"
#include "manager/host/process.h"

#define PROBE_TIMEOUT_MS 10000
#define PROBE_OUTPUT_MAX (256 * 1024) /* 64 GPUs need a tenth of it */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Read @fd to its end into @ret_text, NUL-terminated, before @deadline_ms. */
static int read_all(int fd, int64_t deadline_ms, char *ret_text, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = deadline_ms - now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return -ETIMEDOUT;
		n = read(fd, ret_text + used, size - 1 - used);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			used += (size_t)n;
		if (used == size - 1)
			return -E2BIG;
	}
	ret_text[used] = '\0';
	return 0;
}

int vgpu_inventory_ask(struct vgpu_process *ret_process, int *ret_reader,
		       struct vgpu_err *err)
{
	char *const argv[] = {(char *)"vgpu-probe", NULL};
	vgpu_autoclose int reader = -1, writer = -1;
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return vgpu_err_set(err, -errno, "Internal", "no pipe: %s",
				    strerror(errno));
	reader = fds[0];
	writer = fds[1];
	r = vgpu_process_start(argv, writer, /* group= */ -1,
			       VGPU_PROCESS_KEEP_ENVIRONMENT | VGPU_PROCESS_STDOUT,
			       ret_process, err);
	if (r >= 0)
		*ret_reader = vgpu_steal_fd(&reader);
	return r;
}

static int run_probe(char *ret_text, size_t size, struct vgpu_err *err)
{
	struct vgpu_process process = VGPU_PROCESS_NONE;
	int64_t deadline = now_ms() + PROBE_TIMEOUT_MS;
	char reason[VGPU_PROCESS_REASON_SIZE];
	vgpu_autoclose int reader = -1;
	struct pollfd p;
	int r;

	r = vgpu_inventory_ask(&process, &reader, err);
	if (r < 0)
		return r;
	r = read_all(reader, deadline, ret_text, size);
	p = (struct pollfd){.fd = process.pidfd, .events = POLLIN};
	if (r < 0 || poll(&p, 1, (int)VGPU_MAX(deadline - now_ms(), 0)) <= 0) {
		vgpu_process_signal(&process, SIGKILL);
		poll(&p, 1, 1000);
	}
	vgpu_process_reap(&process, reason);
	if (r == 0 && strcmp(reason, "ended with status 0") != 0)
		return vgpu_err_set(err, -EIO, "Internal", "vgpu-probe %s",
				    reason);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "vgpu-probe: %s",
				    r == -ETIMEDOUT ? "it did not end within 10 s"
						    : strerror(-r));
	return 0;
}

static void take_text(char *text, size_t size, sd_json_variant *variant)
{
	snprintf(text, size, "%s", sd_json_variant_string(variant));
	vgpu_text_make_printable(text);
}

/* One for each size that a text of struct vgpu_gpu has. */
#define DISPATCH_TEXT(size)                                                    \
	static int dispatch_text_##size(                                       \
		const char *name, sd_json_variant *variant,                    \
		sd_json_dispatch_flags_t flags, void *userdata)                \
	{                                                                      \
		take_text(userdata, size, variant);                            \
		return 0;                                                      \
	}
DISPATCH_TEXT(32)
DISPATCH_TEXT(40)
DISPATCH_TEXT(256)
DISPATCH_TEXT(320)

static int parse_gpu(sd_json_variant *json, struct vgpu_gpu *ret_gpu)
{
	static const sd_json_dispatch_field fields[] = {
		{"name", SD_JSON_VARIANT_STRING, dispatch_text_256,
		 offsetof(struct vgpu_gpu, name), SD_JSON_MANDATORY},
		{"driver", SD_JSON_VARIANT_STRING, dispatch_text_256,
		 offsetof(struct vgpu_gpu, driver), SD_JSON_MANDATORY},
		{"deviceUuid", SD_JSON_VARIANT_STRING, dispatch_text_40,
		 offsetof(struct vgpu_gpu, device_uuid), SD_JSON_MANDATORY},
		{"pciAddress", SD_JSON_VARIANT_STRING, dispatch_text_32,
		 offsetof(struct vgpu_gpu, pci_address), 0},
		{"software", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct vgpu_gpu, is_software), SD_JSON_MANDATORY},
		{"memoryImport", SD_JSON_VARIANT_STRING, dispatch_text_32,
		 offsetof(struct vgpu_gpu, memory_import), SD_JSON_MANDATORY},
		{"memoryImportFailure", SD_JSON_VARIANT_STRING, dispatch_text_320,
		 offsetof(struct vgpu_gpu, unusable), SD_JSON_MANDATORY},
		{"memoryMib", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		 offsetof(struct vgpu_gpu, memory_mib), SD_JSON_MANDATORY},
		{},
	};
	struct vgpu_gpu gpu = {};
	int r;

	r = sd_json_dispatch(json, fields, SD_JSON_ALLOW_EXTENSIONS, &gpu);
	if (r < 0)
		return r;
	*ret_gpu = gpu;
	return 0;
}

static void add_gpu(struct vgpu_inventory *inventory, struct vgpu_gpu *found)
{
	struct vgpu_gpu *embedded = &inventory->gpus[0];
	char reason[sizeof(found->unusable)];

	if (found->is_software) {
		/* One software GPU is as good as another: the first is it. */
		if (embedded->is_software && embedded->device_uuid[0])
			return;
		*embedded = *found;
		embedded->pci_address[0] = '\0';
		/* Without Vulkan its guests still have displays. */
		embedded->unusable[0] = '\0';
		VGPU_TEXT_SET(embedded->id, VGPU_EMBEDDED_ID);
		return;
	}
	if (found->unusable[0]) {
		snprintf(reason, sizeof(reason),
			 "its driver cannot take a vGPU's memory (%.270s)",
			 found->unusable);
		VGPU_TEXT_SET(found->unusable, reason);
	}
	vgpu_inventory_add_found(inventory, found);
}

static int parse_output(struct vgpu_inventory *inventory, const char *text,
			struct vgpu_err *err)
{
	vgpu_autojson sd_json_variant *json = NULL;
	sd_json_variant *gpus;
	struct vgpu_gpu found;
	int r;

	r = sd_json_parse(text, 0, &json, NULL, NULL);
	gpus = r < 0 ? NULL : sd_json_variant_by_key(json, "gpus");
	if (!sd_json_variant_is_array(gpus))
		return vgpu_err_set(
			err, -EBADMSG, "Internal",
			"vgpu-probe: what it prints is not understood");
	for (size_t i = 0; i < sd_json_variant_elements(gpus); i++) {
		r = parse_gpu(sd_json_variant_by_index(gpus, i), &found);
		if (r < 0)
			return vgpu_err_set(
				err, r, "Internal",
				"vgpu-probe: a GPU that it prints is not understood");
		add_gpu(inventory, &found);
	}
	return 0;
}

static int make_inventory(struct vgpu_inventory *ret_inventory)
{
	struct vgpu_inventory inventory = {};
	struct vgpu_gpu *embedded;

	inventory.gpus = calloc(VGPU_INVENTORY_MAX, sizeof(*inventory.gpus));
	if (!inventory.gpus)
		return -ENOMEM;
	embedded = &inventory.gpus[inventory.count++];
	*embedded = (struct vgpu_gpu){.is_software = true};
	VGPU_TEXT_SET(embedded->id, VGPU_EMBEDDED_ID);
	VGPU_TEXT_SET(embedded->name, "Embedded software GPU");
	VGPU_TEXT_SET(embedded->driver, "none");
	*ret_inventory = inventory;
	return 0;
}

int vgpu_inventory_read(struct vgpu_inventory *ret_inventory, const char *text,
			struct vgpu_err *err)
{
	struct vgpu_inventory inventory;
	int r;

	if (make_inventory(&inventory) < 0)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	r = parse_output(&inventory, text, err);
	if (r < 0)
		vgpu_inventory_finish(&inventory);
	else
		*ret_inventory = inventory;
	return r;
}

int vgpu_inventory_init(struct vgpu_inventory *ret_inventory,
			char ret_problem[VGPU_ERR_TEXT_MAX])
{
	vgpu_autofree char *text = malloc(PROBE_OUTPUT_MAX);
	struct vgpu_inventory inventory = {};
	struct vgpu_err err = {};
	int r = 0;

	if (!text || make_inventory(&inventory) < 0)
		return -ENOMEM;

	/* What Vulkan finds is for the embedded one's devices. */
	if (VGPU_WITH_EMBEDDED)
		r = run_probe(text, PROBE_OUTPUT_MAX, &err);
	if (VGPU_WITH_EMBEDDED && r == 0)
		r = parse_output(&inventory, text, &err);
	if (r < 0)
		vgpu_text_copy(ret_problem, VGPU_ERR_TEXT_MAX, err.text);
	else
		ret_problem[0] = '\0';
	*ret_inventory = inventory;
	return 0;
}

void vgpu_inventory_finish(struct vgpu_inventory *inventory)
{
	for (size_t i = 0; i < inventory->count; i++) {
		struct vgpu_gpu *gpu = &inventory->gpus[i];

		if (gpu->ops)
			gpu->ops->finish(gpu);
	}
	free(inventory->gpus);
	*inventory = (struct vgpu_inventory){};
}

struct vgpu_gpu *vgpu_inventory_find(const struct vgpu_inventory *inventory,
				     const char *id)
{
	for (size_t i = 0; i < inventory->count; i++)
		if (strcasecmp(inventory->gpus[i].id, id) == 0)
			return &inventory->gpus[i];
	return NULL;
}

struct vgpu_gpu *vgpu_inventory_find_same(const struct vgpu_inventory *inventory,
					  const struct vgpu_gpu *gpu)
{
	struct vgpu_gpu *same = NULL;

	for (size_t i = 0; i < inventory->count; i++) {
		struct vgpu_gpu *other = &inventory->gpus[i];

		if (other->is_software)
			continue;
		if (gpu->device_uuid[0] &&
		    strcmp(other->device_uuid, gpu->device_uuid) == 0)
			return other;
		if (gpu->pci_address[0] &&
		    strcasecmp(other->pci_address, gpu->pci_address) == 0)
			same = other;
	}
	return same;
}

void vgpu_inventory_describe(struct vgpu_gpu *gpu, const struct vgpu_gpu *found)
{
	VGPU_TEXT_SET(gpu->name, found->name);
	VGPU_TEXT_SET(gpu->driver, found->driver);
	VGPU_TEXT_SET(gpu->device_uuid, found->device_uuid);
	VGPU_TEXT_SET(gpu->pci_address, found->pci_address);
	VGPU_TEXT_SET(gpu->memory_import, found->memory_import);
	VGPU_TEXT_SET(gpu->unusable, found->unusable);
	gpu->memory_mib = found->memory_mib;
}

struct vgpu_gpu *vgpu_inventory_add_found(struct vgpu_inventory *inventory,
					  const struct vgpu_gpu *found)
{
	struct vgpu_gpu *gpu;

	if (inventory->count == VGPU_INVENTORY_MAX)
		return NULL;
	gpu = &inventory->gpus[inventory->count++];
	*gpu = (struct vgpu_gpu){};
	vgpu_inventory_describe(gpu, found);
	if (gpu->pci_address[0])
		VGPU_TEXT_SET(gpu->id, gpu->pci_address);
	else
		snprintf(gpu->id, sizeof(gpu->id), "gpu%zu",
			 inventory->count - 1);
	return gpu;
}

static bool is_meant(const struct vgpu_gpu *gpu, const char *text)
{
	const char *pci = gpu->pci_address;

	if (strncmp(pci, "0000:", 5) == 0 && strcasecmp(pci + 5, text) == 0)
		return true;
	return *text && (strcasecmp(gpu->device_uuid, text) == 0 ||
			 strcasecmp(gpu->name, text) == 0);
}

struct vgpu_gpu *vgpu_inventory_choose(const struct vgpu_inventory *inventory,
				       const char *text, struct vgpu_err *err)
{
	struct vgpu_gpu *found = vgpu_inventory_find(inventory, text);
	char quoted[VGPU_QUOTED_SIZE];
	size_t n = 0;

	if (found)
		return found;
	for (size_t i = 0; i < inventory->count; i++) {
		if (!is_meant(&inventory->gpus[i], text))
			continue;
		found = &inventory->gpus[i];
		n++;
	}
	if (n == 1)
		return found;
	vgpu_err_set(err, -ENODEV, "NoSuchGpu",
		     n ? "several GPUs are called '%s': name one as `vgpuctl gpus` does"
		       : "there is no GPU '%s': `vgpuctl gpus` lists them",
		     vgpu_text_quote(quoted, text));
	return NULL;
}

struct vgpu_gpu *vgpu_inventory_add(struct vgpu_inventory *inventory,
				    const char *pci_address)
{
	struct vgpu_gpu *gpu;

	if (inventory->count == VGPU_INVENTORY_MAX)
		return NULL;
	gpu = &inventory->gpus[inventory->count++];
	*gpu = (struct vgpu_gpu){};
	VGPU_TEXT_SET(gpu->id, pci_address);
	VGPU_TEXT_SET(gpu->pci_address, pci_address);
	return gpu;
}
