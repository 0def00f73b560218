// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mdev_test UUID [SEED ROUNDS]: a mediated device from both sides at once, as
 * its VMM and as the process that serves it; each of them does what it must
 * not, too. With a seed: both do anything at all.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/uapi/vgpu_mdev.h"

#define MIB	     (1ULL << 20)
#define IOVA	     (16 * MIB)
#define MEMORY_BYTES (4 * MIB)
#define WINDOW_BYTES (16 * MIB)
#define GUEST_BYTES  (1ULL << 30)
#define PAGE	     4096ULL
#define COMMON	     0x0000
#define ISR	     0x1000
#define DEVICE	     0x2000
#define NOTIFY	     0x3000
#define CONFIG_SPACE VFIO_PCI_CONFIG_REGION_INDEX
#define FEATURES     (1ULL << VIRTIO_F_VERSION_1 | 2)

static const char *uuid;
static int container, group, device, file;
static int kick[VGPU_MDEV_QUEUES], vector[VGPU_MDEV_QUEUES + 1];
static unsigned char *memory, *guest, *window;
static struct vgpu_mdev_state state;

#define check(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("test: FAILED: line %d: %s (errno %d)\n",       \
			       __LINE__, #condition, errno);                   \
			exit(1);                                               \
		}                                                              \
	} while (0)
#define fails(call, error) check((call) < 0 && errno == (error))

static char *path_of(const char *format)
{
	static char path[256];

	snprintf(path, sizeof(path), format, uuid);
	return path;
}

static off_t region(uint32_t index, uint64_t offset)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	check(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) == 0);
	return (off_t)(info.offset + offset);
}

static uint32_t get(uint32_t index, uint32_t offset, uint32_t bytes)
{
	uint32_t value = 0;

	check(pread(device, &value, bytes, region(index, offset)) ==
	      (ssize_t)bytes);
	return le32toh(value);
}

static void put(uint32_t index, uint32_t offset, uint32_t bytes, uint32_t value)
{
	value = htole32(value);
	check(pwrite(device, &value, bytes, region(index, offset)) ==
	      (ssize_t)bytes);
}

static void open_group(void)
{
	char link[256], name[300];
	ssize_t n = readlink(path_of("/sys/bus/mdev/devices/%s/iommu_group"),
			     link, sizeof(link) - 1);

	check(n > 0);
	link[n] = '\0';
	snprintf(name, sizeof(name), "/dev/vfio/%s", strrchr(link, '/') + 1);
	container = open("/dev/vfio/vfio", O_RDWR);
	group = open(name, O_RDWR);
	check(container >= 0 && group >= 0);
	check(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) == 0);
	check(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0);
}

static int open_device(void)
{
	return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, uuid);
}

static int map_memory(void)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = MEMORY_BYTES,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map);
}

static int unmap_memory(void)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = IOVA,
		.size = MEMORY_BYTES,
	};

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap);
}

static void get_state(void)
{
	check(ioctl(file, VGPU_MDEV_GET_STATE, &state) == 0);
}

static bool has_news(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLIN;
}

static bool was_signalled(int eventfd)
{
	uint64_t count;

	return read(eventfd, &count, sizeof(count)) == sizeof(count);
}

/* How much was pinned; -1 with errno. */
static int64_t pin(uint32_t session, uint64_t address, uint64_t bytes)
{
	struct vgpu_mdev_pin request = {
		.session = session,
		.address = address,
		.bytes = bytes,
	};

	return ioctl(file, VGPU_MDEV_PIN, &request) < 0 ? -1
							: (int64_t)request.bytes;
}

static int map(uint32_t session, int fd, uint64_t fd_offset, uint64_t offset,
	       uint64_t bytes)
{
	const struct vgpu_mdev_map request = {
		.session = session,
		.fd = fd,
		.fd_offset = fd_offset,
		.offset = offset,
		.bytes = bytes,
	};

	return ioctl(file, VGPU_MDEV_MAP, &request);
}

static int unmap(uint32_t session, uint64_t offset, uint64_t bytes)
{
	const struct vgpu_mdev_unmap request = {
		.session = session,
		.offset = offset,
		.bytes = bytes,
	};

	return ioctl(file, VGPU_MDEV_UNMAP, &request);
}

static int set_up(uint64_t features, uint64_t window_bytes)
{
	struct vgpu_mdev_setup setup = {
		.features = features,
		.window_bytes = window_bytes,
		.kick = {kick[0], kick[1]},
		.config = {[8] = 1},
	};

	return ioctl(file, VGPU_MDEV_SETUP, &setup);
}

static void open_file(void)
{
	file = open(path_of("/dev/vgpu-mdev/%s"), O_RDWR);
	check(file >= 0);
	guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		     file, 0);
	check(guest != MAP_FAILED);
}

static void close_file(void)
{
	munmap(guest, GUEST_BYTES);
	close(file);
}

static void test_set_up(void)
{
	struct vgpu_mdev_config_space config = {};

	for (int i = 0; i < VGPU_MDEV_QUEUES; i++)
		kick[i] = eventfd(0, EFD_NONBLOCK);
	open_group();
	/* Nobody serves it yet. */
	fails(open_device(), ENOTCONN);
	open_file();
	fails(open(path_of("/dev/vgpu-mdev/%s"), O_RDWR), EBUSY);
	fails(ioctl(file, VGPU_MDEV_GET_STATE, &state), EINVAL);
	fails(ioctl(file, VGPU_MDEV_SET_CONFIG, &config), EINVAL);
	fails(pin(0, IOVA, PAGE), EINVAL);
	check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED);
	fails(set_up(2, 0), EINVAL);
	fails(set_up(FEATURES, 3 * MIB), EINVAL);
	fails(set_up(FEATURES, 1), EINVAL);
	fails(set_up(FEATURES, 1ULL << 41), EINVAL);
	fails(ioctl(file, VGPU_MDEV_SETUP, NULL), EFAULT);
	close(kick[1]);
	fails(set_up(FEATURES, 0), EBADF);
	kick[1] = open("/dev/null", O_RDWR);
	fails(set_up(FEATURES, 0), EINVAL);
	close(kick[1]);
	kick[1] = eventfd(0, EFD_NONBLOCK);
	fails(open_device(), ENOTCONN);
	check(ioctl(file, VGPU_MDEV_END) == 0);
	check(set_up(FEATURES, WINDOW_BYTES) == 0);
	check(ioctl(file, VGPU_MDEV_END) == 0);
	fails(open_device(), ENOTCONN);
	check(set_up(FEATURES, WINDOW_BYTES) == 0);
	fails(ioctl(file, _IO(0xb7, 0x40)), ENOTTY);
	fails(ioctl(file, _IOC(_IOC_WRITE, 0xb7, 0x42, 500)), ENOTTY);
	fails(ioctl(file, VGPU_MDEV_GET_STATE, NULL), EFAULT);
	get_state();
	check(!state.is_open && !state.pid);
	check(!has_news(file));
	device = open_device();
	check(device >= 0);
	fails(ioctl(file, VGPU_MDEV_END), EBUSY);
	check(has_news(file));
	get_state();
	check(state.is_open && state.pid == getpid());
}

static uint32_t find_capability(uint8_t id, int type)
{
	uint32_t at = get(CONFIG_SPACE, PCI_CAPABILITY_LIST, 1);

	for (int i = 0; at && i < 48; i++) {
		if (get(CONFIG_SPACE, at, 1) == id &&
		    (type < 0 || (int)get(CONFIG_SPACE, at + 3, 1) == type))
			return at;
		at = get(CONFIG_SPACE, at + 1, 1);
	}
	return 0;
}

static void test_config_space(void)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	uint32_t cap;

	check(ioctl(device, VFIO_DEVICE_GET_INFO, &info) == 0);
	check(info.flags & VFIO_DEVICE_FLAGS_PCI);
	check(info.flags & VFIO_DEVICE_FLAGS_RESET);
	check(get(CONFIG_SPACE, 0, 4) == 0x10501af4);
	check(get(CONFIG_SPACE, PCI_CLASS_REVISION, 4) == 0x03800001);
	put(CONFIG_SPACE, 0, 4, 0);
	check(get(CONFIG_SPACE, 0, 4) == 0x10501af4);
	/* Sizes of BARs. */
	put(CONFIG_SPACE, PCI_BASE_ADDRESS_0, 4, ~0U);
	check(get(CONFIG_SPACE, PCI_BASE_ADDRESS_0, 4) == 0xffffc000);
	put(CONFIG_SPACE, PCI_BASE_ADDRESS_2, 4, ~0U);
	put(CONFIG_SPACE, PCI_BASE_ADDRESS_3, 4, ~0U);
	check(get(CONFIG_SPACE, PCI_BASE_ADDRESS_2, 4) ==
	      (uint32_t)-WINDOW_BYTES + 0xc);
	check(get(CONFIG_SPACE, PCI_BASE_ADDRESS_3, 4) == ~0U);
	put(CONFIG_SPACE, PCI_BASE_ADDRESS_4, 4, ~0U);
	check(get(CONFIG_SPACE, PCI_BASE_ADDRESS_4, 4) == 0);
	for (int type = VIRTIO_PCI_CAP_COMMON_CFG;
	     type <= VIRTIO_PCI_CAP_PCI_CFG; type++)
		check(find_capability(PCI_CAP_ID_VNDR, type));
	cap = find_capability(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_SHARED_MEMORY_CFG);
	check(cap && get(CONFIG_SPACE, cap + 4, 1) == 2 &&
	      get(CONFIG_SPACE, cap + 5, 1) == 1 &&
	      get(CONFIG_SPACE, cap + 12, 4) == WINDOW_BYTES);
	cap = find_capability(PCI_CAP_ID_MSIX, -1);
	check(cap && get(CONFIG_SPACE, cap + 2, 2) == VGPU_MDEV_QUEUES);
	cap = find_capability(PCI_CAP_ID_EXP, -1);
	check(cap &&
	      get(CONFIG_SPACE, cap + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	check(find_capability(PCI_CAP_ID_PM, -1));
	/* Registers by way of the configuration space. */
	cap = find_capability(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
	put(CONFIG_SPACE, cap + 8, 4, COMMON + VIRTIO_PCI_COMMON_NUMQ);
	put(CONFIG_SPACE, cap + 12, 4, 2);
	check(get(CONFIG_SPACE, cap + 16, 2) == VGPU_MDEV_QUEUES);
	put(CONFIG_SPACE, cap + 4, 1, 5);
	put(CONFIG_SPACE, cap + 8, 4, ~0U);
	put(CONFIG_SPACE, cap + 16, 4, ~0U);
	/* Ends of regions. */
	check(pread(device, &info, 8, region(CONFIG_SPACE, 4092)) == 4);
	fails(pread(device, &info, 4, region(CONFIG_SPACE, 4096)), EINVAL);
	fails(pread(device, &info, 4, region(0, 0x4000)), EINVAL);
	fails(pread(device, &info, 4, region(4, 0)), EINVAL);
	fails(pread(device, &info, 4, (off_t)1 << 62), EINVAL);
	fails(pwrite(device, window, 4, region(0, 0)),
	      EFAULT); /* no memory yet */
}

static void test_memory(void)
{
	const uint64_t end = IOVA + MEMORY_BYTES;
	uint32_t generation, old;

	get_state();
	check(map_memory() == 0);
	/* Before the guest lets the device master the bus. */
	fails(pin(state.session, IOVA, PAGE), ESTALE);
	put(CONFIG_SPACE, PCI_COMMAND, 2,
	    PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	check(has_news(file));
	get_state();
	/* Until a page is pinned it shows nothing. */
	memset(memory, 0x11, MEMORY_BYTES);
	check(guest[IOVA] == 0);
	guest[IOVA] = 0x22;
	check(memory[0] == 0x11);
	check(pin(state.session, IOVA + 5, 10) == 10);
	check(guest[IOVA] == 0x11);
	guest[IOVA + 1] = 0x33;
	check(memory[1] == 0x33);
	check(pin(state.session, IOVA, MEMORY_BYTES) == MEMORY_BYTES);
	check(guest[end - 1] == 0x11);
	/* Its ends. */
	check(pin(state.session, end - 5, 10) == 5);
	check(pin(state.session, end, 10) == 0);
	check(pin(state.session, IOVA - PAGE, 2 * PAGE) == 0);
	check(pin(state.session, 0, 0) == 0);
	check(pin(state.session, ~0ULL, 10) == 0);
	check(pin(state.session, ~0ULL - 4096, 4096) == 0);
	fails(pin(state.session + 1, IOVA, PAGE), ESTALE);
	fails(ioctl(file, VGPU_MDEV_PIN, NULL), EFAULT);

	/* The VMM takes it away, and gives it back. */
	generation = state.generation;
	check(unmap_memory() == 0);
	check(has_news(file));
	get_state();
	check(state.generation != generation);
	guest[IOVA + 2] = 0x44;
	check(memory[2] == 0x11);
	check(pin(state.session, IOVA, PAGE) == 0);
	check(map_memory() == 0);
	check(guest[IOVA + 1] != 0x33);
	check(pin(state.session, IOVA, PAGE) == PAGE);
	check(guest[IOVA + 1] == 0x33);

	/* A reset: nothing is left, and who has not heard of it can do nothing. */
	old = state.session;
	check(ioctl(device, VFIO_DEVICE_RESET) == 0);
	guest[IOVA + 2] = 0x55;
	check(memory[2] == 0x11);
	put(CONFIG_SPACE, PCI_COMMAND, 2,
	    PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	fails(pin(old, IOVA, PAGE), ESTALE);
	guest[IOVA + 2] = 0x55;
	check(memory[2] == 0x11);
	get_state();
	check(pin(state.session, IOVA, PAGE) == PAGE);
	check(guest[IOVA + 2] == 0x11);
	/* By the guest: FLR, and bus mastering. */
	put(CONFIG_SPACE, find_capability(PCI_CAP_ID_EXP, -1) + PCI_EXP_DEVCTL,
	    2, PCI_EXP_DEVCTL_BCR_FLR);
	fails(pin(state.session, IOVA, PAGE), ESTALE);
	check(!(get(CONFIG_SPACE, PCI_COMMAND, 2) & PCI_COMMAND_MASTER));
	put(CONFIG_SPACE, PCI_COMMAND, 2,
	    PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	get_state();
	check(pin(state.session, IOVA, PAGE) == PAGE);
	put(CONFIG_SPACE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	guest[IOVA + 2] = 0x55;
	check(memory[2] == 0x11);
	fails(pin(state.session, IOVA, PAGE), ESTALE);
	put(CONFIG_SPACE, PCI_COMMAND, 2,
	    PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
}

static void set_irqs(uint32_t index, uint32_t start, uint32_t count,
		     const int *fds)
{
	char bytes[sizeof(struct vfio_irq_set) + 8 * sizeof(int)] = {};
	struct vfio_irq_set *set = (struct vfio_irq_set *)bytes;

	set->argsz = (uint32_t)(sizeof(*set) + count * sizeof(int));
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->start = start;
	set->count = count;
	memcpy(set->data, fds, count * sizeof(int));
	if (ioctl(device, VFIO_DEVICE_SET_IRQS, set) < 0)
		check(errno == EINVAL && start + count > VGPU_MDEV_QUEUES + 1);
	else
		check(start + count <= VGPU_MDEV_QUEUES + 1);
}

static void negotiate(uint64_t features)
{
	put(0, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	check(get(0, VIRTIO_PCI_COMMON_STATUS, 1) == 0);
	put(0, VIRTIO_PCI_COMMON_STATUS, 1,
	    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		put(0, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		put(0, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> 32 * i));
	}
	put(0, VIRTIO_PCI_COMMON_STATUS, 1,
	    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		    VIRTIO_CONFIG_S_FEATURES_OK);
}

static bool are_features_ok(void)
{
	return get(0, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void test_driver(void)
{
	struct vgpu_mdev_interrupt interrupt = {};
	struct vgpu_mdev_config_space config = {.config = {1, [8] = 1}};

	for (int i = 0; i < VGPU_MDEV_QUEUES + 1; i++)
		vector[i] = eventfd(0, EFD_NONBLOCK);
	set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, 0, VGPU_MDEV_QUEUES + 1, vector);
	set_irqs(VFIO_PCI_MSIX_IRQ_INDEX, 1, VGPU_MDEV_QUEUES + 1, vector);
	check(get(0, VIRTIO_PCI_COMMON_DF, 4) == 2);
	negotiate(2);
	check(!are_features_ok());
	negotiate(FEATURES | 8);
	check(!are_features_ok());
	negotiate(FEATURES);
	check(are_features_ok());
	/* What was agreed on, stays. */
	put(0, VIRTIO_PCI_COMMON_GF, 4, 0);
	get_state();
	check(state.features == FEATURES);

	put(0, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	put(0, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	check(get(0, VIRTIO_PCI_COMMON_Q_SIZE, 2) == VGPU_MDEV_QUEUE_NUM);
	put(0, VIRTIO_PCI_COMMON_Q_SIZE, 2, 3);
	put(0, VIRTIO_PCI_COMMON_Q_SIZE, 2, 4096);
	check(get(0, VIRTIO_PCI_COMMON_Q_SIZE, 2) == VGPU_MDEV_QUEUE_NUM);
	put(0, VIRTIO_PCI_COMMON_Q_SIZE, 2, 64);
	put(0, VIRTIO_PCI_COMMON_Q_MSIX, 2, 77);
	check(get(0, VIRTIO_PCI_COMMON_Q_MSIX, 2) == VIRTIO_MSI_NO_VECTOR);
	put(0, VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
	put(0, VIRTIO_PCI_COMMON_Q_DESCLO, 4, (uint32_t)IOVA);
	put(0, VIRTIO_PCI_COMMON_Q_DESCHI, 4, 7);
	put(0, VIRTIO_PCI_COMMON_Q_USEDLO, 4, 0x1000);
	put(0, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	/* It is in use. */
	put(0, VIRTIO_PCI_COMMON_Q_SIZE, 2, 128);
	put(0, VIRTIO_PCI_COMMON_Q_DESCHI, 4, 9);
	check(has_news(file));
	get_state();
	check(state.queue[1].is_enabled && !state.queue[0].is_enabled);
	check(state.queue[1].num == 64);
	check(state.queue[1].desc == (7ULL << 32 | IOVA));
	check(state.queue[1].device == 0x1000);
	/* Queues that there are not. */
	put(0, VIRTIO_PCI_COMMON_Q_SELECT, 2, 999);
	check(get(0, VIRTIO_PCI_COMMON_Q_SIZE, 2) == 0);
	put(0, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);

	/* Doorbells. */
	put(0, NOTIFY + 4, 2, 1);
	check(was_signalled(kick[1]) && !was_signalled(kick[0]));
	put(0, NOTIFY + 4 * VGPU_MDEV_QUEUES, 2, 1);
	check(!was_signalled(kick[1]) && !was_signalled(kick[0]));
	/* Interrupts. */
	interrupt.session = state.session;
	interrupt.queue = 1;
	check(ioctl(file, VGPU_MDEV_INTERRUPT, &interrupt) == 0);
	check(was_signalled(vector[2]) && !was_signalled(vector[1]));
	interrupt.queue = 0; /* has no vector */
	check(ioctl(file, VGPU_MDEV_INTERRUPT, &interrupt) == 0);
	check(get(0, ISR, 1) == 1 && get(0, ISR, 1) == 0);
	interrupt.queue = VGPU_MDEV_QUEUES;
	fails(ioctl(file, VGPU_MDEV_INTERRUPT, &interrupt), EINVAL);
	interrupt.session++;
	interrupt.queue = 1;
	fails(ioctl(file, VGPU_MDEV_INTERRUPT, &interrupt), ESTALE);
	check(!was_signalled(vector[2]));

	/* The configuration space. */
	check(ioctl(file, VGPU_MDEV_SET_CONFIG, &config) == 0);
	check(!was_signalled(vector[0])); /* the driver is not up */
	put(0, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_DRIVER_OK);
	check(ioctl(file, VGPU_MDEV_SET_CONFIG, &config) == 0);
	check(was_signalled(vector[0]));
	check(get(0, DEVICE, 4) == 1 && get(0, DEVICE + 8, 4) == 1);
	put(0, DEVICE + 4, 4, 1);
	check(get(0, DEVICE, 4) == 0);
	get_state();
	check(state.events_clear == 1);
	get_state();
	check(state.events_clear == 0);
	check(get(0, DEVICE + 16, 4) == 0);
}

static void test_window(void)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);
	int sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
	int null = open("/dev/zero", O_RDWR);
	const uint64_t last = WINDOW_BYTES - PAGE;
	unsigned char *pixels;
	char path[64];
	int reader;

	window = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		      device, region(2, 0));
	check(window != MAP_FAILED);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device,
		   region(2, WINDOW_BYTES)) == MAP_FAILED);
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, region(0, 0)) ==
	      MAP_FAILED);
	check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, device, region(2, 0)) ==
	      MAP_FAILED);
	check(ftruncate(fd, 1 << 20) == 0 && ftruncate(sealed, 1 << 20) == 0);
	pixels = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(pixels != MAP_FAILED);
	memset(pixels, 0x66, 1 << 20);
	check(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);

	check(window[0] == 0);
	fails(map(state.session, -1, 0, 0, PAGE), EBADF);
	fails(map(state.session, null, 0, 0, PAGE), EINVAL);
	fails(map(state.session, device, 0, 0, PAGE), EINVAL);
	fails(map(state.session, reader, 0, 0, PAGE), EACCES);
	fails(map(state.session, sealed, 0, 0, PAGE), EPERM);
	fails(map(state.session, fd, 1, 0, PAGE), EINVAL);
	fails(map(state.session, fd, 0, 1, PAGE), EINVAL);
	fails(map(state.session, fd, 0, 0, 1), EINVAL);
	fails(map(state.session, fd, 0, 0, 0), EINVAL);
	fails(map(state.session, fd, 0, WINDOW_BYTES, PAGE), EINVAL);
	fails(map(state.session, fd, 0, last, 2 * PAGE), EINVAL);
	fails(map(state.session, fd, 0, PAGE, ~0ULL << 12), EINVAL);
	fails(map(state.session, fd, ~0ULL << 12, 0, 2 * PAGE), EINVAL);
	fails(map(state.session + 1, fd, 0, 0, PAGE), ESTALE);

	check(map(state.session, fd, PAGE, last, PAGE) == 0);
	fails(map(state.session, fd, 0, last - PAGE, 2 * PAGE), EEXIST);
	check(window[last] == 0x66);
	window[last] = 0x77;
	check(pixels[PAGE] == 0x77);
	check(get(2, (uint32_t)last, 1) == 0x77);
	put(2, (uint32_t)last + 1, 1, 0x78);
	check(pixels[PAGE + 1] == 0x78);
	fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	fails(unmap(state.session, last, 2 * PAGE), EINVAL);
	fails(unmap(state.session, 0, PAGE), ENOENT);
	fails(unmap(state.session + 1, last, PAGE), ESTALE);
	check(unmap(state.session, last, PAGE) == 0);
	window[last] = 0x79;
	check(pixels[PAGE] == 0x77);
	fails(unmap(state.session, last, PAGE), ENOENT);

	/* Pieces side by side, beyond the file's end, and of a file that shrinks. */
	for (uint64_t i = 0; i < 512; i++)
		check(map(state.session, fd, i % 256 * PAGE, i * PAGE, PAGE) == 0);
	fails(unmap(state.session, 0, 2 * PAGE), ENOENT);
	check(window[511 * PAGE] == 0x66);
	check(map(state.session, fd, 1 << 20, 4 * MIB, 2 * PAGE) == 0);
	window[4 * MIB] = 1;
	check(ftruncate(fd, PAGE) == 0);
	window[PAGE] = 1; /* not yet seen: beyond the end */
	check(window[511 * PAGE] == 0x66);

	/* A reset empties it. */
	put(0, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	window[0] = 0x7a;
	check(pixels[0] == 0x66);
	fails(map(state.session, fd, 0, 0, PAGE), ESTALE);
	get_state();
	check(map(state.session, fd, 0, 0, PAGE) == 0);
	check(window[0] == 0x66);
	munmap(pixels, 1 << 20);
	close(fd);
	close(sealed);
	close(null);
	close(reader);
	check(window[0] == 0x66);
}

/* The process is replaced while the driver is up; then the VMM is. */
static void test_successors(void)
{
	struct vgpu_mdev_interrupt interrupt = {};
	uint32_t session;

	negotiate(FEATURES);
	put(0, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_DRIVER_OK);
	get_state();
	session = state.session;
	close_file();
	put(0, NOTIFY, 2, 0);
	check(get(0, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_DRIVER_OK);
	check(window[0] == 0);
	open_file();
	fails(set_up(FEATURES, 2 * WINDOW_BYTES), EBUSY);
	fails(set_up(1ULL << VIRTIO_F_VERSION_1, WINDOW_BYTES), EBUSY);
	check(set_up(FEATURES | 4, WINDOW_BYTES) == 0);
	get_state();
	check(state.session == session && state.features == FEATURES);
	check(pin(session, IOVA, PAGE) == PAGE);
	put(0, NOTIFY, 2, 0);
	check(was_signalled(kick[0]));

	munmap(window, WINDOW_BYTES);
	close(device);
	get_state();
	check(!state.is_open && state.session != session && !state.status);
	fails(pin(state.session, IOVA, PAGE), ESTALE);
	interrupt.session = state.session;
	check(ioctl(file, VGPU_MDEV_INTERRUPT, &interrupt) == 0);
	device = open_device();
	check(device >= 0);
	put(CONFIG_SPACE, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	get_state();
	check(pin(state.session, IOVA, PAGE) == PAGE);
}

static uint64_t random_state;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t pick(uint64_t n)
{
	return random_number() % n;
}

/* A number that means something, often. */
static uint64_t any_number(void)
{
	static const uint64_t some[] = {0,
					1,
					2,
					PAGE,
					IOVA,
					MEMORY_BYTES,
					WINDOW_BYTES,
					IOVA + MEMORY_BYTES,
					~0ULL,
					1ULL << 32};

	switch (pick(4)) {
	case 0:
		return random_number();
	case 1:
		return pick(64) * PAGE;
	default:
		return some[pick(sizeof(some) / sizeof(some[0]))] + pick(3) - 1;
	}
}

static void do_anything(int fd)
{
	static const unsigned long requests[] = {
		VGPU_MDEV_SETUP,      VGPU_MDEV_GET_STATE, VGPU_MDEV_PIN,
		VGPU_MDEV_INTERRUPT,  VGPU_MDEV_MAP,	   VGPU_MDEV_UNMAP,
		VGPU_MDEV_SET_CONFIG, VGPU_MDEV_END,
	};
	static const uint32_t regions[] = {0, 1, 2, CONFIG_SPACE};
	uint64_t request[8], value = any_number();
	off_t at;

	switch (pick(10)) {
	case 0:
	case 1:
		for (int i = 0; i < 8; i++)
			request[i] = any_number();
		if (pick(2))
			memcpy(request, &state.session, 4);
		if (pick(2))
			memcpy((char *)request + 4, &fd, 4);
		ioctl(file, requests[pick(8)], request);
		break;
	case 2:
		pin(state.session, IOVA + pick(1100) * PAGE, pick(64) * PAGE);
		break;
	case 3:
		map(state.session, fd, pick(256) * PAGE, pick(4096) * PAGE,
		    (1 + pick(4)) * PAGE);
		break;
	case 4:
		guest[IOVA + pick(MEMORY_BYTES + MIB)] = 1;
		window[pick(WINDOW_BYTES)] = 1;
		break;
	case 5:
		get_state();
		break;
	case 6:
		if (pick(20) == 0 && unmap_memory() == 0)
			map_memory();
		if (pick(50) == 0)
			ioctl(device, VFIO_DEVICE_RESET);
		/* What lets it go on, often. */
		put(CONFIG_SPACE, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
		break;
	default:
		at = region(regions[pick(4)],
			    pick(2) ? pick(0x4000) : pick(0x100));
		if (pick(2))
			(void)!pwrite(device, &value, 1ULL << pick(4), at);
		else
			(void)!pread(device, &value, 1ULL << pick(4), at);
		break;
	}
}

int main(int argc, char **argv)
{
	int fd = memfd_create("anything", 0);
	long rounds = argc > 3 ? atol(argv[3]) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(argc > 1);
	uuid = argv[1];
	memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(memory != MAP_FAILED);
	test_set_up();
	test_config_space();
	test_memory();
	test_driver();
	test_window();
	test_successors();
	printf("test: both sides passed\n");
	if (rounds) {
		random_state = strtoull(argv[2], NULL, 10) * 2 + 1;
		check(ftruncate(fd, 1 << 20) == 0);
		window = mmap(NULL, WINDOW_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED, device, region(2, 0));
		check(window != MAP_FAILED);
		for (long i = 0; i < rounds; i++)
			do_anything(fd);
		printf("test: anything passed, session %u\n", state.session);
	}
	return 0;
}
