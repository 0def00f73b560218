// SPDX-License-Identifier: GPL-2.0-or-later
/* vGPUs' framebuffer is filled with zeros, or copied, by a channel of nouveau's. */
#include <linux/delay.h>
#include <linux/sizes.h>

#include <nvif/fifo.h>
#include <nvif/push906f.h>

#include <subdev/gsp.h>
#include <subdev/gsp_vgpu.h>

#include "nouveau_bo.h"
#include "nouveau_chan.h"
#include "nouveau_dma.h"
#include "nouveau_drv.h"
#include "nouveau_fence.h"
#include "nouveau_vmm.h"
#include "copier.h"

/* As kernel/core/rm/scrub.c. */
#define START_MS   4000
#define PER_GIB_MS 1000
#define POLL_US	   20
#define FILL_BYTES SZ_1G

#define BUFFER_BYTES SZ_1M
#define PUSH_WORDS   24
/* Of the copy object: unlike those of nouveau's own, in the same client. */
#define HANDLE 0x76670000

/* Of class cXb5, what nouveau has no names for; bits of LAUNCH_DMA. */
#define LAUNCH_NON_PIPELINED 0x00000002
#define LAUNCH_FLUSH	     0x00000004
#define LAUNCH_SRC_PITCH     0x00000080
#define LAUNCH_DST_PITCH     0x00000100
#define LAUNCH_REMAP	     0x00000400
#define LAUNCH_SRC_PHYSICAL  0x00001000
#define LAUNCH_DST_PHYSICAL  0x00002000
#define LAUNCH_NO_PLC	     0x04000000
#define LAUNCH_ALL                                                             \
	(LAUNCH_NON_PIPELINED | LAUNCH_FLUSH | LAUNCH_SRC_PITCH |              \
	 LAUNCH_DST_PITCH | LAUNCH_NO_PLC)
#define REMAP_X_TO_CONST_A 0x00000004
#define REMAP_OF_4_BYTES   0x00030000

static void copier_drop_channel(struct nouveau_vgpu_copier *copier)
{
	if (!copier->channel)
		return;
	nvif_object_dtor(&copier->object);
	nouveau_vma_del(&copier->vma);
	nouveau_bo_unpin_del(&copier->buffer);
	nouveau_channel_del(&copier->channel);
}

static int copier_make_objects(struct nouveau_vgpu_copier *copier)
{
	/* The class that nouveau's own copies found. */
	u32 class = copier->drm->ttm.copy.oclass;
	struct nouveau_channel *channel = copier->channel;
	struct nvif_push *push = &channel->chan.push;
	int rc;

	if (!class)
		return -ENODEV;
	rc = nvif_object_ctor(&channel->user, "vgpuCopy", HANDLE | class, class,
			      NULL, 0, &copier->object);
	if (rc)
		return rc;
	rc = nouveau_bo_new_pin(&copier->drm->client, NOUVEAU_GEM_DOMAIN_GART,
				BUFFER_BYTES, &copier->buffer);
	if (rc)
		return rc;
	rc = nouveau_bo_map(copier->buffer);
	if (rc)
		return rc;
	rc = nouveau_vma_new(copier->buffer, channel->vmm, &copier->vma);
	if (rc)
		return rc;
	rc = PUSH_WAIT(push, PUSH_WORDS);
	if (rc == 0)
		PUSH_NVSQ(push, NVA0B5, 0x0000, class);
	return rc;
}

/* One that was at fault gives way to a new one. */
static int copier_get_channel(struct nouveau_vgpu_copier *copier)
{
	struct nouveau_cli *client = &copier->drm->client;
	u64 runlists = nvif_fifo_runlist_ce(&client->device);
	int rc;

	if (copier->channel && !atomic_read(&copier->channel->killed))
		return 0;
	copier_drop_channel(copier);
	if (!runlists)
		return -ENODEV;
	/* Its last handles are of DMA objects, which such GPUs do not have. */
	rc = nouveau_channel_new(client, /* priv= */ true, runlists, 0, 0,
				 &copier->channel);
	if (rc == 0)
		rc = copier_make_objects(copier);
	if (rc) {
		NV_PRINTK(err, client,
			  "no channel for vGPUs' framebuffer: %d\n", rc);
		copier_drop_channel(copier);
	}
	return rc;
}

static int copier_wait(struct nouveau_vgpu_copier *copier,
		       struct nouveau_fence *fence, unsigned long deadline)
{
	struct nvkm_device *device = nvxx_device(copier->drm);
	struct pci_dev *pdev = to_pci_dev(copier->drm->dev->dev);
	bool is_late, is_done;

	for (;;) {
		is_late = time_after(jiffies, deadline);
		is_done = nouveau_fence_done(fence);
		/* Fences of a channel that is at fault are done, too: look after. */
		if (atomic_read(&copier->channel->killed))
			return -EIO;
		if (is_done)
			return dma_fence_get_status(&fence->base) < 0 ? -EIO : 0;
		if (nvkm_gsp_vgpu_is_wedged(device->gsp) ||
		    !pci_device_is_present(pdev))
			return -ENODEV;
		if (is_late)
			return -ETIMEDOUT;
		usleep_range(POLL_US, 2 * POLL_US);
	}
}

/* What was put into the channel is begun, and waited for. */
static int copier_run(struct nouveau_vgpu_copier *copier, unsigned long deadline)
{
	struct nouveau_fence *fence;
	int rc;

	rc = nouveau_fence_new(&fence, copier->channel);
	if (rc)
		return -EIO;
	rc = copier_wait(copier, fence, deadline);
	nouveau_fence_unref(&fence);
	return rc;
}

static int copier_fill(struct nouveau_vgpu_copier *copier, u64 offset,
		       u32 bytes, unsigned long deadline)
{
	struct nvif_push *push = &copier->channel->chan.push;

	if (PUSH_WAIT(push, PUSH_WORDS))
		return -EIO;
	PUSH_NVSQ(push, NVA0B5, 0x0700, 0);
	PUSH_NVSQ(push, NVA0B5, 0x0708, REMAP_X_TO_CONST_A | REMAP_OF_4_BYTES);
	PUSH_NVSQ(push, NVA0B5, 0x0264, 0);
	PUSH_NVSQ(push, NVA0B5, 0x0408, upper_32_bits(offset), 0x040c,
		  lower_32_bits(offset));
	PUSH_NVSQ(push, NVA0B5, 0x0418, bytes / 4, 0x041c, 1);
	PUSH_NVSQ(push, NVA0B5, 0x0300,
		  LAUNCH_ALL | LAUNCH_REMAP | LAUNCH_DST_PHYSICAL);
	return copier_run(copier, deadline);
}

/* Between the framebuffer and the buffer. */
static int copier_move(struct nouveau_vgpu_copier *copier, u64 offset,
		       u32 bytes, bool is_to_fb, unsigned long deadline)
{
	struct nvif_push *push = &copier->channel->chan.push;
	u64 buffer = copier->vma->addr;
	u64 in = is_to_fb ? buffer : offset, out = is_to_fb ? offset : buffer;

	if (PUSH_WAIT(push, PUSH_WORDS))
		return -EIO;
	PUSH_NVSQ(push, NVA0B5, 0x0260, 0, 0x0264, 0);
	PUSH_NVSQ(push, NVA0B5, 0x0400, upper_32_bits(in), 0x0404,
		  lower_32_bits(in), 0x0408, upper_32_bits(out), 0x040c,
		  lower_32_bits(out));
	PUSH_NVSQ(push, NVA0B5, 0x0418, bytes, 0x041c, 1);
	PUSH_NVSQ(push, NVA0B5, 0x0300,
		  LAUNCH_ALL | (is_to_fb ? LAUNCH_DST_PHYSICAL
					 : LAUNCH_SRC_PHYSICAL));
	return copier_run(copier, deadline);
}

int nouveau_vgpu_copier_scrub(struct nouveau_vgpu_copier *copier, u64 offset,
			      u64 bytes)
{
	u64 gibs = DIV_ROUND_UP_ULL(bytes, SZ_1G), part;
	unsigned long deadline;
	int rc;

	if (!IS_ALIGNED(offset | bytes, SZ_4K))
		return -EINVAL;
	mutex_lock(&copier->lock);
	rc = copier_get_channel(copier);
	deadline = jiffies + msecs_to_jiffies(START_MS + (u32)gibs * PER_GIB_MS);
	for (; rc == 0 && bytes; offset += part, bytes -= part) {
		part = min_t(u64, bytes, FILL_BYTES);
		rc = copier_fill(copier, offset, (u32)part, deadline);
	}
	/* What it still does is over once its channel is gone. */
	if (rc)
		copier_drop_channel(copier);
	mutex_unlock(&copier->lock);
	return rc;
}

int nouveau_vgpu_copier_copy(struct nouveau_vgpu_copier *copier, u64 offset,
			     u8 *data, u32 bytes, bool is_to_fb)
{
	unsigned long deadline;
	u32 part;
	int rc;

	mutex_lock(&copier->lock);
	rc = copier_get_channel(copier);
	deadline = jiffies + msecs_to_jiffies(START_MS);
	for (; rc == 0 && bytes; offset += part, data += part, bytes -= part) {
		part = min_t(u32, bytes, BUFFER_BYTES);
		if (is_to_fb)
			memcpy(copier->buffer->kmap.virtual, data, part);
		rc = copier_move(copier, offset, part, is_to_fb, deadline);
		/* It is read after the fence that says it is full. */
		rmb();
		if (rc == 0 && !is_to_fb)
			memcpy(data, copier->buffer->kmap.virtual, part);
	}
	if (rc)
		copier_drop_channel(copier);
	mutex_unlock(&copier->lock);
	return rc;
}

void nouveau_vgpu_copier_init(struct nouveau_vgpu_copier *copier,
			      struct nouveau_drm *drm)
{
	copier->drm = drm;
	mutex_init(&copier->lock);
}

void nouveau_vgpu_copier_finish(struct nouveau_vgpu_copier *copier)
{
	mutex_lock(&copier->lock);
	copier_drop_channel(copier);
	mutex_unlock(&copier->lock);
	mutex_destroy(&copier->lock);
}
