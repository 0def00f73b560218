/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What controls tell of the engines; each fills a control's parameters. */
#ifndef VGPU_MODEL_ENGINES_H
#define VGPU_MODEL_ENGINES_H

#include "model/model.h"
#include "model/rm.h"

/* By NV2080_ENGINE_TYPE; -1 if there is none of this type. */
int model_engine_of_type(uint32_t type);
uint32_t model_engine_runlist(int engine);
uint32_t model_engine_nonstall(int engine);

uint32_t model_engines_list(GpuModel *m, const struct rm_ref *who,
			    uint8_t *params);
uint32_t model_engines_intr_table(GpuModel *m, const struct rm_ref *who,
				  uint8_t *params);
uint32_t model_engines_device_info(GpuModel *m, const struct rm_ref *who,
				   uint8_t *params);
uint32_t model_engines_falcons(GpuModel *m, const struct rm_ref *who,
			       uint8_t *params);

#endif
