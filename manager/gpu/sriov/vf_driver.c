/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver of a PCI device: chosen by name, as driver_override has it. */
#include "vf_driver.h"

#include <string.h>
#include <unistd.h>

#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/sysfs.h"

#define DEVICE "bus/pci/devices/%s"

#define UDEV_WAIT_MS 2000
#define UDEV_STEP_MS 10

/* "" for none. */
static void read_driver(int sysfs, const char *address, char ret[32])
{
	if (vgpu_sysfs_read_link(sysfs, ret, 32, DEVICE "/driver", address) < 0)
		ret[0] = '\0';
}

bool vgpu_vf_driver_is_loaded(int sysfs, const char *driver)
{
	return vgpu_sysfs_exists(sysfs, "bus/pci/drivers/%s", driver);
}

bool vgpu_vf_driver_is_other(int sysfs, const char *address, const char *driver,
			     char ret[32])
{
	read_driver(sysfs, address, ret);
	return ret[0] && strcmp(ret, driver) != 0;
}

/* A line end alone takes back what was written there before. */
static void clear_override(int sysfs, const char *address)
{
	int r = vgpu_sysfs_write(sysfs, "\n", DEVICE "/driver_override", address);

	if (r < 0)
		vgpu_log("%s: its driver_override cannot be cleared: %s",
			 address, strerror(-r));
}

/*
 * Of a VF that has just come udev gives what is written here to vgpud's user,
 * in its time; without it nothing is waited for.
 */
static void wait_for_udev(int sysfs, const char *address)
{
	for (unsigned int i = 0;
	     i < UDEV_WAIT_MS / UDEV_STEP_MS &&
	     vgpu_sysfs_is_denied(sysfs, DEVICE "/driver_override", address);
	     i++)
		usleep(UDEV_STEP_MS * 1000);
}

int vgpu_vf_driver_bind(int sysfs, const char *address, const char *driver,
			struct vgpu_err *err)
{
	char bound[32];
	int r;

	if (!vgpu_vf_driver_is_loaded(sysfs, driver))
		return vgpu_err_set(
			err, -ENODEV, "GpuUnusable",
			"the driver %s is not loaded: `modprobe %s` loads it",
			driver, driver);
	if (vgpu_vf_driver_is_other(sysfs, address, driver, bound))
		return vgpu_err_set(
			err, -EBUSY, "InUse",
			"%s is bound to the driver %s: unbind it there first",
			address, bound);
	wait_for_udev(sysfs, address);
	r = vgpu_sysfs_write(sysfs, driver, DEVICE "/driver_override", address);
	if (strcmp(bound, driver) == 0)
		return 0;
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "driver_override of %s cannot be written: %s",
				    address, strerror(-r));
	r = vgpu_sysfs_write(sysfs, address, "bus/pci/drivers_probe");
	read_driver(sysfs, address, bound);
	if (strcmp(bound, driver) == 0)
		return 0;
	clear_override(sysfs, address);
	return vgpu_err_set(err, r < 0 ? r : -EIO, "Internal",
			    "%s does not take %s: the kernel's log says why",
			    driver, address);
}

void vgpu_vf_driver_unbind(int sysfs, const char *address, const char *driver)
{
	char bound[32];
	int r;

	read_driver(sysfs, address, bound);
	if (strcmp(bound, driver) == 0) {
		r = vgpu_sysfs_write(sysfs, address,
				     "bus/pci/drivers/%s/unbind", driver);
		if (r < 0)
			vgpu_log("%s cannot be unbound from %s: %s", address,
				 driver, strerror(-r));
	}
	if (vgpu_sysfs_read(sysfs, bound, sizeof(bound),
			    DEVICE "/driver_override", address) == 0 &&
	    strcmp(bound, driver) == 0)
		clear_override(sysfs, address);
}
