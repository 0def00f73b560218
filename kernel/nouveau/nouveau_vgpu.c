// SPDX-License-Identifier: GPL-2.0-or-later
/* vGPUs on a GPU that nouveau drives: VFs on and off, and what vgpu_nouveau calls. */
#include <linux/module.h>
#include <linux/pm_runtime.h>

#include <subdev/gsp.h>
#include <subdev/gsp_vgpu.h>

#include "nouveau_drv.h"
#include "nouveau_vgpu.h"
#include "copier.h"

struct nouveau_vgpu {
	struct list_head link;
	struct pci_dev *pdev;
	struct nvkm_gsp *gsp;
	struct nouveau_vgpu_copier copier;
	struct nvkm_gsp_vgpu_window *windows;
	u32 window_count;
	u64 window_bytes;
	struct mutex windows_lock; /* protects which of them show something */
	bool is_kept_in_d0;	   /* as long as there are VFs */
	bool is_attached;
	const struct nouveau_vgpu_driver *driver; /* as long as it is attached */
	void *owner;				  /* the driver's */
};

/*
 * Protects the next two, and whether a GPU is attached. Its driver is called
 * under it, but for events.
 */
static DEFINE_MUTEX(gpus_lock);
static LIST_HEAD(gpus);
static const struct nouveau_vgpu_driver *the_driver;

static struct nvkm_gsp *nouveau_vgpu_gsp(struct pci_dev *pdev)
{
	struct nouveau_drm *drm = pci_get_drvdata(pdev);
	struct nvkm_gsp *gsp = drm ? nvxx_device(drm)->gsp : NULL;

	return gsp && gsp->vgpu ? gsp : NULL;
}

/* Callers hold gpus_lock. */
static struct nouveau_vgpu *nouveau_vgpu_find(struct pci_dev *pdev)
{
	struct nouveau_vgpu *gpu;

	list_for_each_entry(gpu, &gpus, link)
		if (gpu->pdev == pdev)
			return gpu;
	return NULL;
}

static void nouveau_vgpu_listen(void *owner, u32 event, const void *payload,
				u32 bytes)
{
	struct nouveau_vgpu *gpu = owner;

	gpu->driver->handle_event(gpu->owner, event, payload, bytes);
}

static void nouveau_vgpu_attach(struct nouveau_vgpu *gpu)
{
	int rc;

	gpu->driver = the_driver;
	rc = pm_runtime_resume_and_get(&gpu->pdev->dev);
	if (rc == 0) {
		rc = gpu->driver->attach(gpu, &gpu->owner);
		pm_runtime_put_autosuspend(&gpu->pdev->dev);
	}
	gpu->is_attached = rc == 0;
	if (rc)
		pci_err(gpu->pdev, "no vGPUs: %d\n", rc);
}

static bool nouveau_vgpu_detach(struct nouveau_vgpu *gpu)
{
	bool is_held = false;

	if (gpu->is_attached)
		is_held = gpu->driver->detach(gpu->owner);
	gpu->is_attached = false;
	nouveau_vgpu_copier_finish(&gpu->copier);
	nouveau_vgpu_copier_init(&gpu->copier, gpu->copier.drm);
	return is_held;
}

int nouveau_vgpu_register(const struct nouveau_vgpu_driver *driver)
{
	struct nouveau_vgpu *gpu;
	int rc = 0;

	mutex_lock(&gpus_lock);
	if (the_driver)
		rc = -EBUSY;
	else
		the_driver = driver;
	if (rc == 0)
		list_for_each_entry(gpu, &gpus, link)
			nouveau_vgpu_attach(gpu);
	mutex_unlock(&gpus_lock);
	return rc;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_register);

void nouveau_vgpu_unregister(const struct nouveau_vgpu_driver *driver)
{
	struct nouveau_vgpu *gpu;

	mutex_lock(&gpus_lock);
	list_for_each_entry(gpu, &gpus, link)
		nouveau_vgpu_detach(gpu);
	the_driver = NULL;
	mutex_unlock(&gpus_lock);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_unregister);

/* VFs are there only while their PF is in D0. */
static int nouveau_vgpu_keep_in_d0(struct nouveau_vgpu *gpu)
{
	int rc;

	if (gpu->is_kept_in_d0)
		return 0;
	rc = pm_runtime_resume_and_get(&gpu->pdev->dev);
	gpu->is_kept_in_d0 = rc == 0;
	return rc;
}

static void nouveau_vgpu_release_from_d0(struct nouveau_vgpu *gpu)
{
	if (gpu->is_kept_in_d0)
		pm_runtime_put_autosuspend(&gpu->pdev->dev);
	gpu->is_kept_in_d0 = false;
}

void nouveau_vgpu_probe(struct pci_dev *pdev)
{
	struct nvkm_gsp *gsp = nouveau_vgpu_gsp(pdev);
	struct nouveau_vgpu *gpu;

	if (!gsp)
		return;
	gpu = kzalloc(sizeof(*gpu), GFP_KERNEL);
	if (!gpu)
		return;
	gpu->pdev = pdev;
	gpu->gsp = gsp;
	mutex_init(&gpu->windows_lock);
	nouveau_vgpu_copier_init(&gpu->copier, pci_get_drvdata(pdev));
	mutex_lock(&gpus_lock);
	list_add(&gpu->link, &gpus);
	/* Another driver, or an earlier binding, has left them. */
	if (pci_num_vf(pdev))
		nouveau_vgpu_keep_in_d0(gpu);
	if (the_driver)
		nouveau_vgpu_attach(gpu);
	mutex_unlock(&gpus_lock);
}

void nouveau_vgpu_remove(struct pci_dev *pdev)
{
	struct nouveau_vgpu *gpu;
	bool is_held = false;

	mutex_lock(&gpus_lock);
	gpu = nouveau_vgpu_find(pdev);
	if (gpu) {
		/* First vGPUs are taken down, then what they are on. */
		is_held = nouveau_vgpu_detach(gpu);
		list_del(&gpu->link);
	}
	mutex_unlock(&gpus_lock);
	/*
	 * Disabling VFs waits for whoever has one open, who may have no reason
	 * to close it: then they stay, with no vGPUs behind them.
	 */
	if (is_held)
		pci_warn(pdev, "VFs are in use: they stay, without vGPUs\n");
	else
		pci_disable_sriov(pdev);
	if (gpu)
		nouveau_vgpu_release_from_d0(gpu);
	kfree(gpu);
}

static int nouveau_vgpu_set_vfs_in_d0(struct nouveau_vgpu *gpu, int count)
{
	int rc = nouveau_vgpu_keep_in_d0(gpu);

	if (rc == 0)
		rc = pci_sriov_configure_simple(gpu->pdev, count);
	if (!pci_num_vf(gpu->pdev))
		nouveau_vgpu_release_from_d0(gpu);
	return rc;
}

int nouveau_vgpu_set_vfs(struct pci_dev *pdev, int count)
{
	struct nouveau_vgpu *gpu;
	int rc = 0;

	mutex_lock(&gpus_lock);
	gpu = nouveau_vgpu_find(pdev);
	if (gpu && gpu->is_attached)
		rc = gpu->driver->prepare_vfs(gpu->owner);
	if (rc) {
		pci_err(pdev, "the VFs stay as they are: one is in use\n");
		goto out;
	}
	if (gpu) {
		rc = nouveau_vgpu_set_vfs_in_d0(gpu, count);
	} else if (count) {
		/* The firmware was told of none, and would not serve them. */
		pci_err(pdev,
			"no VFs: nouveau was loaded without vgpu=1, or with other firmware\n");
		rc = -EOPNOTSUPP;
	} else {
		rc = pci_sriov_configure_simple(pdev, 0);
	}
	if (gpu && gpu->is_attached)
		gpu->driver->vfs_changed(gpu->owner);
out:
	mutex_unlock(&gpus_lock);
	return rc;
}

/* A guest's state is nobody's here to save, and the PCI core cannot move VFs' BARs. */
int nouveau_vgpu_suspend(struct pci_dev *pdev)
{
	if (!pci_num_vf(pdev))
		return 0;
	pci_err(pdev, "it does not sleep: it has %d VFs\n", pci_num_vf(pdev));
	return -EBUSY;
}

struct pci_dev *nouveau_vgpu_pdev(struct nouveau_vgpu *gpu)
{
	return gpu->pdev;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_pdev);

void nouveau_vgpu_get_host(struct nouveau_vgpu *gpu,
			   struct nouveau_vgpu_host *ret_host)
{
	*ret_host = (struct nouveau_vgpu_host){
		.chip = gpu->gsp->subdev.device->chip->name,
		.fb_end = gpu->gsp->vgpu->host_end,
		.chids = NVKM_GSP_VGPU_HOST_CHIDS,
	};
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_get_host);

int nouveau_vgpu_open(struct nouveau_vgpu *gpu)
{
	return nvkm_gsp_vgpu_open(gpu->gsp, nouveau_vgpu_listen, gpu);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_open);

int nouveau_vgpu_control(struct nouveau_vgpu *gpu, bool is_internal,
			 u32 command, void *params, u32 bytes, u32 *ret_status)
{
	int rc = pm_runtime_resume_and_get(&gpu->pdev->dev);

	if (rc < 0)
		return -ENODEV;
	rc = nvkm_gsp_vgpu_control(gpu->gsp, is_internal, command, params,
				   bytes, ret_status);
	pm_runtime_put_autosuspend(&gpu->pdev->dev);
	return rc;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_control);

int nouveau_vgpu_read_static_info(struct nouveau_vgpu *gpu, void *out, u32 bytes)
{
	return nvkm_gsp_vgpu_read_static_info(gpu->gsp, out, bytes);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_read_static_info);

static void nouveau_vgpu_drop_windows(struct nouveau_vgpu *gpu)
{
	u32 i;

	for (i = 0; i < gpu->window_count; i++)
		nvkm_gsp_vgpu_drop_window(gpu->gsp, &gpu->windows[i]);
	kfree(gpu->windows);
	gpu->windows = NULL;
	gpu->window_count = 0;
}

int nouveau_vgpu_make_windows(struct nouveau_vgpu *gpu, u32 count, u64 bytes)
{
	int rc = 0;

	gpu->windows = kcalloc(count, sizeof(*gpu->windows), GFP_KERNEL);
	if (!gpu->windows)
		return -ENOMEM;
	gpu->window_bytes = bytes;
	while (rc == 0 && gpu->window_count < count) {
		rc = nvkm_gsp_vgpu_make_window(gpu->gsp, bytes,
					       &gpu->windows[gpu->window_count]);
		if (rc == 0)
			gpu->window_count++;
	}
	if (rc)
		nouveau_vgpu_drop_windows(gpu);
	return rc;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_make_windows);

void nouveau_vgpu_close(struct nouveau_vgpu *gpu)
{
	nouveau_vgpu_drop_windows(gpu);
	nvkm_gsp_vgpu_close(gpu->gsp);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_close);

int nouveau_vgpu_map(struct nouveau_vgpu *gpu, u64 offset, u64 bytes,
		     void __iomem **ret_memory)
{
	struct nvkm_gsp_vgpu_window *window = NULL;
	int rc = -ENOSPC;
	u32 i;

	if (bytes > gpu->window_bytes)
		return -EINVAL;
	mutex_lock(&gpu->windows_lock);
	for (i = 0; !window && i < gpu->window_count; i++)
		if (!gpu->windows[i].range)
			window = &gpu->windows[i];
	if (window)
		rc = nvkm_gsp_vgpu_show(gpu->gsp, window, offset, bytes);
	mutex_unlock(&gpu->windows_lock);
	if (rc == 0)
		*ret_memory = window->memory;
	return rc;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_map);

void nouveau_vgpu_unmap(struct nouveau_vgpu *gpu, void __iomem *memory)
{
	u32 i;

	mutex_lock(&gpu->windows_lock);
	for (i = 0; i < gpu->window_count; i++)
		if (gpu->windows[i].memory == memory)
			nvkm_gsp_vgpu_hide(gpu->gsp, &gpu->windows[i]);
	mutex_unlock(&gpu->windows_lock);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_unmap);

int nouveau_vgpu_scrub(struct nouveau_vgpu *gpu, u64 offset, u64 bytes)
{
	int rc = pm_runtime_resume_and_get(&gpu->pdev->dev);

	if (rc < 0)
		return -ENODEV;
	rc = nouveau_vgpu_copier_scrub(&gpu->copier, offset, bytes);
	pm_runtime_put_autosuspend(&gpu->pdev->dev);
	return rc;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_scrub);

int nouveau_vgpu_copy(struct nouveau_vgpu *gpu, u64 offset, void *data,
		      u32 bytes, bool is_to_fb)
{
	int rc = pm_runtime_resume_and_get(&gpu->pdev->dev);

	if (rc < 0)
		return -ENODEV;
	rc = nouveau_vgpu_copier_copy(&gpu->copier, offset, data, bytes,
				      is_to_fb);
	pm_runtime_put_autosuspend(&gpu->pdev->dev);
	return rc;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_copy);

void nouveau_vgpu_write_register(struct nouveau_vgpu *gpu, u32 offset, u32 value)
{
	struct nvkm_device *device = gpu->gsp->subdev.device;

	nvkm_wr32(device, offset, value);
	/* Have it reach the GPU. */
	nvkm_rd32(device, offset);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_write_register);

bool nouveau_vgpu_is_in_use(struct nouveau_vgpu *gpu)
{
	return atomic_read(&gpu->copier.drm->dev->open_count) > 0;
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_is_in_use);

const char *nouveau_vgpu_why_wedged(struct nouveau_vgpu *gpu)
{
	return nvkm_gsp_vgpu_why_wedged(gpu->gsp);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_why_wedged);

void nouveau_vgpu_wedge(struct nouveau_vgpu *gpu, const char *why)
{
	nvkm_gsp_vgpu_wedge(gpu->gsp, why);
}
EXPORT_SYMBOL_GPL(nouveau_vgpu_wedge);
