// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's memory, as far as the process may reach it: pages that it has
 * asked for are pinned, and faults of its mapping find them. They are unpinned
 * when the VMM takes them away, and when the device is reset.
 */
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/mm.h>

#include "compat.h"
#include "mdev.h"

/* What VFIO pins at a time, at most, and we in one request. */
#define PIN_PAGES     512
#define REQUEST_PAGES 8192
#define UNPIN_BATCH   64
/*
 * VFIO's type1 asks for an unmapped page ten times, then it is a bug of ours:
 * while it may be asking, nothing is pinned, and each time it waits so long for
 * pages that are on their way. Not for ever: who has them may wait for a lock
 * of VFIO's that is held meanwhile.
 */
#define QUIET_MS  50
#define SETTLE_MS 20

int vgpu_mdev_init_memory(struct vgpu_mdev_memory *memory)
{
	mutex_init(&memory->pin_lock);
	mutex_init(&memory->lock);
	xa_init(&memory->pages);
	init_waitqueue_head(&memory->settled);
	memory->quiet_until = jiffies;
	memory->nothing = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return memory->nothing ? 0 : -ENOMEM;
}

void vgpu_mdev_finish_memory(struct vgpu_mdev_memory *memory)
{
	WARN_ON(!xa_empty(&memory->pages));
	if (memory->nothing)
		__free_page(memory->nothing);
	xa_destroy(&memory->pages);
	mutex_destroy(&memory->lock);
	mutex_destroy(&memory->pin_lock);
}

static void memory_zap(struct vgpu_mdev_memory *memory, pgoff_t first,
		       pgoff_t last)
{
	if (memory->mapping)
		unmap_mapping_range(memory->mapping, (loff_t)first << PAGE_SHIFT,
				    (loff_t)(last - first + 1) << PAGE_SHIFT,
				    true);
}

/* The lock is not held. */
static void memory_settle(struct vgpu_mdev_memory *memory)
{
	bool is_last;

	mutex_lock(&memory->lock);
	is_last = !--memory->in_transit;
	mutex_unlock(&memory->lock);
	if (is_last)
		wake_up_all(&memory->settled);
}

/*
 * Take pages @first to @last from the process, and unpin them. VFIO's locks are
 * taken outside of ours in dma_unmap(), and so are not taken inside.
 */
static void memory_unpin(struct vgpu_mdev *v, unsigned long first,
			 unsigned long last)
{
	struct vgpu_mdev_memory *memory = &v->memory;
	unsigned long found[UNPIN_BATCH];
	unsigned int n, i;

	do {
		struct page *page;
		unsigned long index;

		n = 0;
		mutex_lock(&memory->lock);
		/* Faults do not find again what is erased under the same lock. */
		xa_for_each_range(&memory->pages, index, page, first, last)
		{
			xa_erase(&memory->pages, index);
			found[n++] = index;
			if (n == UNPIN_BATCH)
				break;
		}
		if (n) {
			memory_zap(memory, found[0], found[n - 1]);
			memory->in_transit++;
		}
		mutex_unlock(&memory->lock);
		for (i = 0; i < n; i++)
			vfio_unpin_pages(&v->vdev,
					 (dma_addr_t)found[i] << PAGE_SHIFT, 1);
		if (n)
			memory_settle(memory);
		cond_resched();
	} while (n == UNPIN_BATCH);
}

void vgpu_mdev_restart_memory(struct vgpu_mdev *v, u32 session, bool may_pin)
{
	struct vgpu_mdev_memory *memory = &v->memory;

	mutex_lock(&memory->lock);
	memory->session = session;
	memory->may_pin = false;
	memory->generation++;
	memory->shows_nothing = false;
	/* That page may be anywhere, and show what was the last guest's. */
	if (memory->mapping)
		unmap_mapping_range(memory->mapping, 0, 0, true);
	clear_highpage(memory->nothing);
	mutex_unlock(&memory->lock);
	memory_unpin(v, 0, ULONG_MAX);
	mutex_lock(&memory->lock);
	memory->may_pin = may_pin;
	mutex_unlock(&memory->lock);
}

void vgpu_mdev_dma_unmap(struct vfio_device *device, u64 iova, u64 bytes)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);
	struct vgpu_mdev_memory *memory = &v->memory;
	unsigned long first = iova >> PAGE_SHIFT;
	unsigned long last = (iova + bytes - 1) >> PAGE_SHIFT;

	if (!bytes)
		return;
	mutex_lock(&memory->lock);
	memory->generation++;
	memory->quiet_until = jiffies + msecs_to_jiffies(QUIET_MS);
	mutex_unlock(&memory->lock);
	memory_unpin(v, first, last);
	wait_event_timeout(memory->settled, !READ_ONCE(memory->in_transit),
			   msecs_to_jiffies(SETTLE_MS));
	vgpu_mdev_changed(v);
}

/* How many pages from @first on, @n at most, are pinned, or are not. */
static unsigned long memory_count(struct vgpu_mdev_memory *memory,
				  unsigned long first, unsigned long n,
				  bool *ret_are_pinned)
{
	unsigned long i;

	*ret_are_pinned = xa_load(&memory->pages, first);
	for (i = 1; i < n; i++)
		if (!!xa_load(&memory->pages, first + i) != *ret_are_pinned)
			break;
	return i;
}

/* Until VFIO has unmapped what it is unmapping. */
static int memory_wait(struct vgpu_mdev_memory *memory)
{
	long left;

	for (;;) {
		mutex_lock(&memory->lock);
		left = memory->quiet_until - jiffies;
		mutex_unlock(&memory->lock);
		if (left <= 0)
			return 0;
		if (schedule_timeout_killable(left) &&
		    fatal_signal_pending(current))
			return -EINTR;
	}
}

/*
 * Pin a run of pages of which none is. Returns how many are now; 0: the first
 * is no memory.
 */
static int memory_pin_run(struct vgpu_mdev *v, u32 session, unsigned long first,
			  unsigned long n, struct page **pages)
{
	struct vgpu_mdev_memory *memory = &v->memory;
	const dma_addr_t iova = (dma_addr_t)first << PAGE_SHIFT;
	u32 generation;
	int pinned, kept, rc;

	rc = memory_wait(memory);
	if (rc)
		return rc;
	mutex_lock(&memory->lock);
	generation = memory->generation;
	rc = memory->session == session && memory->may_pin ? 0 : -ESTALE;
	if (!rc)
		memory->in_transit++;
	mutex_unlock(&memory->lock);
	if (rc)
		return rc;
	/* iommufd unpins only what was pinned at once, and we page by page. */
	if (compat_uses_iommufd(&v->vdev))
		n = 1;
	/* All or nothing: the end of memory is found page by page. */
	pinned = vfio_pin_pages(&v->vdev, iova, n, IOMMU_READ | IOMMU_WRITE,
				pages);
	if (pinned <= 0 && n > 1)
		pinned = vfio_pin_pages(&v->vdev, iova, 1,
					IOMMU_READ | IOMMU_WRITE, pages);
	if (pinned <= 0) {
		memory_settle(memory);
		return 0;
	}

	mutex_lock(&memory->lock);
	/* Some were unmapped meanwhile, or all of it: the next try tells. */
	rc = generation == memory->generation ? 0 : -EAGAIN;
	for (kept = 0; !rc && kept < pinned; kept++)
		rc = xa_err(xa_store(&memory->pages, first + kept, pages[kept],
				     GFP_KERNEL_ACCOUNT));
	if (rc && kept)
		kept--; /* which failed */
	if (kept && memory->shows_nothing)
		memory_zap(memory, first, first + kept - 1);
	mutex_unlock(&memory->lock);
	if (kept < pinned)
		vfio_unpin_pages(&v->vdev,
				 iova + ((dma_addr_t)kept << PAGE_SHIFT),
				 pinned - kept);
	memory_settle(memory);
	return kept ? kept : rc;
}

/* Returns how many pages from @first on are pinned; or -errno. */
static long memory_pin(struct vgpu_mdev *v, u32 session, unsigned long first,
		       unsigned long n, struct page **pages)
{
	struct vgpu_mdev_memory *memory = &v->memory;
	unsigned long done = 0;
	int tries = 3;

	while (done < n) {
		unsigned long run;
		bool are_pinned;
		int rc;

		mutex_lock(&memory->lock);
		if (memory->session != session || !memory->may_pin) {
			mutex_unlock(&memory->lock);
			return -ESTALE;
		}
		run = memory_count(memory, first + done,
				   min_t(unsigned long, n - done, PIN_PAGES),
				   &are_pinned);
		mutex_unlock(&memory->lock);
		if (!are_pinned) {
			rc = memory_pin_run(v, session, first + done, run, pages);
			if (rc == -EAGAIN && --tries)
				continue;
			if (rc < 0)
				return rc;
			if (rc == 0)
				break;
			run = rc;
		}
		done += run;
		cond_resched();
	}
	return done;
}

int vgpu_mdev_pin(struct vgpu_mdev *v, struct vgpu_mdev_pin *pin)
{
	struct page **pages;
	unsigned long first, n;
	long done;
	u64 end;

	if (pin->pad)
		return -EINVAL;
	if (!pin->bytes ||
	    check_add_overflow(pin->address, pin->bytes - 1, &end)) {
		pin->bytes = 0;
		return 0;
	}
	first = pin->address >> PAGE_SHIFT;
	n = min_t(u64, (end >> PAGE_SHIFT) - first + 1, REQUEST_PAGES);
	pages = kcalloc(min_t(unsigned long, n, PIN_PAGES), sizeof(*pages),
			GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	if (mutex_lock_killable(&v->memory.pin_lock)) {
		kfree(pages);
		return -EINTR;
	}
	done = memory_pin(v, pin->session, first, n, pages);
	mutex_unlock(&v->memory.pin_lock);
	kfree(pages);
	if (done < 0)
		return done;
	if (done == 0)
		pin->bytes = 0;
	else
		pin->bytes = min_t(u64, pin->bytes,
				   ((u64)done << PAGE_SHIFT) -
					   offset_in_page(pin->address));
	return 0;
}

static vm_fault_t memory_fault(struct vm_fault *vmf)
{
	struct vgpu_mdev *v = vmf->vma->vm_private_data;
	struct vgpu_mdev_memory *memory = &v->memory;
	struct page *page;
	vm_fault_t rc;

	mutex_lock(&memory->lock);
	page = xa_load(&memory->pages, vmf->pgoff);
	if (!page) {
		page = memory->nothing;
		memory->shows_nothing = true;
	}
	rc = vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(page));
	mutex_unlock(&memory->lock);
	return rc;
}

static const struct vm_operations_struct memory_vm_ops = {
	.fault = memory_fault,
};

int vgpu_mdev_mmap_memory(struct vgpu_mdev *v, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	compat_mark_mapping(vma);
	vma->vm_private_data = v;
	vma->vm_ops = &memory_vm_ops;
	return 0;
}

void vgpu_mdev_set_mapping(struct vgpu_mdev *v, struct address_space *mapping)
{
	mutex_lock(&v->memory.lock);
	v->memory.mapping = mapping;
	mutex_unlock(&v->memory.lock);
}
