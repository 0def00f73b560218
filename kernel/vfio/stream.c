// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a vGPU's state is read from and written to: a header that says of what kind
 * the vGPU is, then what its firmware task says, in pieces, and an end. So a stream
 * is known to be another's, or not to be whole, before the firmware is asked.
 */
#include "stream.h"

#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#define MAGIC	     0x47494d555047564fULL /* "OVGPUMIG" */
#define VERSION	     1
#define BUFFER_BYTES (256 * 1024)
#define POLL_US	     100

/* Little endian, as all of it. */
struct header {
	__le64 magic;
	__le32 version;
	__le32 bytes; /* of this header */
	__le32 gpu;
	__le32 type;
	__le32 channels;
	__le32 reserved;
	__le64 fb_bytes;
	char firmware[16];
};
static_assert(sizeof(struct header) == 56);

struct piece {
	__le32 kind;
	__le32 bytes; /* that follow */
	__le64 at;    /* how many of the firmware's came before */
};
static_assert(sizeof(struct piece) == 16);

enum { PIECE_DATA = 1, PIECE_END };

/* What is to be read or written next. */
enum part { PART_HEADER, PART_PIECE, PART_DATA, PART_NOTHING };

struct vgpu_vfio_stream {
	struct file *file;
	bool is_saving;
	struct vgpu_vf_identity identity;

	/* One reader or writer at a time; user memory is touched under it. */
	struct mutex io;
	enum part part;
	u64 moved; /* of the firmware's bytes */
	u32 left;  /* of a piece that is being written */
	u8 *buffer;
	size_t have; /* in the buffer, ... */
	size_t given;

	/*
	 * Protects what follows. Held while the manager is called, and not
	 * while anything is waited for.
	 */
	struct mutex lock;
	struct vgpu_vfio *v; /* NULL: closed, and the device may be gone */
	int rc;		     /* it has failed */
	bool is_whole;
};

static int stream_check_locked(const struct vgpu_vfio_stream *s)
{
	return !s->v || vgpu_vfio_is_lost(s->v) ? -ENODEV : s->rc;
}

int vgpu_vfio_check_stream(struct vgpu_vfio_stream *s)
{
	int rc;

	mutex_lock(&s->lock);
	rc = stream_check_locked(s);
	mutex_unlock(&s->lock);
	return rc;
}

static DEFINE_RATELIMIT_STATE(stream_lines, 10 * HZ, 50);

static int stream_fail_locked(struct vgpu_vfio_stream *s, int rc, const char *why)
{
	if (!s->v)
		return -ENODEV;
	if (!s->rc) {
		s->rc = rc;
		/* Once for each stream, of which a user may open many. */
		if (__ratelimit(&stream_lines))
			pci_err(s->v->core.pdev, "the vGPU is not %s: %s\n",
				s->is_saving ? "saved" : "restored", why);
	}
	return s->rc;
}

static int stream_fail(struct vgpu_vfio_stream *s, int rc, const char *why)
{
	mutex_lock(&s->lock);
	rc = stream_fail_locked(s, rc, why);
	mutex_unlock(&s->lock);
	return rc;
}

int vgpu_vfio_finish_stream(struct vgpu_vfio_stream *s)
{
	int rc;

	mutex_lock(&s->lock);
	rc = stream_check_locked(s);
	if (rc == 0 && !s->is_whole)
		rc = stream_fail_locked(s, -EINVAL, "the stream is not whole");
	mutex_unlock(&s->lock);
	return rc;
}

static ssize_t stream_try_move_data(struct vgpu_vfio_stream *s, void *data,
				    size_t bytes)
{
	ssize_t rc;

	mutex_lock(&s->lock);
	rc = stream_check_locked(s);
	if (rc == 0)
		rc = s->is_saving ? vgpu_vf_take_state(s->v->vgpu, data, bytes)
				  : vgpu_vf_give_state(s->v->vgpu, data, bytes);
	if (rc < 0 && rc != -ENODATA)
		rc = stream_fail_locked(s, rc,
					"the vGPU is lost, or going to be");
	mutex_unlock(&s->lock);
	return rc;
}

/*
 * Bytes from the firmware, or to it: at least one of them. A reset or the end
 * of the device need not wait for who waits here.
 */
static ssize_t stream_move_data(struct vgpu_vfio_stream *s, void *data,
				size_t bytes, bool may_wait)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(VGPU_VF_STALL_MS);
	ssize_t rc;

	for (;;) {
		rc = stream_try_move_data(s, data, bytes);
		if (rc)
			return rc;
		if (!may_wait)
			return -EAGAIN;
		if (signal_pending(current))
			return -ERESTARTSYS;
		if (time_after(jiffies, deadline))
			return stream_fail(s, -ETIMEDOUT,
					   "the firmware does not go on");
		usleep_range(POLL_US, 2 * POLL_US);
	}
}

static void stream_put_header(struct vgpu_vfio_stream *s)
{
	const struct vgpu_vf_identity *identity = &s->identity;
	struct header header = {
		.magic = cpu_to_le64(MAGIC),
		.version = cpu_to_le32(VERSION),
		.bytes = cpu_to_le32(sizeof(header)),
		.gpu = cpu_to_le32(identity->gpu),
		.type = cpu_to_le32(identity->type),
		.channels = cpu_to_le32(identity->channels),
		.fb_bytes = cpu_to_le64(identity->fb_bytes),
	};

	memcpy(header.firmware, identity->firmware, sizeof(header.firmware));
	memcpy(s->buffer, &header, sizeof(header));
	s->have = sizeof(header);
	s->part = PART_PIECE;
}

/* What of a header is not as of this vGPU; NULL: nothing. */
static const char *stream_judge_header(const struct vgpu_vfio_stream *s)
{
	const struct vgpu_vf_identity *identity = &s->identity;
	const struct header *header = (const void *)s->buffer;

	if (header->magic != cpu_to_le64(MAGIC))
		return "the stream is not of a vGPU";
	if (header->version != cpu_to_le32(VERSION) ||
	    header->bytes != cpu_to_le32(sizeof(*header)) || header->reserved)
		return "the stream is of another driver's version";
	if (header->gpu != cpu_to_le32(identity->gpu))
		return "the stream is of a vGPU of another kind of GPU";
	if (memcmp(header->firmware, identity->firmware, sizeof(header->firmware)))
		return "the stream is of another firmware's version";
	if (header->type != cpu_to_le32(identity->type))
		return "the stream is of a vGPU of another type";
	if (header->fb_bytes != cpu_to_le64(identity->fb_bytes))
		return "the stream is of a vGPU with another framebuffer";
	if (header->channels != cpu_to_le32(identity->channels))
		return "the stream is of a vGPU with another number of channels";
	return NULL;
}

/* The next piece of what is read. 0: there is no more. */
static int stream_fill_buffer(struct vgpu_vfio_stream *s, bool may_wait)
{
	struct piece *piece = (void *)s->buffer;
	ssize_t rc;

	s->have = 0;
	s->given = 0;
	if (s->part == PART_NOTHING)
		return 0;
	if (s->part == PART_HEADER) {
		stream_put_header(s);
		return 1;
	}
	rc = stream_move_data(s, piece + 1, BUFFER_BYTES - sizeof(*piece),
			      may_wait);
	if (rc < 0 && rc != -ENODATA)
		return (int)rc;
	if (rc == -ENODATA) {
		s->part = PART_NOTHING;
		rc = 0;
	}
	piece->kind = cpu_to_le32(rc ? PIECE_DATA : PIECE_END);
	piece->bytes = cpu_to_le32((u32)rc);
	piece->at = cpu_to_le64(s->moved);
	s->moved += rc;
	s->have = sizeof(*piece) + rc;
	return 1;
}

static ssize_t stream_read(struct file *file, char __user *out, size_t count,
			   loff_t *pos)
{
	struct vgpu_vfio_stream *s = file->private_data;
	bool may_wait = !(file->f_flags & O_NONBLOCK);
	size_t done = 0, part;
	int rc = 0;

	if (pos)
		return -ESPIPE;
	if (mutex_lock_interruptible(&s->io))
		return -ERESTARTSYS;
	while (done < count) {
		rc = vgpu_vfio_check_stream(s);
		if (rc)
			break;
		if (s->given == s->have) {
			rc = stream_fill_buffer(s, may_wait && !done);
			if (rc <= 0)
				break;
		}
		part = min(count - done, s->have - s->given);
		if (copy_to_user(out + done, s->buffer + s->given, part)) {
			rc = -EFAULT;
			break;
		}
		s->given += part;
		done += part;
	}
	mutex_unlock(&s->io);
	return done ? (ssize_t)done : rc;
}

static int stream_parse_header(struct vgpu_vfio_stream *s)
{
	const char *why = stream_judge_header(s);

	if (why)
		return stream_fail(s, -EINVAL, why);
	s->part = PART_PIECE;
	return 0;
}

static int stream_parse_piece(struct vgpu_vfio_stream *s)
{
	const struct piece *piece = (const void *)s->buffer;
	u32 kind = le32_to_cpu(piece->kind), bytes = le32_to_cpu(piece->bytes);

	if (le64_to_cpu(piece->at) != s->moved)
		return stream_fail(s, -EINVAL, "a part of the stream is missing");
	if (kind == PIECE_DATA && bytes && bytes < BUFFER_BYTES) {
		s->left = bytes;
		s->part = PART_DATA;
		return 0;
	}
	if (kind != PIECE_END || bytes)
		return stream_fail(s, -EINVAL, "the stream is broken");
	s->part = PART_NOTHING;
	mutex_lock(&s->lock);
	s->is_whole = true;
	mutex_unlock(&s->lock);
	return 0;
}

/* Some of what is written; how much of it, or an error. */
static ssize_t stream_parse_some(struct vgpu_vfio_stream *s,
				 const char __user *in, size_t count,
				 bool may_wait)
{
	size_t want = s->left;
	ssize_t rc;

	if (s->part == PART_NOTHING)
		return stream_fail(s, -EINVAL,
				   "there is more behind the stream's end");
	if (s->part == PART_HEADER)
		want = sizeof(struct header) - s->have;
	else if (s->part == PART_PIECE)
		want = sizeof(struct piece) - s->have;
	count = min(count, want);
	if (copy_from_user(s->buffer + s->have, in, count))
		return -EFAULT;
	if (s->part == PART_DATA) {
		rc = stream_move_data(s, s->buffer, count, may_wait);
		if (rc < 0)
			return rc;
		s->moved += rc;
		s->left -= rc;
		if (!s->left)
			s->part = PART_PIECE;
		return rc;
	}
	s->have += count;
	if (count < want)
		return count;
	s->have = 0;
	rc = s->part == PART_HEADER ? stream_parse_header(s)
				    : stream_parse_piece(s);
	return rc ? rc : (ssize_t)count;
}

static ssize_t stream_write(struct file *file, const char __user *in,
			    size_t count, loff_t *pos)
{
	struct vgpu_vfio_stream *s = file->private_data;
	bool may_wait = !(file->f_flags & O_NONBLOCK);
	size_t done = 0;
	ssize_t rc = 0;

	if (pos)
		return -ESPIPE;
	if (mutex_lock_interruptible(&s->io))
		return -ERESTARTSYS;
	while (done < count) {
		rc = vgpu_vfio_check_stream(s);
		if (rc == 0)
			rc = stream_parse_some(s, in + done, count - done,
					       may_wait && !done);
		if (rc < 0)
			break;
		done += rc;
	}
	mutex_unlock(&s->io);
	return done ? (ssize_t)done : rc;
}

static void stream_destroy(struct vgpu_vfio_stream *s)
{
	mutex_destroy(&s->io);
	mutex_destroy(&s->lock);
	kvfree(s->buffer);
	kfree(s);
}

static int stream_release(struct inode *inode, struct file *file)
{
	stream_destroy(file->private_data);
	return 0;
}

static const struct file_operations save_ops = {
	.owner = THIS_MODULE,
	.read = stream_read,
	.release = stream_release,
};

static const struct file_operations restore_ops = {
	.owner = THIS_MODULE,
	.write = stream_write,
	.release = stream_release,
};

struct vgpu_vfio_stream *vgpu_vfio_open_stream(struct vgpu_vfio *v, bool is_saving)
{
	struct vgpu_vfio_stream *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	int rc;

	if (!s)
		return ERR_PTR(-ENOMEM);
	mutex_init(&s->io);
	mutex_init(&s->lock);
	s->is_saving = is_saving;
	s->is_whole = is_saving;
	s->v = v;
	s->buffer = kvmalloc(BUFFER_BYTES, GFP_KERNEL_ACCOUNT);
	rc = s->buffer ? vgpu_vf_get_identity(v->vgpu, &s->identity) : -ENOMEM;
	if (rc == 0) {
		s->file = anon_inode_getfile(
			"vgpu-state", is_saving ? &save_ops : &restore_ops, s,
			is_saving ? O_RDONLY : O_WRONLY);
		rc = PTR_ERR_OR_ZERO(s->file);
	}
	if (rc) {
		stream_destroy(s);
		return ERR_PTR(rc);
	}
	stream_open(file_inode(s->file), s->file);
	return s;
}

void vgpu_vfio_close_stream(struct vgpu_vfio_stream *s)
{
	mutex_lock(&s->lock);
	s->v = NULL;
	mutex_unlock(&s->lock);
	fput(s->file);
}

struct file *vgpu_vfio_stream_file(struct vgpu_vfio_stream *s)
{
	return get_file(s->file);
}
