/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of a vGPU's heads: modes and VNC servers. */
#include "heads.h"

#include <string.h>

#include "lib/util.h"
#include "manager/host/text.h"
#include "vnc.h"

int vgpu_heads_check_mode(const struct vgpu_type *type, uint32_t width,
			  uint32_t height, struct vgpu_err *err)
{
	if (width == 0 && height == 0)
		return 0;
	if (width >= VGPU_TYPE_WIDTH_MIN && height >= VGPU_TYPE_HEIGHT_MIN &&
	    width <= type->max_width && height <= type->max_height)
		return 0;
	return vgpu_err_set(
		err, -EINVAL, "BadMode",
		"a head of type %s has modes from %d x %d up to %u x %u, and 0 x 0 to unplug it",
		type->name, VGPU_TYPE_WIDTH_MIN, VGPU_TYPE_HEIGHT_MIN,
		type->max_width, type->max_height);
}

struct setting {
	uint64_t head;
	uint64_t width;
	uint64_t height;
	const char *vnc;
	bool has_input;
};

static int read_head(sd_json_variant *json, const struct vgpu_paths *paths,
		     struct vgpu_definition *d, uint32_t *seen,
		     struct vgpu_err *err)
{
	static const sd_json_dispatch_field fields[] = {
		{"head", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		 offsetof(struct setting, head), SD_JSON_MANDATORY},
		{"preferredWidth", SD_JSON_VARIANT_UNSIGNED,
		 sd_json_dispatch_uint64, offsetof(struct setting, width),
		 SD_JSON_NULLABLE},
		{"preferredHeight", SD_JSON_VARIANT_UNSIGNED,
		 sd_json_dispatch_uint64, offsetof(struct setting, height),
		 SD_JSON_NULLABLE},
		{"vnc", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct setting, vnc), SD_JSON_NULLABLE},
		{"vncInput", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct setting, has_input), SD_JSON_NULLABLE},
		{},
	};
	struct setting s = {.width = UINT64_MAX, .height = UINT64_MAX};
	struct vgpu_head_setting *setting;
	int r;

	if (sd_json_dispatch(json, fields, 0, &s) < 0)
		return vgpu_err_set(
			err, -EINVAL, "BadMode",
			"a head's settings are its number (head), preferredWidth and preferredHeight, vnc and vncInput");
	if (s.head >= d->type.heads)
		return vgpu_err_set(
			err, -ENOENT, "NoSuchHead",
			"a vGPU of type %s has %u heads, counted from 0: none of them is %llu",
			d->type.name, d->type.heads, (unsigned long long)s.head);
	if (*seen & 1U << s.head)
		return vgpu_err_set(err, -EINVAL, "NoSuchHead",
				    "head %llu is set twice",
				    (unsigned long long)s.head);
	*seen |= 1U << s.head;
	setting = &d->heads[s.head];
	if (s.width != UINT64_MAX || s.height != UINT64_MAX) {
		r = vgpu_heads_check_mode(
			&d->type, (uint32_t)VGPU_MIN(s.width, UINT32_MAX),
			(uint32_t)VGPU_MIN(s.height, UINT32_MAX), err);
		if (r < 0)
			return r;
		setting->has_mode = true;
		setting->width = (uint32_t)s.width;
		setting->height = (uint32_t)s.height;
	}
	if (s.vnc) {
		r = vgpu_vnc_check_address(paths, d->uuid, s.vnc,
					   /* is_manager= */ true, err);
		if (r < 0)
			return r;
		VGPU_TEXT_SET(setting->vnc.address, s.vnc);
		setting->vnc.has_input = s.has_input;
	}
	return 0;
}

int vgpu_heads_parse(sd_json_variant *array, const struct vgpu_paths *paths,
		     struct vgpu_definition *definition, struct vgpu_err *err)
{
	struct vgpu_definition d = *definition;
	uint32_t seen = 0;
	int r;

	static_assert(VGPU_HEADS_MAX <= 32, "a bit for each");
	if (d.vf.number > 0 && sd_json_variant_elements(array) > 0)
		return vgpu_err_set(
			err, -EOPNOTSUPP, "NoSuchHead",
			"the heads of a vGPU on a VF are its guest's alone: nothing of them can be set");
	memset(d.heads, 0, sizeof(d.heads));
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		r = read_head(sd_json_variant_by_index(array, i), paths, &d,
			      &seen, err);
		if (r < 0)
			return r;
	}
	*definition = d;
	return 0;
}

void vgpu_heads_fit(struct vgpu_definition *definition)
{
	const struct vgpu_type *type = &definition->type;

	for (uint32_t i = 0; i < VGPU_HEADS_MAX; i++) {
		struct vgpu_head_setting *h = &definition->heads[i];

		if (i >= type->heads)
			*h = (struct vgpu_head_setting){};
		else if (h->has_mode && vgpu_heads_check_mode(type, h->width,
							      h->height, NULL) < 0)
			h->has_mode = false;
	}
}

void vgpu_heads_first_mode(const struct vgpu_definition *definition,
			   uint32_t head, uint32_t *ret_width,
			   uint32_t *ret_height)
{
	const struct vgpu_head_setting *h = &definition->heads[head];
	const struct vgpu_type *type = &definition->type;

	/* As the device has it: only the first head is plugged in. */
	*ret_width = head == 0 ? type->max_width : 0;
	*ret_height = head == 0 ? type->max_height : 0;
	if (h->has_mode) {
		*ret_width = h->width;
		*ret_height = h->height;
	}
}
