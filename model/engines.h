/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What controls tell of the engines; each fills a control's parameters. */
#ifndef VGPU_MODEL_ENGINES_H
#define VGPU_MODEL_ENGINES_H

#include "model/model.h"

uint32_t model_engines_intr_table(GpuModel *m, uint8_t *params);
uint32_t model_engines_device_info(GpuModel *m, uint8_t *params);
uint32_t model_engines_falcons(GpuModel *m, uint8_t *params);

#endif
