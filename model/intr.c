// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interrupt tree of Turing and later: 8 leaves of 32 vectors, two leaves to
 * each bit of the top, one message (or INTx level) for the whole tree.
 */
#include "model/model.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"

static uint32_t top_of(const GpuModel *m)
{
	uint32_t top = 0;
	unsigned int i;

	for (i = 0; i < VF_INTR_LEAF_COUNT; i++)
		if (m->leaf[i] & m->leaf_en[i])
			top |= 1u << (i / 2);
	return top;
}

/* A message goes out when the tree begins to have something to say. */
void model_intr_update(GpuModel *m)
{
	bool level = (top_of(m) & m->top_en) != 0;
	bool rises = level && !m->irq_level;

	m->irq_level = level;
	if (msix_enabled(&m->pci)) {
		if (rises)
			msix_notify(&m->pci, 0);
	} else if (msi_enabled(&m->pci)) {
		if (rises)
			msi_notify(&m->pci, 0);
	} else {
		pci_set_irq(&m->pci, level);
	}
}

void model_intr_trigger(GpuModel *m, uint32_t vector)
{
	if (vector >= VF_INTR_LEAF_COUNT * 32) {
		model_refuse(m, "intr", "there is no vector %u", vector);
		return;
	}
	m->leaf[vector / 32] |= 1u << (vector % 32);
	model_intr_update(m);
}

static bool leaf_index(uint32_t offset, uint32_t base, unsigned int *ret_index)
{
	if (offset < base || offset >= base + VF_INTR_LEAF_COUNT * 4)
		return false;
	*ret_index = (offset - base) / 4;
	return true;
}

uint32_t model_intr_read(GpuModel *m, uint32_t offset)
{
	unsigned int i;

	if (leaf_index(offset, VF_INTR_LEAF, &i))
		return m->leaf[i];
	if (leaf_index(offset, VF_INTR_LEAF_EN_SET, &i) ||
	    leaf_index(offset, VF_INTR_LEAF_EN_CLEAR, &i))
		return m->leaf_en[i];
	if (offset == VF_INTR_TOP)
		return top_of(m);
	if (offset == VF_INTR_TOP_EN_SET || offset == VF_INTR_TOP_EN_CLEAR)
		return m->top_en;
	return 0;
}

bool model_intr_write(GpuModel *m, uint32_t offset, uint32_t value)
{
	unsigned int i;

	if (leaf_index(offset, VF_INTR_LEAF, &i))
		m->leaf[i] &= ~value;
	else if (leaf_index(offset, VF_INTR_LEAF_EN_SET, &i))
		m->leaf_en[i] |= value;
	else if (leaf_index(offset, VF_INTR_LEAF_EN_CLEAR, &i))
		m->leaf_en[i] &= ~value;
	else if (offset == VF_INTR_TOP_EN_SET)
		m->top_en |= value;
	else if (offset == VF_INTR_TOP_EN_CLEAR)
		m->top_en &= ~value;
	else if (offset == VF_INTR_LEAF_TRIGGER)
		model_intr_trigger(m, BIT_RANGE(value, 11, 0));
	else
		return false;
	model_intr_update(m);
	return true;
}
