// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interrupt tree of Turing and later: 8 leaves of 32 vectors, two leaves to
 * each bit of the top, one message (or INTx level) for the whole tree.
 */
#include "model/model.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"

static uint32_t top_of(const struct intr_tree *t)
{
	uint32_t top = 0;
	unsigned int i;

	for (i = 0; i < VF_INTR_LEAF_COUNT; i++)
		if (t->leaf[i] & t->leaf_en[i])
			top |= 1u << (i / 2);
	return top;
}

bool model_intr_tree_rises(struct intr_tree *t)
{
	bool was = t->level;

	t->level = (top_of(t) & t->top_en) != 0;
	return t->level && !was;
}

/* A message goes out when the tree begins to have something to say. */
void model_intr_update(GpuModel *m)
{
	bool rises = model_intr_tree_rises(&m->intr);

	if (msix_enabled(&m->pci)) {
		if (rises)
			msix_notify(&m->pci, 0);
	} else if (msi_enabled(&m->pci)) {
		if (rises && !m->intr.is_held)
			model_intr_disturb(m);
	} else {
		pci_set_irq(&m->pci, m->intr.level);
	}
}

bool model_intr_disturb(GpuModel *m)
{
	if (!msi_enabled(&m->pci))
		return false;
	m->intr.is_held = true;
	msi_notify(&m->pci, 0);
	return true;
}

void model_intr_rearm(GpuModel *m)
{
	/* One that was due while the last was served goes out now. */
	m->intr.is_held = false;
	m->intr.level = false;
	model_intr_update(m);
}

static bool set_leaf(struct intr_tree *t, uint32_t vector)
{
	if (vector >= VF_INTR_LEAF_COUNT * 32)
		return false;
	t->leaf[vector / 32] |= 1u << (vector % 32);
	return true;
}

void model_intr_trigger(GpuModel *m, uint32_t vector)
{
	if (!set_leaf(&m->intr, vector))
		model_refuse(m, "intr", "there is no vector %u", vector);
	model_intr_update(m);
}

static bool leaf_index(uint32_t offset, uint32_t base, unsigned int *ret_index)
{
	if (offset < base || offset >= base + VF_INTR_LEAF_COUNT * 4)
		return false;
	*ret_index = (offset - base) / 4;
	return true;
}

uint32_t model_intr_tree_read(const struct intr_tree *t, uint32_t offset)
{
	unsigned int i;

	if (leaf_index(offset, VF_INTR_LEAF, &i))
		return t->leaf[i];
	if (leaf_index(offset, VF_INTR_LEAF_EN_SET, &i) ||
	    leaf_index(offset, VF_INTR_LEAF_EN_CLEAR, &i))
		return t->leaf_en[i];
	if (offset == VF_INTR_TOP)
		return top_of(t);
	if (offset == VF_INTR_TOP_EN_SET || offset == VF_INTR_TOP_EN_CLEAR)
		return t->top_en;
	return 0;
}

bool model_intr_tree_write(struct intr_tree *t, uint32_t offset, uint32_t value)
{
	unsigned int i;

	if (leaf_index(offset, VF_INTR_LEAF, &i))
		t->leaf[i] &= ~value;
	else if (leaf_index(offset, VF_INTR_LEAF_EN_SET, &i))
		t->leaf_en[i] |= value;
	else if (leaf_index(offset, VF_INTR_LEAF_EN_CLEAR, &i))
		t->leaf_en[i] &= ~value;
	else if (offset == VF_INTR_TOP_EN_SET)
		t->top_en |= value;
	else if (offset == VF_INTR_TOP_EN_CLEAR)
		t->top_en &= ~value;
	else if (offset == VF_INTR_LEAF_TRIGGER)
		return set_leaf(t, BIT_RANGE(value, 11, 0));
	else
		return false;
	return true;
}
