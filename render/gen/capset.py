# SPDX-License-Identifier: GPL-2.0-or-later
"""The capset that tells the guest's driver what is decoded."""

from emit import head

WIRE_FORMAT_VERSION = 1
# The private extensions' own spec versions. 2 has ring priorities; 3 copies between
# an image and the caller's memory (render/vulkan/image_copy.c).
SERIALIZATION_VERSION = 1
PROTOCOL_VERSION = 3
VULKAN = (1, 4)
# Their numbers: without them the guest leaves the private structs out.
PRIVATE = (384, 385)

HEADER = '''#include <assert.h>
#include <stdint.h>

/* As the guest reads it: struct virgl_renderer_capset_venus, version 0. */
struct vgpu_venus_capset {
	uint32_t wire_format_version;
	uint32_t vk_xml_version;
	uint32_t vk_ext_command_serialization_spec_version;
	uint32_t vk_mesa_venus_protocol_spec_version;
	uint32_t supports_blob_id_0;
	/* Bit n is extension number n; bit 0 says that the mask counts. */
	uint32_t vk_extension_mask[32];
	uint32_t allow_vk_wait_syncs;
	uint32_t supports_multiple_timelines;
	uint32_t use_guest_vram;
};

static_assert(sizeof(struct vgpu_venus_capset) == 160, "capset size");

extern const struct vgpu_venus_capset vgpu_venus_capset;

#endif
'''


def capset_files(model):
    mask = [0] * 32
    mask[0] = 1
    numbers = [number for number, _ in model.extension_info.values()]
    for number in (*numbers, *PRIVATE):
        mask[number // 32] |= 1 << number % 32
    version = VULKAN[0] << 22 | VULKAN[1] << 12 | model.header_version
    text = head('What the guest may send.') + '#include "venus_capset.h"\n\n' \
        'const struct vgpu_venus_capset vgpu_venus_capset = {\n' \
        f'\t.wire_format_version = {WIRE_FORMAT_VERSION},\n' \
        f'\t.vk_xml_version = {version}, ' \
        f'/* {VULKAN[0]}.{VULKAN[1]}.{model.header_version} */\n' \
        '\t.vk_ext_command_serialization_spec_version = ' \
        f'{SERIALIZATION_VERSION},\n' \
        f'\t.vk_mesa_venus_protocol_spec_version = {PROTOCOL_VERSION},\n' \
        '\t.supports_blob_id_0 = 1,\n\t.vk_extension_mask = {\n'
    for i in range(0, 32, 4):
        text += '\t\t' + ' '.join(f'{m:#010x},' for m in mask[i:i + 4]) + '\n'
    text += '\t},\n\t.allow_vk_wait_syncs = 1,\n' \
            '\t.supports_multiple_timelines = 1,\n};\n'
    return {'venus_capset.c': text,
            'venus_capset.h': head('What the guest may send.',
                                   'VGPU_VENUS_CAPSET_H') + HEADER}
