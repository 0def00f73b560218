// SPDX-License-Identifier: GPL-2.0-or-later
/* A VF through VFIO's groups and container. */
#include "vf.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "model.h"

static int open_group(const char *address)
{
	char link[128], path[256], *name;
	ssize_t length;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group",
		 address);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return -errno;
	path[length] = 0;
	name = strrchr(path, '/');
	CHECK(name);
	snprintf(link, sizeof(link), "/dev/vfio/%s", name + 1);
	length = open(link, O_RDWR);
	return length < 0 ? -errno : (int)length;
}

int vf_try_open(struct vf *vf, const char *address)
{
	unsigned int i;

	memset(vf, 0, sizeof(*vf));
	vf->address = address;
	vf->group = open_group(address);
	if (vf->group < 0)
		return vf->group;
	vf->container = open("/dev/vfio/vfio", O_RDWR);
	CHECK(vf->container >= 0);
	CHECK(ioctl(vf->group, VFIO_GROUP_SET_CONTAINER, &vf->container) == 0);
	CHECK(ioctl(vf->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0);
	vf->device = ioctl(vf->group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (vf->device < 0) {
		i = errno;
		close(vf->group);
		close(vf->container);
		return -(int)i;
	}
	for (i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		vf->region[i].argsz = sizeof(vf->region[i]);
		vf->region[i].index = i;
		if (i != VFIO_PCI_VGA_REGION_INDEX)
			CHECK(ioctl(vf->device, VFIO_DEVICE_GET_REGION_INFO,
				    &vf->region[i]) == 0);
	}
	return 0;
}

void *vf_mmap(struct vf *vf, unsigned int region, uint64_t at, uint64_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vf->device,
		    (off_t)(vf->region[region].offset + at));
}

void vf_open(struct vf *vf, const char *address)
{
	int rc = vf_try_open(vf, address);

	if (rc)
		FAIL("%s: %s", address, strerror(-rc));
	vf->bar0 = vf_mmap(vf, 0, 0, vf->region[0].size);
	vf->bar1 = vf_mmap(vf, 1, 0, vf->region[1].size);
	CHECK(vf->bar0 != MAP_FAILED && vf->bar1 != MAP_FAILED);
}

void vf_close(struct vf *vf)
{
	if (vf->bar0)
		CHECK(munmap((void *)vf->bar0, vf->region[0].size) == 0);
	if (vf->bar1)
		CHECK(munmap((void *)vf->bar1, vf->region[1].size) == 0);
	CHECK(close(vf->device) == 0);
	CHECK(close(vf->group) == 0);
	CHECK(close(vf->container) == 0);
}

static off_t config_at(struct vf *vf, uint32_t at)
{
	return (off_t)(vf->region[VFIO_PCI_CONFIG_REGION_INDEX].offset + at);
}

uint32_t vf_config(struct vf *vf, uint32_t at, unsigned int bytes)
{
	uint32_t value = 0;

	CHECK(pread(vf->device, &value, bytes, config_at(vf, at)) ==
	      (ssize_t)bytes);
	return value;
}

void vf_set_config(struct vf *vf, uint32_t at, unsigned int bytes, uint32_t value)
{
	CHECK(pwrite(vf->device, &value, bytes, config_at(vf, at)) ==
	      (ssize_t)bytes);
}

uint32_t vf_capability(struct vf *vf, uint8_t id)
{
	uint32_t at = vf_config(vf, PCI_CAPABILITY_LIST, 1);

	while (at && vf_config(vf, at, 1) != id)
		at = vf_config(vf, at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

int vf_set_irqs(struct vf *vf, uint32_t index, const int32_t *events,
		uint32_t count)
{
	struct {
		struct vfio_irq_set set;
		int32_t events[VECTORS];
	} set = {
		.set.argsz = sizeof(set.set) + count * sizeof(*events),
		.set.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
			     (count ? VFIO_IRQ_SET_DATA_EVENTFD
				    : VFIO_IRQ_SET_DATA_NONE),
		.set.index = index,
		.set.count = count,
	};

	CHECK(count <= VECTORS);
	memcpy(set.set.data, events, count * sizeof(*events));
	return ioctl(vf->device, VFIO_DEVICE_SET_IRQS, &set);
}

bool vf_came(int event, int wait_ms)
{
	struct pollfd poll_event = {.fd = event, .events = POLLIN};
	uint64_t count;

	if (poll(&poll_event, 1, wait_ms) != 1)
		return false;
	CHECK(read(event, &count, sizeof(count)) == sizeof(count));
	return true;
}

int vf_map_dma(struct vf *vf, void *memory, uint64_t address, uint64_t bytes)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = address,
		.size = bytes,
	};

	return ioctl(vf->container, VFIO_IOMMU_MAP_DMA, &map);
}

void vf_set_master(struct vf *vf, bool is_on)
{
	uint32_t command = vf_config(vf, PCI_COMMAND, 2) & ~PCI_COMMAND_MASTER;

	vf_set_config(vf, PCI_COMMAND, 2,
		      command | PCI_COMMAND_MEMORY |
			      (is_on ? PCI_COMMAND_MASTER : 0));
}

uint32_t vf_rd(struct vf *vf, uint32_t reg)
{
	return vf->bar0[reg / 4];
}

void vf_wr(struct vf *vf, uint32_t reg, uint32_t value)
{
	vf->bar0[reg / 4] = value;
}

uint32_t vf_move(struct vf *vf, uint32_t command, uint64_t address, uint64_t fb,
		 uint32_t bytes)
{
	vf_wr(vf, REG_DMA_ADDR, (uint32_t)address);
	vf_wr(vf, REG_DMA_ADDR + 4, (uint32_t)(address >> 32));
	vf_wr(vf, REG_DMA_FB, (uint32_t)fb);
	vf_wr(vf, REG_DMA_FB + 4, (uint32_t)(fb >> 32));
	vf_wr(vf, REG_DMA_BYTES, bytes);
	vf_wr(vf, REG_DMA_GO, command);
	return vf_rd(vf, REG_DMA_STATUS);
}
