/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions of vGPUs on disk, one file each. */
#include "store.h"

#include <assert.h>
#include <dirent.h>
#include <string.h>

#include "manager/host/file.h"
#include "manager/host/json.h"
#include "lib/util.h"
#include "manager/host/text.h"

#define DEFINITION_MAX (64 * 1024) /* with every setting set it is 4 KiB */
#define SUFFIX	       ".json"
#define UNFINISHED     ".json.new"

/* The kernel shows this id for users without one in our namespace. */
#define OVERFLOW_ID 65534

static bool is_nobody(uint32_t id)
{
	return id == UINT32_MAX || id == OVERFLOW_ID;
}

bool vgpu_owner_is_sound(const struct vgpu_owner *owner)
{
	return !is_nobody(owner->uid) && !is_nobody(owner->gid);
}

void vgpu_definition_set_type(struct vgpu_definition *definition,
			      const struct vgpu_type *type)
{
	definition->type = *type;
	if (definition->is_for_container)
		definition->type.heads = 0;
}

static const char *const transport_names[] = {
	[VGPU_TRANSPORT_VHOST_USER] = "vhost-user",
	[VGPU_TRANSPORT_MDEV] = "mdev",
};

static_assert(VGPU_ARRAY_SIZE(transport_names) == VGPU_TRANSPORT_MAX,
	      "a name for each");

const char *vgpu_transport_name(enum vgpu_transport transport)
{
	return transport_names[transport];
}

bool vgpu_transport_parse(const char *text, enum vgpu_transport *ret_transport)
{
	for (unsigned int i = 0; i < VGPU_TRANSPORT_MAX; i++) {
		if (strcmp(transport_names[i], text) != 0)
			continue;
		*ret_transport = (enum vgpu_transport)i;
		return true;
	}
	return false;
}

static char *path_of(const struct vgpu_paths *paths, const char *uuid)
{
	char *path;

	return asprintf(&path, "%s/%s" SUFFIX, paths->vgpus, uuid) < 0 ? NULL
								       : path;
}

static int build_heads(const struct vgpu_definition *d, sd_json_variant **ret)
{
	vgpu_autojson sd_json_variant *heads = NULL;
	int r;

	r = sd_json_variant_new_array(&heads, NULL, 0);
	for (unsigned int i = 0; r >= 0 && i < d->type.heads; i++) {
		const struct vgpu_head_setting *h = &d->heads[i];

		if (!h->has_mode && !h->vnc.address[0])
			continue;
		r = sd_json_variant_append_arraybo(
			&heads, SD_JSON_BUILD_PAIR_UNSIGNED("head", i),
			SD_JSON_BUILD_PAIR_CONDITION(
				h->has_mode, "width",
				SD_JSON_BUILD_UNSIGNED(h->width)),
			SD_JSON_BUILD_PAIR_CONDITION(
				h->has_mode, "height",
				SD_JSON_BUILD_UNSIGNED(h->height)),
			SD_JSON_BUILD_PAIR_CONDITION(
				h->vnc.address[0], "vnc",
				SD_JSON_BUILD_STRING(h->vnc.address)),
			SD_JSON_BUILD_PAIR_CONDITION(h->vnc.has_input, "vncInput",
						     SD_JSON_BUILD_BOOLEAN(true)),
			SD_JSON_BUILD_PAIR_CONDITION(
				h->vnc.password[0], "vncPassword",
				SD_JSON_BUILD_STRING(h->vnc.password)));
	}
	if (r < 0)
		return r;
	*ret = vgpu_steal(&heads);
	return 0;
}

/* What only the definition of a VF has. */
static int build_vf(const struct vgpu_definition *d, sd_json_variant **json)
{
	return sd_json_variant_merge_objectbo(
		json, SD_JSON_BUILD_PAIR_UNSIGNED("vf", d->vf.number),
		SD_JSON_BUILD_PAIR_UNSIGNED("typeId", d->type.id),
		SD_JSON_BUILD_PAIR_CONDITION(
			d->vf.placement != VGPU_PLACEMENT_ANY, "placement",
			SD_JSON_BUILD_UNSIGNED(d->vf.placement)),
		SD_JSON_BUILD_PAIR_BOOLEAN("pinned", d->vf.is_pinned),
		SD_JSON_BUILD_PAIR_BOOLEAN("mixed", d->vf.is_mixed));
}

/* The lowest version that can read it. */
static unsigned int version_of(const struct vgpu_definition *d)
{
	if (d->is_transient)
		return VGPU_DEFINITION_VERSION;
	if (d->transport != VGPU_TRANSPORT_VHOST_USER)
		return VGPU_DEFINITION_VERSION_OF_TRANSPORTS;
	for (unsigned int i = 0; i < d->type.heads; i++)
		if (d->heads[i].vnc.has_input || d->heads[i].vnc.password[0])
			return VGPU_DEFINITION_VERSION_OF_INPUT;
	return d->is_for_container ? VGPU_DEFINITION_VERSION_OF_CONTAINERS
				   : VGPU_DEFINITION_VERSION_OF_OTHERS;
}

#define BUILD_FIELD(member, json, stored, min, max, fallback, about)           \
	SD_JSON_BUILD_PAIR_CONDITION((fallback) == 0 || d->type.member > 0,    \
				     #stored,                                  \
				     SD_JSON_BUILD_UNSIGNED(d->type.member))

static int build_definition(const struct vgpu_definition *d, sd_json_variant **ret)
{
	vgpu_autojson sd_json_variant *heads = NULL;
	vgpu_autojson sd_json_variant *json = NULL;
	char series[2] = {d->type.series, '\0'};
	int r;

	r = build_heads(d, &heads);
	if (r < 0)
		return r;
	r = sd_json_buildo(
		&json, SD_JSON_BUILD_PAIR_UNSIGNED("version", version_of(d)),
		SD_JSON_BUILD_PAIR_STRING("uuid", d->uuid),
		SD_JSON_BUILD_PAIR_CONDITION(d->name[0], "name",
					     SD_JSON_BUILD_STRING(d->name)),
		SD_JSON_BUILD_PAIR_STRING("type", d->type.name),
		SD_JSON_BUILD_PAIR_STRING("series", series),
		VGPU_TYPE_FIELDS(BUILD_FIELD),
		SD_JSON_BUILD_PAIR_STRING("gpu", d->gpu),
		SD_JSON_BUILD_PAIR_UNSIGNED("offset", d->place.offset),
		SD_JSON_BUILD_PAIR_UNSIGNED("size", d->place.size),
		SD_JSON_BUILD_PAIR_CONDITION(d->is_for_container, "container",
					     SD_JSON_BUILD_BOOLEAN(true)),
		SD_JSON_BUILD_PAIR_CONDITION(
			d->transport != VGPU_TRANSPORT_VHOST_USER, "transport",
			SD_JSON_BUILD_STRING(vgpu_transport_name(d->transport))),
		SD_JSON_BUILD_PAIR_CONDITION(d->is_transient, "transient",
					     SD_JSON_BUILD_BOOLEAN(true)),
		SD_JSON_BUILD_PAIR_CONDITION(d->is_manual, "autostart",
					     SD_JSON_BUILD_BOOLEAN(false)),
		SD_JSON_BUILD_PAIR_CONDITION(d->is_stopped, "stopped",
					     SD_JSON_BUILD_BOOLEAN(true)),
		SD_JSON_BUILD_PAIR_UNSIGNED("ownerUid", d->owner.uid),
		SD_JSON_BUILD_PAIR_UNSIGNED("ownerGid", d->owner.gid),
		SD_JSON_BUILD_PAIR_VARIANT("heads", heads));
	if (r >= 0 && d->vf.number > 0)
		r = build_vf(d, &json);
	if (r < 0)
		return r;
	*ret = vgpu_steal(&json);
	return 0;
}

int vgpu_store_save(const struct vgpu_paths *paths,
		    const struct vgpu_definition *definition,
		    struct vgpu_err *err)
{
	vgpu_autojson sd_json_variant *json = NULL;
	vgpu_autofree char *path = path_of(paths, definition->uuid);
	vgpu_autofree char *text = NULL;
	int r;

	r = path ? build_definition(definition, &json) : -ENOMEM;
	if (r >= 0)
		r = sd_json_variant_format(
			json, SD_JSON_FORMAT_PRETTY | SD_JSON_FORMAT_NEWLINE,
			&text);
	if (r >= 0)
		r = vgpu_file_write(path, text, strlen(text));
	if (r < 0)
		return vgpu_err_set(err, r, "CannotSave",
				    "the definition cannot be written below %s: %s",
				    paths->state, strerror(-r));
	return 0;
}

int vgpu_store_remove(const struct vgpu_paths *paths, const char *uuid,
		      struct vgpu_err *err)
{
	vgpu_autofree char *path = path_of(paths, uuid);
	int r = path ? vgpu_file_remove(path) : -ENOMEM;

	if (r < 0)
		return vgpu_err_set(err, r, "CannotSave",
				    "the definition %s cannot be removed: %s",
				    path ? path : "", strerror(-r));
	return 0;
}

/* The file as its fields say it, before it is checked. */
struct raw {
	const char *uuid;
	const char *name;
	const char *series;
	const char *type;
	const char *gpu;
	const char *transport;
	struct vgpu_type limits;
	struct vgpu_extent place;
	struct vgpu_vf_setting vf;
	struct vgpu_owner owner;
	sd_json_variant *heads;
	bool autostart;
	bool is_stopped;
	bool is_for_container;
	bool is_transient;
};

struct raw_head {
	uint32_t head;
	uint32_t width;
	uint32_t height;
	const char *vnc;
	const char *password;
	bool has_input;
};

static int read_head(struct vgpu_definition *d, sd_json_variant *json)
{
	static const sd_json_dispatch_field fields[] = {
		{"head", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw_head, head), SD_JSON_MANDATORY},
		{"width", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw_head, width), 0},
		{"height", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw_head, height), 0},
		{"vnc", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct raw_head, vnc), 0},
		{"vncInput", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw_head, has_input), 0},
		{"vncPassword", SD_JSON_VARIANT_STRING,
		 sd_json_dispatch_const_string,
		 offsetof(struct raw_head, password), 0},
		{},
	};
	struct raw_head raw = {};
	struct vgpu_head_setting *setting;
	int r;

	r = sd_json_dispatch(json, fields, 0, &raw);
	if (r < 0 || raw.head >= d->type.heads ||
	    raw.width > d->type.max_width || raw.height > d->type.max_height)
		return -EINVAL;
	setting = &d->heads[raw.head];
	setting->has_mode = sd_json_variant_by_key(json, "width") != NULL;
	setting->width = raw.width;
	setting->height = raw.height;
	if ((raw.vnc && !VGPU_TEXT_SET(setting->vnc.address, raw.vnc)) ||
	    (raw.password && !VGPU_TEXT_SET(setting->vnc.password, raw.password)))
		return -EINVAL;
	setting->vnc.has_input = raw.has_input;
	return 0;
}

static int read_type(struct vgpu_definition *d, const struct raw *raw)
{
	struct vgpu_type type = raw->limits;
	uint32_t mib;
	char series;

	/* A driver's own types have names and limits of their own. */
	if (type.id == 0) {
		vgpu_type_fill_in(&type);
		if (!vgpu_type_parse_name(raw->type, &series, &mib) ||
		    series != raw->series[0] || mib != type.framebuffer_mib ||
		    !vgpu_type_is_in_range(type))
			return -EINVAL;
	}
	if (!VGPU_TEXT_SET(type.name, raw->type) || strlen(raw->series) != 1 ||
	    (type.framebuffer_mib == 0 && type.id == 0) ||
	    type.framebuffer_mib > VGPU_TYPE_FRAMEBUFFER_MIB_MAX ||
	    type.heads > VGPU_HEADS_MAX || type.max_width > VGPU_DIMENSION_MAX ||
	    type.max_height > VGPU_DIMENSION_MAX)
		return -EINVAL;
	type.series = raw->series[0];
	d->type = type;
	return 0;
}

#define RAW_FIELD(member, json, stored, min, max, fallback, about)             \
	{#stored, SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,           \
	 offsetof(struct raw, limits.member),                                  \
	 (fallback) ? 0 : SD_JSON_MANDATORY}

static int read_fields(struct vgpu_definition *d, sd_json_variant *json)
{
	static const sd_json_dispatch_field fields[] = {
		{"version", SD_JSON_VARIANT_UNSIGNED, NULL, 0, SD_JSON_MANDATORY},
		{"uuid", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct raw, uuid), SD_JSON_MANDATORY},
		{"name", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct raw, name), 0},
		{"type", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct raw, type), SD_JSON_MANDATORY},
		{"series", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct raw, series), SD_JSON_MANDATORY},
		VGPU_TYPE_FIELDS(RAW_FIELD),
		{"gpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct raw, gpu), SD_JSON_MANDATORY},
		{"offset", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		 offsetof(struct raw, place.offset), SD_JSON_MANDATORY},
		{"size", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		 offsetof(struct raw, place.size), SD_JSON_MANDATORY},
		{"heads", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_variant_noref,
		 offsetof(struct raw, heads), SD_JSON_MANDATORY},
		{"autostart", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw, autostart), 0},
		{"stopped", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw, is_stopped), 0},
		{"container", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw, is_for_container), 0},
		{"transport", SD_JSON_VARIANT_STRING,
		 sd_json_dispatch_const_string, offsetof(struct raw, transport),
		 0},
		{"transient", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw, is_transient), 0},
		{"vf", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw, vf.number), 0},
		{"typeId", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw, limits.id), 0},
		{"placement", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw, vf.placement), 0},
		{"pinned", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw, vf.is_pinned), 0},
		{"mixed", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct raw, vf.is_mixed), 0},
		{"ownerUid", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw, owner.uid), 0},
		{"ownerGid", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint32,
		 offsetof(struct raw, owner.gid), 0},
		{},
	};
	struct raw raw = {
		.vf.placement = VGPU_PLACEMENT_ANY,
		.autostart = true,
	};

	if (sd_json_dispatch(json, fields, 0, &raw) < 0 ||
	    strcmp(raw.uuid, d->uuid) != 0 ||
	    (raw.place.size == 0 && !raw.vf.number) ||
	    raw.vf.number > VGPU_VF_MAX ||
	    (raw.is_for_container && (raw.vf.number || raw.limits.heads)) ||
	    (raw.transport && !vgpu_transport_parse(raw.transport, &d->transport)) ||
	    (d->transport && (raw.vf.number || raw.is_for_container)) ||
	    (raw.is_transient && (!d->transport || raw.is_stopped)) ||
	    !vgpu_owner_is_sound(&raw.owner) || read_type(d, &raw) < 0 ||
	    !VGPU_TEXT_SET(d->gpu, raw.gpu))
		return -EINVAL;
	for (size_t i = 0; i < sd_json_variant_elements(raw.heads); i++)
		if (read_head(d, sd_json_variant_by_index(raw.heads, i)) < 0)
			return -EINVAL;
	d->place = raw.place;
	d->vf = raw.vf;
	d->is_manual = !raw.autostart;
	d->is_stopped = raw.is_stopped;
	d->is_for_container = raw.is_for_container;
	d->is_transient = raw.is_transient;
	d->owner = raw.owner;
	d->lacks_owner = !sd_json_variant_by_key(json, "ownerUid");
	return 0;
}

/* Read what can be shown of a definition that cannot be used. */
static void read_what_can_be_shown(struct vgpu_definition *d,
				   sd_json_variant *json)
{
	static const char *const keys[] = {"name", "type", "gpu"};
	const char *text[3];

	for (size_t i = 0; i < 3; i++) {
		sd_json_variant *v = sd_json_variant_by_key(json, keys[i]);

		text[i] = sd_json_variant_is_string(v)
				  ? sd_json_variant_string(v)
				  : NULL;
	}
	if (text[0] && vgpu_name_check(text[0], NULL) == 0)
		VGPU_TEXT_SET(d->name, text[0]);
	if (text[1])
		VGPU_TEXT_SET(d->type.name, text[1]);
	if (text[2])
		VGPU_TEXT_SET(d->gpu, text[2]);
	vgpu_text_make_printable(d->type.name);
	vgpu_text_make_printable(d->gpu);
}

static int parse_definition(const char *path, const char *text,
			    struct vgpu_definition *definition,
			    struct vgpu_err *err)
{
	struct vgpu_definition d = *definition;
	vgpu_autojson sd_json_variant *json = NULL;
	sd_json_variant *version;
	int r;

	r = sd_json_parse(text, 0, &json, NULL, NULL);
	if (r < 0 || !sd_json_variant_is_object(json))
		return vgpu_err_set(err, -EBADMSG, "Internal",
				    "its definition %s is damaged", path);
	read_what_can_be_shown(definition, json);
	d = *definition;

	version = sd_json_variant_by_key(json, "version");
	if (sd_json_variant_is_unsigned(version) &&
	    sd_json_variant_unsigned(version) > VGPU_DEFINITION_VERSION)
		return vgpu_err_set(
			err, -EBADMSG, "Internal",
			"its definition %s is of version %llu, from a later vgpud",
			path,
			(unsigned long long)sd_json_variant_unsigned(version));
	if (!sd_json_variant_is_unsigned(version) ||
	    sd_json_variant_unsigned(version) < 1 || read_fields(&d, json) < 0)
		return vgpu_err_set(err, -EBADMSG, "Internal",
				    "its definition %s is damaged", path);
	*definition = d;
	return 0;
}

int vgpu_store_load(const struct vgpu_paths *paths, const char *uuid,
		    struct vgpu_definition *definition, struct vgpu_err *err)
{
	vgpu_autofree char *path = path_of(paths, uuid);
	vgpu_autofree char *text = NULL;
	size_t length;
	int r;

	*definition = (struct vgpu_definition){};
	VGPU_TEXT_SET(definition->uuid, uuid);
	VGPU_TEXT_SET(definition->type.name, "unknown");
	VGPU_TEXT_SET(definition->gpu, "unknown");
	if (!path)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");

	r = vgpu_file_read(path, DEFINITION_MAX, &text, &length);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "its definition %s cannot be read: %s",
				    path, strerror(-r));
	if (length == 0)
		return vgpu_err_set(err, -EBADMSG, "Internal",
				    "its definition %s is empty", path);
	if (strlen(text) != length)
		return vgpu_err_set(err, -EBADMSG, "Internal",
				    "its definition %s is damaged", path);
	return parse_definition(path, text, definition, err);
}

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

static void remove_unfinished(const struct vgpu_paths *paths, const char *name)
{
	vgpu_autofree char *path = NULL;

	if (asprintf(&path, "%s/%s", paths->vgpus, name) < 0) {
		path = NULL;
		return;
	}
	unlink(path);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int vgpu_store_list(const struct vgpu_paths *paths,
		    char (**ret_uuids)[VGPU_UUID_SIZE], size_t *ret_count)
{
	vgpu_autofree char(*uuids)[VGPU_UUID_SIZE] = NULL;
	size_t count = 0;
	struct dirent *entry;
	DIR *folder;

	folder = opendir(paths->vgpus);
	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		char uuid[VGPU_UUID_SIZE] = "";
		void *more;

		if (has_end(entry->d_name, UNFINISHED)) {
			remove_unfinished(paths, entry->d_name);
			continue;
		}
		if (strlen(entry->d_name) != VGPU_UUID_LENGTH + strlen(SUFFIX) ||
		    !has_end(entry->d_name, SUFFIX))
			continue;
		memcpy(uuid, entry->d_name, VGPU_UUID_LENGTH);
		/* Lower case only, which is how they are written. */
		if (vgpu_uuid_parse(uuid, uuid, NULL) < 0 ||
		    memcmp(uuid, entry->d_name, VGPU_UUID_LENGTH) != 0)
			continue;
		more = reallocarray(uuids, count + 1, sizeof(*uuids));
		if (!more) {
			closedir(folder);
			return -ENOMEM;
		}
		uuids = more;
		memcpy(uuids[count++], uuid, sizeof(uuid));
	}
	closedir(folder);

	if (count > 0)
		qsort(uuids, count, sizeof(*uuids), compare);
	*ret_uuids = vgpu_steal(&uuids);
	*ret_count = count;
	return 0;
}
