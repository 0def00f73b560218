// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a VMM does with a VF, by VFIO, and what it must not be able to do.
 * NUMBER is the subsystem's id, or what a check says. It runs in a host VM, see
 * test_vfio.py.
 */
#include <linux/pci_regs.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "model.h"
#include "vf.h"
#include "vf_users.h"

#define NVIDIA	  0x10de
#define L40S	  0x26b9
#define CLASS_VGA 0x030000
#define NS	  1000000000
#define LOAD	  (50 | 10 << 16)

static void check_config(const struct arguments *arg)
{
	struct vf vf;
	uint32_t at;

	vf_open(&vf, arg->vf);
	CHECK_EQUAL(vf_config(&vf, PCI_VENDOR_ID, 2), NVIDIA);
	CHECK_EQUAL(vf_config(&vf, PCI_VENDOR_ID, 4), L40S << 16 | NVIDIA);
	CHECK_EQUAL(vf_config(&vf, PCI_CLASS_REVISION, 4) >> 8, CLASS_VGA);
	CHECK_EQUAL(vf_config(&vf, PCI_CLASS_DEVICE + 1, 1), CLASS_VGA >> 16);
	CHECK_EQUAL(vf_config(&vf, PCI_SUBSYSTEM_VENDOR_ID, 2), NVIDIA);
	CHECK_EQUAL(vf_config(&vf, PCI_SUBSYSTEM_ID, 2), arg->number);
	/* A read over both what is the type's and what is not. */
	CHECK_EQUAL(vf_config(&vf, PCI_SUBSYSTEM_VENDOR_ID + 1, 1), NVIDIA >> 8);
	vf_set_config(&vf, PCI_SUBSYSTEM_ID, 2, 0x1234);
	CHECK_EQUAL(vf_config(&vf, PCI_SUBSYSTEM_ID, 2), arg->number);

	CHECK(vf_capability(&vf, PCI_CAP_ID_MSIX));
	CHECK(vf_capability(&vf, PCI_CAP_ID_PM));
	at = vf_capability(&vf, PCI_CAP_ID_EXP);
	CHECK(at && vf_config(&vf, at + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	vf_close(&vf);
}

/* As a guest's firmware and kernel find out how large a BAR is. */
static void check_sizing(const struct arguments *arg)
{
	struct vf vf;
	uint64_t mask;

	vf_open(&vf, arg->vf);
	CHECK_EQUAL(vf_config(&vf, PCI_BASE_ADDRESS_1, 4) & 0xf, 0xc);
	vf_set_config(&vf, PCI_BASE_ADDRESS_1, 4, UINT32_MAX);
	vf_set_config(&vf, PCI_BASE_ADDRESS_2, 4, UINT32_MAX);
	mask = (uint64_t)vf_config(&vf, PCI_BASE_ADDRESS_2, 4) << 32;
	mask |= vf_config(&vf, PCI_BASE_ADDRESS_1, 4) & ~0xfU;
	CHECK_EQUAL(~mask + 1, arg->bar1_bytes);

	/* An address of that size's alignment stays; byte by byte, too. */
	vf_set_config(&vf, PCI_BASE_ADDRESS_1, 4,
		      (uint32_t)(5 * arg->bar1_bytes));
	vf_set_config(&vf, PCI_BASE_ADDRESS_2, 1, 0x12);
	vf_set_config(&vf, PCI_BASE_ADDRESS_2 + 1, 1, 0);
	vf_set_config(&vf, PCI_BASE_ADDRESS_2 + 2, 2, 0);
	CHECK_EQUAL(vf_config(&vf, PCI_BASE_ADDRESS_1, 4),
		    (uint32_t)(5 * arg->bar1_bytes) | 0xc);
	CHECK_EQUAL(vf_config(&vf, PCI_BASE_ADDRESS_2, 4), 0x12);
	/* The other BARs are the core's. */
	vf_set_config(&vf, PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
	CHECK_EQUAL(-(vf_config(&vf, PCI_BASE_ADDRESS_0, 4) & ~0xfU),
		    (uint32_t)vf.region[0].size);
	vf_close(&vf);
}

static void check_regions(const struct arguments *arg)
{
	struct vfio_device_ioeventfd ioeventfd = {
		.argsz = sizeof(ioeventfd),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.fd = -1,
	};
	struct vfio_region_info bad = {.argsz = sizeof(bad), .index = 1000};
	uint64_t bytes = arg->bar1_bytes, page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct vf vf;
	off_t bar1;
	char buffer[64];
	void *map;

	vf_open(&vf, arg->vf);
	CHECK_EQUAL(vf.region[1].size, bytes);
	CHECK_EQUAL(vf.region[1].flags, VFIO_REGION_INFO_FLAG_READ |
						VFIO_REGION_INFO_FLAG_WRITE |
						VFIO_REGION_INFO_FLAG_MMAP);
	CHECK(vf.region[0].size && vf.region[3].size && !vf.region[5].size);
	CHECK_ERRNO(ioctl(vf.device, VFIO_DEVICE_GET_REGION_INFO, &bad), EINVAL);

	map = vf_mmap(&vf, 1, bytes - page, page);
	CHECK(map != MAP_FAILED && munmap(map, page) == 0);
	CHECK_ERRNO(vf_mmap(&vf, 1, 0, bytes + page), EINVAL);
	CHECK_ERRNO(vf_mmap(&vf, 1, bytes - page, 2 * page), EINVAL);
	CHECK_ERRNO(vf_mmap(&vf, 1, bytes, page), EINVAL);
	CHECK_ERRNO(vf_mmap(&vf, 1, 2 * bytes, page), EINVAL);
	/* Up to the next region, where an offset could overflow into one. */
	CHECK_ERRNO(vf_mmap(&vf, 1, (1ULL << 40) - page, page), EINVAL);
	CHECK_ERRNO(vf_mmap(&vf, 1, (1ULL << 40) - page, 2 * page), EINVAL);
	CHECK_ERRNO(mmap(NULL, page, PROT_READ, MAP_PRIVATE, vf.device,
			 (off_t)vf.region[1].offset),
		    EINVAL);

	bar1 = (off_t)vf.region[1].offset;
	CHECK(pread(vf.device, buffer, 8, bar1 + (off_t)bytes - 8) == 8);
	CHECK(pread(vf.device, buffer, 64, bar1 + (off_t)bytes - 8) == 8);
	CHECK(pwrite(vf.device, buffer, 64, bar1 + (off_t)bytes - 8) == 8);
	CHECK_ERRNO(pread(vf.device, buffer, 8, bar1 + (off_t)bytes), EINVAL);
	CHECK_ERRNO(pwrite(vf.device, buffer, 8, bar1 + (off_t)bytes), EINVAL);
	CHECK_ERRNO(pread(vf.device, buffer, 8, bar1 + (1LL << 40) - 8), EINVAL);
	ioeventfd.offset = vf.region[1].offset + bytes;
	CHECK_ERRNO(ioctl(vf.device, VFIO_DEVICE_IOEVENTFD, &ioeventfd), ENOTTY);
	vf_close(&vf);
}

/* Zeros from the first byte to the last, and a pattern that stays. */
static void check_framebuffer(const struct arguments *arg)
{
	volatile uint64_t *words;
	uint64_t i, word, count = arg->bar1_bytes / 8;
	struct vf vf;

	vf_open(&vf, arg->vf);
	words = (volatile uint64_t *)vf.bar1;
	for (i = 0; i < count; i++)
		if (words[i])
			FAIL("word %llu is %#llx", (unsigned long long)i,
			     (unsigned long long)words[i]);
	for (i = 0; i < count; i += 509)
		words[i] = ~i;
	words[count - 1] = count;
	for (i = 0; i < count - 1; i += 509)
		CHECK_EQUAL(words[i], ~i);
	/* Reading does not make another way to it. */
	CHECK(pread(vf.device, &word, 8,
		    (off_t)(vf.region[1].offset + arg->bar1_bytes - 8)) == 8);
	CHECK_EQUAL(word, count);
	vf_close(&vf);

	/* What was there is gone when it is opened again. */
	vf_open(&vf, arg->vf);
	words = (volatile uint64_t *)vf.bar1;
	for (i = 0; i < count; i += 509)
		CHECK_EQUAL(words[i], 0);
	CHECK_EQUAL(words[count - 1], 0);
	vf_close(&vf);
}

/* Two at a time: neither sees what the other one writes. */
static void check_isolation(const struct arguments *arg)
{
	uint64_t i, step = 4096;
	struct vf a, b;

	vf_open(&a, arg->vf);
	vf_open(&b, arg->other);
	for (i = 0; i < a.region[1].size; i += step)
		a.bar1[i] = 0xaa;
	for (i = 0; i < b.region[1].size; i += step) {
		CHECK_EQUAL(b.bar1[i], 0);
		b.bar1[i] = 0xbb;
	}
	for (i = 0; i < a.region[1].size; i += step)
		CHECK_EQUAL(a.bar1[i], 0xaa);
	vf_wr(&a, REG_DRIVER, 1);
	CHECK_EQUAL(vf_rd(&b, REG_DRIVER), 0);
	/* One goes, and comes again, while the other stays. */
	vf_close(&a);
	vf_open(&a, arg->vf);
	for (i = 0; i < a.region[1].size; i += step)
		CHECK_EQUAL(a.bar1[i], 0);
	for (i = 0; i < b.region[1].size; i += step)
		CHECK_EQUAL(b.bar1[i], 0xbb);
	vf_close(&a);
	vf_close(&b);
}

static void check_interrupts(const struct arguments *arg)
{
	struct vfio_irq_info info = {.argsz = sizeof(info),
				     .index = VFIO_PCI_MSIX_IRQ_INDEX};
	int32_t events[VECTORS];
	struct vf vf;
	uint32_t i;

	vf_open(&vf, arg->vf);
	CHECK_EQUAL(vf_rd(&vf, REG_BOOT_0), BOOT_0_AD102);
	CHECK_EQUAL(vf_rd(&vf, REG_TEST), TEST_ID);
	CHECK(ioctl(vf.device, VFIO_DEVICE_GET_IRQ_INFO, &info) == 0);
	CHECK_EQUAL(info.count, VECTORS);
	for (i = 0; i < VECTORS; i++) {
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		CHECK(events[i] >= 0);
	}
	CHECK(vf_set_irqs(&vf, VFIO_PCI_MSIX_IRQ_INDEX, events, VECTORS) == 0);
	vf_set_master(&vf, true);
	for (i = 0; i < VECTORS; i++) {
		vf_wr(&vf, REG_DOORBELL, i);
		CHECK(vf_came(events[i], WAIT_MS));
	}
	CHECK_EQUAL(vf_rd(&vf, REG_DOORBELLS), VECTORS);
	for (i = 0; i < VECTORS; i++)
		CHECK(!vf_came(events[i], 0));

	/* Without bus mastering nothing goes out, by the vGPU's own will. */
	CHECK(vf_rd(&vf, REG_STATUS) & STATUS_MASTER);
	vf_set_master(&vf, false);
	CHECK(!(vf_rd(&vf, REG_STATUS) & STATUS_MASTER));
	vf_wr(&vf, REG_DOORBELL, 2);
	CHECK(!vf_came(events[2], QUIET_MS));
	vf_set_master(&vf, true);
	CHECK(vf_came(events[2], WAIT_MS));

	CHECK(vf_set_irqs(&vf, VFIO_PCI_MSIX_IRQ_INDEX, NULL, 0) == 0);
	for (i = 0; i < VECTORS; i++)
		close(events[i]);
	vf_close(&vf);
}

/* Into its user's memory and out of it, where that is mapped, and nowhere else. */
static void check_dma(const struct arguments *arg)
{
	const uint32_t bytes = 65536;
	struct vf vf;
	uint8_t *memory;
	uint32_t i;

	vf_open(&vf, arg->vf);
	memory = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	for (i = 0; i < bytes; i++)
		memory[i] = (uint8_t)(i * 7);
	CHECK(vf_map_dma(&vf, memory, IOVA, 2 * bytes) == 0);
	CHECK_EQUAL(vf_move(&vf, DMA_TO_FB, IOVA, 0x1000, bytes), DMA_NO_MASTER);
	vf_set_master(&vf, true);
	CHECK_EQUAL(vf_move(&vf, DMA_TO_FB, IOVA, 0x1000, bytes), DMA_DONE);
	CHECK_EQUAL(vf.bar1[0x1000 + 100], memory[100]);
	CHECK_EQUAL(vf_move(&vf, DMA_TO_MEMORY, IOVA + bytes, 0x1000, bytes),
		    DMA_DONE);
	CHECK(memcmp(memory, memory + bytes, bytes) == 0);
	vf_close(&vf);
}

/* What the PF's driver says of an engine's time for this VF. */
static uint64_t engine_ns(const struct arguments *arg, const char *engine)
{
	char path[128], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path),
		 "/sys/bus/pci/devices/%s/physfn/vgpu/vf%u/%s_ns", arg->vf,
		 arg->number, engine);
	file = fopen(path, "re");
	CHECK(file && fgets(text, sizeof(text), file));
	fclose(file);
	return strtoull(text, NULL, 10);
}

/* NUMBER is the VF's. */
static void check_time(const struct arguments *arg)
{
	uint64_t before, now, tries = 20;
	struct vf vf;

	vf_open(&vf, arg->vf);
	CHECK_EQUAL(engine_ns(arg, "graphics"), 0);
	vf_wr(&vf, REG_LOAD, LOAD);
	while (engine_ns(arg, "graphics") < NS && tries-- > 0)
		usleep(QUIET_MS * 1000);
	vf_wr(&vf, REG_LOAD, 0);
	/* The last of it is told up to a second later, and taken when it may. */
	tries = 20;
	do {
		before = engine_ns(arg, "graphics");
		sleep(2);
		now = engine_ns(arg, "graphics");
	} while (now != before && tries-- > 0);
	CHECK(now > NS / 2 && now == before);
	/* A fifth of it, but for what is not whole. */
	CHECK(engine_ns(arg, "decoder") / 1000000 - now / 5000000 < 2);
	CHECK_EQUAL(engine_ns(arg, "encoder"), 0);
	printf("test: graphics worked for %llu ms\n",
	       (unsigned long long)now / 1000000);
	vf_close(&vf);
	CHECK_EQUAL(engine_ns(arg, "graphics"), 0);
}

/* Its guest works, until it is killed. */
static void check_work(const struct arguments *arg)
{
	struct vf vf;

	vf_open(&vf, arg->vf);
	vf_wr(&vf, REG_LOAD, LOAD);
	printf("test: held %s\n", arg->vf);
	pause();
}

static void check_fresh(struct vf *vf, const struct arguments *arg)
{
	uint64_t i;

	for (i = 0; i < arg->bar1_bytes; i += 4096)
		CHECK_EQUAL(vf->bar1[i], 0);
	CHECK_EQUAL(vf_rd(vf, REG_DRIVER), 0);
	CHECK(!(vf_config(vf, PCI_COMMAND, 2) & PCI_COMMAND_MASTER));
	CHECK(!(vf_rd(vf, REG_STATUS) & STATUS_MASTER));
}

static void check_reset(const struct arguments *arg)
{
	struct vf vf;
	uint32_t at, way;
	uint64_t i;

	vf_open(&vf, arg->vf);
	at = vf_capability(&vf, PCI_CAP_ID_EXP);
	for (way = 0; way < 2; way++) {
		vf_set_master(&vf, true);
		vf_wr(&vf, REG_DRIVER, 1);
		for (i = 0; i < arg->bar1_bytes; i += 4096)
			vf.bar1[i] = 0xcc;
		CHECK(vf_rd(&vf, REG_STATUS) & STATUS_MASTER);
		if (way == 0)
			CHECK(ioctl(vf.device, VFIO_DEVICE_RESET) == 0);
		else
			vf_set_config(&vf, at + PCI_EXP_DEVCTL, 2,
				      PCI_EXP_DEVCTL_BCR_FLR);
		check_fresh(&vf, arg);
	}
	vf_set_master(&vf, true);
	CHECK(vf_rd(&vf, REG_STATUS) & STATUS_MASTER);
	vf_close(&vf);
}

/* A GPU that nobody shares is given away as it is. */
static void check_whole(const struct arguments *arg)
{
	struct vf vf;

	CHECK_EQUAL(-vf_try_open(&vf, arg->vf), 0);
	CHECK_EQUAL(vf_config(&vf, PCI_VENDOR_ID, 4), L40S << 16 | NVIDIA);
	CHECK_EQUAL(vf_config(&vf, PCI_CLASS_DEVICE, 2), 0x0302);
	vf.bar0 = vf_mmap(&vf, 0, 0, vf.region[0].size);
	CHECK(vf.bar0 != MAP_FAILED);
	CHECK_EQUAL(vf_rd(&vf, REG_BOOT_0), BOOT_0_AD102);
	CHECK(ioctl(vf.device, VFIO_DEVICE_RESET) == 0);
	vf_close(&vf);
}

const struct check checks[] = {
	{"config", check_config},
	{"sizing", check_sizing},
	{"regions", check_regions},
	{"framebuffer", check_framebuffer},
	{"isolation", check_isolation},
	{"interrupts", check_interrupts},
	{"dma", check_dma},
	{"time", check_time},
	{"work", check_work},
	{"reset", check_reset},
	{"second", check_second},
	{"open", check_open},
	{"whole", check_whole},
	{"hold", check_hold},
	{"gone", check_gone},
	{NULL, NULL},
};
