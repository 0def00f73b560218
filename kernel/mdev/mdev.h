/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu_mdev: what is between its files. */
#ifndef VGPU_KERNEL_MDEV_MDEV_H
#define VGPU_KERNEL_MDEV_MDEV_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/maple_tree.h>
#include <linux/mdev.h>
#include <linux/mutex.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "kernel/uapi/vgpu_mdev.h"

/* BAR0: virtio's structures, a page each. BAR1: MSI-X. BAR2: the window. */
#define VGPU_MDEV_COMMON	0x0000
#define VGPU_MDEV_ISR		0x1000
#define VGPU_MDEV_DEVICE	0x2000
#define VGPU_MDEV_NOTIFY	0x3000
#define VGPU_MDEV_BAR0_BYTES	0x4000
#define VGPU_MDEV_BAR1_BYTES	0x1000
#define VGPU_MDEV_NOTIFY_STRIDE 4
#define VGPU_MDEV_VECTORS	(VGPU_MDEV_QUEUES + 1)

/* A region of the VFIO device is this far from the next, in the file. */
#define VGPU_MDEV_REGION_SHIFT 40

/*
 * Locks, outer ones first: pin_lock of the memory or lock of the device, then
 * those of memory and window. User memory is touched under pin_lock only; the
 * last two are taken by page faults.
 */

/* memory.c: the guest's memory, as far as the process may reach it. */
struct vgpu_mdev_memory {
	struct mutex pin_lock; /* one pin at a time; it takes VFIO's locks */
	/* Protects all below. */
	struct mutex lock;
	struct xarray pages; /* those pinned, by guest-physical page number */
	struct address_space *mapping; /* the process's; or NULL */
	u32 session;
	u32 generation;
	/*
	 * Who has pages pinned that are not in @pages: between VFIO's pin and
	 * that, or between that and VFIO's unpin.
	 */
	u32 in_transit;
	wait_queue_head_t settled; /* woken when it becomes 0 */
	bool may_pin;
	bool shows_nothing;	   /* that page is mapped somewhere */
	unsigned long quiet_until; /* jiffies; nothing is pinned before */
	struct page *nothing;
};

/* window.c: what the VMM's guest sees in BAR2. */
struct vgpu_mdev_window {
	/* Protects all below. */
	struct mutex lock;
	struct maple_tree pieces; /* by page number in the window */
	struct xarray pages;	  /* those that were seen, by the same */
	u32 session;
	u32 n_pieces;
	struct page *nothing;
};

struct vgpu_mdev_ring {
	struct vgpu_mdev_queue queue;
	u16 vector;
};

/* pci.c: the configuration space. */
#define VGPU_MDEV_PCI_BYTES 256
struct vgpu_mdev_pci {
	u8 image[VGPU_MDEV_PCI_BYTES];
	u8 writable[VGPU_MDEV_PCI_BYTES]; /* bits that the VMM can change */
};

/* chardev.c: the process that serves the device, as long as it has the file. */
struct vgpu_mdev_process {
	struct vgpu_mdev *v;
	int seen; /* of v->changes */
	bool is_set_up;
};

struct vgpu_mdev {
	struct vfio_device vdev;
	int minor;
	bool is_managed; /* of a manager's types, which will serve it */
	struct vgpu_mdev_memory memory;
	struct vgpu_mdev_window window;
	wait_queue_head_t wait;
	atomic_t changes; /* of what GET_STATE tells */
	/* Protects all below, and what each region's registers say. */
	struct mutex lock;
	bool is_gone;
	bool is_open;	/* by a VMM */
	bool is_set_up; /* some process has said what it serves */
	bool is_ended;	/* ... and then that no VMM is to open it */
	struct pid *vmm;
	struct vgpu_mdev_process *process; /* or NULL */
	struct eventfd_ctx *kick[VGPU_MDEV_QUEUES];
	struct eventfd_ctx *vector[VGPU_MDEV_VECTORS]; /* of MSI-X */
	struct eventfd_ctx *request; /* asks the VMM to let go */
	struct vgpu_mdev_pci pci;
	u64 window_bytes;
	u64 offered;
	u32 session;
	/* virtio.c */
	u64 accepted;
	u32 offered_select;
	u32 accepted_select;
	u32 queue_select;
	u32 events_clear;
	u16 config_vector;
	u8 status;
	u8 isr;
	u8 config_generation;
	u8 config[VGPU_MDEV_CONFIG_BYTES];
	struct vgpu_mdev_ring ring[VGPU_MDEV_QUEUES];
};

static inline struct vgpu_mdev *vgpu_mdev_of(struct vfio_device *device)
{
	return container_of(device, struct vgpu_mdev, vdev);
}

/* Tell the process that there is something new. */
static inline void vgpu_mdev_changed(struct vgpu_mdev *v)
{
	atomic_inc(&v->changes);
	wake_up_interruptible(&v->wait);
}

/* memory.c */
int vgpu_mdev_init_memory(struct vgpu_mdev_memory *memory);
void vgpu_mdev_finish_memory(struct vgpu_mdev_memory *memory);
/* Forget all pages; from now on those of @session can be pinned, or none. */
void vgpu_mdev_restart_memory(struct vgpu_mdev *v, u32 session, bool may_pin);
void vgpu_mdev_dma_unmap(struct vfio_device *device, u64 iova, u64 bytes);
int vgpu_mdev_pin(struct vgpu_mdev *v, struct vgpu_mdev_pin *pin);
int vgpu_mdev_mmap_memory(struct vgpu_mdev *v, struct vm_area_struct *vma);
void vgpu_mdev_set_mapping(struct vgpu_mdev *v, struct address_space *mapping);

/* window.c */
int vgpu_mdev_init_window(struct vgpu_mdev_window *window);
void vgpu_mdev_finish_window(struct vgpu_mdev_window *window);
/* Empty it; from now on it is that of @session. */
void vgpu_mdev_restart_window(struct vgpu_mdev *v, u32 session);
int vgpu_mdev_map(struct vgpu_mdev *v, const struct vgpu_mdev_map *map);
int vgpu_mdev_unmap(struct vgpu_mdev *v, const struct vgpu_mdev_unmap *unmap);
int vgpu_mdev_mmap_window(struct vgpu_mdev *v, struct vm_area_struct *vma);
/* The VMM itself reads or writes, within one page. */
void vgpu_mdev_access_window(struct vgpu_mdev *v, u64 offset, void *data,
			     size_t bytes, bool is_write);

/* pci.c; callers hold the lock. */
void vgpu_mdev_init_pci(struct vgpu_mdev *v);
void vgpu_mdev_read_pci(struct vgpu_mdev *v, u32 offset, u8 *data, u32 bytes);
void vgpu_mdev_write_pci(struct vgpu_mdev *v, u32 offset, const u8 *data,
			 u32 bytes);
bool vgpu_mdev_is_master(const struct vgpu_mdev *v);

/* virtio.c; callers hold the lock. BAR0's registers: 1, 2 or 4 bytes, aligned. */
u32 vgpu_mdev_read_register(struct vgpu_mdev *v, u32 offset, u32 bytes);
void vgpu_mdev_write_register(struct vgpu_mdev *v, u32 offset, u32 bytes,
			      u32 value);
/* A reset of virtio's device; a new session. */
void vgpu_mdev_reset(struct vgpu_mdev *v);
int vgpu_mdev_interrupt_queue(struct vgpu_mdev *v,
			      const struct vgpu_mdev_interrupt *interrupt);
void vgpu_mdev_change_config(struct vgpu_mdev *v, const u8 *config);
void vgpu_mdev_fill_state(struct vgpu_mdev *v, struct vgpu_mdev_state *state);

/* irq.c; callers hold the lock. */
long vgpu_mdev_irq_info(unsigned long arg);
int vgpu_mdev_set_irqs(struct vgpu_mdev *v, const struct vfio_irq_set *set,
		       const void *data);
void vgpu_mdev_drop_irqs(struct vgpu_mdev *v);
void vgpu_mdev_signal(struct vgpu_mdev *v, u16 vector);
int vgpu_mdev_irq_count(u32 index);

/* vfio.c */
extern const struct vfio_device_ops vgpu_mdev_vfio_ops;

/* chardev.c */
int vgpu_mdev_init_chardevs(void);
void vgpu_mdev_finish_chardevs(void);
int vgpu_mdev_add_chardev(struct vgpu_mdev *v, struct device *parent);
void vgpu_mdev_remove_chardev(struct vgpu_mdev *v);
extern struct class *vgpu_mdev_class;

/* types.c: types that a manager has said. They come with a file of @main. */
int vgpu_mdev_init_types(struct device *main, struct mdev_driver *driver);
void vgpu_mdev_finish_types(void);
u32 vgpu_mdev_type_available(struct mdev_type *type);
ssize_t vgpu_mdev_type_describe(struct mdev_type *type, char *buf);
/* One more device, and one less; the manager is told by the other. */
int vgpu_mdev_type_take(struct mdev_type *type);
void vgpu_mdev_type_give(void);
void vgpu_mdev_types_changed(void);

#endif
