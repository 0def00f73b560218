// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vGPU is stopped, saved through the ring in its heap, restored, resumed. Public
 * are the messages, the ring and whose offset is where ("RFC v1 vfio/nvidia-vgpu"
 * on the kvm list: dev_vgpu_gsp.h); in which order they come, how the ring is
 * filled, and what is in the stream are the model's own, see docs/dev/model.md.
 */
#include "model/vgpu.h"
#include "model/vgpu_heap.h"
#include "model/vf.h"

#define RECORD_BYTES 16 /* type, length, where in the framebuffer */
enum { RECORD_BEGIN = 1, RECORD_GUEST, RECORD_VF, RECORD_FB, RECORD_END };
#define BEGIN_MAGIC   0x55504756 /* VGPU */
#define BEGIN_VERSION 1
#define BEGIN_BYTES   16
#define GUEST_BYTES   16
#define END_BYTES     8
#define FB_BLOCK      (64 * KiB)
#define RECORD_MAX    FB_BLOCK
#define SUM_START     0xcbf29ce484222325ull
#define SUM_FACTOR    0x100000001b3ull

/* How much of a framebuffer is looked at in one go: the machine waits meanwhile. */
#define LOOK_BYTES (32 * MiB)

struct stream {
	uint64_t ring;	/* offset in the heap */
	uint32_t mine;	/* the task's offset in the ring */
	uint64_t fb_at; /* what of the framebuffer comes next */
	uint64_t sum;
	bool begun, has_guest, has_vf, ended, broken;
	GByteArray *bytes; /* to go out, or come in and not yet a whole record */
	unsigned int taken;
	struct vgpu_guest guest;
	struct vf_state vf;
};

static uint64_t sum_of(uint64_t sum, const uint8_t *p, unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i + 8 <= bytes; i += 8)
		sum = (sum ^ ldq_le_p(p + i)) * SUM_FACTOR;
	return sum;
}

static void put_record(struct stream *s, uint32_t type, uint64_t where,
		       const void *data, uint32_t bytes)
{
	uint32_t padded = ROUND_UP(bytes, 8);
	uint8_t *p;

	g_byte_array_set_size(s->bytes, RECORD_BYTES + padded);
	p = s->bytes->data;
	stl_le_p(p, type);
	stl_le_p(p + 4, bytes);
	stq_le_p(p + 8, where);
	memset(p + RECORD_BYTES, 0, padded);
	memcpy(p + RECORD_BYTES, data, bytes);
	if (type != RECORD_END)
		s->sum = sum_of(s->sum, p, RECORD_BYTES + padded);
	s->taken = 0;
}

/* A record of what comes next; false: not yet, or it has all been. */
static bool next_record(GpuModel *m, uint32_t gfid, struct stream *s)
{
	const struct vgpu *v = model_vgpu_of(m, gfid);
	ModelVf *vf = model_vf_of(m, gfid);
	uint64_t stop = MIN(v->fb_total, s->fb_at + LOOK_BYTES), addr = 0;
	uint8_t data[BEGIN_BYTES];

	if (!s->begun) {
		s->begun = true;
		stl_le_p(data, BEGIN_MAGIC);
		stl_le_p(data + 4, BEGIN_VERSION);
		stq_le_p(data + 8, v->fb_total);
		put_record(s, RECORD_BEGIN, 0, data, BEGIN_BYTES);
		return true;
	}
	if (!s->has_guest) {
		s->has_guest = true;
		stl_le_p(data, v->guest.driver_loaded);
		stl_le_p(data + 4, v->guest.os);
		stq_le_p(data + 8, v->guest.fb_used);
		put_record(s, RECORD_GUEST, 0, data, GUEST_BYTES);
		return true;
	}
	if (vf && !s->has_vf) {
		s->has_vf = true;
		put_record(s, RECORD_VF, 0, &vf->state, sizeof(vf->state));
		return true;
	}
	while (s->fb_at < stop) {
		uint64_t at = s->fb_at;

		s->fb_at += FB_BLOCK;
		if (model_vgpu_address(v, at, &addr) &&
		    !buffer_is_zero(m->fb + addr, FB_BLOCK)) {
			put_record(s, RECORD_FB, at, m->fb + addr, FB_BLOCK);
			return true;
		}
	}
	if (s->fb_at < v->fb_total || s->ended)
		return false;
	s->ended = true;
	stq_le_p(data, s->sum);
	put_record(s, RECORD_END, 0, data, END_BYTES);
	return true;
}

static const char *take_record(GpuModel *m, struct vgpu *v, struct stream *s,
			       const uint8_t *record)
{
	uint32_t type = get32(record), bytes = get32(record + 4);
	uint64_t where = ldq_le_p(record + 8), addr = 0;
	const uint8_t *data = record + RECORD_BYTES;

	if (s->ended)
		return "there is more behind its end";
	if (s->begun != (type != RECORD_BEGIN))
		return "it does not begin as one";
	switch (type) {
	case RECORD_BEGIN:
		if (bytes != BEGIN_BYTES || get32(data) != BEGIN_MAGIC ||
		    get32(data + 4) != BEGIN_VERSION)
			return "it is not of this kind";
		if (ldq_le_p(data + 8) != v->fb_total)
			return "it is of another framebuffer";
		s->begun = true;
		break;
	case RECORD_GUEST:
		if (bytes != GUEST_BYTES)
			return "what it says of the guest is too much";
		s->guest.driver_loaded = get32(data) != 0;
		s->guest.os = get32(data + 4);
		s->guest.fb_used = MIN(ldq_le_p(data + 8), v->fb_total);
		break;
	case RECORD_VF:
		if (bytes != sizeof(s->vf))
			return "what it says of the VF is too much";
		memcpy(&s->vf, data, sizeof(s->vf));
		/* It comes of a host: what is not a truth value stays out. */
		s->vf.intr.level = false;
		s->vf.held &= (1u << VF_MSIX_VECTORS) - 1;
		s->has_vf = true;
		break;
	case RECORD_FB:
		if (bytes != FB_BLOCK || where % FB_BLOCK ||
		    !model_vgpu_address(v, where, &addr))
			return "it goes beyond the framebuffer";
		memcpy(m->fb + addr, data, FB_BLOCK);
		break;
	case RECORD_END:
		if (bytes != END_BYTES || ldq_le_p(data) != s->sum)
			return "its sum is wrong";
		s->ended = true;
		return NULL;
	default:
		return "there is something unknown in it";
	}
	s->sum = sum_of(s->sum, record, RECORD_BYTES + ROUND_UP(bytes, 8));
	return NULL;
}

static void take_records(GpuModel *m, struct vgpu *v, struct stream *s)
{
	const char *why = NULL;
	unsigned int at = 0;

	while (!why && s->bytes->len - at >= RECORD_BYTES) {
		uint32_t bytes = get32(s->bytes->data + at + 4), whole;

		if (bytes > RECORD_MAX) {
			why = "a part of it is too long";
			break;
		}
		whole = RECORD_BYTES + ROUND_UP(bytes, 8);
		if (s->bytes->len - at < whole)
			break;
		why = take_record(m, v, s, s->bytes->data + at);
		at += whole;
	}
	g_byte_array_remove_range(s->bytes, 0, at);
	if (why) {
		model_refuse(m, "vgpu", "a stream to restore: %s", why);
		s->broken = true;
	}
}

static uint8_t *ring_of(GpuModel *m, const struct vgpu *v)
{
	return m->fb + v->heap + v->stream->ring;
}

/* Into the ring, as far as the host has taken what was there. */
static bool fill(GpuModel *m, uint32_t gfid, uint32_t host)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	struct stream *s = v->stream;
	uint8_t *ring = ring_of(m, v);
	bool moved = false;

	for (;;) {
		uint32_t room =
			(host + MIGRATION_RING - s->mine - 1) % MIGRATION_RING;
		uint32_t part = MIN(room, MIGRATION_RING - s->mine);

		if (s->taken == s->bytes->len && !next_record(m, gfid, s))
			break;
		part = MIN(part, s->bytes->len - s->taken);
		if (!part)
			break;
		memcpy(ring + s->mine, s->bytes->data + s->taken, part);
		s->taken += part;
		s->mine = (s->mine + part) % MIGRATION_RING;
		moved = true;
	}
	stl_le_p(m->fb + v->heap + v->response + RESP_TASK_OFFSET, s->mine);
	if (s->ended && s->taken == s->bytes->len) {
		stl_le_p(m->fb + v->heap + v->response + RESP_SAVED, 1);
		v->migration = VGPU_SAVED;
		model_log(m, "vgpu", "gfid %u is saved", gfid);
	}
	return moved;
}

static bool drain(GpuModel *m, uint32_t gfid, uint32_t host)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	struct stream *s = v->stream;
	const uint8_t *ring = ring_of(m, v);
	bool moved = false;

	while (s->mine != host && !s->broken) {
		uint32_t part =
			(host > s->mine ? host : MIGRATION_RING) - s->mine;

		g_byte_array_append(s->bytes, ring + s->mine, part);
		s->mine = (s->mine + part) % MIGRATION_RING;
		take_records(m, v, s);
		moved = true;
	}
	stl_le_p(m->fb + v->heap + v->response + RESP_TASK_OFFSET, s->mine);
	return moved;
}

int64_t model_vgpu_pump(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	const uint8_t *ctrl = m->fb + v->heap + v->ctrl;
	uint32_t host = get32(ctrl + CTRL_HOST_OFFSET);
	bool moved;

	if (v->migration != VGPU_SAVING && v->migration != VGPU_RESTORING)
		return 0;
	if (!ctrl[CTRL_IN_MIGRATION] || v->stream->broken)
		return SCALE_MS;
	if (host >= MIGRATION_RING) {
		model_refuse(m, "vgpu", "gfid %u: offset %x in the ring", gfid,
			     host);
		v->stream->broken = true;
		return SCALE_MS;
	}
	moved = v->migration == VGPU_SAVING ? fill(m, gfid, host)
					    : drain(m, gfid, host);
	if (v->migration == VGPU_SAVED)
		return 0;
	return moved ? 20 * SCALE_US : SCALE_MS;
}

static void forget_stream(struct vgpu *v)
{
	if (v->stream)
		g_byte_array_unref(v->stream->bytes);
	g_free(v->stream);
	v->stream = NULL;
}

static uint32_t open_stream(GpuModel *m, struct vgpu *v, enum vgpu_migration to)
{
	const uint8_t *ctrl = m->fb + v->heap + v->ctrl;
	uint64_t ring = ldq_le_p(ctrl + CTRL_MIGRATION);

	if (!v->migratable)
		return NV_ERR_NOT_SUPPORTED;
	if (ring % 8 || v->heap_bytes < MIGRATION_RING ||
	    ring > v->heap_bytes - MIGRATION_RING ||
	    get32(ctrl + CTRL_HOST_OFFSET) || !ctrl[CTRL_IN_MIGRATION])
		return NV_ERR_INVALID_ARGUMENT;
	v->stream = g_new0(struct stream, 1);
	v->stream->ring = ring;
	v->stream->sum = SUM_START;
	v->stream->bytes = g_byte_array_new();
	v->migration = to;
	stl_le_p(m->fb + v->heap + v->response + RESP_TASK_OFFSET, 0);
	stl_le_p(m->fb + v->heap + v->response + RESP_SAVED, 0);
	return NV_OK;
}

/* All of a stream has come: the vGPU becomes what it says. */
static uint32_t restore(GpuModel *m, uint32_t gfid)
{
	struct vgpu *v = model_vgpu_of(m, gfid);
	ModelVf *vf = model_vf_of(m, gfid);
	struct stream *s = v->stream;

	/* What the host has written last is looked at before it is judged. */
	model_vgpu_pump(m, gfid);
	if (s->broken)
		return NV_ERR_INVALID_DATA;
	if (!s->ended)
		return NV_ERR_INVALID_STATE;
	if (vf && s->has_vf)
		vf->state = s->vf;
	model_vgpu_guest_driver(m, gfid, s->guest.driver_loaded);
	model_vgpu_guest_os(m, gfid, s->guest.os);
	v->guest.fb_used = s->guest.fb_used;
	model_log(m, "vgpu", "gfid %u is restored", gfid);
	return NV_OK;
}

uint32_t model_vgpu_migrate(GpuModel *m, uint32_t gfid, enum vgpu_migrate what)
{
	static const struct {
		uint32_t from; /* states, a bit for each */
		enum vgpu_migration to;
	} way[] = {
		[VGPU_MIGRATE_STOP] = {1 << VGPU_RUNNING, VGPU_STOPPED},
		[VGPU_MIGRATE_CANCEL_STOP] = {1 << VGPU_STOPPED, VGPU_RUNNING},
		[VGPU_MIGRATE_SAVE] = {1 << VGPU_STOPPED, VGPU_SAVING},
		[VGPU_MIGRATE_CANCEL_SAVE] = {1 << VGPU_SAVING | 1 << VGPU_SAVED,
					      VGPU_STOPPED},
		[VGPU_MIGRATE_RESTORE] = {1 << VGPU_STOPPED, VGPU_RESTORING},
		[VGPU_MIGRATE_RESTORE_END] = {1 << VGPU_RESTORING, VGPU_STOPPED},
		[VGPU_MIGRATE_RESUME] = {1 << VGPU_STOPPED | 1 << VGPU_SAVED,
					 VGPU_RUNNING},
		[VGPU_MIGRATE_FORGET] = {UINT32_MAX, VGPU_RUNNING},
	};
	struct vgpu *v = model_vgpu_of(m, gfid);
	uint32_t status;

	if (!(way[what].from & 1u << v->migration))
		return NV_ERR_INVALID_STATE;
	if (what == VGPU_MIGRATE_SAVE || what == VGPU_MIGRATE_RESTORE)
		return open_stream(m, v, way[what].to);
	if (what == VGPU_MIGRATE_RESTORE_END) {
		status = restore(m, gfid);
		if (status)
			return status;
	}
	forget_stream(v);
	v->migration = way[what].to;
	if (v->migration == VGPU_RUNNING)
		model_vgpu_may_work(m, gfid);
	return NV_OK;
}
