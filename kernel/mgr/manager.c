// SPDX-License-Identifier: GPL-2.0-or-later
/* The vGPU manager of each GPU: it comes and goes with the PF's driver. */
#include "manager.h"

#include <linux/module.h>
#include <linux/slab.h>

#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/abi/queue_abi.h"
#include "mgr.h"

/* All managers, for those who only know a VF. */
static DEFINE_MUTEX(managers_lock);
static LIST_HEAD(managers);

static void manager_free(struct kref *ref)
{
	struct vgpu_mgr *mgr = container_of(ref, struct vgpu_mgr, ref);

	release_firmware(mgr->file);
	kvfree(mgr);
}

void vgpu_mgr_put(struct vgpu_mgr *mgr)
{
	kref_put(&mgr->ref, manager_free);
}

struct vgpu_mgr *vgpu_mgr_get(struct pci_dev *pf)
{
	struct vgpu_mgr *mgr;

	mutex_lock(&managers_lock);
	list_for_each_entry(mgr, &managers, link) {
		if (mgr->pdev == pf) {
			kref_get(&mgr->ref);
			goto out;
		}
	}
	mgr = NULL;
out:
	mutex_unlock(&managers_lock);
	return mgr;
}

struct vgpu_vf *vgpu_mgr_get_vf(struct pci_dev *pdev)
{
	int number = pci_iov_vf_id(pdev);
	struct vgpu_mgr *mgr;

	mgr = pdev->is_virtfn ? vgpu_mgr_get(pci_physfn(pdev)) : NULL;
	if (!mgr)
		return NULL;
	if (number < 0 || (u32)number >= mgr->vf_count) {
		vgpu_mgr_put(mgr);
		return NULL;
	}
	return &mgr->vfs[number];
}

/* An event of a task's: it is looked at where the GSP may be called. */
static void manager_handle_task_event(struct vgpu_event_subscriber *subscriber,
				      const u8 *payload, u32 bytes)
{
	struct vgpu_mgr *mgr =
		container_of(subscriber, struct vgpu_mgr, task_events);
	const struct vgpu_rm_plugin_triggered *event = (const void *)payload;
	struct vgpu_vf *vf;

	if (bytes < sizeof(*event) || event->gfid < 1 ||
	    event->gfid > mgr->vf_count || event->notify_index >= BITS_PER_LONG)
		return;
	vf = &mgr->vfs[event->gfid - 1];
	if (event->notify_index == VGPU_TASK_ERROR_MESSAGE)
		vgpu_vf_count_error(vf, &vf->messages);
	set_bit(event->notify_index, &vf->events);
	schedule_work(&vf->work);
}

static void manager_work(struct work_struct *work)
{
	struct vgpu_vf *vf = container_of(work, struct vgpu_vf, work);

	if (test_and_clear_bit(VGPU_TASK_DRIVER_UNLOADED, &vf->events))
		WRITE_ONCE(vf->is_driver_loaded, false);
	if (test_and_clear_bit(VGPU_TASK_DRIVER_LOADED, &vf->events))
		WRITE_ONCE(vf->is_driver_loaded, true);
	vgpu_vf_lose(vf, /* why= */ NULL);
	if (READ_ONCE(vf->has_news)) {
		WRITE_ONCE(vf->has_news, false);
		vgpu_vf_state_changed(vf);
	}
}

static void manager_handle_wedge(struct vgpu_event_subscriber *subscriber,
				 const u8 *payload, u32 bytes)
{
	struct vgpu_mgr *mgr = container_of(subscriber, struct vgpu_mgr, wedge);
	u32 i;

	for (i = 0; i < mgr->vf_count; i++)
		schedule_work(&mgr->vfs[i].work);
}

/* The types of this GPU; without a file of them there are none. */
static void manager_load_types(struct vgpu_mgr *mgr)
{
	struct pci_dev *pdev = mgr->pdev;
	const char *why = "it is not there";
	char name[64];
	int rc;

	snprintf(name, sizeof(name), "openvgpu/%04x-%04x-%s.bin", pdev->vendor,
		 pdev->device, mgr->pf->abi->version);
	rc = firmware_request_nowarn(&mgr->file, name, &pdev->dev);
	if (rc == 0)
		rc = vgpu_types_read(mgr->file->data, mgr->file->size,
				     mgr->pf->abi->version,
				     (u32)pdev->device << 16 | pdev->vendor,
				     &mgr->types, &why);
	if (rc == 0 &&
	    mgr->types.payload_bytes != mgr->pf->abi->task->types_bytes) {
		rc = -EBADMSG;
		why = "it is of another firmware's size";
		mgr->types.count = 0;
	}
	if (rc)
		pci_warn(pdev, "no vGPU types: %s: %s\n", name, why);
	else
		pci_info(pdev, "%u vGPU types\n", mgr->types.count);
}

static int manager_tell_types(struct vgpu_mgr *mgr)
{
	u32 bytes = (u32)mgr->types.payload_bytes;
	void *params = kvmalloc(bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	/* Linux 6.1 has no kvmemdup(). */
	memcpy(params, mgr->types.payload, bytes);
	rc = mgr->pf->ops->control_internal(mgr->pf, VGPU_TASK_ADD_TYPES,
					    params, bytes);
	kvfree(params);
	return rc;
}

/* Places are those of the whole GPU, also where its driver has some of them. */
static int manager_reserve_host(struct vgpu_mgr *mgr)
{
	u64 start = mgr->place.fb_start, end = mgr->pf->fb_host_end;

	return start < end ? vgpu_fb_reserve(mgr->pf->fb, start, end - start) : 0;
}

/* Room for tasks' heaps at the top, and the largest free piece for vGPUs. */
static int manager_make_place(struct vgpu_mgr *mgr)
{
	struct vgpu_pf *pf = mgr->pf;
	int rc;

	mutex_lock(pf->allocators_lock);
	rc = vgpu_fb_carve(pf->fb, VGPU_HEAPS_BYTES, &mgr->heaps, VGPU_HEAP_UNIT,
			   mgr->heap_ranges, ARRAY_SIZE(mgr->heap_ranges));
	if (rc == 0) {
		mgr->place.fb = pf->fb;
		mgr->place.heaps = &mgr->heaps;
		mgr->place.chids = pf->chids;
		mgr->place.gib = mgr->types.gib;
		vgpu_fb_find_largest(pf->fb, &mgr->place.fb_start,
				     &mgr->place.fb_end);
		rc = manager_reserve_host(mgr);
	}
	mutex_unlock(pf->allocators_lock);
	return rc;
}

static int manager_tell_mode(struct vgpu_mgr *mgr)
{
	u8 is_heterogeneous = mgr->mode == VGPU_PLACE_HETEROGENEOUS;

	return mgr->pf->ops->control_internal(
		mgr->pf, VGPU_TASK_SET_HETEROGENEOUS, &is_heterogeneous,
		sizeof(is_heterogeneous));
}

/* Where the firmware does not know the question, it cannot either. */
static void manager_ask_migration(struct vgpu_mgr *mgr)
{
	u8 can_migrate = 0;
	int rc = mgr->pf->ops->control_internal(
		mgr->pf, VGPU_TASK_GET_MIGRATION_SUPPORT, &can_migrate,
		sizeof(can_migrate));

	WRITE_ONCE(mgr->can_migrate, rc == 0 && can_migrate);
}

int vgpu_mgr_start(struct vgpu_pf *pf)
{
	struct vgpu_mgr *mgr = pf->mgr;
	int rc = 0;

	if (!mgr || !mgr->types.count)
		return 0;
	vgpu_mgr_forget_orphans(mgr);
	if (!mgr->place.fb)
		rc = manager_make_place(mgr);
	/* The GPU's clock may have begun anew. */
	WRITE_ONCE(mgr->sampled_ns, 0);
	if (rc == 0)
		rc = manager_tell_types(mgr);
	if (rc == 0 && mgr->mode == VGPU_PLACE_HETEROGENEOUS)
		rc = manager_tell_mode(mgr);
	if (rc == 0)
		rc = vgpu_mgr_tell_scheduler(mgr);
	if (rc == 0)
		manager_ask_migration(mgr);
	if (rc)
		pci_err(pf->pdev, "no vGPUs: %d\n", rc);
	mutex_lock(&mgr->lock);
	mgr->is_ready = rc == 0;
	mutex_unlock(&mgr->lock);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_mgr_start);

void vgpu_mgr_stop(struct vgpu_pf *pf, const char *why)
{
	struct vgpu_mgr *mgr = pf->mgr;
	u32 i;

	if (!mgr)
		return;
	mutex_lock(&mgr->lock);
	mgr->is_ready = false;
	mutex_unlock(&mgr->lock);
	for (i = 0; i < mgr->vf_count; i++)
		vgpu_vf_lose(&mgr->vfs[i], why);
}
EXPORT_SYMBOL_GPL(vgpu_mgr_stop);

int vgpu_mgr_set_mode(struct vgpu_mgr *mgr, enum vgpu_place_mode mode)
{
	enum vgpu_place_mode before;
	int rc = 0;

	mutex_lock(&mgr->lock);
	before = mgr->mode;
	if (mode == before)
		goto out;
	if (mgr->provisioned)
		rc = -EBUSY;
	else if (mode == VGPU_PLACE_HETEROGENEOUS &&
		 mgr->policy == VGPU_TASK_FIXED_SHARE)
		rc = -EINVAL;
	if (rc)
		goto out;
	mgr->mode = mode;
	rc = manager_tell_mode(mgr);
	if (rc)
		mgr->mode = before;
out:
	mutex_unlock(&mgr->lock);
	return rc;
}

static void manager_init_vf(struct vgpu_mgr *mgr, u32 number)
{
	struct vgpu_vf *vf = &mgr->vfs[number];

	vf->mgr = mgr;
	vf->gfid = number + 1;
	vf->wanted_place = VGPU_PLACE_AUTO;
	mutex_init(&vf->lock);
	mutex_init(&vf->user_lock);
	INIT_WORK(&vf->work, manager_work);
}

static struct vgpu_mgr *manager_create(struct vgpu_pf *pf)
{
	u32 count = min_t(u32, pf->vf_total, VGPU_INSTANCES_MAX), i;
	struct vgpu_mgr *mgr;

	mgr = kvzalloc(struct_size(mgr, vfs, count), GFP_KERNEL);
	if (!mgr)
		return NULL;
	kref_init(&mgr->ref);
	mgr->pf = pf;
	mgr->pdev = pf->pdev;
	mgr->vf_count = count;
	mgr->policy = VGPU_TASK_BEST_EFFORT;
	mutex_init(&mgr->lock);
	for (i = 0; i < count; i++)
		manager_init_vf(mgr, i);
	return mgr;
}

/* The device of a VF, with a reference; NULL: it is not enabled. */
static struct pci_dev *manager_get_vf_device(struct vgpu_mgr *mgr, u32 number)
{
	struct pci_dev *pf = mgr->pdev;
	u16 offset = 0, stride = 0;
	int capability;
	u32 id;

	capability = pci_find_ext_capability(pf, PCI_EXT_CAP_ID_SRIOV);
	if (!capability || number >= (u32)pci_num_vf(pf))
		return NULL;
	pci_read_config_word(pf, capability + PCI_SRIOV_VF_OFFSET, &offset);
	pci_read_config_word(pf, capability + PCI_SRIOV_VF_STRIDE, &stride);
	/* PCIe 6.0 9.2.1.2: counted on from the PF's own. */
	id = pci_dev_id(pf) + offset + stride * number;
	return pci_get_domain_bus_and_slot(pci_domain_nr(pf->bus),
					   PCI_BUS_NUM(id), id & 0xff);
}

static void manager_remove_device_files(struct vgpu_mgr *mgr)
{
	struct pci_dev *pdev;
	u32 i;

	for (i = 0; i < mgr->vf_count; i++) {
		pdev = manager_get_vf_device(mgr, i);
		if (!pdev)
			continue;
		vgpu_vf_remove_device_files(&mgr->vfs[i], pdev);
		pci_dev_put(pdev);
	}
}

int vgpu_mgr_create(struct vgpu_pf *pf)
{
	struct vgpu_mgr *mgr;
	int rc;

	/* With vgpu=0 there are no VFs, as the firmware knows it. */
	if (!pf->vf_total)
		return 0;
	mgr = manager_create(pf);
	if (!mgr)
		return -ENOMEM;
	manager_load_types(mgr);
	vgpu_test_hooks_init(&mgr->hooks, pf->debugfs);
	pf->mgr = mgr;
	mgr->task_events.event = VGPU_RPC_EVENT_VGPU_GSP_PLUGIN_TRIGGERED;
	mgr->task_events.handle = manager_handle_task_event;
	pf->ops->subscribe(pf, &mgr->task_events);
	mgr->wedge.event = VGPU_EVENT_WEDGED;
	mgr->wedge.handle = manager_handle_wedge;
	pf->ops->subscribe(pf, &mgr->wedge);
	vgpu_mgr_watch_usage(mgr);
	vgpu_mgr_watch_errors(mgr);
	/* A GPU of which no vGPUs can be had is of use all the same. */
	if (mgr->types.count)
		vgpu_mgr_read_scheduler(mgr);
	vgpu_mgr_start(pf);
	rc = vgpu_mgr_add_files(mgr);
	mutex_lock(&managers_lock);
	list_add(&mgr->link, &managers);
	mutex_unlock(&managers_lock);
	if (rc)
		vgpu_mgr_destroy(pf);
	else
		vgpu_mgr_vfs_changed(pf);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_mgr_create);

bool vgpu_mgr_destroy(struct vgpu_pf *pf)
{
	struct vgpu_mgr *mgr = pf->mgr;
	bool is_held;
	u32 i;

	if (!mgr)
		return false;
	WRITE_ONCE(mgr->is_gone, true);
	vgpu_test_hooks_finish(&mgr->hooks);
	manager_remove_device_files(mgr);
	vgpu_mgr_remove_files(mgr);
	vgpu_mgr_stop(pf, "the GPU's driver is unbound");
	vgpu_mgr_unwatch_errors(mgr);
	vgpu_mgr_unwatch_usage(mgr);
	pf->ops->unsubscribe(pf, &mgr->wedge);
	pf->ops->unsubscribe(pf, &mgr->task_events);
	mutex_lock(&managers_lock);
	list_del(&mgr->link);
	mutex_unlock(&managers_lock);
	/* Nobody who has a VF open gets at the driver any more. */
	pf->mgr = NULL;
	for (i = 0; i < mgr->vf_count; i++)
		cancel_work_sync(&mgr->vfs[i].work);
	mutex_lock(&mgr->lock);
	is_held = mgr->open > 0;
	mutex_unlock(&mgr->lock);
	vgpu_mgr_put(mgr);
	return is_held;
}
EXPORT_SYMBOL_GPL(vgpu_mgr_destroy);

int vgpu_mgr_prepare_vfs(struct vgpu_pf *pf)
{
	struct vgpu_mgr *mgr = pf->mgr;
	int rc = 0;

	if (!mgr)
		return 0;
	mutex_lock(&mgr->lock);
	if (mgr->open)
		rc = -EBUSY;
	else
		mgr->is_disabling = true;
	mutex_unlock(&mgr->lock);
	if (rc == 0)
		manager_remove_device_files(mgr);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_mgr_prepare_vfs);

void vgpu_mgr_vfs_changed(struct vgpu_pf *pf)
{
	struct vgpu_mgr *mgr = pf->mgr;
	struct pci_dev *pdev;
	u32 i;

	if (!mgr)
		return;
	mutex_lock(&mgr->lock);
	mgr->is_disabling = false;
	mutex_unlock(&mgr->lock);
	for (i = 0; i < mgr->vf_count; i++) {
		pdev = manager_get_vf_device(mgr, i);
		if (!pdev)
			continue;
		if (vgpu_vf_add_device_files(&mgr->vfs[i], pdev))
			pci_warn(pdev, "it has not all of its files in sysfs\n");
		pci_dev_put(pdev);
	}
}
EXPORT_SYMBOL_GPL(vgpu_mgr_vfs_changed);

MODULE_DESCRIPTION("OpenVGPU: manager of vGPUs, for drivers of their GPUs");
MODULE_AUTHOR("OpenVGPU maintainers");
MODULE_LICENSE("GPL");
