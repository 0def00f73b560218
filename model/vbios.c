// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The board's ROM, written here: as much of it as a driver walks to find FWSEC.
 * PCI expansion ROM images, the BIT and the falcon table: OGK
 * src/nvidia/inc/kernel/platform/pci_exp_table.h and
 * src/nvidia/src/kernel/gpu/gsp/kernel_gsp_fwsec.c (tag 570.144); the command
 * that FWSEC reads: the same folder's arch/turing/kernel_gsp_frts_tu102.c.
 *
 *   0x00000  image of type 0x00: header, PCIR, NPDE, BIT and its data
 *   0x10000  image of type 0xe0: falcon table, FWSEC's descriptor, signatures,
 *            code, data; pointers to it count on from the end of the first image
 *
 * There is nothing to execute: the code is a pattern, known again when loaded.
 */
#include "model/model.h"

#define IMAGE0_SIZE 0x10000
#define IMAGE1_SIZE 0x10000
#define ROM_BLOCK   512

#define ROM_SIGNATURE	 0xaa55
#define ROM_PCIR_POINTER 0x18
#define PCIR_AT		 0x40
#define PCIR_SIGNATURE	 0x52494350 /* PCIR */
#define PCIR_BYTES	 0x18
#define PCIR_LAST	 0x80
#define NPDE_SIGNATURE	 0x4544504e /* NPDE */
#define NPDE_REV_1_1	 0x101
#define NPDE_BYTES	 0x0c
#define CODE_TYPE_PC	 0x00
#define CODE_TYPE_EXT	 0xe0

#define BIT_AT		   0x200
#define BIT_HEADER_BYTES   12
#define BIT_TOKEN_BYTES	   6
#define BIT_TOKEN_BIOSDATA 'B'
#define BIT_TOKEN_INTERNAL 'i'
#define BIT_TOKEN_FALCON   'p'
#define BIT_DATA_BIOSDATA  0x300
#define BIT_DATA_INTERNAL  0x320
#define BIT_DATA_FALCON	   0x340

/* Offsets in the second image. */
#define TABLE_AT	 0x100
#define DESC_AT		 0x200
#define DESC_BYTES	 44
#define SIGNATURE_BYTES	 384 /* RSA3K */
#define SIGNATURE_COUNT	 2
#define APPID_FWSEC_PROD 0x85
#define TARGET_PMU	 0x01

#define FWSEC_IMEM_BYTES 0x2000
#define FWSEC_DMEM_BYTES 0x1000
#define FWSEC_CODE_AT	 (DESC_AT + DESC_BYTES + SIGNATURE_COUNT * SIGNATURE_BYTES)

/* Offsets in FWSEC's data. */
#define DMEM_INTERFACE	    0x020
#define DMEM_SIGNATURE	    0x100
#define DMEM_MAPPER	    0x300
#define DMEM_COMMAND	    0x400
#define DMEM_COMMAND_BYTES  0x100
#define DMEM_REPLY	    0x500
#define INTERFACE_ID_MAPPER 4
#define INTERFACE_ID_OTHER  1
#define MAPPER_SIGNATURE    0x50414d44 /* DMAP */
#define MAPPER_BYTES	    64

static void put_image_header(uint8_t *image, uint32_t bytes, uint8_t type,
			     bool last)
{
	uint8_t *pcir = image + PCIR_AT;
	uint8_t *npde = image + ROUND_UP(PCIR_AT + PCIR_BYTES, 16);

	stw_le_p(image, ROM_SIGNATURE);
	image[2] = MIN(bytes / ROM_BLOCK, 0xff);
	stw_le_p(image + ROM_PCIR_POINTER, PCIR_AT);

	stl_le_p(pcir, PCIR_SIGNATURE);
	stw_le_p(pcir + 0x04, 0x10de);
	stw_le_p(pcir + 0x06, 0x26b9);
	stw_le_p(pcir + 0x0a, PCIR_BYTES);
	pcir[0x0c] = 3; /* revision */
	pcir[0x0e] = 0x02;
	pcir[0x0f] = 0x03; /* class code 0302xx */
	stw_le_p(pcir + 0x10, bytes / ROM_BLOCK);
	pcir[0x14] = type;
	pcir[0x15] = last ? PCIR_LAST : 0;

	stl_le_p(npde, NPDE_SIGNATURE);
	stw_le_p(npde + 0x04, NPDE_REV_1_1);
	stw_le_p(npde + 0x06, NPDE_BYTES);
	stw_le_p(npde + 0x08, bytes / ROM_BLOCK);
	npde[0x0a] = last ? PCIR_LAST : 0;
}

/* put_sum: make the bytes of [0, bytes) add up to 0 by the one at @at. */
static void put_sum(uint8_t *data, uint32_t bytes, uint32_t at)
{
	uint8_t sum = 0;
	uint32_t i;

	data[at] = 0;
	for (i = 0; i < bytes; i++)
		sum += data[i];
	data[at] = -sum;
}

static void put_bit(uint8_t *image)
{
	/* Token, version, bytes of its data, where its data is. */
	static const struct {
		uint8_t id, version;
		uint16_t bytes, at;
	} token[] = {
		{BIT_TOKEN_BIOSDATA, 2, 8, BIT_DATA_BIOSDATA},
		{BIT_TOKEN_INTERNAL, 2, 8, BIT_DATA_INTERNAL},
		{BIT_TOKEN_FALCON, 2, 4, BIT_DATA_FALCON},
	};
	uint8_t *bit = image + BIT_AT, *p = bit + BIT_HEADER_BYTES;
	unsigned int i;

	stw_le_p(bit, 0xb8ff);
	memcpy(bit + 2, "BIT", 4);
	stw_le_p(bit + 6, 0x0100);
	bit[8] = BIT_HEADER_BYTES;
	bit[9] = BIT_TOKEN_BYTES;
	bit[10] = ARRAY_SIZE(token);
	put_sum(bit, BIT_HEADER_BYTES, 11);
	for (i = 0; i < ARRAY_SIZE(token); i++, p += BIT_TOKEN_BYTES) {
		p[0] = token[i].id;
		p[1] = token[i].version;
		stw_le_p(p + 2, token[i].bytes);
		stw_le_p(p + 4, token[i].at);
	}
	/* 95.02: an Ada's; the rest says whose this one is. */
	stl_le_p(image + BIT_DATA_BIOSDATA, 0x95020000);
	stl_le_p(image + BIT_DATA_INTERNAL, 0x95020000);
	stl_le_p(image + BIT_DATA_FALCON, IMAGE0_SIZE + TABLE_AT);
}

static void put_falcon_table(uint8_t *image)
{
	uint8_t *table = image + TABLE_AT;

	table[0] = 1; /* version */
	table[1] = 6; /* bytes of this header */
	table[2] = 6; /* bytes of an entry */
	table[3] = 1; /* entries */
	table[4] = 3; /* version of the descriptors */
	table[5] = DESC_BYTES;
	table[6] = APPID_FWSEC_PROD;
	table[7] = TARGET_PMU;
	stl_le_p(table + 8, IMAGE0_SIZE + DESC_AT);
}

static void put_fwsec(uint8_t *image)
{
	uint8_t *desc = image + DESC_AT;
	uint8_t *code = image + FWSEC_CODE_AT;
	uint8_t *dmem = code + FWSEC_IMEM_BYTES;
	uint32_t i;

	/* Flags: a version is given (bit 0), 3 (15:8), bytes with signatures. */
	stl_le_p(desc, 1 | 3 << 8 |
			       (DESC_BYTES + SIGNATURE_COUNT * SIGNATURE_BYTES)
				       << 16);
	stl_le_p(desc + 0x04, FWSEC_IMEM_BYTES + FWSEC_DMEM_BYTES); /* stored */
	stl_le_p(desc + 0x08, DMEM_SIGNATURE);
	stl_le_p(desc + 0x0c, DMEM_INTERFACE);
	stl_le_p(desc + 0x14, FWSEC_IMEM_BYTES);
	stl_le_p(desc + 0x20, FWSEC_DMEM_BYTES);
	stw_le_p(desc + 0x24, ENGINE_ID_GSP);
	desc[0x26] = VBIOS_FWSEC_UCODE_ID;
	desc[0x27] = SIGNATURE_COUNT;
	stw_le_p(desc + 0x28,
		 (1 << SIGNATURE_COUNT) - 1); /* for fuse versions 0.. */
	for (i = 0; i < SIGNATURE_COUNT * SIGNATURE_BYTES; i++)
		desc[DESC_BYTES + i] = i / SIGNATURE_BYTES * 0x40 + i * 7 + 1;
	for (i = 0; i < FWSEC_IMEM_BYTES; i += 4)
		stl_le_p(code + i, (i + 0x0ad10200) * 2654435761u);

	dmem[DMEM_INTERFACE] = 1; /* version */
	dmem[DMEM_INTERFACE + 1] = 4;
	dmem[DMEM_INTERFACE + 2] = 8;
	dmem[DMEM_INTERFACE + 3] = 2;
	stl_le_p(dmem + DMEM_INTERFACE + 4, INTERFACE_ID_OTHER);
	stl_le_p(dmem + DMEM_INTERFACE + 8, DMEM_REPLY);
	stl_le_p(dmem + DMEM_INTERFACE + 12, INTERFACE_ID_MAPPER);
	stl_le_p(dmem + DMEM_INTERFACE + 16, DMEM_MAPPER);
	stl_le_p(dmem + DMEM_MAPPER, MAPPER_SIGNATURE);
	stw_le_p(dmem + DMEM_MAPPER + 4, 3);
	stw_le_p(dmem + DMEM_MAPPER + 6, MAPPER_BYTES);
	stl_le_p(dmem + DMEM_MAPPER + 8, DMEM_COMMAND);
	stl_le_p(dmem + DMEM_MAPPER + 12, DMEM_COMMAND_BYTES);
	stl_le_p(dmem + DMEM_MAPPER + 16, DMEM_REPLY);
	stl_le_p(dmem + DMEM_MAPPER + 20, DMEM_COMMAND_BYTES);
}

void model_vbios_create(GpuModel *m)
{
	m->vbios_size = IMAGE0_SIZE + IMAGE1_SIZE;
	m->vbios = g_malloc0(m->vbios_size);
	put_image_header(m->vbios, IMAGE0_SIZE, CODE_TYPE_PC, false);
	put_bit(m->vbios);
	put_sum(m->vbios, IMAGE0_SIZE, IMAGE0_SIZE - 1);
	put_image_header(m->vbios + IMAGE0_SIZE, IMAGE1_SIZE, CODE_TYPE_EXT,
			 true);
	put_falcon_table(m->vbios + IMAGE0_SIZE);
	put_fwsec(m->vbios + IMAGE0_SIZE);
	QEMU_BUILD_BUG_ON(FWSEC_CODE_AT + FWSEC_IMEM_BYTES + FWSEC_DMEM_BYTES >
			  IMAGE1_SIZE);
}

/*
 * What a boot ROM would find out of a signature: that the code is the board's,
 * whole, and that its data holds the signature of this GPU's fuse version.
 */
bool model_vbios_is_fwsec(GpuModel *m, const struct falcon *f, uint32_t para,
			  const char **ret_why)
{
	const uint8_t *image = m->vbios + IMAGE0_SIZE;
	const uint8_t *code = image + FWSEC_CODE_AT;
	const uint8_t *signature = image + DESC_AT + DESC_BYTES +
				   VBIOS_FWSEC_FUSE_VERSION * SIGNATURE_BYTES;

	if (f->imem_used != FWSEC_IMEM_BYTES ||
	    memcmp(f->imem, code, FWSEC_IMEM_BYTES))
		*ret_why = "the code is not FWSEC's";
	else if (para != DMEM_SIGNATURE)
		*ret_why = "BROM_PARAADDR is not where FWSEC keeps its signature";
	else if (memcmp(f->dmem + para, signature, SIGNATURE_BYTES))
		*ret_why = "the signature is not the one for this fuse version";
	else
		return true;
	return false;
}

uint32_t model_vbios_dmem_size(void)
{
	return FWSEC_DMEM_BYTES;
}
