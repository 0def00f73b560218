// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The types of a manager's vGPUs, as mdevctl and libvirt know types, which are
 * there when a manager has said what types there are. A device of one of these
 * is the manager's to serve, as soon as it finds it.
 *
 * The file "types" of vgpu_mdev's own device takes "parent" and a name, and a
 * line for each type: its name, how many more of it can be made, and its
 * description. The parent is a PCI device, for libvirt knows no types of
 * others; or of any other name, a device that is made for it. Parent, types and
 * their order stay as they are while there are devices. Whoever polls the file
 * is told of each device that comes or goes.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "mdev.h"

#define TYPES_MAX	  128
#define TYPES_NAME	  32
#define TYPES_DESCRIPTION 200
#define TYPES_KEY	  "parent "

struct types_row {
	struct mdev_type type;
	char name[TYPES_NAME];
	char description[TYPES_DESCRIPTION];
	u32 available;
};

struct types_table {
	struct mdev_parent parent;
	struct device *device;
	bool is_made; /* that device was, for this */
	char parent_name[TYPES_NAME];
	struct mdev_type **pointers;
	u32 n;
	struct types_row row[];
};

/* One writer at a time; it registers and unregisters the parent. */
static DEFINE_MUTEX(types_writer);
/* Protects what a row says but its name, and the number of devices. */
static DEFINE_SPINLOCK(types_lock);
static struct types_table *types_table; /* or NULL; under types_writer */
static u32 types_devices;
static bool types_are_closed; /* the parent is about to be unregistered */
static struct mdev_driver *types_driver;
static struct device *types_main; /* has the file */

static struct types_row *types_row_of(struct mdev_type *type)
{
	return container_of(type, struct types_row, type);
}

u32 vgpu_mdev_type_available(struct mdev_type *type)
{
	u32 available;

	spin_lock(&types_lock);
	available = types_row_of(type)->available;
	spin_unlock(&types_lock);
	return available;
}

ssize_t vgpu_mdev_type_describe(struct mdev_type *type, char *buf)
{
	char text[TYPES_DESCRIPTION];

	spin_lock(&types_lock);
	strscpy(text, types_row_of(type)->description, sizeof(text));
	spin_unlock(&types_lock);
	return sysfs_emit(buf, "%s\n", text);
}

int vgpu_mdev_type_take(struct mdev_type *type)
{
	struct types_row *row = types_row_of(type);
	int rc = 0;

	spin_lock(&types_lock);
	if (types_are_closed) {
		rc = -ENODEV;
	} else if (!row->available) {
		rc = -ENOSPC;
	} else {
		row->available--;
		types_devices++;
	}
	spin_unlock(&types_lock);
	return rc;
}

/* What there is now the manager says, when it has noticed. */
void vgpu_mdev_type_give(void)
{
	spin_lock(&types_lock);
	types_devices--;
	spin_unlock(&types_lock);
}

void vgpu_mdev_types_changed(void)
{
	sysfs_notify(&types_main->kobj, NULL, "types");
}

/* A line of @text, which is cut up; NULL where it is none. */
static char *types_parse_line(char *line, struct types_row *row)
{
	char *name = strsep(&line, " ");
	char *available = strsep(&line, " ");

	if (!line || !*name || strlen(name) >= sizeof(row->name) ||
	    strchr(name, '/') || name[0] == '.' ||
	    kstrtou32(available, 10, &row->available))
		return NULL;
	strscpy(row->name, name, sizeof(row->name));
	strscpy(row->description, line, sizeof(row->description));
	return row->name;
}

static struct types_table *types_parse(const char *buf)
{
	struct types_table *table;
	char *text, *rest, *line;
	u32 i;

	text = kstrdup(buf, GFP_KERNEL);
	table = kvzalloc(struct_size(table, row, TYPES_MAX), GFP_KERNEL);
	if (!text || !table)
		goto fail;
	rest = text;
	line = strsep(&rest, "\n");
	if (!strstarts(line, TYPES_KEY) ||
	    strscpy(table->parent_name, line + strlen(TYPES_KEY),
		    sizeof(table->parent_name)) <= 0 ||
	    strchr(table->parent_name, '/') || table->parent_name[0] == '.')
		goto fail;
	while ((line = strsep(&rest, "\n")) && *line) {
		if (table->n == TYPES_MAX ||
		    !types_parse_line(line, &table->row[table->n]))
			goto fail;
		/* Two of a name would be one folder. */
		for (i = 0; i < table->n; i++)
			if (!strcmp(table->row[i].name, table->row[table->n].name))
				goto fail;
		table->n++;
	}
	kfree(text);
	return table;
fail:
	kfree(text);
	kvfree(table);
	return NULL;
}

static bool types_are_same(const struct types_table *a,
			   const struct types_table *b)
{
	if (a->n != b->n || strcmp(a->parent_name, b->parent_name))
		return false;
	for (u32 i = 0; i < a->n; i++)
		if (strcmp(a->row[i].name, b->row[i].name))
			return false;
	return true;
}

/* A device whose driver has types of its own has that folder. */
static bool types_are_there(const struct device *device)
{
	struct kernfs_node *node =
		kernfs_find_and_get(device->kobj.sd, "mdev_supported_types");

	kernfs_put(node);
	return node;
}

static int types_find_device(struct types_table *table)
{
	struct device *device =
		bus_find_device_by_name(&pci_bus_type, NULL, table->parent_name);

	if (device && types_are_there(device)) {
		put_device(device);
		return -EEXIST;
	}
	if (!strcmp(table->parent_name, dev_name(types_main)))
		return -EEXIST;
	table->is_made = !device;
	if (!device)
		device = device_create(vgpu_mdev_class, NULL, 0, NULL, "%s",
				       table->parent_name);
	if (IS_ERR(device))
		return PTR_ERR(device);
	table->device = device;
	return 0;
}

static void types_drop_device(struct types_table *table)
{
	if (table->is_made)
		device_unregister(table->device);
	else
		put_device(table->device);
}

static int types_register(struct types_table *table)
{
	int rc;

	table->pointers = kcalloc(table->n, sizeof(*table->pointers), GFP_KERNEL);
	if (!table->pointers)
		return -ENOMEM;
	for (u32 i = 0; i < table->n; i++) {
		struct types_row *row = &table->row[i];

		row->type.sysfs_name = row->name;
		row->type.pretty_name = row->name;
		table->pointers[i] = &row->type;
	}
	rc = types_find_device(table);
	if (rc)
		goto free;
	rc = mdev_register_parent(&table->parent, table->device, types_driver,
				  table->pointers, table->n);
	if (rc == 0)
		return 0;
	types_drop_device(table);
free:
	kfree(table->pointers);
	table->pointers = NULL;
	return rc;
}

static void types_unregister(struct types_table *table)
{
	mdev_unregister_parent(&table->parent);
	types_drop_device(table);
	kfree(table->pointers);
	kvfree(table);
}

/* No more devices from now on, if there are none. */
static int types_close(void)
{
	int rc = 0;

	spin_lock(&types_lock);
	if (types_devices)
		rc = -EBUSY;
	else
		types_are_closed = true;
	spin_unlock(&types_lock);
	return rc;
}

static void types_update(struct types_table *table, const struct types_table *from)
{
	spin_lock(&types_lock);
	for (u32 i = 0; i < table->n; i++) {
		table->row[i].available = from->row[i].available;
		memcpy(table->row[i].description, from->row[i].description,
		       sizeof(table->row[i].description));
	}
	spin_unlock(&types_lock);
}

/* Takes @table, or leaves it to the caller where it fails. */
static int types_replace(struct types_table *table)
{
	int rc;

	if (types_table) {
		rc = types_close();
		if (rc)
			return rc;
		types_unregister(types_table);
		types_table = NULL;
		spin_lock(&types_lock);
		types_are_closed = false;
		spin_unlock(&types_lock);
	}
	if (!table->n) {
		kvfree(table);
		return 0;
	}
	rc = types_register(table);
	if (rc == 0)
		types_table = table;
	return rc;
}

static ssize_t types_store(struct device *device,
			   struct device_attribute *attribute, const char *buf,
			   size_t count)
{
	struct types_table *table = types_parse(buf);
	int rc = 0;

	if (!table)
		return -EINVAL;
	mutex_lock(&types_writer);
	if (types_table && types_are_same(types_table, table)) {
		types_update(types_table, table);
		kvfree(table);
	} else {
		rc = types_replace(table);
		if (rc)
			kvfree(table);
	}
	mutex_unlock(&types_writer);
	return rc ? rc : count;
}

static ssize_t types_show(struct device *device,
			  struct device_attribute *attribute, char *buf)
{
	int n = 0;

	mutex_lock(&types_writer);
	if (types_table)
		n = sysfs_emit(buf, TYPES_KEY "%s\n", types_table->parent_name);
	for (u32 i = 0; types_table && i < types_table->n; i++) {
		struct types_row *row = &types_table->row[i];

		n += sysfs_emit_at(buf, n, "%s %u %s\n", row->name,
				   vgpu_mdev_type_available(&row->type),
				   row->description);
	}
	mutex_unlock(&types_writer);
	return n;
}
static DEVICE_ATTR_RW(types);

/* The parent is taken out of the machine: what hangs on it goes with it. */
static int types_notify(struct notifier_block *block, unsigned long action,
			void *data)
{
	if (action != BUS_NOTIFY_DEL_DEVICE)
		return NOTIFY_DONE;
	mutex_lock(&types_writer);
	if (types_table && types_table->device == data) {
		types_unregister(types_table);
		types_table = NULL;
		vgpu_mdev_types_changed();
	}
	mutex_unlock(&types_writer);
	return NOTIFY_OK;
}

static struct notifier_block types_notifier = {.notifier_call = types_notify};

int vgpu_mdev_init_types(struct device *main, struct mdev_driver *driver)
{
	int rc;

	types_main = main;
	types_driver = driver;
	rc = bus_register_notifier(&pci_bus_type, &types_notifier);
	if (rc)
		return rc;
	rc = device_create_file(main, &dev_attr_types);
	if (rc)
		bus_unregister_notifier(&pci_bus_type, &types_notifier);
	return rc;
}

void vgpu_mdev_finish_types(void)
{
	device_remove_file(types_main, &dev_attr_types);
	bus_unregister_notifier(&pci_bus_type, &types_notifier);
	if (types_table)
		types_unregister(types_table);
	types_table = NULL;
}
