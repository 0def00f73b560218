// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host-visible window: BAR2 shows pieces of memfds that the process names.
 * Pages are taken when the guest first touches them, and kept until the piece goes.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <uapi/linux/fcntl.h>

#include "compat.h"
#include "mdev.h"

/* What a device process has files for, and more. */
#define PIECES_MAX 65536

struct piece {
	struct file *file;
	pgoff_t file_first;
	unsigned long first; /* page in the window */
	unsigned long last;
};

int vgpu_mdev_init_window(struct vgpu_mdev_window *window)
{
	mutex_init(&window->lock);
	mt_init(&window->pieces);
	xa_init(&window->pages);
	window->nothing = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return window->nothing ? 0 : -ENOMEM;
}

void vgpu_mdev_finish_window(struct vgpu_mdev_window *window)
{
	WARN_ON(!xa_empty(&window->pages) || !mtree_empty(&window->pieces));
	if (window->nothing)
		__free_page(window->nothing);
	mtree_destroy(&window->pieces);
	xa_destroy(&window->pages);
	mutex_destroy(&window->lock);
}

static u64 window_start(void)
{
	return (u64)VFIO_PCI_BAR2_REGION_INDEX << VGPU_MDEV_REGION_SHIFT;
}

static void window_zap(struct vgpu_mdev *v, unsigned long first, u64 pages)
{
#if COMPAT_HAS_WINDOW
	unmap_mapping_range(v->vdev.inode->i_mapping,
			    window_start() + ((u64)first << PAGE_SHIFT),
			    pages << PAGE_SHIFT, true);
#endif
}

/* Its pages are mapped nowhere any more. */
static void window_free(struct vgpu_mdev_window *window, struct piece *piece)
{
	unsigned long index;
	struct page *page;

	xa_for_each_range(&window->pages, index, page, piece->first, piece->last)
	{
		xa_erase(&window->pages, index);
		/* Nobody else knows that the guest may have written to it. */
		set_page_dirty_lock(page);
		put_page(page);
	}
	window->n_pieces--;
	mapping_unmap_writable(piece->file->f_mapping);
	fput(piece->file);
	kfree(piece);
}

void vgpu_mdev_restart_window(struct vgpu_mdev *v, u32 session)
{
	struct vgpu_mdev_window *window = &v->window;
	unsigned long index = 0;
	struct piece *piece;

	mutex_lock(&window->lock);
	window->session = session;
	if (v->window_bytes)
		window_zap(v, 0, v->window_bytes >> PAGE_SHIFT);
	clear_highpage(window->nothing);
	while ((piece = mt_find(&window->pieces, &index, ULONG_MAX))) {
		index = piece->first;
		mtree_erase(&window->pieces, index);
		window_free(window, piece);
		cond_resched();
	}
	mutex_unlock(&window->lock);
}

/* A memfd that its owner may write to, and so may the guest. */
static int window_check_file(struct file *file)
{
	if (!shmem_mapping(file->f_mapping))
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (SHMEM_I(file_inode(file))->seals &
	    (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return 0;
}

/* Takes @piece over if it returns 0. */
static int window_insert(struct vgpu_mdev *v, u32 session, struct piece *piece)
{
	struct vgpu_mdev_window *window = &v->window;
	int rc;

	mutex_lock(&window->lock);
	if (window->session != session)
		rc = -ESTALE;
	else if (window->n_pieces == PIECES_MAX)
		rc = -ENOSPC;
	else
		rc = mtree_insert_range(&window->pieces, piece->first,
					piece->last, piece, GFP_KERNEL_ACCOUNT);
	if (rc == 0) {
		window->n_pieces++;
		window_zap(v, piece->first, piece->last - piece->first + 1);
	}
	mutex_unlock(&window->lock);
	return rc;
}

static bool window_is_range(const struct vgpu_mdev *v, u64 offset, u64 bytes)
{
	return bytes && PAGE_ALIGNED(offset) && PAGE_ALIGNED(bytes) &&
	       bytes <= v->window_bytes && offset <= v->window_bytes - bytes;
}

int vgpu_mdev_map(struct vgpu_mdev *v, const struct vgpu_mdev_map *map)
{
	struct piece *piece;
	u64 end;
	int rc;

	if (!window_is_range(v, map->offset, map->bytes) ||
	    !PAGE_ALIGNED(map->fd_offset) ||
	    check_add_overflow(map->fd_offset, map->bytes, &end) ||
	    end > MAX_LFS_FILESIZE)
		return -EINVAL;
	piece = kzalloc(sizeof(*piece), GFP_KERNEL_ACCOUNT);
	if (!piece)
		return -ENOMEM;
	piece->first = map->offset >> PAGE_SHIFT;
	piece->last = piece->first + (map->bytes >> PAGE_SHIFT) - 1;
	piece->file_first = map->fd_offset >> PAGE_SHIFT;
	piece->file = fget(map->fd);
	if (!piece->file) {
		rc = -EBADF;
		goto free;
	}
	rc = window_check_file(piece->file);
	/* From here on nobody can seal it against writing. */
	if (rc == 0)
		rc = mapping_map_writable(piece->file->f_mapping);
	if (rc)
		goto put;
	rc = window_insert(v, map->session, piece);
	if (rc == 0)
		return 0;
	mapping_unmap_writable(piece->file->f_mapping);
put:
	fput(piece->file);
free:
	kfree(piece);
	return rc;
}

int vgpu_mdev_unmap(struct vgpu_mdev *v, const struct vgpu_mdev_unmap *unmap)
{
	struct vgpu_mdev_window *window = &v->window;
	unsigned long first = unmap->offset >> PAGE_SHIFT;
	struct piece *piece;
	int rc = 0;

	if (unmap->pad || !window_is_range(v, unmap->offset, unmap->bytes))
		return -EINVAL;
	mutex_lock(&window->lock);
	piece = mtree_load(&window->pieces, first);
	if (window->session != unmap->session) {
		rc = -ESTALE;
	} else if (!piece || piece->first != first ||
		   piece->last - first + 1 != unmap->bytes >> PAGE_SHIFT) {
		rc = -ENOENT;
	} else {
		mtree_erase(&window->pieces, first);
		window_zap(v, first, piece->last - first + 1);
		window_free(window, piece);
	}
	mutex_unlock(&window->lock);
	return rc;
}

/* What is seen at a page of the window; the lock is held. */
static struct page *window_page(struct vgpu_mdev_window *window,
				unsigned long index)
{
	struct page *page = xa_load(&window->pages, index);
	struct piece *piece;

	if (page)
		return page;
	piece = mtree_load(&window->pieces, index);
	if (!piece)
		return window->nothing;
	page = shmem_read_mapping_page(piece->file->f_mapping,
				       piece->file_first + index - piece->first);
	/* Beyond the file's end, or no memory. */
	if (IS_ERR(page))
		return window->nothing;
	if (xa_err(xa_store(&window->pages, index, page, GFP_KERNEL_ACCOUNT))) {
		put_page(page);
		return window->nothing;
	}
	return page;
}

static vm_fault_t window_fault(struct vm_fault *vmf)
{
	struct vgpu_mdev *v = vmf->vma->vm_private_data;
	struct vgpu_mdev_window *window = &v->window;
	const unsigned long index = vmf->pgoff - (window_start() >> PAGE_SHIFT);
	vm_fault_t rc;

	mutex_lock(&window->lock);
	rc = vmf_insert_pfn(vmf->vma, vmf->address,
			    page_to_pfn(window_page(window, index)));
	mutex_unlock(&window->lock);
	return rc;
}

static const struct vm_operations_struct window_vm_ops = {
	.fault = window_fault,
};

int vgpu_mdev_mmap_window(struct vgpu_mdev *v, struct vm_area_struct *vma)
{
	const u64 first = window_start() >> PAGE_SHIFT;
	const u64 pages = v->window_bytes >> PAGE_SHIFT;

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff < first ||
	    vma->vm_pgoff - first > pages ||
	    vma_pages(vma) > pages - (vma->vm_pgoff - first))
		return -EINVAL;
	compat_mark_mapping(vma);
	vma->vm_private_data = v;
	vma->vm_ops = &window_vm_ops;
	return 0;
}

void vgpu_mdev_access_window(struct vgpu_mdev *v, u64 offset, void *data,
			     size_t bytes, bool is_write)
{
	struct vgpu_mdev_window *window = &v->window;
	struct page *page;

	mutex_lock(&window->lock);
	page = window_page(window, offset >> PAGE_SHIFT);
	if (is_write)
		memcpy_to_page(page, offset_in_page(offset), data, bytes);
	else
		memcpy_from_page(data, page, offset_in_page(offset), bytes);
	mutex_unlock(&window->lock);
}
