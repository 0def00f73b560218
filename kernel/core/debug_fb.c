// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * debugfs, for tests: framebuffer that nobody has. It is taken meanwhile, so
 * that nobody gets it; what somebody has is refused with -EBUSY. And the GPU is
 * used, as by a vGPU.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "core.h"

/* The segments around it, until put_free(). */
static int debug_fb_reserve_free(struct vgpu_core *core, u64 offset, u64 bytes,
				 u64 *ret_start)
{
	struct vgpu_resources *r = &core->resources;
	u64 start, end;
	int rc = -EINVAL;

	if (check_add_overflow(offset, bytes, &end))
		return -EINVAL;
	mutex_lock(&r->lock);
	if (!r->is_made) {
		rc = -ENODEV;
	} else if (end <= r->fb.ranges.size) {
		start = vgpu_align_down(offset, r->fb.unit_bytes);
		rc = vgpu_fb_alloc_at(&r->fb, start, end - start);
		if (rc == 0)
			*ret_start = start;
	}
	mutex_unlock(&r->lock);
	return rc;
}

static void debug_fb_release(struct vgpu_core *core, u64 start)
{
	mutex_lock(&core->resources.lock);
	vgpu_fb_free(&core->resources.fb, start);
	mutex_unlock(&core->resources.lock);
}

/* What one window shows: a huge page of BAR1 where all of it is asked for. */
static u64 debug_fb_window_bytes(u64 offset, size_t bytes)
{
	if (vgpu_is_aligned(offset, VGPU_BAR1_HUGE_PAGE_BYTES) &&
	    bytes >= VGPU_BAR1_HUGE_PAGE_BYTES)
		return VGPU_BAR1_HUGE_PAGE_BYTES;
	return VGPU_BAR1_PAGE_BYTES;
}

/* Not beyond the window. */
static size_t debug_fb_limit_to_window(u64 offset, size_t bytes)
{
	u64 size = debug_fb_window_bytes(offset, bytes);

	return min_t(u64, bytes, vgpu_align_down(offset, size) + size - offset);
}

static int debug_fb_access(struct vgpu_core *core, u64 offset, void *buffer,
			   size_t bytes, bool is_write)
{
	u64 size = debug_fb_window_bytes(offset, bytes), start;
	u64 base = vgpu_align_down(offset, size);
	struct vgpu_fb_window window;
	int rc;

	rc = debug_fb_reserve_free(core, offset, bytes, &start);
	if (rc)
		return rc;
	rc = vgpu_bar1_map_open(&core->resources.bar1, base, size, &window);
	if (rc == 0) {
		if (is_write)
			memcpy_toio(window.memory + (offset - base), buffer,
				    bytes);
		else
			memcpy_fromio(buffer, window.memory + (offset - base),
				      bytes);
		vgpu_bar1_map_close(&core->resources.bar1, &window);
	}
	debug_fb_release(core, start);
	return rc;
}

static ssize_t debug_fb_read(struct file *file, char __user *user, size_t bytes,
			     loff_t *at)
{
	void *buffer = kvmalloc(VGPU_BAR1_HUGE_PAGE_BYTES, GFP_KERNEL);
	ssize_t rc;

	if (!buffer)
		return -ENOMEM;
	bytes = debug_fb_limit_to_window(*at, bytes);
	rc = debug_fb_access(file->private_data, *at, buffer, bytes, false);
	if (rc == 0 && copy_to_user(user, buffer, bytes))
		rc = -EFAULT;
	kvfree(buffer);
	if (rc)
		return rc;
	*at += bytes;
	return bytes;
}

static ssize_t debug_fb_write(struct file *file, const char __user *user,
			      size_t bytes, loff_t *at)
{
	void *buffer = kvmalloc(VGPU_BAR1_HUGE_PAGE_BYTES, GFP_KERNEL);
	ssize_t rc = -EFAULT;

	if (!buffer)
		return -ENOMEM;
	bytes = debug_fb_limit_to_window(*at, bytes);
	if (!copy_from_user(buffer, user, bytes))
		rc = debug_fb_access(file->private_data, *at, buffer, bytes,
				     true);
	kvfree(buffer);
	if (rc)
		return rc;
	*at += bytes;
	return bytes;
}

static loff_t debug_fb_seek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, S64_MAX);
}

static const struct file_operations fb_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = debug_fb_read,
	.write = debug_fb_write,
	.llseek = debug_fb_seek,
};

/* "OFFSET BYTES": it is scrubbed. What fails is as free, and as full, as before. */
static ssize_t debug_fb_write_scrub(struct file *file, const char __user *user,
				    size_t bytes, loff_t *at)
{
	struct vgpu_core *core = file->private_data;
	u64 offset, size, start;
	char text[64], *second;
	int rc;

	if (bytes >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, bytes))
		return -EFAULT;
	text[bytes] = '\0';
	second = strchr(text, ' ');
	if (!second)
		return -EINVAL;
	*second++ = '\0';
	if (kstrtou64(text, 0, &offset) || kstrtou64(second, 0, &size))
		return -EINVAL;
	rc = debug_fb_reserve_free(core, offset, size, &start);
	if (rc)
		return rc;
	rc = vgpu_core_scrub(core, offset, size);
	debug_fb_release(core, start);
	return rc ? rc : (ssize_t)bytes;
}

static const struct file_operations scrub_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = debug_fb_write_scrub,
	.llseek = noop_llseek,
};

/* 1: as if a vGPU were open; 0: no more. */
static ssize_t debug_fb_write_use(struct file *file, const char __user *user,
				  size_t bytes, loff_t *at)
{
	struct vgpu_core *core = file->private_data;
	bool is_used;
	int rc;

	rc = kstrtobool_from_user(user, bytes, &is_used);
	if (rc)
		return rc;
	if (!is_used) {
		vgpu_debug_put_use(core);
		return bytes;
	}
	rc = vgpu_use_get(core);
	if (rc)
		return rc;
	/* Once is all. */
	if (xchg(&core->debug.has_use, 1))
		vgpu_use_put(core);
	return bytes;
}

void vgpu_debug_put_use(struct vgpu_core *core)
{
	if (xchg(&core->debug.has_use, 0))
		vgpu_use_put(core);
}

static const struct file_operations use_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = debug_fb_write_use,
	.llseek = noop_llseek,
};

void vgpu_debug_fb_init(struct vgpu_core *core)
{
	debugfs_create_file("use", 0200, core->debug.dir, core, &use_operations);
	debugfs_create_file("scrub", 0200, core->debug.dir, core,
			    &scrub_operations);
	debugfs_create_file("framebuffer", 0600, core->debug.dir, core,
			    &fb_operations);
}
