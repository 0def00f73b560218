/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the firmware is given and gives: by offsets, not by our structures. */
#include "kernel/core/abi/abi.h"
#include "kernel/core/pure/boot_args.h"
#include "kernel/core/pure/chip.h"
#include "kernel/core/pure/rm_status.h"
#include "test.h"

#define MIB 0x100000ULL
#define GIB 0x40000000ULL

static const struct vgpu_abi *abi;
static _Alignas(8) u8 raw[4096];

static u32 word(u32 offset)
{
	return vgpu_get_le32(raw + offset);
}

static u64 quad(u32 offset)
{
	return vgpu_get_le64(raw + offset);
}

static void put_quad(u32 offset, u64 value)
{
	vgpu_put_le32(raw + offset, (u32)value);
	vgpu_put_le32(raw + offset + 4, (u32)(value >> 32));
}

static int setup(void **state)
{
	abi = vgpu_abi_find("570.144");
	memset(raw, 0xa5, sizeof(raw));
	return abi ? 0 : -1;
}

static void knows_its_versions(void **state)
{
	assert_string_equal(abi->version, "570.144");
	assert_null(vgpu_abi_find("570.144.1"));
	assert_null(vgpu_abi_find(""));
	assert_int_equal(abi->wpr_heap_bytes(48 * GIB, true), 581 * MIB);
	assert_int_equal(abi->wpr_heap_bytes(48 * GIB, false), 131 * MIB);
	assert_int_equal(abi->wpr_heap_bytes(1, false), 127 * MIB);
}

static void knows_its_chips(void **state)
{
	const struct vgpu_chip *chip = vgpu_chip_find(0x192000a1);

	assert_non_null(chip);
	assert_string_equal(chip->name, "AD102");
	assert_int_equal(vgpu_chip_revision(0x192000a1), 0xa1);
	assert_non_null(vgpu_chip_find(0x194000a1));
	assert_null(vgpu_chip_find(0x172000a1)); /* GA102 */
	assert_null(vgpu_chip_find(0));
	assert_null(vgpu_chip_find(U32_MAX));
}

static void puts_the_system_info(void **state)
{
	static const struct vgpu_system_info info = {
		.registers_address = 0xf0000000,
		.framebuffer_address = 0x4000000000,
		.instance_address = 0x5000000000,
		.domain = 2,
		.bus = 0x3f,
		.devfn = 8,
		.max_user_address = 0x7ffffffff000,
		.config_mirror_offset = 0x88000,
		.config_mirror_bytes = 0x1000,
		.device_id = 0x26b910de,
		.subsystem_id = 0x169d10de,
		.revision = 0xa1,
		.page_bytes = 4096,
		.has_function_reset = true,
		.is_primary = true,
		.vfs =
			{
				.total = 32,
				.first_offset = 4,
				.bar_address = {0x1000, 0x2000, 0x3000},
				.is_bar_64bit = {false, true, true},
			},
	};

	assert_int_equal(abi->system_info_bytes, 928);
	abi->put_system_info(raw, &info);
	assert_int_equal(quad(0), info.registers_address);
	assert_int_equal(quad(8), info.framebuffer_address);
	assert_int_equal(quad(16), info.instance_address);
	assert_int_equal(quad(32), 0x200003f08);
	assert_int_equal(quad(72), info.max_user_address);
	assert_int_equal(word(80), 0x88000);
	assert_int_equal(word(84), 0x1000);
	assert_int_equal(word(88), info.device_id);
	assert_int_equal(word(92), info.subsystem_id);
	assert_int_equal(word(96), 0xa1);
	assert_int_equal(raw[125], 1);
	assert_int_equal(word(856), 32);
	assert_int_equal(word(860), 4);
	assert_int_equal(quad(864), 0x1000);
	assert_int_equal(quad(880), 0x3000);
	assert_int_equal(word(888), 0x00010100);
	assert_int_equal(raw[896], 1);
	assert_int_equal(quad(920), 4096);
	assert_int_equal(raw[928], 0xa5);
	for (u32 i = 160; i < 836; i++)
		assert_int_equal(raw[i], 0);
}

static void puts_the_arguments(void **state)
{
	struct vgpu_rm_args args = {
		.queues_address = 0x12345000,
		.page_count = 129,
		.command_queue_offset = 0x1000,
		.status_queue_offset = 0x41000,
	};

	abi->put_rm_args(raw, &args);
	assert_int_equal(quad(0), args.queues_address);
	assert_int_equal(word(8), 129);
	assert_int_equal(quad(16), 0x1000);
	assert_int_equal(quad(24), 0x41000);
	assert_int_equal(word(32) | word(36) | word(40) | word(44), 0);
	assert_int_equal(raw[48], 1);
	assert_int_equal(quad(56) | quad(64), 0);
	args.is_resume = true;
	abi->put_rm_args(raw, &args);
	assert_int_equal(word(32), 3);
	assert_int_equal(word(36), 5);
	assert_int_equal(raw[40], 1);
}

static struct vgpu_wpr_layout make_layout(u64 fb_bytes, u64 vga)
{
	struct vgpu_wpr_request request = {
		.fb_bytes = fb_bytes,
		.vga_workspace = vga,
		.bootloader_bytes = 0x9000,
		.gsp_bytes = 0x3c99000,
		.heap_bytes = abi->wpr_heap_bytes(fb_bytes, true),
	};
	struct vgpu_wpr_layout layout;

	assert_int_equal(vgpu_wpr_layout_init(&layout, &request), 0);
	return layout;
}

static void lays_wpr_out(void **state)
{
	struct vgpu_wpr_layout l = make_layout(48 * GIB, 0);

	assert_int_equal(l.vga_workspace_offset, 48 * GIB - MIB);
	assert_int_equal(l.wpr_end, 48 * GIB - MIB);
	assert_int_equal(l.frts_offset, 48 * GIB - 2 * MIB);
	assert_int_equal(l.bootloader_offset, l.frts_offset - 0x9000);
	assert_int_equal(l.gsp_offset,
			 (l.bootloader_offset - 0x3c99000) & ~0xffffULL);
	assert_int_equal(l.heap_offset % MIB, 0);
	assert_true(l.heap_bytes >= 581 * MIB);
	assert_true(l.heap_offset + l.heap_bytes <= l.gsp_offset);
	assert_int_equal(l.wpr_start, l.heap_offset - MIB);
	assert_int_equal(l.non_wpr_heap_offset, l.wpr_start - MIB);

	l = make_layout(48 * GIB, 48 * GIB - 0x20000);
	assert_int_equal(l.wpr_end, 48 * GIB - 0x20000);
	l = make_layout(48 * GIB, 48 * GIB - 0x20100);
	assert_int_equal(l.wpr_end, 48 * GIB - 0x40000);
	l = make_layout(48 * GIB, GIB); /* moved to the end */
	assert_int_equal(l.vga_workspace_offset, 48 * GIB - 0x20000);
	l = make_layout(48 * GIB, U64_MAX);
	assert_int_equal(l.vga_workspace_offset, 48 * GIB - MIB);
}

static void refuses_a_small_framebuffer(void **state)
{
	struct vgpu_wpr_request request = {
		.bootloader_bytes = 0x9000,
		.gsp_bytes = 64 * MIB,
		.heap_bytes = 88 * MIB,
	};
	struct vgpu_wpr_layout layout;
	u64 mib = 0;

	for (; mib < 256; mib++) {
		request.fb_bytes = mib * MIB;
		if (vgpu_wpr_layout_init(&layout, &request) == 0)
			break;
		assert_int_equal(vgpu_wpr_layout_init(&layout, &request),
				 -ENOSPC);
	}
	/* PRAMIN's MiB, FRTS, 64 and a bit, heap, metadata, non-WPR heap. */
	assert_int_equal(mib, 1 + 1 + 65 + 88 + 1 + 1);
	assert_int_equal(layout.non_wpr_heap_offset, 0);
	request.fb_bytes = 48 * GIB;
	request.heap_bytes = U64_MAX;
	assert_int_equal(vgpu_wpr_layout_init(&layout, &request), -ENOSPC);
	request.heap_bytes = MIB;
	request.gsp_bytes = U64_MAX;
	assert_int_equal(vgpu_wpr_layout_init(&layout, &request), -ENOSPC);
}

static void puts_the_metadata(void **state)
{
	static const struct vgpu_wpr_images images = {
		0x1000, 0x3c99000, 0x2000, 0x9000, 0x4800,
		0x800,	0,	   0x3000, 0x1000, 32,
	};
	struct vgpu_wpr_layout l = make_layout(48 * GIB, 0);
	const u64 quads[] = {
		0xdc3aae21371a60b3,
		1,
		0x1000,
		0x3c99000,
		0x2000,
		0x9000,
		0x4800,
		0x800,
		0,
		0x3000,
		0x1000,
		l.non_wpr_heap_offset,
		l.non_wpr_heap_offset,
		MIB,
		l.wpr_start,
		l.heap_offset,
		l.heap_bytes,
		l.gsp_offset,
		l.bootloader_offset,
		l.frts_offset,
		MIB,
		l.wpr_end,
		48 * GIB,
		l.vga_workspace_offset,
		MIB,
		0,
		0,
		0,
		0,
		0,
		32,
		0,
	};

	abi->put_wpr_meta(raw, &l, &images);
	assert_int_equal(sizeof(quads), 256);
	for (u32 i = 0; i < VGPU_COUNT_OF(quads); i++)
		assert_int_equal(quad(8 * i), quads[i]);
}

static void gets_the_static_info(void **state)
{
	struct vgpu_static_info info;

	assert_int_equal(abi->static_info_bytes, 1656);
	memset(raw, 0, sizeof(raw));
	vgpu_put_le32(raw + 344, 2); /* regions */
	put_quad(352, 0);
	put_quad(360, 8 * GIB - 1);
	put_quad(400, 8 * GIB);
	put_quad(408, 9 * GIB - 1);
	raw[430] = 1; /* the second one is protected */
	vgpu_put_le32(raw + 1120, 32);
	put_quad(1160, 0x40000);
	put_quad(1168, 2 * GIB);
	put_quad(1176, 32 * MIB);
	raw[1187] = 1;
	vgpu_put_le32(raw + 1200, 33);
	put_quad(1224, 9 * GIB);
	memset(raw + 1260, 'x', 64);
	put_quad(1536, 0x111000);
	put_quad(1544, 0x222000);
	raw[1564] = 1;
	vgpu_put_le32(raw + 1600, 0xc1e00001);
	vgpu_put_le32(raw + 1604, 0xde000002);
	vgpu_put_le32(raw + 1608, 0x5d000003);

	assert_int_equal(abi->get_static_info(raw, 1655, &info), -EBADMSG);
	assert_int_equal(abi->get_static_info(raw, 1656, &info), 0);
	assert_int_equal(info.fb_bytes, 9 * GIB);
	assert_int_equal(info.region_count, 2);
	assert_int_equal(info.regions[0].bytes, 8 * GIB);
	assert_true(info.regions[0].is_usable);
	assert_int_equal(info.regions[1].base, 8 * GIB);
	assert_false(info.regions[1].is_usable);
	assert_int_equal(info.client, 0xc1e00001);
	assert_int_equal(info.device, 0xde000002);
	assert_int_equal(info.subdevice, 0x5d000003);
	assert_int_equal(info.bar1_page_directory, 0x111000);
	assert_int_equal(info.vf_total, 32);
	assert_true(info.needs_power_of_2_channels);
	assert_int_equal(strlen(info.name), 63);
	raw[1191] = 1;
	assert_int_equal(abi->get_static_info(raw, 1656, &info), 0);
	assert_false(info.needs_power_of_2_channels);

	put_quad(368, 4096); /* reserved */
	assert_int_equal(abi->get_static_info(raw, 1656, &info), 0);
	assert_int_equal(info.region_count, 2);
	assert_false(info.regions[0].is_usable);
	put_quad(400, 9 * GIB);
	assert_int_equal(abi->get_static_info(raw, 1656, &info), -EBADMSG);
	put_quad(400, 0);
	put_quad(408, 9 * GIB);
	assert_int_equal(abi->get_static_info(raw, 1656, &info), -EBADMSG);
	vgpu_put_le32(raw + 344, 17);
	assert_int_equal(abi->get_static_info(raw, 1656, &info), -EBADMSG);
}

static void gets_whose_error_it_is(void **state)
{
	static const u32 words[] = {1, 77, 5, 0, 31, 0, 0, 0x1000, 2, 0, 0, 0};
	struct vgpu_rc_error error;

	memcpy(raw, words, sizeof(words));
	assert_int_equal(abi->get_rc_error(raw, 47, &error), -EBADMSG);
	assert_int_equal(abi->get_rc_error(raw, 48, &error), 0);
	assert_int_equal(error.engine, 1);
	assert_int_equal(error.channel, 77);
	assert_true(error.has_gfid);
	assert_int_equal(error.gfid, 5);
	assert_int_equal(error.type, 31);
	assert_int_equal(error.fault_address, 0x200001000);
}

static void names_regions(void **state)
{
	static const u8 loginit[] = {'T', 'I', 'N', 'I', 'G', 'O', 'L', 0};

	vgpu_libos_put((void *)raw, 2, "LOGINIT", 0x10000, 0x20000);
	assert_memory_equal(raw + 64, loginit, 8);
	assert_int_equal(quad(72), 0x10000);
	assert_int_equal(quad(80), 0x20000);
	assert_int_equal(quad(88), 0x0101);
	assert_int_equal(raw[63], 0xa5);
	assert_int_equal(raw[96], 0xa5);
	vgpu_libos_put((void *)raw, 0, "ABCDEFGHIJ", 0, 0);
	assert_int_equal(raw[0], 'H');
}

static void builds_a_registry(void **state)
{
	static const struct vgpu_registry_value values[] = {
		{"RMSetSriovMode", 1},
		{"RMSecBusResetEnable", 0x12345678},
	};
	u32 bytes = 0, whole = 8 + 32 + 15 + 20;

	assert_int_equal(
		vgpu_registry_build(values, 2, raw, sizeof(raw), &bytes), 0);
	assert_int_equal(bytes, whole);
	assert_int_equal(word(0), whole);
	assert_int_equal(word(4), 2);
	assert_int_equal(word(8), 40);
	assert_int_equal(raw[12], 1);
	assert_int_equal(word(16), 1);
	assert_int_equal(word(20), 4);
	assert_int_equal(word(24), 55);
	assert_int_equal(word(32), 0x12345678);
	assert_memory_equal(raw + 40, "RMSetSriovMode", 15);
	assert_memory_equal(raw + 55, "RMSecBusResetEnable", 20);
	assert_int_equal(raw[whole], 0xa5);
	for (u32 room = 0; room < whole; room++)
		assert_int_equal(vgpu_registry_build(values, 2, raw, room, &bytes),
				 -ENOSPC);
	assert_int_equal(vgpu_registry_build(values, 0, raw, 8, &bytes), 0);
	assert_int_equal(bytes, 8);
}

static void gets_the_ecc_state(void **state)
{
	bool is_on = false;

	assert_int_equal(abi->ecc_status_bytes, 1464);
	memset(raw, 0, 1464);
	raw[0] = 1; /* enabled, in the framebuffer's unit */
	assert_int_equal(abi->get_ecc_state(raw, 1463, &is_on), -EBADMSG);
	assert_int_equal(abi->get_ecc_state(raw, 1464, &is_on), 0);
	assert_false(is_on); /* it has none */
	raw[2] = 1;
	assert_int_equal(abi->get_ecc_state(raw, 1464, &is_on), 0);
	assert_true(is_on);
}

static void gets_the_engines(void **state)
{
	struct vgpu_engine_set engines;

	assert_int_equal(abi->engine_list_bytes, 340);
	memset(raw, 0, 340);
	vgpu_put_le32(raw, 3);
	vgpu_put_le32(raw + 4, 1);
	vgpu_put_le32(raw + 8, 0x40);
	vgpu_put_le32(raw + 12, 0x7f);
	assert_int_equal(abi->get_engines(raw, 339, &engines), -EBADMSG);
	assert_int_equal(abi->get_engines(raw, 340, &engines), 0);
	assert_true(engines.words[0] == 2);
	assert_true(engines.words[1] == (1 | 1ULL << 63));
	vgpu_put_le32(raw + 12, 0x80);
	assert_int_equal(abi->get_engines(raw, 340, &engines), -EBADMSG);
	vgpu_put_le32(raw, 85);
	vgpu_put_le32(raw + 12, 2);
	assert_int_equal(abi->get_engines(raw, 340, &engines), -EBADMSG);
}

static void puts_where_to_save(void **state)
{
	assert_int_equal(abi->save_bytes, 24);
	abi->put_save(raw, 0xc1e00000, 0xc0de0100, 0x123456789000);
	assert_int_equal(word(0), 0xc1e00000);
	assert_int_equal(word(4), 0xc0de0100);
	assert_true(quad(8) == 0);
	assert_true(quad(16) == 0x123456789000);
	assert_int_equal(raw[24], 0xa5);
}

static void lists_host_engines(void **state)
{
	/* Of each entry: what it is, and its runlist. */
	const u32 first[][2] = {{1, 0}, {9, 0}},
		  second[][2] = {{0xb, 3}, {0x3e, 4}};
	struct vgpu_host_engines list = {};
	bool has_more = false;
	u32 i;

	assert_int_equal(abi->host_engines_bytes, 3212);
	abi->put_host_engines(raw, &list);
	for (i = 0; i < 3212; i++)
		assert_int_equal(raw[i], 0);
	vgpu_put_le32(raw + 4, 2);
	raw[8] = 1;
	for (i = 0; i < 2; i++) {
		vgpu_put_le32(raw + 12 + i * 100 + 2 * 4, first[i][0]);
		vgpu_put_le32(raw + 12 + i * 100 + 3 * 4, first[i][1]);
	}
	assert_int_equal(abi->add_host_engines(raw, 3211, &list, &has_more),
			 -EBADMSG);
	assert_int_equal(abi->add_host_engines(raw, 3212, &list, &has_more), 0);
	assert_true(has_more);
	/* Beside graphics is better than nowhere. */
	assert_int_equal(vgpu_host_engines_pick_copy(&list)->type, 9);

	abi->put_host_engines(raw, &list);
	assert_int_equal(word(0), 2);
	vgpu_put_le32(raw + 4, 2);
	for (i = 0; i < 2; i++) {
		vgpu_put_le32(raw + 12 + i * 100 + 2 * 4, second[i][0]);
		vgpu_put_le32(raw + 12 + i * 100 + 3 * 4, second[i][1]);
	}
	assert_int_equal(abi->add_host_engines(raw, 3212, &list, &has_more), 0);
	assert_false(has_more);
	assert_int_equal(list.count, 4);
	assert_int_equal(vgpu_host_engines_pick_copy(&list)->type, 0xb);
	assert_int_equal(vgpu_host_engines_pick_copy(&list)->runlist, 3);

	vgpu_put_le32(raw + 4, 33);
	assert_int_equal(abi->add_host_engines(raw, 3212, &list, &has_more),
			 -EBADMSG);
	vgpu_put_le32(raw + 4, 0);
	raw[8] = 1;
	assert_int_equal(abi->add_host_engines(raw, 3212, &list, &has_more),
			 -EBADMSG);
	list.count = VGPU_HOST_ENGINES_MAX;
	vgpu_put_le32(raw + 4, 1);
	assert_int_equal(abi->add_host_engines(raw, 3212, &list, &has_more),
			 -EBADMSG);
	list.count = 0;
	assert_null(vgpu_host_engines_pick_copy(&list));
}

static void gets_the_vector(void **state)
{
	u32 vector;

	assert_int_equal(abi->interrupt_table_bytes, 2068);
	memset(raw, 0, 2068);
	vgpu_put_le32(raw, 128);
	assert_int_equal(abi->get_gsp_vector(raw, 2068, &vector), -ENOENT);
	raw[4 + 127 * 16] = 50;
	vgpu_put_le32(raw + 4 + 127 * 16 + 8, 0x89);
	assert_int_equal(abi->get_gsp_vector(raw, 2067, &vector), -EBADMSG);
	assert_int_equal(abi->get_gsp_vector(raw, 2068, &vector), 0);
	assert_int_equal(vector, 0x89);
	vgpu_put_le32(raw, 129);
	assert_int_equal(abi->get_gsp_vector(raw, 2068, &vector), -EBADMSG);
}

static void gets_samples_in_time(void **state)
{
	const struct vgpu_task_abi *task = abi->task;
	struct vgpu_use_sample sample;
	u32 i;

	memset(raw, 0, sizeof(raw));
	raw[0] = 2;
	vgpu_put_le32(raw + 12, 70); /* of 72, the oldest */
	for (i = 0; i < 72; i++)
		put_quad(16 + i * 56, 1000 + (i + 2) % 72);
	vgpu_put_le32(raw + 16 + 56 + 20, 2500); /* graphics of the second */
	vgpu_put_le32(raw + 16 + 56 + 24, 0x1000007);
	vgpu_put_le32(raw + 16 + 56 + 44, 100); /* its decoder */
	for (i = 0; i < 72; i++) {
		assert_int_equal(task->get_use_sample(raw, 4048, i, &sample), 0);
		assert_int_equal(sample.ns, 1000 + i);
	}
	assert_int_equal(task->get_use_sample(raw, 4048, 3, &sample), 0);
	assert_int_equal(sample.engine[VGPU_USE_GRAPHICS].parts, 2500);
	assert_int_equal(sample.engine[VGPU_USE_GRAPHICS].process, 0x1000007);
	assert_int_equal(sample.engine[VGPU_USE_DECODER].parts, 100);
	assert_int_equal(task->get_use_sample(raw, 4048, 72, &sample), -ENOENT);
	assert_int_equal(task->get_use_sample(raw, 4047, 0, &sample), -EBADMSG);
	/* Wherever it says its oldest is. */
	vgpu_put_le32(raw + 12, 0xffffffff);
	assert_int_equal(task->get_use_sample(raw, 4048, 71, &sample), 0);
	raw[0] = 1;
	assert_int_equal(task->get_use_sample(raw, 4048, 0, &sample), -EBADMSG);
}

static void knows_what_the_rm_says(void **state)
{
	assert_int_equal(vgpu_rm_status_errno(0), 0);
	assert_int_equal(vgpu_rm_status_errno(0x51), -ENOMEM);
	assert_int_equal(vgpu_rm_status_errno(0x56), -EOPNOTSUPP);
	assert_int_equal(vgpu_rm_status_errno(0xffff), -EREMOTEIO);
	/* Whatever it says, it is not a success. */
	for (u32 status = 1; status < 0x200; status++)
		assert_true(vgpu_rm_status_errno(status) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(knows_its_versions, setup),
		cmocka_unit_test_setup(knows_its_chips, setup),
		cmocka_unit_test_setup(puts_the_system_info, setup),
		cmocka_unit_test_setup(puts_the_arguments, setup),
		cmocka_unit_test_setup(lays_wpr_out, setup),
		cmocka_unit_test_setup(refuses_a_small_framebuffer, setup),
		cmocka_unit_test_setup(puts_the_metadata, setup),
		cmocka_unit_test_setup(gets_the_static_info, setup),
		cmocka_unit_test_setup(gets_whose_error_it_is, setup),
		cmocka_unit_test_setup(gets_the_ecc_state, setup),
		cmocka_unit_test_setup(gets_the_engines, setup),
		cmocka_unit_test_setup(puts_where_to_save, setup),
		cmocka_unit_test_setup(lists_host_engines, setup),
		cmocka_unit_test_setup(gets_the_vector, setup),
		cmocka_unit_test_setup(gets_samples_in_time, setup),
		cmocka_unit_test_setup(knows_what_the_rm_says, setup),
		cmocka_unit_test_setup(names_regions, setup),
		cmocka_unit_test_setup(builds_a_registry, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
