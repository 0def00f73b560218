/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-probe: print the Vulkan GPUs of this machine as one line of JSON.
 *
 * Loading a driver means running its code: a process of its own, which ends
 * when it has printed, keeps a driver's crash, threads and signal handlers out
 * of the manager. What is created on a GPU, to see how its driver takes memory
 * of ours, is gone before it ends.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

#include "lib/util.h"
#include "vulkan/import.h"

#define GPUS_MAX       64   /* more than a machine has slots for */
#define EXTENSIONS_MAX 4096 /* a driver that lists more is broken */

static int fail(const char *what, VkResult result)
{
	fprintf(stderr, "vgpu-probe: %s failed: VkResult %d\n", what, result);
	return -1;
}

/*
 * The length of the UTF-8 sequence at @s, or 0 if there is none: JSON is UTF-8,
 * but a driver's strings are whatever the driver wrote.
 */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Print @text, of @size bytes at most, as the inside of a JSON string. */
static void print_escaped(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strnlen(text, size);

	while (left > 0) {
		size_t n = utf8_length(s, left);

		if (n == 0) {
			fputs("\\ufffd", stdout);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			printf("\\%c", *s);
		} else if (*s < 0x20 || *s == 0x7f) {
			printf("\\u%04x", *s);
		} else {
			fwrite(s, 1, n, stdout);
		}
		s += n;
		left -= n;
	}
}

static void print_member(const char *key, const char *text, size_t size)
{
	printf("\"%s\":\"", key);
	print_escaped(text, size);
	putchar('"');
}

static bool has_extension(VkPhysicalDevice gpu, const char *name)
{
	vgpu_autofree VkExtensionProperties *list = NULL;
	uint32_t count = 0;

	if (vkEnumerateDeviceExtensionProperties(gpu, NULL, &count, NULL) !=
	    VK_SUCCESS)
		return false;
	count = VGPU_MIN(count, EXTENSIONS_MAX);
	list = calloc(VGPU_MAX(count, 1), sizeof(*list));
	if (!list)
		return false;
	/* A list cut short (VK_INCOMPLETE) is searched as far as it goes. */
	if (vkEnumerateDeviceExtensionProperties(gpu, NULL, &count, list) < 0)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (strncmp(list[i].extensionName, name,
			    sizeof(list[i].extensionName)) == 0)
			return true;
	return false;
}

static uint64_t device_local_bytes(VkPhysicalDevice gpu)
{
	VkPhysicalDeviceMemoryProperties memory;
	uint64_t sum = 0;

	vkGetPhysicalDeviceMemoryProperties(gpu, &memory);
	for (uint32_t i = 0;
	     i < VGPU_MIN(memory.memoryHeapCount, VK_MAX_MEMORY_HEAPS); i++)
		if (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
			if (!vgpu_checked_add(sum, memory.memoryHeaps[i].size,
					      &sum))
				return UINT64_MAX;
	return sum;
}

/* [MiB, flags] of each heap, and [flags, heap] of each type, as Vulkan has them. */
static void print_memory(VkPhysicalDevice gpu)
{
	VkPhysicalDeviceMemoryProperties memory;

	vkGetPhysicalDeviceMemoryProperties(gpu, &memory);
	fputs(",\"memoryHeaps\":[", stdout);
	for (uint32_t i = 0;
	     i < VGPU_MIN(memory.memoryHeapCount, VK_MAX_MEMORY_HEAPS); i++)
		printf("%s[%llu,%u]", i ? "," : "",
		       (unsigned long long)(memory.memoryHeaps[i].size / VGPU_MIB),
		       memory.memoryHeaps[i].flags);
	fputs("],\"memoryTypes\":[", stdout);
	for (uint32_t i = 0;
	     i < VGPU_MIN(memory.memoryTypeCount, VK_MAX_MEMORY_TYPES); i++)
		printf("%s[%u,%u]", i ? "," : "",
		       memory.memoryTypes[i].propertyFlags,
		       memory.memoryTypes[i].heapIndex);
	putchar(']');
}

/* How a guest's Vulkan memory comes out of its framebuffer. */
static void print_import(VkInstance instance, VkPhysicalDevice gpu)
{
	struct vgpu_import import;

	vgpu_import_try(vkGetInstanceProcAddr, instance, gpu, &import);
	printf(",\"memoryImport\":\"%s\",", vgpu_import_way_name(import.way));
	print_member("memoryImportFailure", import.why, sizeof(import.why));
}

static void print_gpu(VkInstance instance, VkPhysicalDevice gpu,
		      uint32_t api_version)
{
	VkPhysicalDevicePCIBusInfoPropertiesEXT pci = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT,
	};
	VkPhysicalDeviceDriverProperties driver = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
	};
	VkPhysicalDeviceIDProperties id = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
	};
	VkPhysicalDeviceProperties2 properties = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
		.pNext = &id,
	};
	bool has_driver =
		api_version >= VK_API_VERSION_1_2 ||
		has_extension(gpu, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
	bool has_pci = has_extension(gpu, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);

	/* Only structures that the driver knows may be chained. */
	if (has_driver) {
		driver.pNext = properties.pNext;
		properties.pNext = &driver;
	}
	if (has_pci) {
		pci.pNext = properties.pNext;
		properties.pNext = &pci;
	}
	vkGetPhysicalDeviceProperties2(gpu, &properties);

	putchar('{');
	print_member("name", properties.properties.deviceName,
		     sizeof(properties.properties.deviceName));
	fputs(",\"driver\":\"", stdout);
	if (has_driver) {
		print_escaped(driver.driverName, sizeof(driver.driverName));
		if (driver.driverInfo[0]) {
			putchar(' ');
			print_escaped(driver.driverInfo,
				      sizeof(driver.driverInfo));
		}
	} else {
		fputs("unknown", stdout);
	}
	fputs("\",\"deviceUuid\":\"", stdout);
	for (size_t i = 0; i < VK_UUID_SIZE; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
		       id.deviceUUID[i]);
	putchar('"');
	if (has_pci)
		printf(",\"pciAddress\":\"%04x:%02x:%02x.%x\"", pci.pciDomain,
		       pci.pciBus, pci.pciDevice, pci.pciFunction);
	printf(",\"software\":%s",
	       properties.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU
		       ? "true"
		       : "false");
	printf(",\"vulkanVersion\":\"%u.%u\"",
	       VK_API_VERSION_MAJOR(properties.properties.apiVersion),
	       VK_API_VERSION_MINOR(properties.properties.apiVersion));
	print_memory(gpu);
	print_import(instance, gpu);
	printf(",\"memoryMib\":%llu}",
	       (unsigned long long)(device_local_bytes(gpu) / VGPU_MIB));
}

/* Returns 0, or -1 with a line on stderr. */
static int print_gpus(VkInstance instance)
{
	VkPhysicalDevice gpus[GPUS_MAX];
	uint32_t count = GPUS_MAX;
	const char *comma = "";
	VkResult result;

	result = vkEnumeratePhysicalDevices(instance, &count, gpus);
	if (result < 0)
		return fail("vkEnumeratePhysicalDevices", result);

	fputs("{\"gpus\":[", stdout);
	for (uint32_t i = 0; i < count; i++) {
		VkPhysicalDeviceProperties properties;

		vkGetPhysicalDeviceProperties(gpus[i], &properties);
		/* Before 1.1 a GPU has no UUID by which to tell it. */
		if (properties.apiVersion < VK_API_VERSION_1_1)
			continue;
		fputs(comma, stdout);
		print_gpu(instance, gpus[i], properties.apiVersion);
		comma = ",";
	}
	fputs("]}\n", stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const VkApplicationInfo application = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
		.pApplicationName = "vgpu-probe",
		.apiVersion = VK_API_VERSION_1_2,
	};
	const VkInstanceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
		.pApplicationInfo = &application,
	};
	VkInstance instance;
	VkResult result;
	int r;

	if (argc > 1) {
		fputs("usage: vgpu-probe (no arguments)\n", stderr);
		return 2;
	}

	/* Overlays and device choosers have no business in the manager's view. */
	setenv("VK_LOADER_LAYERS_DISABLE", "~implicit~", /* overwrite= */ 0);

	result = vkCreateInstance(&info, NULL, &instance);
	if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
		/* What the loader says where no driver is installed. */
		puts("{\"gpus\":[]}");
		r = 0;
	} else if (result != VK_SUCCESS) {
		r = fail("vkCreateInstance", result);
	} else {
		r = print_gpus(instance);
	}

	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("vgpu-probe: cannot write the result");
		r = -1;
	}
	/* Without the drivers' clean-up: if one crashes there, its GPU is lost. */
	_exit(r < 0 ? 1 : 0);
}
