// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * debugfs: the firmware's logs, as it has written them, of now and of when it
 * was last wedged; and a question that it answers at once.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "core.h"

static int ecc_show(struct seq_file *file, void *unused)
{
	struct vgpu_core *core = file->private;
	bool is_on = false;
	int rc = -ENODEV;

	down_read(&core->gsp_lock);
	if (core->gsp)
		rc = vgpu_rm_read_ecc(core->gsp, &is_on);
	up_read(&core->gsp_lock);
	if (rc == 0)
		seq_puts(file, is_on ? "on\n" : "off\n");
	return rc;
}
DEFINE_SHOW_ATTRIBUTE(ecc);

/* The log as it is now, which the caller frees; or an ERR_PTR(). */
static void *debug_copy_log(struct vgpu_log_file *log)
{
	struct vgpu_core *core = log->core;
	const void *memory = NULL;
	void *copy = kvmalloc(VGPU_GSP_LOG_BYTES, GFP_KERNEL);

	if (!copy)
		return ERR_PTR(-ENOMEM);
	down_read(&core->gsp_lock);
	if (log->is_kept)
		memory = core->debug.kept_logs[log->index];
	else if (core->gsp)
		memory = core->gsp->logs[log->index].memory;
	if (memory)
		memcpy(copy, memory, VGPU_GSP_LOG_BYTES);
	up_read(&core->gsp_lock);
	if (memory)
		return copy;
	kvfree(copy);
	return ERR_PTR(-ENODATA);
}

/*
 * The user's memory is not touched under gsp_lock: a fault may need the lock of
 * a VF that is being reset, and waits for the firmware.
 */
static ssize_t debug_read_log(struct file *file, char __user *buffer,
			      size_t bytes, loff_t *at)
{
	void *copy = debug_copy_log(file->private_data);
	ssize_t n;

	if (IS_ERR(copy))
		return PTR_ERR(copy);
	n = simple_read_from_buffer(buffer, bytes, at, copy, VGPU_GSP_LOG_BYTES);
	kvfree(copy);
	return n;
}

static const struct file_operations log_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = debug_read_log,
	.llseek = default_llseek,
};

void vgpu_debug_keep_logs(struct vgpu_core *core, struct vgpu_gsp *gsp)
{
	int i;

	/* The first word says where it writes next: 0, it has not begun. */
	if (!gsp->logs[0].memory || !*(const u64 *)gsp->logs[0].memory)
		return;
	for (i = 0; i < VGPU_GSP_LOGS; i++) {
		if (!core->debug.kept_logs[i])
			core->debug.kept_logs[i] =
				kvmalloc(VGPU_GSP_LOG_BYTES, GFP_KERNEL);
		if (core->debug.kept_logs[i])
			memcpy(core->debug.kept_logs[i], gsp->logs[i].memory,
			       VGPU_GSP_LOG_BYTES);
	}
}

/*
 * A boot that failed: the driver does not stay, but what the firmware wrote
 * does, until the GPU is tried again or the module unloaded.
 */
struct failed_boot {
	struct list_head link; /* in failed_boots */
	char name[32];
	struct dentry *folder;
	struct debugfs_blob_wrapper logs[VGPU_GSP_LOGS];
};

static LIST_HEAD(failed_boots);
static DEFINE_MUTEX(failed_lock); /* protects the list */

static void debug_drop_failed(struct failed_boot *boot)
{
	int i;

	list_del(&boot->link);
	debugfs_remove(boot->folder);
	for (i = 0; i < VGPU_GSP_LOGS; i++)
		kvfree(boot->logs[i].data);
	kfree(boot);
}

void vgpu_debug_drop_failed(struct pci_dev *pdev)
{
	struct failed_boot *boot, *next;

	mutex_lock(&failed_lock);
	list_for_each_entry_safe(boot, next, &failed_boots, link) {
		if (!pdev || !strcmp(boot->name, pci_name(pdev)))
			debug_drop_failed(boot);
	}
	mutex_unlock(&failed_lock);
}

static void debug_free_kept_logs(struct vgpu_core *core)
{
	int i;

	for (i = 0; i < VGPU_GSP_LOGS; i++) {
		kvfree(core->debug.kept_logs[i]);
		core->debug.kept_logs[i] = NULL;
	}
}

void vgpu_debug_keep_failed(struct vgpu_core *core)
{
	struct failed_boot *boot;
	char name[48];
	int i;

	vgpu_debug_drop_failed(core->hw.pdev);
	if (!core->debug.kept_logs[0])
		return;
	boot = kzalloc(sizeof(*boot), GFP_KERNEL);
	if (!boot) {
		debug_free_kept_logs(core);
		return;
	}
	strscpy(boot->name, pci_name(core->hw.pdev), sizeof(boot->name));
	snprintf(name, sizeof(name), "vgpu-%s.failed", boot->name);
	boot->folder = debugfs_create_dir(name, NULL);
	for (i = 0; i < VGPU_GSP_LOGS; i++) {
		boot->logs[i].data = core->debug.kept_logs[i];
		boot->logs[i].size =
			core->debug.kept_logs[i] ? VGPU_GSP_LOG_BYTES : 0;
		core->debug.kept_logs[i] = NULL;
		debugfs_create_blob(vgpu_gsp_log_names[i], 0400, boot->folder,
				    &boot->logs[i]);
	}
	mutex_lock(&failed_lock);
	list_add(&boot->link, &failed_boots);
	mutex_unlock(&failed_lock);
	pci_info(core->hw.pdev, "its firmware's logs are in debugfs, in %s\n",
		 name);
}

void vgpu_debug_init(struct vgpu_core *core)
{
	struct vgpu_log_file *log = core->debug.log_files;
	char name[32];
	int i;

	snprintf(name, sizeof(name), "vgpu-%s", pci_name(core->hw.pdev));
	core->debug.dir = debugfs_create_dir(name, NULL);
	debugfs_create_file("ecc", 0400, core->debug.dir, core, &ecc_fops);
	vgpu_debug_fb_init(core);
	for (i = 0; i < 2 * VGPU_GSP_LOGS; i++, log++) {
		*log = (struct vgpu_log_file){
			.core = core,
			.index = i % VGPU_GSP_LOGS,
			.is_kept = i >= VGPU_GSP_LOGS,
		};
		snprintf(name, sizeof(name), "%s%s",
			 vgpu_gsp_log_names[log->index],
			 log->is_kept ? ".wedged" : "");
		debugfs_create_file(name, 0400, core->debug.dir, log,
				    &log_operations);
	}
}

void vgpu_debug_finish(struct vgpu_core *core)
{
	debugfs_remove(core->debug.dir);
	core->debug.dir = NULL;
	debug_free_kept_logs(core);
}
