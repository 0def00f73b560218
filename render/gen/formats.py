# SPDX-License-Identifier: GPL-2.0-or-later
"""How many bytes the texels of each format take in memory, as the registry says."""

from emit import head

# In memory, a depth component of 24 bits takes 32 (Vulkan, "Copying Data Between
# Buffers and Images", the table of depth/stencil aspects).
DEPTH_BYTES = {16: 2, 24: 4, 32: 4}

HEADER = '''#include <stdint.h>
#include <vulkan/vulkan_core.h>

/* A block of texels: its bytes in memory, and its extent in texels. */
struct vgpu_texel_block {
	uint8_t bytes;
	uint8_t width, height;
};

struct vgpu_format {
	VkFormat format;
	/* Of its colors, or of each plane if it has several. */
	uint8_t n_planes;
	struct vgpu_texel_block plane[3];
	/* Bytes of a texel's depth and stencil; 0 if it has none. */
	uint8_t depth, stencil;
};

/* NULL if there is no such format. */
const struct vgpu_format *vgpu_venus_format(VkFormat format);

#endif
'''

LOOKUP = '''
const struct vgpu_format *vgpu_venus_format(VkFormat format)
{
	size_t low = 0, high = sizeof(formats) / sizeof(formats[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (formats[middle].format == format)
			return &formats[middle];
		if (formats[middle].format < format)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
'''


def block(of):
    width, height = (of.blockExtent or ['1', '1'])[:2]
    return f'{{{of.blockSize}, {width}, {height}}}'


def line(source, formats, value):
    bits = {c.type: c.bits for c in source.components}
    depth = DEPTH_BYTES[int(bits['D'])] if 'D' in bits else 0
    stencil = int(bits['S']) // 8 if 'S' in bits else 0
    if depth or stencil:
        blocks = []
    elif source.planes:
        blocks = [block(formats[p.compatible]) for p in source.planes]
    else:
        blocks = [block(source)]
    return (f'\t{{{value}, {len(blocks)}, {{{", ".join(blocks) or "{0}"}}}, '
            f'{depth}, {stencil}}}, /* {source.name} */\n')


def format_files(model):
    by_value = {model.format_values[name]: source
                for name, source in model.formats.items()}
    text = head('The texels of formats.') + '#include "venus_formats.h"\n\n' \
        '#include <stddef.h>\n\n' \
        'static const struct vgpu_format formats[] = {\n'
    for value, source in sorted(by_value.items()):
        text += line(source, model.formats, value)
    return {'venus_formats.c': text + '};\n' + LOOKUP,
            'venus_formats.h': head('The texels of formats.',
                                    'VGPU_VENUS_FORMATS_H') + HEADER}
