// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A copy engine: lines of pitch memory copied, or filled with a constant, then
 * a semaphore. OGK src/common/sdk/nvidia/inc/class/clc7b5.h (tag 570.144).
 */
#include "model/host.h"
#include "model/engines.h"

#define SET_SEMAPHORE_A	      0x240
#define SET_SEMAPHORE_B	      0x244
#define SET_SEMAPHORE_PAYLOAD 0x248
#define SET_SRC_PHYS_MODE     0x260
#define SET_DST_PHYS_MODE     0x264
#define LAUNCH_DMA	      0x300
#define OFFSET_IN_UPPER	      0x400
#define OFFSET_OUT_UPPER      0x408
#define PITCH_IN	      0x410
#define PITCH_OUT	      0x414
#define LINE_LENGTH_IN	      0x418
#define LINE_COUNT	      0x41c
#define SET_REMAP_CONST_A     0x700
#define SET_REMAP_COMPONENTS  0x708

#define LAUNCH_TRANSFER(v)   BIT_RANGE(v, 1, 0)
#define LAUNCH_SEMAPHORE(v)  BIT_RANGE(v, 4, 3)
#define LAUNCH_INTERRUPT(v)  BIT_RANGE(v, 6, 5)
#define LAUNCH_SRC_PITCH     (1u << 7)
#define LAUNCH_DST_PITCH     (1u << 8)
#define LAUNCH_MULTI_LINE    (1u << 9)
#define LAUNCH_REMAP	     (1u << 10)
#define LAUNCH_SRC_PHYSICAL  (1u << 12)
#define LAUNCH_DST_PHYSICAL  (1u << 13)
#define SEMAPHORE_ONE_WORD   1
#define SEMAPHORE_FOUR_WORDS 2

#define REMAP_DST_X(v)		BIT_RANGE(v, 2, 0)
#define REMAP_CONST_A		4
#define REMAP_COMPONENT_SIZE(v) (BIT_RANGE(v, 17, 16) + 1)
#define REMAP_DST_COUNT(v)	(BIT_RANGE(v, 25, 24) + 1)

#define BUFFER_BYTES   (64 * KiB)
#define LINES_MAX      (1 * MiB) /* more would hold the machine up */
#define PHYS_TARGET_FB 0

static uint32_t told(struct channel *c, uint32_t method)
{
	return c->copy[method / 4];
}

static uint64_t told_address(struct channel *c, uint32_t upper)
{
	return (uint64_t)(told(c, upper) & 0x1ffff) << 32 | told(c, upper + 4);
}

/* One side of a copy: by the channel's addresses, or by VRAM's own. */
struct side {
	bool physical;
	uint64_t addr;
};

static bool side_read(struct channel *c, struct side s, void *buf,
		      uint64_t bytes, uint64_t *ret_bad)
{
	*ret_bad = s.addr;
	if (!s.physical)
		return model_va_read(c->m, model_channel_pdb(c), s.addr, buf,
				     bytes, ret_bad);
	return model_fb_engine_read(c->m, s.addr, buf, bytes);
}

static bool side_write(struct channel *c, struct side s, const void *buf,
		       uint64_t bytes, uint64_t *ret_bad)
{
	*ret_bad = s.addr;
	if (!s.physical)
		return model_va_write(c->m, model_channel_pdb(c), s.addr, buf,
				      bytes, ret_bad);
	return model_fb_engine_write(c->m, s.addr, buf, bytes);
}

static bool copy_line(struct channel *c, struct side in, struct side out,
		      uint64_t bytes, uint64_t *ret_bad)
{
	g_autofree uint8_t *buf = g_malloc(MIN(bytes, BUFFER_BYTES));

	while (bytes) {
		uint64_t part = MIN(bytes, BUFFER_BYTES);

		if (!side_read(c, in, buf, part, ret_bad) ||
		    !side_write(c, out, buf, part, ret_bad))
			return false;
		in.addr += part;
		out.addr += part;
		bytes -= part;
	}
	return true;
}

static bool fill_line(struct channel *c, struct side out, uint32_t word,
		      uint64_t bytes, uint64_t *ret_bad)
{
	*ret_bad = out.addr;
	if (out.physical)
		return model_fb_engine_fill(c->m, out.addr, word, bytes);
	return model_va_fill(c->m, model_channel_pdb(c), out.addr, word, bytes,
			     ret_bad);
}

static bool transfer(struct channel *c, uint32_t launch, uint64_t *ret_bad)
{
	struct side in = {launch & LAUNCH_SRC_PHYSICAL,
			  told_address(c, OFFSET_IN_UPPER)};
	struct side out = {launch & LAUNCH_DST_PHYSICAL,
			   told_address(c, OFFSET_OUT_UPPER)};
	uint32_t lines = launch & LAUNCH_MULTI_LINE ? told(c, LINE_COUNT) : 1;
	uint64_t bytes = told(c, LINE_LENGTH_IN);
	uint32_t remap = told(c, SET_REMAP_COMPONENTS);
	bool fill = launch & LAUNCH_REMAP;
	uint32_t i;

	*ret_bad = out.addr;
	if (!(launch & LAUNCH_DST_PITCH) ||
	    (!fill && !(launch & LAUNCH_SRC_PITCH))) {
		model_refuse(c->m, "copy", "block linear memory is not modelled");
		return false;
	}
	/* Neither factor is large enough for the product to overflow. */
	if (lines > LINES_MAX || bytes * (fill ? 4 : 1) * lines > c->m->fb_size) {
		model_refuse(c->m, "copy", "%u lines of %" PRIu64 " bytes",
			     lines, bytes);
		return false;
	}
	if ((in.physical &&
	     BIT_RANGE(told(c, SET_SRC_PHYS_MODE), 1, 0) != PHYS_TARGET_FB) ||
	    (out.physical &&
	     BIT_RANGE(told(c, SET_DST_PHYS_MODE), 1, 0) != PHYS_TARGET_FB)) {
		model_refuse(c->m, "copy", "physical system memory");
		return false;
	}
	if (fill &&
	    (REMAP_DST_X(remap) != REMAP_CONST_A ||
	     REMAP_COMPONENT_SIZE(remap) != 4 || REMAP_DST_COUNT(remap) != 1)) {
		model_refuse(c->m, "copy", "remapping %08x is not modelled",
			     remap);
		return false;
	}
	for (i = 0; i < lines; i++) {
		/* A line's length counts components when they are remapped. */
		if (fill ? !fill_line(c, out, told(c, SET_REMAP_CONST_A),
				      bytes * 4, ret_bad)
			 : !copy_line(c, in, out, bytes, ret_bad))
			return false;
		in.addr += told(c, PITCH_IN);
		out.addr += told(c, PITCH_OUT);
	}
	return true;
}

static bool release(struct channel *c, uint32_t launch, uint64_t *ret_bad)
{
	uint64_t va = told_address(c, SET_SEMAPHORE_A);
	uint8_t words[16] = {0};
	uint32_t bytes = 4;

	stl_le_p(words, told(c, SET_SEMAPHORE_PAYLOAD));
	if (LAUNCH_SEMAPHORE(launch) == SEMAPHORE_FOUR_WORDS) {
		stq_le_p(words + 8, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
		bytes = sizeof(words);
	}
	return model_va_write(c->m, model_channel_pdb(c), va, words, bytes,
			      ret_bad);
}

bool model_copy_method(struct channel *c, uint32_t method, uint32_t data)
{
	uint64_t bad;

	if (method >= COPY_METHOD_BYTES)
		return true;
	c->copy[method / 4] = data;
	if (method != LAUNCH_DMA)
		return true;
	if ((LAUNCH_TRANSFER(data) && !transfer(c, data, &bad)) ||
	    (LAUNCH_SEMAPHORE(data) && !release(c, data, &bad))) {
		/* One that hangs says nothing, and goes no further. */
		if (c->m->fault.kind == FAULT_COPY_HANG)
			c->dead = true;
		else
			model_channel_fault(c, RC_TYPE_MMU_FAULT, bad);
		return false;
	}
	if (LAUNCH_INTERRUPT(data))
		model_intr_trigger(c->m, model_engine_nonstall(c->engine));
	return true;
}
