// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A channel of the core driver's own. Its instance, USERD and page tables are
 * in the framebuffer; its ring, methods and semaphore are the CPU's memory:
 *
 *   ring --> methods --> host --> copy engine --> semaphore
 *
 * and so is a buffer for what the engine copies.
 */
#include "channel.h"

#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/hw/page_table.h"
#include "kernel/core/hw/regs.h"
#include "rm.h"
#include "kernel/core/hw/vram.h"

/* Pages of its part of the framebuffer. */
#define INSTANCE    0x0000
#define USERD	    0x1000
#define DIRECTORY_3 0x2000
#define DIRECTORY_2 0x3000
#define DIRECTORY_1 0x4000
#define DIRECTORY_0 0x5000
#define TABLE	    0x6000

/* Pages of the CPU's memory, and where the channel sees them. */
#define RING	     0x0000
#define METHODS	     0x1000
#define SEMAPHORE    0x2000
#define MEMORY_BYTES 0x3000
#define MEMORY_VA    0x200000ULL
#define BUFFER_VA    0x210000ULL
#define RING_ENTRIES (METHODS / 8)

static_assert(VGPU_CHANNEL_PUSH_WORDS * 4 <= SEMAPHORE - METHODS, "a page");
static_assert(BUFFER_VA + VGPU_CHANNEL_BUFFER_BYTES <=
		      MEMORY_VA + (1ULL << VGPU_PD0_SHIFT),
	      "one table");

/* What the firmware may have of the address space: an entry of directory 1. */
#define FIRMWARES_VA	0x100000000ULL
#define FIRMWARES_BYTES 0x20000000ULL
#define ROOT_BYTES	0x20 /* the directory at the top has four entries */

/* An instance: where its page directory is, for each of 64 subcontexts. */
#define INSTANCE_DIRECTORY	  0x200
#define INSTANCE_LIMIT		  0x208
#define INSTANCE_SUBCONTEXTS_USED 0x298
#define INSTANCE_SUBCONTEXT	  0x2a0
#define INSTANCE_SUBCONTEXT_BYTES 0x10
#define INSTANCE_SUBCONTEXTS	  64
#define DIRECTORY_IS_OF_PASCAL	  0x00000400
#define DIRECTORY_HAS_64K_PAGES	  0x00000800
#define DIRECTORY_NONE		  0x00000001
#define VA_LIMIT		  0x1ffffffffffffULL

#define USERD_BYTES  0x200
#define USERD_GP_PUT 0x8c
#define RAMFC_BYTES  0x200

#define ENTRY_WORDS_SHIFT   42
#define TOKEN_RUNLIST_SHIFT 16
#define METHOD_BUFFER_MAX   0x100000 /* far more than is said */
#define COPY_PARAMS_VERSION 1

static u64 channel_vram_at(const struct vgpu_channel *channel, u32 offset)
{
	return channel->resources->channel_offset + offset;
}

static void channel_write_instance(const struct vgpu_channel *channel)
{
	u64 directory = channel_vram_at(channel, DIRECTORY_3) |
			DIRECTORY_IS_OF_PASCAL | DIRECTORY_HAS_64K_PAGES;
	u64 at = channel_vram_at(channel, INSTANCE), entry;
	u32 i;

	vgpu_vram_write_entry(channel->hw, at + INSTANCE_DIRECTORY, directory);
	vgpu_vram_write_entry(channel->hw, at + INSTANCE_LIMIT, VA_LIMIT);
	vgpu_vram_write_entry(channel->hw, at + INSTANCE_SUBCONTEXTS_USED, 1);
	for (i = 0; i < INSTANCE_SUBCONTEXTS; i++) {
		entry = i ? (u64)DIRECTORY_NONE << 32 | DIRECTORY_NONE
			  : directory;
		vgpu_vram_write_entry(channel->hw,
				      at + INSTANCE_SUBCONTEXT +
					      i * INSTANCE_SUBCONTEXT_BYTES,
				      entry);
	}
}

static void channel_map(const struct vgpu_channel *channel, u64 va,
			const struct vgpu_dma *memory)
{
	u64 table = channel_vram_at(channel, TABLE), at;

	for (at = 0; at < memory->bytes; at += VGPU_PAGE_BYTES)
		vgpu_vram_write_entry(channel->hw,
				      table + ((va - MEMORY_VA + at) >>
					       VGPU_SMALL_PAGE_SHIFT) *
						      VGPU_ENTRY_BYTES,
				      vgpu_pte_sysmem(memory->address + at));
}

static int channel_write_tables(const struct vgpu_channel *channel)
{
	u64 slot = MEMORY_VA >> VGPU_PD0_SHIFT;

	vgpu_vram_zero(channel->hw, channel_vram_at(channel, 0),
		       VGPU_CHANNEL_VRAM_BYTES);
	vgpu_vram_write_entry(channel->hw, channel_vram_at(channel, DIRECTORY_3),
			      vgpu_pde(channel_vram_at(channel, DIRECTORY_2)));
	vgpu_vram_write_entry(channel->hw, channel_vram_at(channel, DIRECTORY_2),
			      vgpu_pde(channel_vram_at(channel, DIRECTORY_1)));
	vgpu_vram_write_entry(channel->hw, channel_vram_at(channel, DIRECTORY_1),
			      vgpu_pde(channel_vram_at(channel, DIRECTORY_0)));
	vgpu_vram_write_entry(channel->hw,
			      channel_vram_at(channel, DIRECTORY_0) +
				      slot * VGPU_PD0_ENTRY_BYTES + VGPU_PD0_SMALL,
			      vgpu_pde(channel_vram_at(channel, TABLE)));
	channel_map(channel, MEMORY_VA, &channel->memory);
	channel_map(channel, BUFFER_VA, &channel->buffer);
	channel_write_instance(channel);
	vgpu_vram_flush(channel->hw, channel_vram_at(channel, 0));
	return vgpu_vram_invalidate(
		channel->hw, channel_vram_at(channel, DIRECTORY_3), false);
}

/* The firmware has entries of its own in each address space. */
static int channel_make_vaspace(struct vgpu_gsp *gsp, struct vgpu_channel *channel)
{
	struct vgpu_rm_vaspace_params params = {};
	struct vgpu_rm_directories_params directories = {
		.page_bytes = FIRMWARES_BYTES,
		.first = FIRMWARES_VA,
		.last = FIRMWARES_VA + FIRMWARES_BYTES - 1,
		.count = 3,
		.levels =
			{
				{channel_vram_at(channel, DIRECTORY_3),
				 ROOT_BYTES,
				 VGPU_RM_APERTURE_VRAM,
				 VGPU_PD3_SHIFT,
				 {}},
				{channel_vram_at(channel, DIRECTORY_2),
				 VGPU_PD_BYTES,
				 VGPU_RM_APERTURE_VRAM,
				 VGPU_PD2_SHIFT,
				 {}},
				{channel_vram_at(channel, DIRECTORY_1),
				 VGPU_PD_BYTES,
				 VGPU_RM_APERTURE_VRAM,
				 VGPU_PD1_SHIFT,
				 {}},
			},
	};
	int rc;

	rc = vgpu_rm_alloc(gsp, VGPU_RM_DEVICE, VGPU_RM_VASPACE,
			   VGPU_RM_CLASS_VASPACE, &params, sizeof(params));
	if (rc)
		return rc;
	channel->has_vaspace = true;
	return vgpu_rm_control_object(gsp, VGPU_RM_VASPACE,
				      VGPU_RM_COPY_DIRECTORIES, &directories,
				      sizeof(directories));
}

static int channel_make_object(struct vgpu_gsp *gsp,
			       struct vgpu_channel *channel, u32 engine)
{
	struct vgpu_rm_channel_params params = {
		.ring_address = MEMORY_VA + RING,
		.ring_entries = RING_ENTRIES,
		.flags = VGPU_RM_CHANNEL_PRIVILEGED | VGPU_RM_CHANNEL_PAGE_FIXED |
			 channel->id % VGPU_RM_CHANNELS_PER_PAGE
				 << VGPU_RM_CHANNEL_INDEX_SHIFT |
			 channel->id / VGPU_RM_CHANNELS_PER_PAGE
				 << VGPU_RM_CHANNEL_PAGE_SHIFT,
		.vaspace = VGPU_RM_VASPACE,
		.engine = engine,
		.instance = {channel_vram_at(channel, INSTANCE), VGPU_PD_BYTES,
			     VGPU_RM_SPACE_VRAM, VGPU_RM_CACHE_YES},
		.userd = {channel_vram_at(channel, USERD), USERD_BYTES,
			  VGPU_RM_SPACE_VRAM, VGPU_RM_CACHE_YES},
		.ramfc = {channel_vram_at(channel, INSTANCE), RAMFC_BYTES,
			  VGPU_RM_SPACE_VRAM, VGPU_RM_CACHE_YES},
		.method_buffer = {channel->method_buffer.address,
				  channel->method_buffer.bytes,
				  VGPU_RM_SPACE_SYSMEM, VGPU_RM_CACHE_NO},
		.internal_flags = VGPU_RM_CHANNEL_ADMIN |
				  VGPU_RM_CHANNEL_NO_NOTIFIER |
				  VGPU_RM_CHANNEL_NO_ECC_NOTIFIER,
	};
	struct vgpu_rm_schedule_params schedule = {.is_on = 1};
	struct vgpu_rm_copy_params copy = {COPY_PARAMS_VERSION, engine};
	int rc;

	rc = vgpu_rm_alloc(gsp, VGPU_RM_DEVICE, VGPU_RM_CHANNEL,
			   VGPU_RM_CLASS_CHANNEL, &params,
			   gsp->abi->channel_params_bytes);
	if (rc)
		return rc;
	channel->has_object = true;
	rc = vgpu_rm_control_object(gsp, VGPU_RM_CHANNEL, VGPU_RM_BIND_CHANNEL,
				    &engine, sizeof(engine));
	if (rc == 0)
		rc = vgpu_rm_control_object(gsp, VGPU_RM_CHANNEL,
					    VGPU_RM_SCHEDULE_CHANNEL, &schedule,
					    sizeof(schedule));
	if (rc == 0)
		rc = vgpu_rm_alloc(gsp, VGPU_RM_CHANNEL, VGPU_RM_COPY,
				   VGPU_RM_CLASS_COPY, &copy, sizeof(copy));
	return rc;
}

static int channel_get_id(struct vgpu_channel *channel)
{
	struct vgpu_resources *r = channel->resources;
	int rc;

	mutex_lock(&r->lock);
	rc = vgpu_chids_alloc_own(&r->chids, &channel->id);
	channel->has_id = rc == 0;
	mutex_unlock(&r->lock);
	return rc;
}

static int channel_make_memory(struct vgpu_gsp *gsp, struct vgpu_channel *channel)
{
	u32 bytes;
	int rc;

	rc = vgpu_rm_read_method_buffer_bytes(gsp, &bytes);
	if (rc)
		return rc;
	if (bytes == 0 || bytes > METHOD_BUFFER_MAX)
		return -EBADMSG;
	rc = vgpu_dma_create(gsp->hw, bytes, &channel->method_buffer);
	if (rc == 0)
		rc = vgpu_dma_create(gsp->hw, MEMORY_BYTES, &channel->memory);
	if (rc == 0)
		rc = vgpu_dma_create(gsp->hw, VGPU_CHANNEL_BUFFER_BYTES,
				     &channel->buffer);
	return rc;
}

int vgpu_channel_create(struct vgpu_gsp *gsp, struct vgpu_resources *resources,
			struct vgpu_channel *channel)
{
	struct vgpu_host_engine engine;
	int rc;

	*channel = (struct vgpu_channel){
		.hw = gsp->hw,
		.resources = resources,
	};
	rc = vgpu_rm_read_copy_engine(gsp, &engine);
	if (rc == 0)
		rc = channel_get_id(channel);
	if (rc == 0)
		rc = channel_make_memory(gsp, channel);
	if (rc == 0)
		rc = channel_write_tables(channel);
	if (rc == 0)
		rc = channel_make_vaspace(gsp, channel);
	if (rc == 0)
		rc = channel_make_object(gsp, channel, engine.type);
	channel->token = engine.runlist << TOKEN_RUNLIST_SHIFT | channel->id;
	channel->is_made = rc == 0;
	return rc;
}

void vgpu_channel_stop(struct vgpu_gsp *gsp, struct vgpu_channel *channel)
{
	int rc = 0;

	channel->is_made = false;
	if (channel->has_object && !gsp->is_wedged)
		rc = vgpu_rm_free(gsp, VGPU_RM_CHANNEL);
	channel->has_object = false;
	if (channel->has_vaspace && !gsp->is_wedged)
		vgpu_rm_free(gsp, VGPU_RM_VASPACE);
	channel->has_vaspace = false;
	/* One that the firmware did not free is not another's. */
	if (channel->has_id && rc == 0) {
		mutex_lock(&channel->resources->lock);
		vgpu_chids_free(&channel->resources->chids, channel->id);
		mutex_unlock(&channel->resources->lock);
	}
	channel->has_id = false;
}

void vgpu_channel_finish(struct vgpu_channel *channel)
{
	vgpu_dma_destroy(channel->hw, &channel->buffer);
	vgpu_dma_destroy(channel->hw, &channel->memory);
	vgpu_dma_destroy(channel->hw, &channel->method_buffer);
}

u32 *vgpu_channel_methods(struct vgpu_channel *channel)
{
	return (u32 *)((u8 *)channel->memory.memory + METHODS);
}

void vgpu_channel_submit(struct vgpu_channel *channel, u32 words)
{
	u64 *ring = (u64 *)((u8 *)channel->memory.memory + RING);

	ring[channel->put] =
		(MEMORY_VA + METHODS) | (u64)words << ENTRY_WORDS_SHIFT;
	channel->put = (channel->put + 1) % RING_ENTRIES;
	/* The ring is written before what says so, and that before the bell. */
	vgpu_dma_wmb();
	vgpu_vram_write32(channel->hw,
			  channel_vram_at(channel, USERD) + USERD_GP_PUT,
			  channel->put);
	vgpu_vram_flush(channel->hw, channel_vram_at(channel, USERD));
	vgpu_hw_write(channel->hw, REG_CHANNEL_DOORBELL, channel->token);
}

u64 vgpu_channel_semaphore_address(void)
{
	return MEMORY_VA + SEMAPHORE;
}

u64 vgpu_channel_buffer_address(void)
{
	return BUFFER_VA;
}

u32 vgpu_channel_semaphore(const struct vgpu_channel *channel)
{
	return READ_ONCE(*(u32 *)((u8 *)channel->memory.memory + SEMAPHORE));
}
