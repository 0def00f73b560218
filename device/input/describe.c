/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an input device says of itself (virtio 1.3, 5.8.5). */
#include <assert.h>
#include <endian.h>
#include <linux/input.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "device/input/abi.h"
#include "device/input/internal.h"
#include "lib/util.h"

/* Those of a PC keyboard, and the function and media keys beyond. */
#define KEYBOARD_CODES (KEY_MICMUTE + 1)

static const char *const names[VGPU_INPUTS] = {
	[VGPU_INPUT_KEYBOARD] = "OpenVGPU Keyboard",
	[VGPU_INPUT_TABLET] = "OpenVGPU Tablet",
};

static_assert(sizeof(struct virtio_input_config) <= VGPU_MODEL_CONFIG_MAX,
	      "input config size");
static_assert(VGPU_INPUT_CODES == KEY_CNT, "all codes");

bool vgpu_input_has_code(enum vgpu_input kind, uint32_t code)
{
	if (kind == VGPU_INPUT_KEYBOARD)
		return code > KEY_RESERVED && code < KEYBOARD_CODES;
	return code >= BTN_LEFT && code <= BTN_EXTRA;
}

static bool has_event(enum vgpu_input kind, uint32_t type, uint32_t code)
{
	switch (type) {
	case EV_KEY:
		return vgpu_input_has_code(kind, code);
	case EV_REP: /* the guest repeats keys that stay down */
		return kind == VGPU_INPUT_KEYBOARD && code <= REP_MAX;
	case EV_LED:
		return kind == VGPU_INPUT_KEYBOARD && code <= LED_SCROLLL;
	case EV_ABS:
		return kind == VGPU_INPUT_TABLET && code <= ABS_Y;
	case EV_REL:
		return kind == VGPU_INPUT_TABLET &&
		       (code == REL_WHEEL || code == REL_HWHEEL);
	default:
		return false;
	}
}

/* Returns how many bytes of @bitmap say which codes of @type there are. */
static uint8_t set_bits(enum vgpu_input kind, uint32_t type, uint8_t bitmap[128])
{
	uint32_t bytes = 0;

	for (uint32_t code = 0; code < VGPU_INPUT_CODES; code++) {
		if (!has_event(kind, type, code))
			continue;
		bitmap[code / 8] |= (uint8_t)(1U << code % 8);
		bytes = code / 8 + 1;
	}
	return (uint8_t)bytes;
}

void vgpu_input_describe(enum vgpu_input kind, uint8_t select, uint8_t subsel,
			 uint8_t space[VGPU_MODEL_CONFIG_MAX])
{
	struct virtio_input_config config = {.select = select, .subsel = subsel};

	switch (select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		config.size = (uint8_t)strlen(names[kind]);
		memcpy(config.u.string, names[kind], config.size);
		break;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		config.u.ids.bustype = htole16(BUS_VIRTUAL);
		config.u.ids.product = htole16((uint16_t)(kind + 1));
		config.u.ids.version = htole16(1);
		config.size = sizeof(config.u.ids);
		break;
	case VIRTIO_INPUT_CFG_EV_BITS:
		config.size = set_bits(kind, subsel, config.u.bitmap);
		break;
	case VIRTIO_INPUT_CFG_ABS_INFO:
		if (!has_event(kind, EV_ABS, subsel))
			break;
		config.u.abs.max = htole32(VGPU_INPUT_RANGE - 1);
		config.size = sizeof(config.u.abs);
		break;
	default: /* no serial number, no properties */
		break;
	}
	memcpy(space, &config, sizeof(config));
}
