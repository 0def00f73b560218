// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may have a VF, and how it is taken from them. */
#include "vf_users.h"

#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model.h"
#include "vf.h"

#define GONE_S 30 /* a reset would be waited for twice as long */

/* Who comes second is told so, and takes nothing from the first. */
void check_second(const struct arguments *arg)
{
	struct vf first, second;
	int rc, status;
	pid_t child;

	vf_open(&first, arg->vf);
	first.bar1[0] = 0xdd;
	CHECK_EQUAL(-vf_try_open(&second, arg->vf), EBUSY);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		rc = vf_try_open(&second, arg->vf);
		_exit(-rc);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQUAL(WEXITSTATUS(status), EBUSY);
	CHECK_EQUAL(first.bar1[0], 0xdd);
	vf_close(&first);
}

/* Does it open, and with which error not? NUMBER is the errno. */
void check_open(const struct arguments *arg)
{
	struct vf vf;
	int rc = vf_try_open(&vf, arg->vf);

	if (rc == 0)
		vf_close(&vf);
	CHECK_EQUAL(-rc, arg->number);
}

static void wait_taken(struct vf *vf, uint64_t last)
{
	int tries = WAIT_MS / 10;

	while ((vf_rd(vf, REG_BOOT_0) != UINT32_MAX || vf->bar1[last] != 0xff) &&
	       tries-- > 0)
		usleep(10000);
}

/* A user of a VF until it is told to let go: by losing it, or by request. */
void check_hold(const struct arguments *arg)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = 1};
	struct pollfd told[2];
	struct vf vf;
	int32_t lost = eventfd(0, EFD_CLOEXEC), request = eventfd(0, EFD_CLOEXEC);
	uint32_t word = 0;

	vf_open(&vf, arg->vf);
	vf_set_master(&vf, true);
	vf.bar1[0] = 0xee;
	CHECK(vf_set_irqs(&vf, VFIO_PCI_ERR_IRQ_INDEX, &lost, 1) == 0);
	CHECK(vf_set_irqs(&vf, VFIO_PCI_REQ_IRQ_INDEX, &request, 1) == 0);
	printf("test: held %s\n", arg->vf);

	told[0] = (struct pollfd){.fd = lost, .events = POLLIN};
	told[1] = (struct pollfd){.fd = request, .events = POLLIN};
	CHECK(poll(told, 2, -1) >= 1);
	/* An unbound PF's driver first loses its vGPUs, then wants its VFs. */
	if (!told[0].revents && poll(told, 1, QUIET_MS) == 0) {
		printf("test: asked for %s\n", arg->vf);
		CHECK_EQUAL(vf.bar1[0], 0xee);
		vf_close(&vf);
		return;
	}
	printf("test: lost %s\n", arg->vf);
	/* Mappings are taken after the user is told. */
	wait_taken(&vf, arg->bar1_bytes - 1);
	CHECK_EQUAL(vf_rd(&vf, REG_BOOT_0), UINT32_MAX);
	CHECK_EQUAL(vf.bar1[arg->bar1_bytes - 1], 0xff);
	vf.bar1[4096] = 1; /* nobody's, and no end of ours */
	CHECK_EQUAL(vf_config(&vf, PCI_VENDOR_ID, 4), UINT32_MAX);
	vf_set_config(&vf, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	CHECK(pread(vf.device, &word, 4, (off_t)vf.region[0].offset) == 4);
	CHECK_EQUAL(word, UINT32_MAX);
	CHECK_ERRNO(ioctl(vf.device, VFIO_DEVICE_RESET), ENODEV);
	CHECK_ERRNO(ioctl(vf.device, VFIO_DEVICE_GET_REGION_INFO, &info), ENODEV);
	CHECK_ERRNO(vf_set_irqs(&vf, VFIO_PCI_REQ_IRQ_INDEX, &request, 1),
		    ENODEV);
	CHECK_ERRNO(vf_mmap(&vf, 1, 0, 4096), ENODEV);
	vf_close(&vf);
	printf("test: let go of %s\n", arg->vf);
}

/* A user who finds the GPU gone before anybody else does. */
void check_gone(const struct arguments *arg)
{
	int32_t lost = eventfd(0, EFD_CLOEXEC);
	struct timespec began, ended;
	struct vf vf;
	uint32_t at;

	vf_open(&vf, arg->vf);
	CHECK(vf_set_irqs(&vf, VFIO_PCI_ERR_IRQ_INDEX, &lost, 1) == 0);
	at = vf_capability(&vf, PCI_CAP_ID_EXP);
	printf("test: held %s\n", arg->vf);
	while (vf_rd(&vf, REG_BOOT_0) != UINT32_MAX)
		usleep(10000);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &began) == 0);
	vf_set_config(&vf, at + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	CHECK(vf_came(lost, WAIT_MS));
	CHECK_ERRNO(ioctl(vf.device, VFIO_DEVICE_RESET), ENODEV);
	vf_close(&vf);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &ended) == 0);
	CHECK(ended.tv_sec - began.tv_sec <= GONE_S);
	printf("test: let go of %s\n", arg->vf);
}
