/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods about heads: Capture, SetMode, SetVnc. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "rights.h"
#include "manager/vgpu/heads.h"
#include "lib/util.h"
#include "manager/host/text.h"
#include "methods.h"
#include "reply.h"
#include "manager/vgpu/vnc.h"

/* A call that waits for the device's answer. */
struct pending {
	sd_varlink *link;
	struct vgpu_manager *manager;
	char uuid[VGPU_UUID_SIZE];     /* the vGPU may be gone by then */
	struct vgpu_control_mode mode; /* of SetMode */
};

static void pending_destroy(struct pending *pending)
{
	if (!pending)
		return;
	sd_varlink_unref(pending->link);
	free(pending);
}

/* Ask the device of @instance, and answer @link when it has answered. */
static int ask_device(struct vgpu_instance *instance, sd_varlink *link,
		      struct vgpu_control_msg *msg, vgpu_device_reply_t callback)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	struct vgpu_err err = {};

	if (!pending)
		return -ENOMEM;
	pending->link = sd_varlink_ref(link);
	pending->manager = instance->manager;
	VGPU_TEXT_SET(pending->uuid, instance->definition.uuid);
	if (msg->type == VGPU_CONTROL_SET_MODE)
		pending->mode = msg->mode;
	if (vgpu_device_request(instance->device, msg, -1, callback, pending,
				&err) < 0) {
		pending_destroy(pending);
		return vgpu_reply_error(link, &err);
	}
	return 0;
}

/* A head's number: an integer, 0 if it is not given. */
static int dispatch_number(const char *name, sd_json_variant *variant,
			   sd_json_dispatch_flags_t flags, void *userdata)
{
	uint32_t *number = userdata;

	if (sd_json_variant_is_null(variant))
		return 0;
	/* What is no such number becomes one that no head or mode has. */
	*number = UINT32_MAX;
	if (sd_json_variant_is_unsigned(variant))
		*number = (uint32_t)VGPU_MIN(sd_json_variant_unsigned(variant),
					     UINT32_MAX);
	return 0;
}

/* Parameters of all methods here; each uses those in its fields. */
struct parameters {
	const char *vgpu;
	uint32_t head;
	uint32_t width;
	uint32_t height;
	const char *address;
	const char *password;
	bool is_view_only;
};

#define NUMBER_FIELD(name, flags)                                              \
	{#name, _SD_JSON_VARIANT_TYPE_INVALID, dispatch_number,                \
	 offsetof(struct parameters, name), flags}
#define STRING_FIELD(name, flags)                                              \
	{#name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,         \
	 offsetof(struct parameters, name), flags}
#define HEAD_FIELDS STRING_FIELD(vgpu, SD_JSON_MANDATORY), NUMBER_FIELD(head, 0)

/*
 * The vGPU, if it has @head and a device that answers, or (@or_stopped) is
 * stopped; NULL and err if not.
 */
static struct vgpu_instance *find_head(struct vgpu_manager *manager,
				       const char *vgpu, uint32_t head,
				       bool or_stopped, struct vgpu_err *err)
{
	struct vgpu_instance *instance = vgpu_instance_find(manager, vgpu, err);

	if (!instance)
		return NULL;
	if (instance->definition.vf.number > 0) {
		vgpu_err_set(
			err, -EOPNOTSUPP, "NoSuchHead",
			"the heads of a vGPU on a VF are its guest's alone: look at them from within the guest");
		return NULL;
	}
	if (head >= instance->definition.type.heads) {
		if (instance->definition.type.heads == 0)
			vgpu_err_set(err, -ENOENT, "NoSuchHead",
				     "a vGPU of type %s has no heads",
				     instance->definition.type.name);
		else
			vgpu_err_set(err, -ENOENT, "NoSuchHead",
				     "the heads of the vGPU are 0 to %u",
				     instance->definition.type.heads - 1);
		return NULL;
	}
	if (!vgpu_instance_is_serving(instance) &&
	    !(or_stopped && instance->phase == VGPU_PHASE_STOPPED)) {
		vgpu_err_set(err, -ENOTCONN, "NotActive",
			     "the vGPU is %s: its device does not run now%s",
			     vgpu_instance_state(instance),
			     instance->phase == VGPU_PHASE_STOPPED
				     ? " (`vgpuctl start` starts it)"
				     : "");
		return NULL;
	}
	return instance;
}

/*
 * Read a call's parameters and find the vGPU; @or_stopped as above. Returns 1;
 * else @link is answered, or -errno.
 */
static int read_call(sd_varlink *link, sd_json_variant *parameters,
		     const sd_json_dispatch_field *fields,
		     struct vgpu_manager *manager, bool or_stopped,
		     struct parameters *ret_parameters,
		     struct vgpu_instance **ret_instance)
{
	struct vgpu_err err = {};
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, ret_parameters);
	if (r != 0)
		return VGPU_MIN(r, 0);
	*ret_instance = find_head(manager, ret_parameters->vgpu,
				  ret_parameters->head, or_stopped, &err);
	return *ret_instance ? 1 : vgpu_reply_error(link, &err);
}

/* Turn the device's refusal into an error called @name. */
static int read_refusal(const struct vgpu_control_reply *reply,
			const char *name, struct vgpu_err *err)
{
	char text[VGPU_CONTROL_TEXT_MAX];

	memcpy(text, reply->text, sizeof(text));
	vgpu_text_make_printable(text);
	return vgpu_err_set(err, -EIO, name, "the device refuses it: %s",
			    text[0] ? text : strerror(-reply->status));
}

/*
 * Check what the device sends: a client will map as many bytes as the frame
 * says, and the file must not shrink.
 */
static bool is_frame_sound(const struct vgpu_control_frame *frame, int fd)
{
	struct stat st;

	return fd >= 0 && frame->width > 0 && frame->height > 0 &&
	       frame->width <= VGPU_DIMENSION_MAX &&
	       frame->height <= VGPU_DIMENSION_MAX &&
	       frame->stride_bytes >= frame->width * 4 &&
	       frame->stride_bytes <= VGPU_DIMENSION_MAX * 8 &&
	       (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0 ||
		(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_SEAL)) ==
			(F_SEAL_SHRINK | F_SEAL_SEAL)) &&
	       fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_size >=
		       (uint64_t)frame->stride_bytes * frame->height;
}

static void on_captured(void *userdata, const struct vgpu_control_reply *reply,
			int fd, const struct vgpu_err *err)
{
	struct pending *pending = userdata;
	vgpu_autoclose int frame_fd = fd;
	struct vgpu_control_frame frame = {};
	struct vgpu_err refusal = {};
	int index, r;

	if (reply)
		frame = reply->frame;
	if (reply && reply->status == -ENOTCONN) {
		vgpu_err_set(
			&refusal, -ENOTCONN, "NotPlugged",
			"the head is unplugged and shows nothing: `vgpuctl mode` plugs it in");
		err = &refusal;
	} else if (reply && reply->status != 0) {
		read_refusal(reply, "TryAgain", &refusal);
		err = &refusal;
	} else if (!err && !is_frame_sound(&frame, fd)) {
		vgpu_err_set(&refusal, -EPROTO, "Internal",
			     "the device answered with no frame");
		err = &refusal;
	}
	if (err) {
		vgpu_reply_error(pending->link, err);
		pending_destroy(pending);
		return;
	}
	index = sd_varlink_push_fd(pending->link, frame_fd);
	r = index;
	if (index >= 0) {
		frame_fd = -1; /* the link's now */
		r = sd_varlink_replybo(
			pending->link,
			SD_JSON_BUILD_PAIR_UNSIGNED("width", frame.width),
			SD_JSON_BUILD_PAIR_UNSIGNED("height", frame.height),
			SD_JSON_BUILD_PAIR_UNSIGNED("stride", frame.stride_bytes),
			SD_JSON_BUILD_PAIR_INTEGER("fileDescriptor", index));
	}
	vgpu_reply_check(pending->link, r);
	pending_destroy(pending);
}

int vgpu_method_capture(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {HEAD_FIELDS, {}};
	struct parameters p = {};
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_CAPTURE};
	struct vgpu_instance *instance;
	int r;

	r = read_call(link, parameters, fields, userdata,
		      /* or_stopped= */ false, &p, &instance);
	if (r <= 0)
		return r;
	msg.head = p.head;
	return ask_device(instance, link, &msg, on_captured);
}

static void report_mode(struct vgpu_instance *instance, sd_varlink *link,
			const struct vgpu_control_mode *mode)
{
	if (mode->width)
		vgpu_instance_event_by(instance, vgpu_rights_uid(link),
				       "modified", "head %u prefers %u x %u",
				       mode->head, mode->width, mode->height);
	else
		vgpu_instance_event_by(instance, vgpu_rights_uid(link),
				       "modified", "head %u is unplugged",
				       mode->head);
}

static void on_mode_set(void *userdata, const struct vgpu_control_reply *reply,
			int fd, const struct vgpu_err *err)
{
	struct pending *pending = userdata;
	const struct vgpu_control_mode *mode = &pending->mode;
	struct vgpu_instance *instance;
	struct vgpu_err own = {};

	vgpu_close(fd);
	instance = vgpu_instance_find(pending->manager, pending->uuid, &own);
	if (reply && reply->status != 0) {
		read_refusal(reply, "BadMode", &own);
		err = &own;
	} else if (!err && !instance) {
		err = &own;
	} else if (!err) {
		struct vgpu_definition d = instance->definition;

		d.heads[mode->head].has_mode = true;
		d.heads[mode->head].width = mode->width;
		d.heads[mode->head].height = mode->height;
		if (vgpu_store_save(&pending->manager->paths, &d, &own) < 0)
			err = &own; /* it holds until the device ends */
		else
			instance->definition = d;
	}
	if (!err)
		report_mode(instance, pending->link, mode);
	if (err)
		vgpu_reply_error(pending->link, err);
	else
		vgpu_reply_check(pending->link,
				 sd_varlink_reply(pending->link, NULL));
	pending_destroy(pending);
}

/* Save the setting of a stopped vGPU, whose device will start with it. */
static int keep_setting(struct vgpu_instance *instance,
			const struct vgpu_head_setting *setting, uint32_t head,
			sd_varlink *link)
{
	struct vgpu_definition d = instance->definition;
	struct vgpu_err err = {};

	d.heads[head] = *setting;
	if (vgpu_store_save(&instance->manager->paths, &d, &err) < 0)
		return vgpu_reply_error(link, &err);
	instance->definition = d;
	vgpu_instance_event_by(instance, vgpu_rights_uid(link), "modified",
			       "what is set of head %u", head);
	return sd_varlink_reply(link, NULL);
}

int vgpu_method_set_mode(sd_varlink *link, sd_json_variant *parameters,
			 sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {
		HEAD_FIELDS,
		NUMBER_FIELD(width, SD_JSON_MANDATORY),
		NUMBER_FIELD(height, SD_JSON_MANDATORY),
		{},
	};
	struct parameters p = {};
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_SET_MODE};
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = read_call(link, parameters, fields, userdata,
		      /* or_stopped= */ true, &p, &instance);
	if (r <= 0)
		return r;
	if (vgpu_heads_check_mode(&instance->definition.type, p.width, p.height,
				  &err) < 0)
		return vgpu_reply_error(link, &err);
	if (instance->phase == VGPU_PHASE_STOPPED) {
		struct vgpu_head_setting setting =
			instance->definition.heads[p.head];

		setting.has_mode = true;
		setting.width = p.width;
		setting.height = p.height;
		return keep_setting(instance, &setting, p.head, link);
	}
	msg.mode = (struct vgpu_control_mode){
		.head = p.head, .width = p.width, .height = p.height};
	return ask_device(instance, link, &msg, on_mode_set);
}

int vgpu_method_set_vnc(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {
		HEAD_FIELDS,
		STRING_FIELD(address, SD_JSON_NULLABLE),
		{"viewOnly", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct parameters, is_view_only), SD_JSON_NULLABLE},
		STRING_FIELD(password, SD_JSON_NULLABLE),
		{},
	};
	struct parameters p = {};
	struct vgpu_vnc_setting vnc = {};
	struct vgpu_caller caller;
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = read_call(link, parameters, fields, userdata,
		      /* or_stopped= */ true, &p, &instance);
	if (r <= 0)
		return r;
	if (p.address &&
	    vgpu_vnc_check_address(
		    &instance->manager->paths, instance->definition.uuid,
		    p.address, vgpu_rights_is_manager(userdata, link), &err) < 0)
		return vgpu_reply_error(link, &err);
	if (p.password && (!vgpu_vnc_is_password(p.password) ||
			   !VGPU_TEXT_SET(vnc.password, p.password))) {
		vgpu_err_set(
			&err, -EINVAL, "BadAddress",
			"a VNC password has 1 to %d printable characters of ASCII: viewers send no more",
			VGPU_VNC_PASSWORD_SIZE - 1);
		return vgpu_reply_error(link, &err);
	}
	if (p.address) {
		VGPU_TEXT_SET(vnc.address, p.address);
		vnc.has_input = !p.is_view_only;
	} else {
		vnc = (struct vgpu_vnc_setting){};
	}
	if (instance->phase == VGPU_PHASE_STOPPED) {
		struct vgpu_head_setting setting =
			instance->definition.heads[p.head];

		setting.vnc = vnc;
		return keep_setting(instance, &setting, p.head, link);
	}
	caller = vgpu_reply_caller(link);
	if (vgpu_vnc_set(instance, p.head, &vnc, &caller, &err) < 0)
		return vgpu_reply_refuse(&caller, &err);
	return 0;
}
