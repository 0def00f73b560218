/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory a copy by the host reads or writes. */
#include "render/vulkan/image_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COLOR	VK_IMAGE_ASPECT_COLOR_BIT
#define DEPTH	VK_IMAGE_ASPECT_DEPTH_BIT
#define STENCIL VK_IMAGE_ASPECT_STENCIL_BIT

/* The bytes of what is said, or 0 if there is no such copy. */
static uint64_t bytes_of(VkFormat format, VkImageAspectFlags aspect,
			 uint32_t row_length, uint32_t height,
			 VkExtent3D extent, uint32_t layers)
{
	uint64_t bytes = 0;

	if (!vgpu_image_copy_bytes(format, aspect, row_length, height, extent,
				   layers, &bytes))
		return 0;
	assert_int_not_equal(bytes, 0);
	return bytes;
}

/* Without gaps. */
static uint64_t tight(VkFormat format, VkImageAspectFlags aspect,
		      uint32_t width, uint32_t height)
{
	return bytes_of(format, aspect, 0, 0, (VkExtent3D){width, height, 1}, 1);
}

static void test_formats(void **state)
{
	assert_int_equal(tight(VK_FORMAT_R4G4_UNORM_PACK8, COLOR, 10, 10), 100);
	assert_int_equal(tight(VK_FORMAT_R8G8B8_UNORM, COLOR, 10, 10), 300);
	assert_int_equal(tight(VK_FORMAT_R64G64B64A64_SFLOAT, COLOR, 1, 1), 32);
	/* Blocks of 4x4, 8 and 16 bytes; of 12x10, 16 bytes. */
	assert_int_equal(tight(VK_FORMAT_BC1_RGB_UNORM_BLOCK, COLOR, 9, 8), 48);
	assert_int_equal(tight(VK_FORMAT_BC7_SRGB_BLOCK, COLOR, 1, 1), 16);
	assert_int_equal(tight(VK_FORMAT_ASTC_12x10_UNORM_BLOCK, COLOR, 13, 10),
			 32);
	/* Blocks of 2x1 that take 4 bytes. */
	assert_int_equal(tight(VK_FORMAT_G8B8G8R8_422_UNORM, COLOR, 4, 4), 32);
	assert_int_equal(tight(VK_FORMAT_A8_UNORM, COLOR, 4, 4), 16);
}

static void test_aspects(void **state)
{
	static const struct {
		VkFormat format;
		uint64_t depth, stencil;
	} formats[] = {
		{VK_FORMAT_D16_UNORM, 2, 0},
		{VK_FORMAT_X8_D24_UNORM_PACK32, 4, 0},
		{VK_FORMAT_D32_SFLOAT, 4, 0},
		{VK_FORMAT_S8_UINT, 0, 1},
		{VK_FORMAT_D16_UNORM_S8_UINT, 2, 1},
		{VK_FORMAT_D24_UNORM_S8_UINT, 4, 1},
		{VK_FORMAT_D32_SFLOAT_S8_UINT, 4, 1},
		{VK_FORMAT_R8_UNORM, 0, 0},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		assert_int_equal(tight(formats[i].format, DEPTH, 1, 1),
				 formats[i].depth);
		assert_int_equal(tight(formats[i].format, STENCIL, 1, 1),
				 formats[i].stencil);
		/* One at a time. */
		assert_int_equal(tight(formats[i].format, DEPTH | STENCIL, 1, 1),
				 0);
	}
	assert_int_equal(tight(VK_FORMAT_D16_UNORM, COLOR, 1, 1), 0);
	assert_int_equal(tight(VK_FORMAT_R8_UNORM, 0, 1, 1), 0);
	assert_int_equal(
		tight(VK_FORMAT_R8_UNORM, VK_IMAGE_ASPECT_PLANE_0_BIT, 1, 1), 0);
}

static void test_planes(void **state)
{
	static const VkImageAspectFlags plane[] = {VK_IMAGE_ASPECT_PLANE_0_BIT,
						   VK_IMAGE_ASPECT_PLANE_1_BIT,
						   VK_IMAGE_ASPECT_PLANE_2_BIT};
	const VkFormat two = VK_FORMAT_G8_B8R8_2PLANE_420_UNORM,
		       three = VK_FORMAT_G16_B16_R16_3PLANE_444_UNORM;

	assert_int_equal(tight(two, plane[0], 4, 4), 16);
	assert_int_equal(tight(two, plane[1], 2, 2), 8);
	assert_int_equal(tight(two, plane[2], 2, 2), 0);
	assert_int_equal(tight(two, COLOR, 4, 4), 0);
	assert_int_equal(tight(three, plane[2], 4, 4), 32);
}

/* The last row, slice and layer end where their last texel does. */
static void test_gaps(void **state)
{
	const VkFormat rgba = VK_FORMAT_R8G8B8A8_UNORM;
	const VkExtent3D small = {3, 2, 1}, deep = {3, 2, 4};

	assert_int_equal(bytes_of(rgba, COLOR, 10, 0, small, 1), 40 + 12);
	assert_int_equal(bytes_of(rgba, COLOR, 10, 5, small, 1), 40 + 12);
	assert_int_equal(bytes_of(rgba, COLOR, 10, 5, small, 3),
			 2 * 5 * 40 + 40 + 12);
	assert_int_equal(bytes_of(rgba, COLOR, 10, 5, deep, 1),
			 3 * 5 * 40 + 40 + 12);
	assert_int_equal(bytes_of(VK_FORMAT_BC1_RGB_UNORM_BLOCK, COLOR, 16, 8,
				  (VkExtent3D){5, 4, 1}, 2),
			 2 * 4 * 8 + 2 * 8);
}

static void test_nonsense(void **state)
{
	const VkFormat rgba = VK_FORMAT_R8G8B8A8_UNORM;
	const uint32_t most = UINT32_MAX;
	const VkExtent3D one = {1, 1, 1}, all = {most, most, most};

	assert_int_equal(bytes_of(VK_FORMAT_UNDEFINED, COLOR, 0, 0, one, 1), 0);
	assert_int_equal(bytes_of((VkFormat)0x7fffffff, COLOR, 0, 0, one, 1), 0);
	assert_int_equal(bytes_of((VkFormat)-1, COLOR, 0, 0, one, 1), 0);
	assert_int_equal(bytes_of(rgba, COLOR, 0, 0, one, 0), 0);
	assert_int_equal(bytes_of(rgba, COLOR, 0, 0, (VkExtent3D){0, 1, 1}, 1),
			 0);
	assert_int_equal(bytes_of(rgba, COLOR, 0, 0, (VkExtent3D){1, 0, 1}, 1),
			 0);
	assert_int_equal(bytes_of(rgba, COLOR, 0, 0, (VkExtent3D){1, 1, 0}, 1),
			 0);
	assert_int_equal(bytes_of(rgba, COLOR, 0, 0, all, most), 0);
	assert_int_equal(bytes_of(rgba, COLOR, most, most, one, most), 0);
	assert_int_equal(bytes_of(rgba, COLOR, most, most, one, 2), 0);
	assert_int_equal(bytes_of(VK_FORMAT_R8_UNORM, COLOR, most, most, one, 2),
			 (uint64_t)most * most + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),	 cmocka_unit_test(test_aspects),
		cmocka_unit_test(test_planes),	 cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
