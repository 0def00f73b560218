/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of render/vulkan share: one guest context and its parts. */
#ifndef VGPU_RENDER_VULKAN_CONTEXT_H
#define VGPU_RENDER_VULKAN_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vulkan_core.h>

#include "render/abi.h"
#include "render/wire/decoder.h"
#include "render/wire/object.h"
#include "lib/figures.h"
#include "lib/util.h"
#include "sandbox/report.h"
#include "venus.h"
#include "vulkan/import.h"
#include "work.h"

struct vgpu_context;
struct vgpu_ring;
struct vgpu_queue;
struct vgpu_recorder;
struct vgpu_replay;

/*
 * Threads: the context's own (main), which reads the COMMAND socket; one for
 * each ring; one for each queue, which waits for its fences; the monitor
 * (monitor.c). Locks and their order: docs/dev/locking.md.
 */

/* channel.c: the two sockets */
struct vgpu_channel {
	pthread_mutex_t command_lock; /* one packet at a time */
	pthread_mutex_t memory_lock;  /* one question at a time */
	uint64_t last_question;	      /* with that lock */
	/* Of the last message from the device, and of that before it. */
	uint64_t seq, seq_before;
};
void vgpu_channel_init(struct vgpu_channel *channel);
/*
 * The next packet, with what follows it in @data (of @data_max bytes) and its
 * fds in @fd, which become the caller's. Returns the bytes of data, or
 * -ECONNRESET when the device has gone, -EPROTO for no packet of ours.
 */
int vgpu_channel_receive(struct vgpu_context *ctx,
			 struct vgpu_render_message *ret_message, void *data,
			 size_t data_max, int *ret_fds, unsigned int *ret_n_fds);
/*
 * Says something to the device. Ends the process if the device has gone. In a
 * replay nobody listens.
 */
void vgpu_channel_send(struct vgpu_context *ctx,
		       const struct vgpu_render_message *message,
		       const void *data, size_t bytes);
/* The same with fds, which stay the caller's. */
void vgpu_channel_send_files(struct vgpu_context *ctx,
			     const struct vgpu_render_message *message,
			     const int *fd, unsigned int n_fds);
/*
 * Ask about memory; @message becomes the answer. *ret_fd is -1 if none came.
 * Not in a replay.
 */
void vgpu_channel_ask(struct vgpu_context *ctx,
		      struct vgpu_render_message *message, int *ret_fd);

/* resource.c: what the guest's resource ids mean here */
struct vgpu_resource {
	struct vgpu_resource *next;
	uint32_t id;
	atomic_uint references; /* the table's, rings', reply streams' */
	bool is_memory;		/* device memory, else shared memory */
	uint8_t *map;		/* of device memory, see memory.c */
	uint64_t bytes;
};
/* @fd stays the caller's. */
int vgpu_resource_add(struct vgpu_context *ctx,
		      const struct vgpu_render_message *message, int fd);
/*
 * It is device memory, of which a reference is held, and here it is mapped: its
 * own from now on. Returns where it is mapped, which another may have done.
 */
uint8_t *vgpu_resource_put_map(struct vgpu_context *ctx,
			       struct vgpu_resource *resource, uint8_t *map);
/* Where it is mapped; NULL if it is not yet. */
uint8_t *vgpu_resource_get_map(struct vgpu_context *ctx,
			       struct vgpu_resource *resource);
bool vgpu_resource_remove(struct vgpu_context *ctx, uint32_t id);
/* With a reference, or NULL. */
struct vgpu_resource *vgpu_resource_get(struct vgpu_context *ctx, uint32_t id);
void vgpu_resource_put(struct vgpu_resource *resource); /* NULL is fine */
/*
 * [offset, offset + bytes) of shared memory @id, or NULL; with a reference.
 * On a ring's thread (@is_ring) it waits for a while: the guest may have used
 * what it mapped before the context's thread has been told of it.
 */
struct vgpu_resource *vgpu_resource_get_range(struct vgpu_context *ctx,
					      bool is_ring, uint32_t id,
					      uint64_t offset, uint64_t bytes);

/*
 * transport.c: a source of commands, the context's own or a ring's. In @step is
 * what it is doing: 0, or a code for a message of the device's or a command,
 * and above it a number that no other command of the stream has.
 */
#define VGPU_STEP_CODE_BITS   16
#define VGPU_STEP_CODE_MASK   ((1U << VGPU_STEP_CODE_BITS) - 1)
#define VGPU_STEP_MESSAGE     1U
#define VGPU_STEP_COMMAND     2U /* and the command's number */
#define VGPU_STEP_COMMAND_MAX 4095U

struct vgpu_stream {
	struct vgpu_decoder decoder;
	struct vgpu_context *ctx;
	struct vgpu_ring *ring;	 /* NULL for the context's own */
	const atomic_bool *stop; /* its guest is about to end it; or NULL */
	/* The name of a command by d->command; see the wires. */
	const char *(*command_name)(uint32_t command);
	struct vgpu_resource *reply; /* where answers go */
	uint8_t *reply_begin;
	bool is_nested; /* inside vkExecuteCommandStreamsMESA */
	bool is_cut;	/* its ring is about to end: nothing more is done */
	atomic_uint_fast64_t step; /* this and the clock are read by watch.c */
	uint64_t n_steps;
	clockid_t clock; /* the thread's processor time */
	struct vgpu_stream_watch {
		uint64_t step, began;
		uint64_t clock_ns;
		uint64_t work_ns;
	} watch; /* watch.c's own */
	/* See recording.h: */
	uint32_t number;     /* of a ring, in the order they were made */
	uint64_t n_commands; /* carried out */
	bool is_busy;	     /* a replay is inside its commands */
	size_t replayed;     /* records before this one are done */
};
void vgpu_stream_init(struct vgpu_stream *stream, struct vgpu_context *ctx,
		      struct vgpu_ring *ring);
void vgpu_stream_finish(struct vgpu_stream *stream);
/* The stream is busy with what @code says; it waits for its guest. */
static inline void vgpu_stream_begin(struct vgpu_stream *stream, uint32_t code)
{
	uint64_t n = ++stream->n_steps;

	atomic_store_explicit(&stream->step, n << VGPU_STEP_CODE_BITS | code,
			      memory_order_relaxed);
}
static inline void vgpu_stream_end(struct vgpu_stream *stream)
{
	atomic_store_explicit(&stream->step,
			      stream->n_steps << VGPU_STEP_CODE_BITS,
			      memory_order_relaxed);
}
/* Carry out the next command. A fatal one does not return. */
void vgpu_stream_step(struct vgpu_stream *stream);
/* Does not return if the last one was fatal, or lost the device. */
void vgpu_stream_check(struct vgpu_stream *stream);
static inline struct vgpu_stream *vgpu_stream_of(struct vgpu_decoder *d)
{
	return vgpu_container_of(d, struct vgpu_stream, decoder);
}
static inline struct vgpu_context *vgpu_context_of(struct vgpu_decoder *d)
{
	return vgpu_stream_of(d)->ctx;
}

/* idle.c: a thread that waits for its guest, which shares memory with it */
struct vgpu_idle {
	uint64_t since, yield_ns;
	long nap_ns;
};
void vgpu_idle_init(struct vgpu_idle *idle);
void vgpu_idle_restart(struct vgpu_idle *idle); /* after some work */
void vgpu_idle_end(struct vgpu_idle *idle);	/* there is work */
/* Wait a little; returns for how many ns it had been waiting. */
uint64_t vgpu_idle_wait(struct vgpu_idle *idle);

/* ring.c */
struct vgpu_ring {
	struct vgpu_stream stream;
	struct vgpu_ring *next; /* in ctx->rings */
	uint64_t id;
	struct vgpu_resource *resource;
	atomic_uint *head; /* these three in memory that the guest writes */
	atomic_uint *tail;
	atomic_uint *status;
	const uint8_t *buffer;
	uint32_t buffer_bytes; /* a power of two */
	uint8_t *extra;
	uint64_t extra_bytes;
	uint8_t *commands; /* the private copy that is decoded */
	uint64_t idle_timeout_ns;
	bool is_monitored;
	bool has_priority;
	int priority;
	pthread_t thread;
	atomic_uint done;     /* what *head should be */
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t wake;
	atomic_bool is_stopping; /* read without it, too */
	bool is_notified;
	uint64_t virtqueue_seqno;
};
/* Starts it. -EINVAL if @info describes no ring, -EEXIST, -ENOMEM. */
int vgpu_ring_create(struct vgpu_context *ctx, uint64_t id,
		     const VkRingCreateInfoMESA *info);
/* The ring with this id, or NULL. Only the context's thread calls this. */
struct vgpu_ring *vgpu_ring_find(struct vgpu_context *ctx, uint64_t id);
void vgpu_ring_destroy(struct vgpu_ring *ring);
/* Carry out what is in ring->commands; the ring's thread does that, or a replay. */
void vgpu_ring_run(struct vgpu_ring *ring, uint32_t bytes);
void vgpu_ring_notify(struct vgpu_ring *ring);
bool vgpu_ring_write_extra(struct vgpu_ring *ring, uint64_t offset,
			   uint32_t value);
/* The context's thread waits for the ring. False: it never comes so far. */
void vgpu_ring_wait(struct vgpu_ring *ring, uint32_t seqno);
/* The ring's thread waits for the context's. */
void vgpu_ring_submit_virtqueue_seqno(struct vgpu_ring *ring, uint64_t seqno);
void vgpu_ring_wait_virtqueue_seqno(struct vgpu_ring *ring, uint64_t seqno);
/* Set @bits in the status of all rings (those monitored only, if asked). */
void vgpu_rings_set_status(struct vgpu_context *ctx, uint32_t bits,
			   bool monitored_only);

/* monitor.c: keeps the limits, and says in time that the context is alive */
void vgpu_monitor_start(struct vgpu_context *ctx);
/* A ring's guest wants to see that at least so often. */
void vgpu_monitor_add(struct vgpu_context *ctx, uint32_t period_us);

/* watch.c: the limits of commands; ticks are the monitor's */
void vgpu_watch_init(struct vgpu_context *ctx, uint64_t work_ns_max);
void vgpu_watch_tick(struct vgpu_context *ctx);

/* memory.c: VkDeviceMemory in the vGPU's framebuffer */
struct vgpu_memory;
/* @object is at its end: the driver's memory is freed, and ours. */
void vgpu_memory_end(struct vgpu_context *ctx, struct vgpu_object *object);
/* The object's memory as the device knows it. False if there is no such. */
bool vgpu_memory_export(struct vgpu_context *ctx, uint64_t object_id,
			uint64_t bytes, uint64_t *ret_name, uint64_t *ret_bytes);

/* queue.c */
struct vgpu_queue {
	struct vgpu_queue *next; /* of its device, or spare */
	struct vgpu_context *ctx;
	VkDevice device;
	const struct vgpu_vk *vk;
	VkDeviceQueueCreateFlags flags;
	uint32_t family;
	uint32_t index;
	atomic_uint ring_idx; /* timeline; 0 until the guest fetches it */
	pthread_mutex_t submit_lock; /* Vulkan wants one caller at a time */
	VkQueue handle;		     /* NULL: the device has gone */
	struct vgpu_meter *meter;    /* NULL: elapsed time is taken */
	uint64_t unmetered_ns; /* when something was submitted without it, or 0 */
	uint64_t probed_ns;    /* when we last put a fence of ours in */
	uint32_t n_unfenced;   /* submits since then that may not be done */
	/* The last of the guest's since then, NULL for none, and those up to it. */
	VkFence guest_fence;
	uint32_t n_guest_fenced;
	pthread_t thread;
	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t wake;
	bool is_stopping;
	bool is_unwatched; /* no fence comes after what was submitted */
	uint64_t watch_ns; /* when one is to be put in */
	struct vgpu_fence *fences, **fences_end; /* to wait for, in order */
	struct vgpu_fence *spare;
	uint32_t n_fences; /* those waited for, the one at hand included */
	bool is_pending;   /* counted in ctx->n_pending */
	/* Of the queue's thread, about the fence at hand: */
	struct vgpu_work work;
	uint64_t gpu_ns, gpu_seen_ns;
	uint64_t done_ns; /* when the last one was found done */
};
struct vgpu_queue *vgpu_queue_create(struct vgpu_context *ctx, VkDevice device,
				     const struct vgpu_vk *vk,
				     const VkDeviceQueueInfo2 *info);
void vgpu_queue_destroy(struct vgpu_queue *queue);
/* The guest's @fence is signalled: what was submitted up to it is done. */
void vgpu_queue_note_signalled(struct vgpu_queue *first, VkFence fence);
/* Signal @semaphore behind all that was submitted; false if that failed. */
bool vgpu_queue_signal(struct vgpu_queue *queue, VkSemaphore semaphore);
/*
 * Say FENCE_DONE @id on @ring_idx when all that was submitted is done. False if
 * the queue has gone meanwhile: there is nothing to wait for.
 */
bool vgpu_queue_fence(struct vgpu_queue *queue, uint32_t ring_idx, uint64_t id);

/* gpu_time.c: what a queue's work costs, and the limit of the vGPU */
void vgpu_meter_create(struct vgpu_queue *queue);
void vgpu_meter_destroy(struct vgpu_queue *queue);
/* vkQueueSubmit(); called with the submit lock held. */
VkResult vgpu_meter_submit(struct vgpu_queue *queue, uint32_t n,
			   const VkSubmitInfo *submits, VkFence fence);
VkResult vgpu_meter_submit2(struct vgpu_queue *queue, uint32_t n,
			    const VkSubmitInfo2 *submits, VkFence fence);
/* How many batches were begun; called with the submit lock held. */
uint64_t vgpu_meter_begun(const struct vgpu_queue *queue);
/*
 * Charge the vGPU: all batches before @until are done, and what was submitted
 * since @unmetered_ns (0: nothing). Called on the queue's thread.
 */
void vgpu_meter_read(struct vgpu_queue *queue, uint64_t until,
		     uint64_t unmetered_ns);
bool vgpu_gpu_is_limited(const struct vgpu_context *ctx);
/* Wait until the vGPU may submit. */
void vgpu_gpu_wait(struct vgpu_stream *stream);

/* object.c: the end of objects that have a priv (see decoder.h) */
bool vgpu_object_end(struct vgpu_decoder *d, struct vgpu_object *object);

/*
 * device.c: what a VkDevice object's priv is. Like objects, devices and queues
 * are never given back but used again: a guest may destroy on one ring what it
 * uses on another, and what that one gets hold of is still a device then.
 */
struct vgpu_vk_device {
	struct vgpu_vk_device *next; /* spare */
	const struct vgpu_vk *vk;
	struct vgpu_queue *queues;
};
/* Its children are gone already. */
void vgpu_vk_device_destroy(struct vgpu_context *ctx,
			    struct vgpu_vk_device *device, VkDevice handle);

/*
 * functions.c: a read-only copy of @functions, which is never given back; NULL
 * if there is no memory. If @place is an earlier copy, it becomes this one.
 */
const struct vgpu_vk *vgpu_functions_seal(const struct vgpu_vk *functions,
					  const struct vgpu_vk *place);

/* memory_view.c: memory types as the guest sees them */
struct vgpu_memory_view {
	VkPhysicalDeviceMemoryProperties guest;
	uint32_t real[VK_MAX_MEMORY_TYPES]; /* the driver's index of each */
};
/*
 * @importable: bits of the driver's types that take memory of ours. NULL, or
 * one line of why no guest can use them.
 */
const char *vgpu_memory_view_init(struct vgpu_memory_view *view,
				  const VkPhysicalDeviceMemoryProperties *real,
				  uint32_t importable,
				  uint64_t framebuffer_bytes);
/* The guest's bits for the driver's. */
uint32_t vgpu_memory_view_bits(const struct vgpu_memory_view *view,
			       uint32_t real_bits);

/* host.c: the driver and the one GPU of it that the guest may see */
struct vgpu_host {
	VkInstance instance;
	const struct vgpu_vk *vk;
	VkPhysicalDevice physical;
	bool is_software; /* its work is that of threads of this process */
	uint32_t api_version;
	VkPhysicalDeviceProperties properties;
	struct vgpu_memory_view view;
	enum vgpu_import_way import; /* how the driver takes memory of ours */
	bool has_external_fence_fd;
	bool has_external_semaphore_fd;
	bool imports_sync_files; /* into semaphores */
	bool signals_by_submit; /* it does not, and a queue can do it instead */
	VkQueueFamilyProperties *families;
	uint32_t n_families;
	VkExtensionProperties *extensions; /* that the guest may use */
	uint32_t n_extensions;
};
/* NULL, or one line of why the GPU cannot be used. */
const char *vgpu_host_init(struct vgpu_host *host, const uint8_t uuid[16],
			   uint64_t framebuffer_bytes);
/* What a driver does at its first device only is done. */
void vgpu_host_warm_up(const struct vgpu_host *host);
bool vgpu_host_has_extension(const struct vgpu_host *host, const char *name);
/* Drivers look these numbers up in tables of theirs. */
bool vgpu_host_has_families(const struct vgpu_host *host,
			    const uint32_t *families, uint32_t n);

/*
 * render/gfxstream, the other wire. What the guest's driver submits is for its
 * connections, each of which has a thread, as rings have.
 */
struct vgpu_gfx_connection;
void vgpu_gfx_init(struct vgpu_context *ctx);
void vgpu_gfx_submit(struct vgpu_context *ctx, const uint8_t *data, size_t bytes);
/* The resource goes, and with it the connection that it has. */
void vgpu_gfx_resource_gone(struct vgpu_context *ctx, uint32_t id);
/* The context is lost: tell the guest. */
void vgpu_gfx_fail(struct vgpu_context *ctx);
/* With the context's lock: the first one's stream if @stream is NULL. */
struct vgpu_stream *vgpu_gfx_next_stream(struct vgpu_context *ctx,
					 struct vgpu_stream *stream);

/* context.c */
struct vgpu_context {
	struct vgpu_channel channel;
	struct vgpu_recorder *recorder; /* NULL: nothing is recorded */
	struct vgpu_replay *replay;	/* in the device's place, if not NULL */
	struct vgpu_host host;
	struct vgpu_objects *objects;
	uint64_t framebuffer_bytes;
	struct vgpu_gpu_time *gpu_time; /* NULL: of a software GPU */
	struct vgpu_stream stream;
	struct vgpu_sandbox_report sandbox;
	bool is_gfxstream; /* its wire; else it is venus' */
	struct {
		pthread_mutex_t lock; /* protects seqno */
		pthread_cond_t turn;  /* seqno has moved */
		uint32_t seqno;	      /* of the last command carried out */
		/* With the lock of the context. */
		struct vgpu_gfx_connection *connections;
		uint32_t n_connections;
	} gfx; /* see render/gfxstream */
	struct {
		uint64_t limit_ns;
		uint64_t tick_ns;
		uint64_t ticked_ns;
		struct vgpu_work work; /* since the last tick */
		atomic_uint_fast64_t stalled_ns;
	} watch;	       /* see watch.c */
	atomic_uint n_pending; /* queues with submits that may not be done */
	atomic_uint n_running; /* those of them whose GPU works on them */
	atomic_uint n_asking; /* threads that wait for the device or their turn */
	atomic_bool has_instance;
	atomic_uint_fast64_t copied_bytes; /* of streams that are being run */
	pthread_mutex_t lock;		   /* protects what follows */
	struct vgpu_vk_device *spare_devices;
	struct vgpu_queue *spare_queues;
	uint32_t n_devices; /* those not spare */
	struct vgpu_resource *resources[256];
	pthread_cond_t resource_added;
	struct vgpu_ring *rings;
	uint32_t n_rings;	   /* ever made */
	uint64_t n_ended_commands; /* of rings that have gone */
	struct vgpu_queue *timeline[VGPU_RENDER_TIMELINES];
	pthread_cond_t timeline_left; /* by a queue that is dead now */
	pthread_cond_t ring_moved;    /* a ring went on while somebody waits */
	atomic_uint ring_waiters;
	struct {
		bool is_changed;
		uint32_t period_us; /* 0: nobody looks whether we are alive */
		pthread_cond_t changed;
	} monitor;
	pthread_mutex_t memory_lock; /* exports against frees */
};
/* Serve the device until it goes. */
void vgpu_context_run(struct vgpu_context *ctx);
/* Do what the next message says. False: the device has gone. */
bool vgpu_context_step(struct vgpu_context *ctx);
/*
 * The context is at an end: the guest's rings and the device are told, and the
 * process ends. Called on any thread.
 */
__attribute__((noreturn, format(printf, 3, 4))) void
vgpu_context_fatal(struct vgpu_context *ctx, enum vgpu_loss loss,
		   const char *fmt, ...);

/*
 * limits.c. Stacks: a driver compiles shaders on a thread of its own, and on
 * that of the ring that asks for a pipeline; what only waits needs little.
 */
#define VGPU_STACK_BYTES       ((size_t)1024 * 1024)
#define VGPU_STACK_BYTES_SMALL ((size_t)256 * 1024)
/* Before there are threads. */
void vgpu_limits_prepare(void);
/*
 * Take no more than @bytes (0: no limit) from now on, until the device grants
 * more. *ret_fixed is address space that is no memory of our own.
 */
bool vgpu_limits_enter(uint64_t bytes, bool is_software, uint64_t *ret_fixed);
/* The driver's memfds, which stay open and stay its own. Returns how many. */
unsigned int vgpu_limits_find_files(int ret_fd[VGPU_RENDER_FILES_MAX]);

/* time in ns since some time, never going back */
uint64_t vgpu_now_ns(void);

#endif
