/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BAR0 of a modelled VF: its doorbell, and the model's service for tests. */
#ifndef VGPU_TESTS_VFIO_MODEL_H
#define VGPU_TESTS_VFIO_MODEL_H

#define REG_BOOT_0     0x00000
#define BOOT_0_AD102   0x192000a1
#define REG_DOORBELL   0x30090 /* raises the vector that is written */
#define REG_TEST       0x2f000
#define TEST_ID	       0x54534554
#define REG_STATUS     0x2f004
#define STATUS_MASTER  0x2
#define STATUS_DRIVER  0x4
#define REG_FB_MIB     0x2f008
#define REG_DRIVER     0x2f010
#define REG_FB_USED    0x2f018 /* MiB */
#define REG_DOORBELLS  0x2f020
#define REG_TOKEN      0x2f024
#define REG_HELD       0x2f02c
#define REG_RESETS     0x2f030
#define REG_LOAD       0x2f034 /* percent: graphics, encoder, decoder */
#define REG_DMA_ADDR   0x2f040
#define REG_DMA_FB     0x2f048
#define REG_DMA_BYTES  0x2f050
#define REG_DMA_GO     0x2f054
#define DMA_TO_FB      1
#define DMA_TO_MEMORY  2
#define REG_DMA_STATUS 0x2f058
#define DMA_DONE       1
#define DMA_NO_MASTER  2
#define DMA_BAD_RANGE  3
#define DMA_NO_MEMORY  4

#endif
