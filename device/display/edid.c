/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EDID 1.4 (VESA E-EDID A2), timings by CVT 1.2 reduced blanking, DisplayID 1.3. */
#include "device/display/edid.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

#define BLOCK 128

struct timing {
	uint32_t width;
	uint32_t height;
	uint32_t clock_10khz;
	uint32_t h_blank, h_front, h_sync;
	uint32_t v_blank, v_front, v_sync;
	uint32_t lines_hz; /* horizontal frequency */
};

struct mode {
	uint16_t width;
	uint16_t height;
};

/* The number of lines in the vertical sync tells a mode's aspect (CVT 3.4). */
static uint32_t v_sync_lines(uint32_t width, uint32_t height)
{
	static const struct {
		uint32_t w, h, lines;
	} aspects[] = {
		{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7},
	};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(aspects); i++)
		if (width * aspects[i].h == height * aspects[i].w)
			return aspects[i].lines;
	return 10;
}

/* CVT reduced blanking, version 1, at 60 Hz. */
static void make_timing(struct timing *t, uint32_t width, uint32_t height)
{
	const uint64_t refresh = 60, v_blank_min_us = 460;
	const uint32_t back_lines_min = 6;
	/* What is left of a frame for its active lines, in microseconds. */
	const uint64_t active_us_x3 = 50000 - 3 * v_blank_min_us;
	uint64_t clock_hz;

	*t = (struct timing){
		.width = width,
		.height = height,
		.h_blank = 160,
		.h_front = 48,
		.h_sync = 32,
		.v_front = 3,
		.v_sync = v_sync_lines(width, height),
	};
	t->v_blank = 3 * v_blank_min_us * height / active_us_x3 + 1;
	t->v_blank =
		VGPU_MAX(t->v_blank, t->v_front + t->v_sync + back_lines_min);
	clock_hz = refresh * (height + t->v_blank) * (width + t->h_blank);
	clock_hz -= clock_hz % 250000; /* the step of CVT's clocks */
	t->clock_10khz = clock_hz / 10000;
	t->lines_hz = clock_hz / (width + t->h_blank);
}

/* A detailed timing descriptor has 12 bits a side, 16 for the clock. */
static bool fits_descriptor(const struct timing *t)
{
	return t->width <= 4095 && t->height <= 4095 && t->clock_10khz <= 65535;
}

/* At 96 pixels an inch: what a desktop takes for "not scaled". */
static uint32_t millimetres(uint32_t pixels)
{
	return pixels * 254 / 960;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = value & 0xff;
	at[1] = value >> 8 & 0xff;
}

static uint8_t checksum(const uint8_t *from, size_t n)
{
	uint8_t sum = 0;

	while (n-- > 0)
		sum += *from++;
	return -sum;
}

static void put_detailed(uint8_t *at, const struct timing *t, uint32_t w_mm,
			 uint32_t h_mm)
{
	put16(at, t->clock_10khz);
	at[2] = t->width & 0xff;
	at[3] = t->h_blank & 0xff;
	at[4] = t->width >> 8 << 4 | t->h_blank >> 8;
	at[5] = t->height & 0xff;
	at[6] = t->v_blank & 0xff;
	at[7] = t->height >> 8 << 4 | t->v_blank >> 8;
	at[8] = t->h_front & 0xff;
	at[9] = t->h_sync & 0xff;
	at[10] = (t->v_front & 0xf) << 4 | (t->v_sync & 0xf);
	at[11] = t->h_front >> 8 << 6 | t->h_sync >> 8 << 4 |
		 t->v_front >> 4 << 2 | t->v_sync >> 4;
	at[12] = w_mm & 0xff;
	at[13] = h_mm & 0xff;
	at[14] = w_mm >> 8 << 4 | h_mm >> 8;
	/* Digital separate sync; reduced blanking is told by +h, -v. */
	at[17] = 0x1a;
}

static void put_text(uint8_t *at, uint8_t tag, const char *text)
{
	size_t length = strlen(text);

	at[3] = tag;
	memset(at + 5, ' ', 13);
	memcpy(at + 5, text, length);
	if (length < 13)
		at[5 + length] = '\n';
}

static void put_limits(uint8_t *at, const struct timing *largest)
{
	/* At least what the listed modes need: 193.25 MHz for 1920x1200,
	 * 75 kHz for 1600x1200. */
	uint32_t clock_10mhz = VGPU_MAX(largest->clock_10khz / 1000 + 1, 20u);
	uint32_t h_khz = VGPU_MAX(largest->lines_hz / 1000 + 1, 76u);

	at[3] = 0xfd;
	if (h_khz > 255) {
		at[4] = 0x08; /* 255 is to be added */
		h_khz -= 255;
	}
	at[5] = 50;
	at[6] = 75;
	at[7] = 29;
	at[8] = h_khz;
	at[9] = VGPU_MIN(clock_10mhz, 255u);
	at[10] = 0x01; /* limits only */
	at[11] = '\n';
	memset(at + 12, ' ', 6);
}

static bool is_listed(const struct vgpu_edid_config *config, uint32_t width,
		      uint32_t height)
{
	return width <= config->max_width && height <= config->max_height;
}

static void put_established(uint8_t *edid, const struct vgpu_edid_config *c)
{
	/* Standard timings count sides by 8; two bits give the aspect. */
	enum { BY_16_10, BY_4_3, BY_5_4, BY_16_9 };
	static const struct {
		struct mode mode;
		uint8_t aspect;
	} standard[] = {
		{{1920, 1200}, BY_16_10}, {{1920, 1080}, BY_16_9},
		{{1680, 1050}, BY_16_10}, {{1600, 1200}, BY_4_3},
		{{1440, 900}, BY_16_10},  {{1280, 1024}, BY_5_4},
		{{1280, 800}, BY_16_10},  {{1280, 720}, BY_16_9},
	};
	uint8_t *at = edid + 38;

	edid[35] = (is_listed(c, 640, 480) ? 1 << 5 : 0) |
		   (is_listed(c, 800, 600) ? 1 << 0 : 0);
	edid[36] = is_listed(c, 1024, 768) ? 1 << 3 : 0;
	memset(at, 0x01, 16); /* not used */
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(standard); i++) {
		const struct mode *mode = &standard[i].mode;

		if (!is_listed(c, mode->width, mode->height))
			continue;
		*at++ = mode->width / 8 - 31;
		*at++ = standard[i].aspect << 6;
	}
}

static void put_colours(uint8_t *at)
{
	/* sRGB in 1/1024: red, green, blue, white, each x and y. */
	static const uint16_t c[8] = {655, 338, 307, 614, 154, 61, 320, 337};

	at[0] = (c[0] & 3) << 6 | (c[1] & 3) << 4 | (c[2] & 3) << 2 | (c[3] & 3);
	at[1] = (c[4] & 3) << 6 | (c[5] & 3) << 4 | (c[6] & 3) << 2 | (c[7] & 3);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(c); i++)
		at[2 + i] = c[i] >> 2;
}

static void put_base(uint8_t *edid, const struct vgpu_edid_config *config,
		     const struct timing *first, const struct timing *largest,
		     bool is_native)
{
	static const uint8_t header[8] = {0,	0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0};
	/* Three letters, A is 1, five bits each; no vendor has these. */
	const uint16_t vendor =
		('O' - '@') << 10 | ('V' - '@') << 5 | ('G' - '@');
	char text[14];

	memcpy(edid, header, sizeof(header));
	edid[8] = vendor >> 8;
	edid[9] = vendor & 0xff;
	put16(edid + 10, 1);
	put16(edid + 12, config->head + 1);
	edid[16] = 0xff; /* the year is that of the model */
	edid[17] = 2026 - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa0; /* digital, 8 bits a colour */
	edid[21] = millimetres(config->width) / 10;
	edid[22] = millimetres(config->height) / 10;
	edid[23] = 120;				  /* gamma 2.2 */
	edid[24] = 0x04 | (is_native ? 0x02 : 0); /* sRGB; first is native */
	put_colours(edid + 25);
	put_established(edid, config);

	put_detailed(edid + 54, first, millimetres(config->width),
		     millimetres(config->height));
	put_limits(edid + 72, largest);
	snprintf(text, sizeof(text), "OpenVGPU %u", config->head + 1);
	put_text(edid + 90, 0xfc, text);
	snprintf(text, sizeof(text), "HEAD%04u", config->head + 1);
	put_text(edid + 108, 0xff, text);
}

/* One timing of a DisplayID "Type I" block. Numbers are stored less one. */
static void put_type_i(uint8_t *at, const struct timing *t, bool is_preferred)
{
	const uint32_t positive = 0x8000;

	put16(at, t->clock_10khz - 1);
	at[2] = (t->clock_10khz - 1) >> 16;
	at[3] = (is_preferred ? 0x80 : 0) | 0x08; /* aspect: not told */
	put16(at + 4, t->width - 1);
	put16(at + 6, t->h_blank - 1);
	put16(at + 8, (t->h_front - 1) | positive);
	put16(at + 10, t->h_sync - 1);
	put16(at + 12, t->height - 1);
	put16(at + 14, t->v_blank - 1);
	put16(at + 16, t->v_front - 1);
	put16(at + 18, t->v_sync - 1);
}

/* Begins a data block of a DisplayID section. Returns its payload, zeroed. */
static uint8_t *put_block(uint8_t **at, uint8_t tag, uint8_t bytes)
{
	uint8_t *payload = *at + 3;

	(*at)[0] = tag;
	(*at)[2] = bytes;
	*at = payload + bytes;
	return payload;
}

/* Product, display parameters and interface: required in each section. */
static void put_identity(uint8_t **at, const struct vgpu_edid_config *config)
{
	uint32_t longer = VGPU_MAX(config->width, config->height);
	uint32_t shorter = VGPU_MIN(config->width, config->height);
	uint8_t *to;

	to = put_block(at, 0x00, 12);
	memcpy(to, "OVG", 3);
	put16(to + 3, 1);
	put16(to + 5, config->head + 1);
	to[9] = 0xff; /* the year is that of the model */
	to[10] = 2026 - 2000;

	to = put_block(at, 0x01, 12);
	put16(to, millimetres(config->width) * 10);
	put16(to + 2, millimetres(config->height) * 10);
	put16(to + 4, config->width);
	put16(to + 6, config->height);
	to[9] = 120; /* gamma 2.2 */
	to[10] = VGPU_MIN(longer * 100 / shorter - 100, 255u);
	to[11] = 0x77; /* 8 bits a colour */

	to = put_block(at, 0x0f, 10);
	to[0] = 0xb1; /* an interface of its own, one link */
	to[2] = 0x02; /* 8 bits a colour in RGB */
}

/* The modes of the extension. Returns how many, the preferred one first. */
static unsigned int list_modes(const struct vgpu_edid_config *config,
			       struct mode ret_modes[3])
{
	const struct mode large[] = {
		{config->width, config->height},
		{config->max_width, config->max_height},
		{3840, 2160},
		{2560, 1440},
		{2560, 1600},
	};
	unsigned int n = 0;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(large) && n < 3; i++) {
		bool is_new = i == 0 ||
			      is_listed(config, large[i].width, large[i].height);

		for (unsigned int j = 0; j < n; j++)
			if (ret_modes[j].width == large[i].width &&
			    ret_modes[j].height == large[i].height)
				is_new = false;
		if (is_new)
			ret_modes[n++] = large[i];
	}
	return n;
}

static void put_display_id(uint8_t *block, const struct vgpu_edid_config *config,
			   const struct mode *modes, unsigned int n)
{
	uint8_t *at = block + 5;
	uint8_t *to;

	block[0] = 0x70; /* a DisplayID section */
	block[1] = 0x13; /* version 1.3 */
	block[3] = 3;	 /* a monitor of its own */
	put_identity(&at, config);
	to = put_block(&at, 0x03, 20 * n);
	for (unsigned int i = 0; i < n; i++) {
		struct timing timing;

		make_timing(&timing, modes[i].width, modes[i].height);
		put_type_i(to + (size_t)i * 20, &timing,
			   /* is_preferred= */ i == 0);
	}
	block[2] = at - block - 5;
	*at = checksum(block + 1, at - block - 1);
	block[BLOCK - 1] = checksum(block, BLOCK - 1);
}

size_t vgpu_edid_make(const struct vgpu_edid_config *config,
		      uint8_t ret_edid[VGPU_EDID_BYTES_MAX])
{
	struct timing preferred, largest, first;
	struct mode modes[3] = {};
	unsigned int n;
	bool fits;

	memset(ret_edid, 0, VGPU_EDID_BYTES_MAX);
	make_timing(&preferred, config->width, config->height);
	make_timing(&largest, VGPU_MAX(config->max_width, config->width),
		    VGPU_MAX(config->max_height, config->height));
	fits = fits_descriptor(&preferred);
	first = preferred;
	/*
	 * The base block must begin with a detailed mode, although the
	 * preferred one is in the extension. Linux drops a first mode that is
	 * not the preferred one, so use one that is listed elsewhere too.
	 */
	if (!fits)
		make_timing(&first, VGPU_MIN(config->width, 1024u),
			    VGPU_MIN(config->height, 768u));
	put_base(ret_edid, config, &first, &largest, fits);

	n = list_modes(config, modes);
	if (fits && n == 1) {
		ret_edid[BLOCK - 1] = checksum(ret_edid, BLOCK - 1);
		return BLOCK;
	}
	put_display_id(ret_edid + BLOCK, config, modes, n);
	ret_edid[BLOCK - 2] = 1; /* one extension follows */
	ret_edid[BLOCK - 1] = checksum(ret_edid, BLOCK - 1);
	return 2 * (size_t)BLOCK;
}
