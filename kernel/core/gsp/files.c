// SPDX-License-Identifier: GPL-2.0-or-later
/* The GSP's firmware files, copied to where the GPU reads them. */
#include <linux/firmware.h>
#include <linux/module.h>

#include "gsp.h"

#define SIGNATURE_SECTION ".fwsignature_ad10x"

/* For who makes an initramfs: as files_request() names them, for each chip. */
#define FILE_OF(chip, part)                                                    \
	"nvidia/" chip "/gsp/" part "-" VGPU_ABI_VERSION ".bin"
MODULE_FIRMWARE(FILE_OF("ad102", "booter_load"));
MODULE_FIRMWARE(FILE_OF("ad102", "booter_unload"));
MODULE_FIRMWARE(FILE_OF("ad102", "scrubber"));
MODULE_FIRMWARE(FILE_OF("ad102", "bootloader"));
MODULE_FIRMWARE(FILE_OF("ad102", "gsp"));
MODULE_FIRMWARE(FILE_OF("ad103", "booter_load"));
MODULE_FIRMWARE(FILE_OF("ad103", "booter_unload"));
MODULE_FIRMWARE(FILE_OF("ad103", "scrubber"));
MODULE_FIRMWARE(FILE_OF("ad103", "bootloader"));
MODULE_FIRMWARE(FILE_OF("ad103", "gsp"));
MODULE_FIRMWARE(FILE_OF("ad104", "booter_load"));
MODULE_FIRMWARE(FILE_OF("ad104", "booter_unload"));
MODULE_FIRMWARE(FILE_OF("ad104", "scrubber"));
MODULE_FIRMWARE(FILE_OF("ad104", "bootloader"));
MODULE_FIRMWARE(FILE_OF("ad104", "gsp"));
MODULE_FIRMWARE(FILE_OF("ad106", "booter_load"));
MODULE_FIRMWARE(FILE_OF("ad106", "booter_unload"));
MODULE_FIRMWARE(FILE_OF("ad106", "scrubber"));
MODULE_FIRMWARE(FILE_OF("ad106", "bootloader"));
MODULE_FIRMWARE(FILE_OF("ad106", "gsp"));
MODULE_FIRMWARE(FILE_OF("ad107", "booter_load"));
MODULE_FIRMWARE(FILE_OF("ad107", "booter_unload"));
MODULE_FIRMWARE(FILE_OF("ad107", "scrubber"));
MODULE_FIRMWARE(FILE_OF("ad107", "bootloader"));
MODULE_FIRMWARE(FILE_OF("ad107", "gsp"));

static int files_request(struct vgpu_gsp *gsp, const char *part,
			 const struct firmware **ret_file)
{
	struct vgpu_hw *hw = gsp->hw;
	char name[80];
	int rc;

	snprintf(name, sizeof(name), "nvidia/%s/gsp/%s-%s.bin",
		 hw->chip->firmware, part, gsp->abi->version);
	rc = request_firmware(ret_file, name, &hw->pdev->dev);
	if (rc)
		pci_err(hw->pdev, "no firmware file %s: %d\n", name, rc);
	return rc;
}

static int files_report_broken(struct vgpu_gsp *gsp, const char *part)
{
	pci_err(gsp->hw->pdev, "the firmware file of %s is broken\n", part);
	return -EINVAL;
}

/* Signed microcode of SEC2, with the signature that its fuses ask for in it. */
static int files_load_booter(struct vgpu_gsp *gsp, const char *part,
			     struct vgpu_booter *booter, struct vgpu_dma *copy)
{
	struct vgpu_hw *hw = gsp->hw;
	const struct firmware *file;
	const u8 *signature;
	u32 version;
	int rc;

	rc = files_request(gsp, part, &file);
	if (rc)
		return rc;
	rc = vgpu_booter_parse(booter, file->data, file->size);
	if (rc) {
		rc = files_report_broken(gsp, part);
		goto out;
	}
	rc = vgpu_falcon_fuse_version(&hw->sec2_falcon, booter->falcon.ucode_id,
				      &version);
	if (rc)
		goto out;
	signature = vgpu_booter_signature(booter, version);
	if (!signature) {
		pci_err(hw->pdev, "%s has no signature for fuse version %u\n",
			part, version);
		rc = -ENOENT;
		goto out;
	}
	rc = vgpu_dma_create_copy(hw, booter->falcon.image,
				  booter->falcon.image_bytes, copy);
	if (rc == 0)
		vgpu_falcon_image_sign(&booter->falcon, copy->memory, signature);
out:
	release_firmware(file);
	/* What they point to is gone with the file. */
	booter->falcon.image = NULL;
	booter->falcon.signatures = NULL;
	return rc;
}

static int files_load_bootloader(struct vgpu_gsp *gsp)
{
	struct vgpu_bootloader bootloader;
	const struct firmware *file;
	int rc;

	rc = files_request(gsp, "bootloader", &file);
	if (rc)
		return rc;
	rc = vgpu_bootloader_parse(&bootloader, file->data, file->size);
	if (rc) {
		rc = files_report_broken(gsp, "bootloader");
		goto out;
	}
	rc = vgpu_dma_create_copy(gsp->hw, bootloader.image,
				  bootloader.image_bytes, &gsp->bootloader);
	if (rc)
		goto out;
	gsp->app_version = bootloader.app_version;
	gsp->images.bootloader_address = gsp->bootloader.address;
	gsp->images.bootloader_bytes = bootloader.image_bytes;
	gsp->images.bootloader_code_offset = bootloader.code_offset;
	gsp->images.bootloader_data_offset = bootloader.data_offset;
	gsp->images.bootloader_manifest_offset = bootloader.manifest_offset;
out:
	release_firmware(file);
	return rc;
}

static int files_load_gsp(struct vgpu_gsp *gsp)
{
	struct vgpu_gsp_image image;
	const struct firmware *file;
	int rc;

	rc = files_request(gsp, "gsp", &file);
	if (rc)
		return rc;
	rc = vgpu_gsp_image_parse(&image, file->data, file->size,
				  SIGNATURE_SECTION);
	if (rc) {
		rc = files_report_broken(gsp, "gsp");
		goto out;
	}
	rc = vgpu_radix3_create(gsp->hw, image.image_bytes, DMA_TO_DEVICE,
				image.image, &gsp->firmware);
	if (rc == 0)
		rc = vgpu_dma_create_copy(gsp->hw, image.signature,
					  image.signature_bytes, &gsp->signature);
	if (rc)
		goto out;
	gsp->images.gsp_radix3_address = gsp->firmware.levels[0].address;
	gsp->images.gsp_bytes = image.image_bytes;
	gsp->images.signature_address = gsp->signature.address;
	gsp->images.signature_bytes = image.signature_bytes;
out:
	release_firmware(file);
	return rc;
}

int vgpu_gsp_load_files(struct vgpu_gsp *gsp)
{
	int rc;

	rc = files_load_booter(gsp, "booter_load", &gsp->load_image,
			       &gsp->booter_load);
	if (rc == 0)
		rc = files_load_booter(gsp, "booter_unload", &gsp->unload_image,
				       &gsp->booter_unload);
	if (rc == 0)
		rc = files_load_booter(gsp, "scrubber", &gsp->scrubber_image,
				       &gsp->scrubber);
	if (rc == 0)
		rc = files_load_bootloader(gsp);
	if (rc == 0)
		rc = files_load_gsp(gsp);
	return rc;
}

void vgpu_gsp_drop_files(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;

	vgpu_radix3_destroy(hw, &gsp->firmware);
	vgpu_dma_destroy(hw, &gsp->signature);
	vgpu_dma_destroy(hw, &gsp->bootloader);
	vgpu_dma_destroy(hw, &gsp->scrubber);
	vgpu_dma_destroy(hw, &gsp->booter_unload);
	vgpu_dma_destroy(hw, &gsp->booter_load);
}
