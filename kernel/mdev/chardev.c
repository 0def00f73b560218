// SPDX-License-Identifier: GPL-2.0-or-later
/* /dev/vgpu-mdev/UUID, by which a process serves a device: kernel/uapi/vgpu_mdev.h. */
#include <linux/cdev.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>

#include "compat.h"
#include "mdev.h"

#define MINORS 1024

struct class *vgpu_mdev_class;
static dev_t chardev_first;
static struct cdev chardev;
/* Devices by minor number. Its lock: until a device was found, it is not freed. */
static DEFINE_XARRAY_ALLOC(chardev_devices);
static DEFINE_MUTEX(chardev_lock);

static int chardev_open(struct inode *inode, struct file *file)
{
	struct vgpu_mdev_process *process;
	struct vgpu_mdev *v;
	int rc = 0;

	process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);
	if (!process)
		return -ENOMEM;
	mutex_lock(&chardev_lock);
	v = xa_load(&chardev_devices, iminor(inode));
	if (v)
		get_device(&v->vdev.device);
	mutex_unlock(&chardev_lock);
	if (!v) {
		kfree(process);
		return -ENODEV;
	}
	process->v = v;
	mutex_lock(&v->lock);
	if (v->process)
		rc = -EBUSY;
	else
		v->process = process;
	mutex_unlock(&v->lock);
	if (rc) {
		put_device(&v->vdev.device);
		kfree(process);
		return rc;
	}
	process->seen = atomic_read(&v->changes) - 1;
	vgpu_mdev_set_mapping(v, file->f_mapping);
	file->private_data = process;
	return nonseekable_open(inode, file);
}

/* It may have been killed: what it was asked for, a successor is. */
static int chardev_release(struct inode *inode, struct file *file)
{
	struct vgpu_mdev_process *process = file->private_data;
	struct vgpu_mdev *v = process->v;

	vgpu_mdev_set_mapping(v, NULL);
	mutex_lock(&v->lock);
	v->process = NULL;
	for (u32 i = 0; i < VGPU_MDEV_QUEUES; i++) {
		if (v->kick[i])
			eventfd_ctx_put(v->kick[i]);
		v->kick[i] = NULL;
	}
	mutex_unlock(&v->lock);
	put_device(&v->vdev.device);
	kfree(process);
	return 0;
}

static __poll_t chardev_poll(struct file *file, poll_table *wait)
{
	struct vgpu_mdev_process *process = file->private_data;
	struct vgpu_mdev *v = process->v;

	poll_wait(file, &v->wait, wait);
	if (READ_ONCE(v->is_gone))
		return EPOLLHUP | EPOLLERR;
	return READ_ONCE(process->seen) == atomic_read(&v->changes) ? 0 : EPOLLIN;
}

static int chardev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vgpu_mdev_process *process = file->private_data;

	return vgpu_mdev_mmap_memory(process->v, vma);
}

static int chardev_check_setup(const struct vgpu_mdev *v,
			       const struct vgpu_mdev_setup *setup)
{
	const u64 window = setup->window_bytes;

	if (!(setup->features & BIT_ULL(VIRTIO_F_VERSION_1)) ||
	    (window && (!is_power_of_2(window) || window < PAGE_SIZE ||
			window >= BIT_ULL(VGPU_MDEV_REGION_SHIFT))))
		return -EINVAL;
	if (window && !COMPAT_HAS_WINDOW)
		return -EOPNOTSUPP;
	/* The VMM was told the one, and the driver has agreed to the other. */
	if ((v->is_open && window != v->window_bytes) ||
	    v->accepted & ~setup->features)
		return -EBUSY;
	return 0;
}

static int chardev_set_up(struct vgpu_mdev_process *process,
			  const struct vgpu_mdev_setup *setup)
{
	struct eventfd_ctx *kick[VGPU_MDEV_QUEUES];
	struct vgpu_mdev *v = process->v;
	u32 n;
	int rc = 0;

	for (n = 0; n < VGPU_MDEV_QUEUES; n++) {
		kick[n] = eventfd_ctx_fdget(setup->kick[n]);
		if (IS_ERR(kick[n])) {
			rc = PTR_ERR(kick[n]);
			goto put;
		}
	}
	mutex_lock(&v->lock);
	rc = chardev_check_setup(v, setup);
	if (rc == 0) {
		process->is_set_up = true;
		v->is_set_up = true;
		v->is_ended = false;
		v->offered = setup->features;
		if (v->window_bytes != setup->window_bytes) {
			v->window_bytes = setup->window_bytes;
			vgpu_mdev_init_pci(v);
		}
		/* Of a process before it that had the same file, as well. */
		for (u32 i = 0; i < VGPU_MDEV_QUEUES; i++)
			swap(v->kick[i], kick[i]);
		if (memcmp(v->config, setup->config, sizeof(v->config)))
			vgpu_mdev_change_config(v, setup->config);
		wake_up_interruptible(&v->wait);
	}
	mutex_unlock(&v->lock);
put:
	while (n--)
		if (kick[n])
			eventfd_ctx_put(kick[n]);
	return rc;
}

static int chardev_end(struct vgpu_mdev *v)
{
	int rc = -EBUSY;

	mutex_lock(&v->lock);
	if (!v->is_open) {
		v->is_ended = true;
		wake_up_interruptible(&v->wait);
		rc = 0;
	}
	mutex_unlock(&v->lock);
	return rc;
}

static void chardev_get_state(struct vgpu_mdev_process *process,
			      struct vgpu_mdev_state *state)
{
	struct vgpu_mdev *v = process->v;

	/* What changes after this is told the next time. */
	WRITE_ONCE(process->seen, atomic_read(&v->changes));
	smp_mb(); /* before the state is read, which is changed before the count */
	mutex_lock(&v->memory.lock);
	state->generation = v->memory.generation;
	mutex_unlock(&v->memory.lock);
	mutex_lock(&v->lock);
	vgpu_mdev_fill_state(v, state);
	mutex_unlock(&v->lock);
}

/* The largest of what ioctls take. */
union chardev_request {
	struct vgpu_mdev_setup setup;
	struct vgpu_mdev_state state;
	struct vgpu_mdev_pin pin;
	struct vgpu_mdev_interrupt interrupt;
	struct vgpu_mdev_config_space config;
	struct vgpu_mdev_map map;
	struct vgpu_mdev_unmap unmap;
};

static long chardev_do(struct vgpu_mdev_process *process, unsigned int cmd,
		       union chardev_request *request)
{
	struct vgpu_mdev *v = process->v;
	long rc = 0;

	switch (cmd) {
	case VGPU_MDEV_SETUP:
		return chardev_set_up(process, &request->setup);
	case VGPU_MDEV_GET_STATE:
		chardev_get_state(process, &request->state);
		return 0;
	case VGPU_MDEV_PIN:
		return vgpu_mdev_pin(v, &request->pin);
	case VGPU_MDEV_INTERRUPT:
		mutex_lock(&v->lock);
		rc = vgpu_mdev_interrupt_queue(v, &request->interrupt);
		mutex_unlock(&v->lock);
		return rc;
	case VGPU_MDEV_SET_CONFIG:
		mutex_lock(&v->lock);
		vgpu_mdev_change_config(v, request->config.config);
		mutex_unlock(&v->lock);
		return 0;
	case VGPU_MDEV_MAP:
		return vgpu_mdev_map(v, &request->map);
	case VGPU_MDEV_UNMAP:
		return vgpu_mdev_unmap(v, &request->unmap);
	case VGPU_MDEV_END:
		return chardev_end(v);
	default:
		return -ENOTTY;
	}
}

static long chardev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vgpu_mdev_process *process = file->private_data;
	const size_t bytes = _IOC_SIZE(cmd);
	union chardev_request request = {};
	long rc;

	if (_IOC_TYPE(cmd) != _IOC_TYPE(VGPU_MDEV_SETUP) ||
	    bytes > sizeof(request))
		return -ENOTTY;
	if (READ_ONCE(process->v->is_gone))
		return -ENODEV;
	if (cmd != VGPU_MDEV_SETUP && cmd != VGPU_MDEV_END &&
	    !READ_ONCE(process->is_set_up))
		return -EINVAL;
	if (_IOC_DIR(cmd) & _IOC_WRITE &&
	    copy_from_user(&request, (void __user *)arg, bytes))
		return -EFAULT;
	rc = chardev_do(process, cmd, &request);
	if (rc == 0 && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user((void __user *)arg, &request, bytes))
		return -EFAULT;
	return rc;
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.poll = chardev_poll,
	.mmap = chardev_mmap,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

int vgpu_mdev_add_chardev(struct vgpu_mdev *v, struct device *parent)
{
	struct device *device;
	u32 minor;
	int rc;

	mutex_lock(&chardev_lock);
	rc = xa_alloc(&chardev_devices, &minor, v, XA_LIMIT(0, MINORS - 1),
		      GFP_KERNEL);
	mutex_unlock(&chardev_lock);
	if (rc)
		return rc;
	v->minor = minor;
	/* A folder in /dev, and the UUID. */
	device = device_create(vgpu_mdev_class, parent, chardev_first + minor,
			       NULL, "vgpu-mdev!%s", dev_name(parent));
	if (IS_ERR(device)) {
		v->minor = -1;
		mutex_lock(&chardev_lock);
		xa_erase(&chardev_devices, minor);
		mutex_unlock(&chardev_lock);
		return PTR_ERR(device);
	}
	return 0;
}

void vgpu_mdev_remove_chardev(struct vgpu_mdev *v)
{
	device_destroy(vgpu_mdev_class, chardev_first + v->minor);
	mutex_lock(&chardev_lock);
	xa_erase(&chardev_devices, v->minor);
	mutex_unlock(&chardev_lock);
	WRITE_ONCE(v->is_gone, true);
	wake_up_interruptible(&v->wait);
}

int vgpu_mdev_init_chardevs(void)
{
	int rc = alloc_chrdev_region(&chardev_first, 0, MINORS, "vgpu-mdev");

	if (rc)
		return rc;
	cdev_init(&chardev, &chardev_fops);
	chardev.owner = THIS_MODULE;
	rc = cdev_add(&chardev, chardev_first, MINORS);
	if (rc)
		unregister_chrdev_region(chardev_first, MINORS);
	return rc;
}

void vgpu_mdev_finish_chardevs(void)
{
	cdev_del(&chardev);
	unregister_chrdev_region(chardev_first, MINORS);
	xa_destroy(&chardev_devices);
}
