// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The resource manager's objects: clients, and under each a tree of objects by
 * handle. Which class may be under which: OGK src/nvidia/inc/kernel/rmapi/
 * resource_list.h; classes: src/common/sdk/nvidia/inc/class/ (tag 570.144).
 */
#include "model/model.h"
#include "model/rm.h"
#include "model/host.h"

struct rm_client {
	uint32_t handle;
	GHashTable *objects; /* by handle; the client itself is one */
};

#define ANY 0xffffffff

static const struct {
	uint32_t oclass;
	uint32_t parent[3];
	uint32_t bytes; /* of its parameters; 0: it needs none */
} known[] = {
	{CLASS_DEVICE, {CLASS_ROOT}, 56},
	{CLASS_SUBDEVICE, {CLASS_DEVICE}, 0},
	{CLASS_VASPACE, {CLASS_DEVICE}, 40},
	{CLASS_EVENT_KERNEL_EX, {ANY}, 24},
	{CLASS_CHANNEL_GROUP, {CLASS_DEVICE}, 0},
	{CLASS_CHANNEL, {CLASS_DEVICE, CLASS_CHANNEL_GROUP}, 248},
	{CLASS_INLINE_TO_MEMORY, {CLASS_CHANNEL}, 0},
	{CLASS_TWOD, {CLASS_CHANNEL}, 0},
	{CLASS_THREED, {CLASS_CHANNEL}, 0},
	{CLASS_COMPUTE, {CLASS_CHANNEL}, 0},
	{CLASS_DMA_COPY, {CLASS_CHANNEL}, 0},
	{CLASS_DECODER, {CLASS_CHANNEL}, 0},
	{CLASS_ENCODER, {CLASS_CHANNEL}, 0},
	{CLASS_OFA, {CLASS_CHANNEL}, 0},
	{CLASS_USERMODE, {CLASS_SUBDEVICE}, 0},
};

static bool is_root_class(uint32_t oclass)
{
	return oclass == CLASS_ROOT || oclass == CLASS_ROOT_NON_PRIV ||
	       oclass == CLASS_ROOT_CLIENT;
}

static void client_free(void *opaque)
{
	struct rm_client *c = opaque;

	g_hash_table_unref(c->objects);
	g_free(c);
}

static void object_free(void *opaque)
{
	struct rm_object *o = opaque;

	model_channel_destroy(o->channel);
	g_free(o);
}

static struct rm_object *add_object(struct rm_client *c, uint32_t handle,
				    uint32_t parent, uint32_t oclass)
{
	struct rm_object *o = g_new0(struct rm_object, 1);

	o->handle = handle;
	o->parent = parent;
	o->oclass = oclass;
	g_hash_table_insert(c->objects, GUINT_TO_POINTER(handle), o);
	return o;
}

static struct rm_client *client_new(GpuModel *m, uint32_t handle)
{
	struct rm_client *c = g_new0(struct rm_client, 1);

	c->handle = handle;
	c->objects = g_hash_table_new_full(NULL, NULL, NULL, object_free);
	add_object(c, handle, handle, CLASS_ROOT);
	g_hash_table_insert(m->clients, GUINT_TO_POINTER(handle), c);
	return c;
}

static struct rm_client *client_of(GpuModel *m, uint32_t handle)
{
	return m->clients
		       ? g_hash_table_lookup(m->clients, GUINT_TO_POINTER(handle))
		       : NULL;
}

static struct rm_object *object_of(struct rm_client *c, uint32_t handle)
{
	return g_hash_table_lookup(c->objects, GUINT_TO_POINTER(handle));
}

/* Memory of the RM's own lies below the heap that booter was told of. */
#define RM_RESERVED_BYTES (16 * MiB)
#define RM_PDB_BYTES	  0x1000

void model_rm_init(GpuModel *m)
{
	struct rm_client *c;

	m->clients = g_hash_table_new_full(NULL, NULL, NULL, client_free);
	c = client_new(m, INTERNAL_CLIENT);
	add_object(c, INTERNAL_DEVICE, INTERNAL_CLIENT, CLASS_DEVICE);
	add_object(c, INTERNAL_SUBDEVICE, INTERNAL_DEVICE, CLASS_SUBDEVICE);

	m->rsvd_start = ROUND_DOWN(m->non_wpr_heap - RM_RESERVED_BYTES, MiB);
	m->bar1_pdb = m->rsvd_start;
	m->bar2_pdb = m->rsvd_start + RM_PDB_BYTES;
	memset(m->fb + m->rsvd_start, 0, 2 * RM_PDB_BYTES);
}

void model_rm_finish(GpuModel *m)
{
	if (m->clients)
		g_hash_table_unref(m->clients);
	m->clients = NULL;
	m->bar1_pdb = m->bar2_pdb = 0;
}

struct rm_object *model_rm_object(GpuModel *m, uint32_t client, uint32_t handle)
{
	struct rm_client *c = client_of(m, client);

	return c ? object_of(c, handle) : NULL;
}

uint32_t model_rm_class(GpuModel *m, uint32_t client, uint32_t handle,
			uint32_t *ret_status)
{
	struct rm_object *o = model_rm_object(m, client, handle);

	if (o)
		return o->oclass;
	*ret_status = client_of(m, client) ? NV_ERR_OBJECT_NOT_FOUND
					   : NV_ERR_INVALID_CLIENT;
	return ANY;
}

static bool parent_fits(unsigned int i, const struct rm_object *parent)
{
	unsigned int j;

	for (j = 0; j < ARRAY_SIZE(known[i].parent); j++) {
		/* Class 0 is the root's, and fills the list: it comes first. */
		if (j && !known[i].parent[j])
			break;
		if (known[i].parent[j] == ANY ||
		    known[i].parent[j] == parent->oclass)
			return true;
	}
	return false;
}

uint32_t model_rm_alloc(GpuModel *m, uint32_t client, uint32_t parent,
			uint32_t handle, uint32_t oclass, uint8_t *params,
			uint32_t bytes)
{
	struct rm_client *c = client_of(m, client);
	struct rm_object *p;
	unsigned int i;

	if (is_root_class(oclass)) {
		if (c)
			return NV_ERR_INSERT_DUPLICATE_NAME;
		if (!client || handle != client)
			return NV_ERR_INVALID_OBJECT_HANDLE;
		client_new(m, client);
		return NV_OK;
	}
	if (!c)
		return NV_ERR_INVALID_CLIENT;
	if (!handle)
		return NV_ERR_INVALID_OBJECT_HANDLE;
	if (object_of(c, handle))
		return NV_ERR_INSERT_DUPLICATE_NAME;
	p = object_of(c, parent);
	if (!p)
		return NV_ERR_INVALID_OBJECT_PARENT;
	for (i = 0; i < ARRAY_SIZE(known) && known[i].oclass != oclass; i++)
		;
	if (i == ARRAY_SIZE(known))
		return NV_ERR_INVALID_CLASS;
	if (!parent_fits(i, p))
		return NV_ERR_INVALID_OBJECT_PARENT;
	if (bytes < known[i].bytes)
		return NV_ERR_INVALID_PARAM_STRUCT;
	if (oclass == CLASS_CHANNEL) {
		struct channel *channel;
		uint32_t status;

		channel = model_channel_create(m, client, params, &status);
		if (!channel)
			return status;
		add_object(c, handle, parent, oclass)->channel = channel;
		return NV_OK;
	}
	add_object(c, handle, parent, oclass);
	return NV_OK;
}

/* What an object has below it goes with it, the lowest first. */
static void free_tree(struct rm_client *c, uint32_t handle)
{
	g_autoptr(GList) objects = g_hash_table_get_values(c->objects);
	g_autoptr(GArray) children = g_array_new(false, false, sizeof(uint32_t));
	GList *l;
	unsigned int i;

	for (l = objects; l; l = l->next) {
		struct rm_object *o = l->data;

		if (o->parent == handle && o->handle != handle)
			g_array_append_val(children, o->handle);
	}
	for (i = 0; i < children->len; i++)
		free_tree(c, g_array_index(children, uint32_t, i));
	g_hash_table_remove(c->objects, GUINT_TO_POINTER(handle));
}

uint32_t model_rm_free(GpuModel *m, uint32_t client, uint32_t handle)
{
	struct rm_client *c = client_of(m, client);

	if (!c)
		return NV_ERR_INVALID_CLIENT;
	/* A driver may lend the RM's own client what it frees again. */
	if (client == INTERNAL_CLIENT &&
	    (handle == INTERNAL_CLIENT || handle == INTERNAL_DEVICE ||
	     handle == INTERNAL_SUBDEVICE))
		return NV_ERR_INVALID_OBJECT_HANDLE;
	if (!object_of(c, handle))
		return NV_ERR_OBJECT_NOT_FOUND;
	if (handle == client)
		g_hash_table_remove(m->clients, GUINT_TO_POINTER(client));
	else
		free_tree(c, handle);
	return NV_OK;
}

uint32_t model_rm_alloc_memory(GpuModel *m, uint32_t client, uint32_t device,
			       uint32_t handle, uint32_t oclass,
			       const uint8_t *entries, uint32_t count)
{
	struct rm_client *c = client_of(m, client);
	struct rm_object *o, *parent;
	unsigned int i;

	if (!c)
		return NV_ERR_INVALID_CLIENT;
	if (oclass != CLASS_MEMORY_LIST_SYSTEM && oclass != CLASS_MEMORY_LIST_FB)
		return NV_ERR_INVALID_CLASS;
	parent = object_of(c, device);
	if (!parent || parent->oclass != CLASS_DEVICE)
		return NV_ERR_INVALID_OBJECT_PARENT;
	if (!handle)
		return NV_ERR_INVALID_OBJECT_HANDLE;
	if (object_of(c, handle))
		return NV_ERR_INSERT_DUPLICATE_NAME;
	o = add_object(c, handle, device, oclass);
	for (i = 0; i < MIN(count, ARRAY_SIZE(o->page)); i++)
		o->page[i] = ldq_le_p(entries + i * 8) << 12;
	return NV_OK;
}
