// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vGPUs on a GPU that nouveau drives: the firmware is booted so that it serves them,
 * and a part of the GPU is kept for them. Numbers are those of kernel/core.
 */
#include <core/pci.h>
#include <subdev/bar.h>
#include <subdev/fb.h>
#include <subdev/gsp.h>
#include <subdev/gsp_vgpu.h>
#include <subdev/mmu.h>
#include <engine/sec2.h>

#include "priv.h"
#include "rm/r535/nvrm/ctrl.h"
#include "rm/r535/nvrm/rpcfn.h"

static bool is_vgpu_wanted;
module_param_named(vgpu, is_vgpu_wanted, bool, 0444);
MODULE_PARM_DESC(vgpu,
		 "whether there are to be vGPUs, and VFs for them (default: 0)");

static unsigned int host_mib;
module_param_named(host, host_mib, uint, 0444);
MODULE_PARM_DESC(
	host,
	"MiB of framebuffer that stay the host's where there are vGPUs (default: a quarter)");

/* The largest segment of the VMMU: what vGPUs have begins at a multiple of it. */
#define SEGMENT_BYTES	     0x20000000ULL
#define REG_SCRUBBER_HANDOFF 0x1180fc /* SECURE_SCRATCH_15 */
#define HANDOFF_SHIFT	     29
#define HANDOFF_DONE	     3

static struct pci_dev *gsp_vgpu_pdev(struct nvkm_gsp *gsp)
{
	struct nvkm_device *device = gsp->subdev.device;

	if (device->type == NVKM_DEVICE_TEGRA)
		return NULL;
	return container_of(device, struct nvkm_device_pci, device)->pdev;
}

static void gsp_vgpu_read_vfs(struct pci_dev *pdev, int capability,
			      struct nvkm_gsp_vgpu *vgpu)
{
	int at = capability + PCI_SRIOV_BAR, i;

	pci_read_config_word(pdev, capability + PCI_SRIOV_TOTAL_VF,
			     &vgpu->vf.total);
	pci_read_config_word(pdev, capability + PCI_SRIOV_VF_OFFSET,
			     &vgpu->vf.first_offset);
	for (i = 0; i < NVKM_GSP_VGPU_BARS; i++) {
		u32 low = 0, high = 0;

		pci_read_config_dword(pdev, at, &low);
		vgpu->vf.is_bar_64bit[i] = low & PCI_BASE_ADDRESS_MEM_TYPE_64;
		if (vgpu->vf.is_bar_64bit[i])
			pci_read_config_dword(pdev, at + 4, &high);
		vgpu->vf.bar_address[i] = (u64)high << 32 | (low & ~0xfU);
		at += vgpu->vf.is_bar_64bit[i] ? 8 : 4;
	}
}

int nvkm_gsp_vgpu_new(struct nvkm_gsp *gsp, const char *version)
{
	struct pci_dev *pdev = gsp_vgpu_pdev(gsp);
	struct nvkm_gsp_vgpu *vgpu;
	int capability, rc;

	if (!is_vgpu_wanted || !pdev || pdev->is_virtfn ||
	    strcmp(version, "570.144"))
		return 0;
	capability = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_SRIOV);
	if (!capability)
		return 0;
	vgpu = kzalloc(sizeof(*vgpu), GFP_KERNEL);
	if (!vgpu)
		return -ENOMEM;
	gsp_vgpu_read_vfs(pdev, capability, vgpu);
	rc = nvkm_gsp_load_fw(gsp, "scrubber", version, &vgpu->file);
	if (rc) {
		kfree(vgpu);
		return rc;
	}
	gsp->vgpu = vgpu;
	return 0;
}

void nvkm_gsp_vgpu_del(struct nvkm_gsp *gsp)
{
	struct nvkm_gsp_vgpu *vgpu = gsp->vgpu;

	if (!vgpu)
		return;
	if (vgpu->has_scrubber)
		nvkm_falcon_fw_dtor(&vgpu->scrubber);
	nvkm_firmware_put(vgpu->file);
	kfree(vgpu);
	gsp->vgpu = NULL;
}

int nvkm_gsp_vgpu_oneinit(struct nvkm_gsp *gsp)
{
	struct nvkm_gsp_vgpu *vgpu = gsp->vgpu;
	int rc;

	if (!vgpu)
		return 0;
	rc = gsp->func->booter.ctor(gsp, "scrubber", vgpu->file,
				    &gsp->subdev.device->sec2->falcon,
				    &vgpu->scrubber);
	vgpu->has_scrubber = rc == 0;
	return rc;
}

static bool gsp_vgpu_is_scrubbed(struct nvkm_gsp *gsp)
{
	return nvkm_rd32(gsp->subdev.device, REG_SCRUBBER_HANDOFF) >>
	       HANDOFF_SHIFT >= HANDOFF_DONE;
}

/* The GPU's own boot scrubs no more than a heap without vGPUs needs. */
int nvkm_gsp_vgpu_scrub(struct nvkm_gsp *gsp)
{
	u32 mailbox[2] = {};
	int rc;

	if (!gsp->vgpu || gsp_vgpu_is_scrubbed(gsp))
		return 0;
	rc = nvkm_falcon_fw_boot(&gsp->vgpu->scrubber, &gsp->subdev, true,
				 &mailbox[0], &mailbox[1], 0, 0);
	if (rc == 0 && !gsp_vgpu_is_scrubbed(gsp))
		rc = -EIO;
	if (rc)
		nvkm_error(&gsp->subdev, "the scrubber failed: %d\n", rc);
	return rc;
}

u32 nvkm_gsp_vgpu_host_chids(struct nvkm_gsp *gsp, u32 first, u32 count)
{
	return gsp->vgpu ? min(count, NVKM_GSP_VGPU_HOST_CHIDS - first) : count;
}

/*
 * The host's is the lower part, up to a multiple of the segments that vGPUs
 * have; of what is above it nouveau knows nothing.
 */
static u64 gsp_vgpu_host_end(struct nvkm_gsp *gsp)
{
	u64 bytes = (u64)host_mib << 20, usable = gsp->fb.heap.addr;

	if (!bytes)
		bytes = usable / 4;
	return min(ALIGN(bytes, SEGMENT_BYTES),
		   ALIGN_DOWN(usable, SEGMENT_BYTES));
}

u64 nvkm_gsp_vgpu_host_bytes(struct nvkm_gsp *gsp, u64 start, u64 bytes)
{
	if (!gsp->vgpu)
		return bytes;
	if (!gsp->vgpu->host_end) {
		gsp->vgpu->host_end = gsp_vgpu_host_end(gsp);
		nvkm_info(&gsp->subdev,
			  "vGPUs: %u VFs, framebuffer from %llu MiB on\n",
			  gsp->vgpu->vf.total, gsp->vgpu->host_end >> 20);
	}
	if (start >= gsp->vgpu->host_end)
		return 0;
	return min(bytes, gsp->vgpu->host_end - start);
}

int nvkm_gsp_vgpu_open(struct nvkm_gsp *gsp, nvkm_gsp_vgpu_listener listener,
		       void *owner)
{
	struct nvkm_gsp_vgpu *vgpu = gsp->vgpu;
	int rc;

	rc = nvkm_gsp_client_device_ctor(gsp, &vgpu->client, &vgpu->device);
	if (rc)
		return rc;
	mutex_lock(&gsp->cmdq.mutex);
	vgpu->listener = listener;
	vgpu->owner = owner;
	mutex_unlock(&gsp->cmdq.mutex);
	return 0;
}

void nvkm_gsp_vgpu_close(struct nvkm_gsp *gsp)
{
	struct nvkm_gsp_vgpu *vgpu = gsp->vgpu;

	mutex_lock(&gsp->cmdq.mutex);
	vgpu->listener = NULL;
	mutex_unlock(&gsp->cmdq.mutex);
	nvkm_gsp_device_dtor(&vgpu->device);
	nvkm_gsp_client_dtor(&vgpu->client);
}

bool nvkm_gsp_vgpu_event(struct nvkm_gsp *gsp, u32 event, const void *payload,
			 u32 bytes)
{
	if (!gsp->vgpu || !gsp->vgpu->listener)
		return false;
	gsp->vgpu->listener(gsp->vgpu->owner, event, payload, bytes);
	return true;
}

const char *nvkm_gsp_vgpu_why_wedged(struct nvkm_gsp *gsp)
{
	return gsp->vgpu ? READ_ONCE(gsp->vgpu->why_wedged) : NULL;
}

bool nvkm_gsp_vgpu_is_wedged(struct nvkm_gsp *gsp)
{
	return nvkm_gsp_vgpu_why_wedged(gsp);
}

/* Callers hold cmdq.mutex. */
static void gsp_vgpu_wedge(struct nvkm_gsp *gsp, const char *why)
{
	if (nvkm_gsp_vgpu_is_wedged(gsp))
		return;
	WRITE_ONCE(gsp->vgpu->why_wedged, why);
	nvkm_error(&gsp->subdev, "the firmware is out of order: %s\n", why);
	nvkm_gsp_vgpu_event(gsp, 0, NULL, 0);
}

void nvkm_gsp_vgpu_wedge(struct nvkm_gsp *gsp, const char *why)
{
	mutex_lock(&gsp->cmdq.mutex);
	gsp_vgpu_wedge(gsp, why);
	mutex_unlock(&gsp->cmdq.mutex);
}

bool nvkm_gsp_vgpu_has_halted(struct nvkm_gsp *gsp)
{
	return gsp->vgpu && gsp->running &&
	       !nvkm_falcon_riscv_active(&gsp->falcon);
}

void nvkm_gsp_vgpu_look(struct nvkm_gsp *gsp)
{
	if (nvkm_gsp_vgpu_has_halted(gsp))
		gsp_vgpu_wedge(gsp, "its firmware crashed");
}

void nvkm_gsp_vgpu_called(struct nvkm_gsp *gsp, const void *reply)
{
	if (!gsp->vgpu || reply != ERR_PTR(-ETIMEDOUT))
		return;
	nvkm_gsp_vgpu_look(gsp);
	gsp_vgpu_wedge(gsp, "it does not answer");
}

/* What came of a call whose errors are nouveau's: only that it may be done. */
static int gsp_vgpu_call_error(const void *reply)
{
	if (!reply)
		return -EIO;
	return reply == ERR_PTR(-ETIMEDOUT) ? -ETIMEDOUT : -EIO;
}

int nvkm_gsp_vgpu_control(struct nvkm_gsp *gsp, bool is_internal, u32 command,
			  void *params, u32 bytes, u32 *ret_status)
{
	struct nvkm_gsp_object *object =
		is_internal ? &gsp->internal.device.subdevice
			    : &gsp->vgpu->device.subdevice;
	rpc_gsp_rm_control_v03_00 *call;
	void *in;

	if (nvkm_gsp_vgpu_is_wedged(gsp))
		return -ENODEV;
	in = nvkm_gsp_rm_ctrl_get(object, command, bytes);
	if (IS_ERR(in))
		return -ENOMEM;
	memcpy(in, params, bytes);
	call = container_of(in, rpc_gsp_rm_control_v03_00, params);
	/* Not by nvkm_gsp_rm_ctrl_push(), which tells no status. */
	call = nvkm_gsp_rpc_push(gsp, call, NVKM_GSP_RPC_REPLY_RECV,
				 sizeof(*call) + bytes);
	if (IS_ERR_OR_NULL(call))
		return gsp_vgpu_call_error(call);
	*ret_status = call->status;
	if (!call->status)
		memcpy(params, call->params, bytes);
	nvkm_gsp_rpc_done(gsp, call);
	return 0;
}

int nvkm_gsp_vgpu_read_static_info(struct nvkm_gsp *gsp, void *out, u32 bytes)
{
	void *reply = nvkm_gsp_rpc_rd(
		gsp, NV_VGPU_MSG_FUNCTION_GET_GSP_STATIC_INFO, bytes);

	if (IS_ERR_OR_NULL(reply))
		return gsp_vgpu_call_error(reply);
	memcpy(out, reply, bytes);
	nvkm_gsp_rpc_done(gsp, reply);
	return 0;
}

int nvkm_gsp_vgpu_make_window(struct nvkm_gsp *gsp, u64 bytes,
			      struct nvkm_gsp_vgpu_window *ret_window)
{
	struct nvkm_device *device = gsp->subdev.device;
	struct nvkm_vmm *vmm = nvkm_bar_bar1_vmm(device);
	struct nvkm_gsp_vgpu_window window = {};
	int rc;

	if (IS_ERR_OR_NULL(vmm))
		return -ENODEV;
	rc = nvkm_vmm_get(vmm, PAGE_SHIFT, bytes, &window.vma);
	if (rc)
		return rc;
	window.memory =
		ioremap(device->func->resource_addr(device, NVKM_BAR1_FB) +
				window.vma->addr,
			bytes);
	if (!window.memory) {
		nvkm_vmm_put(vmm, &window.vma);
		return -ENOMEM;
	}
	*ret_window = window;
	return 0;
}

void nvkm_gsp_vgpu_drop_window(struct nvkm_gsp *gsp,
			       struct nvkm_gsp_vgpu_window *window)
{
	if (!window->memory)
		return;
	nvkm_gsp_vgpu_hide(gsp, window);
	iounmap(window->memory);
	window->memory = NULL;
	nvkm_vmm_put(nvkm_bar_bar1_vmm(gsp->subdev.device), &window->vma);
}

int nvkm_gsp_vgpu_show(struct nvkm_gsp *gsp, struct nvkm_gsp_vgpu_window *window,
		       u64 offset, u64 bytes)
{
	struct nvkm_device *device = gsp->subdev.device;
	int rc;

	rc = nvkm_ram_wrap(device, offset, bytes, &window->range);
	if (rc == 0)
		rc = nvkm_memory_map(window->range, 0, nvkm_bar_bar1_vmm(device),
				     window->vma, NULL, 0);
	if (rc)
		nvkm_memory_unref(&window->range);
	return rc;
}

void nvkm_gsp_vgpu_hide(struct nvkm_gsp *gsp, struct nvkm_gsp_vgpu_window *window)
{
	if (!window->range)
		return;
	nvkm_vmm_unmap(nvkm_bar_bar1_vmm(gsp->subdev.device), window->vma);
	nvkm_memory_unref(&window->range);
}
