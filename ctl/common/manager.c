/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to the manager, and its replies. */
#include "ctl/common/manager.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "ctl/common/message.h"
#include "ctl/common/remote.h"
#include "ctl/common/text.h"
#include "lib/util.h"

#define CONNECT_TIMEOUT_S 10 /* if the manager's backlog is full */

static int open_local(const struct ctl *ctl, int *ret_fd, struct vgpu_err *err)
{
	const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(ctl->socket);
	vgpu_autoclose int fd = -1;

	if (length == 0)
		return vgpu_err_set(
			err, -EINVAL, NULL,
			"the socket's path is empty: name the manager's socket with --socket PATH");
	if (length >= sizeof(address.sun_path))
		return vgpu_err_set(
			err, -ENAMETOOLONG, "PathTooLong",
			"the socket's path is %zu bytes long, and %zu are the most there can be: use a shorter one, or a relative one",
			length, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, ctl->socket, length);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot make a socket: %m");
	/* A timeout for connect(); later calls have varlink's own. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		switch (errno) {
		case ENOENT:
		case ECONNREFUSED:
			return vgpu_err_set(
				err, -errno, NULL,
				"no manager listens at %s: start it ('systemctl start vgpud'), or name another's socket with --socket or VGPU_SOCKET",
				ctl->socket);
		case EACCES:
		case EPERM:
			return vgpu_err_set(
				err, -errno, NULL,
				"not allowed to connect to %s: run this as root, or as a member of the socket's group",
				ctl->socket);
		case EAGAIN:
			return vgpu_err_set(
				err, -EAGAIN, NULL,
				"the manager at %s takes no connection: it is busy or stopped; look at it ('systemctl status vgpud')",
				ctl->socket);
		default:
			return vgpu_err_set(err, -errno, NULL,
					    "cannot connect to %s: %m",
					    ctl->socket);
		}
	}

	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

int ctl_manager_open(struct ctl *ctl, int *ret_fd, struct vgpu_err *err)
{
	return ctl->host ? ctl_remote_connect(ctl, ret_fd, err)
			 : open_local(ctl, ret_fd, err);
}

int ctl_manager_connect(struct ctl *ctl, struct vgpu_err *err)
{
	vgpu_autoclose int fd = -1;
	int r;

	if (ctl->link)
		return 0;
	r = ctl_manager_open(ctl, &fd, err);
	if (r < 0)
		return r;
	r = sd_varlink_connect_fd(&ctl->link, fd);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "cannot speak varlink: %s",
				    strerror(-r));
	vgpu_steal_fd(&fd); /* owned by the connection now */
	sd_varlink_set_description(ctl->link, "vgpuctl");
	return 0;
}

void ctl_manager_disconnect(struct ctl *ctl)
{
	ctl->link = sd_varlink_close_unref(ctl->link);
	ctl_remote_finish(ctl);
}

/* Where the manager is, for messages. */
static const char *where(const struct ctl *ctl)
{
	return ctl->host ? ctl->host : ctl->socket;
}

int ctl_manager_explain(struct ctl *ctl, const char *method, int r,
			const char *error_id, sd_json_variant *parameters,
			struct vgpu_err *err)
{
	const char *text;
	int explained;

	if (!error_id) {
		switch (r) {
		case -ETIME:
		case -ETIMEDOUT:
			return vgpu_err_set(
				err, r, NULL,
				"the manager at %s does not answer: look at it ('systemctl status vgpud')",
				where(ctl));
		case -ECONNRESET:
		case -EPIPE:
		case -ENOTCONN:
			explained = ctl_remote_explain(ctl, err);
			if (explained < 0)
				return explained;
			return vgpu_err_set(
				err, r, NULL,
				"the manager at %s closed the connection without an answer: look at its log ('journalctl -u vgpud'), and try again",
				where(ctl));
		case -EBADMSG:
		case -EUCLEAN:
			return vgpu_err_set(
				err, r, NULL,
				"what answers at %s does not speak varlink: is it the manager's socket?",
				where(ctl));
		default:
			return vgpu_err_set(err, r, NULL,
					    "calling the manager at %s failed: %s",
					    where(ctl), strerror(-r));
		}
	}

	text = ctl_json_string(parameters, "text");
	if (text && text[0])
		return vgpu_err_set(err, -EREMOTEIO, NULL, "%s", text);
	if (strcmp(error_id, SD_VARLINK_ERROR_METHOD_NOT_FOUND) == 0 ||
	    strcmp(error_id, SD_VARLINK_ERROR_METHOD_NOT_IMPLEMENTED) == 0 ||
	    strcmp(error_id, SD_VARLINK_ERROR_INTERFACE_NOT_FOUND) == 0)
		return vgpu_err_set(
			err, -EOPNOTSUPP, NULL,
			"what answers at %s does not know " CTL_INTERFACE
			".%s: is it the manager's socket, and a manager as new as this vgpuctl (" VGPU_VERSION
			")?",
			where(ctl), method);
	if (strcmp(error_id, SD_VARLINK_ERROR_INVALID_PARAMETER) == 0) {
		const char *which = ctl_json_string(parameters, "parameter");

		return vgpu_err_set(
			err, -EINVAL, NULL,
			"the manager refuses the parameter '%s' of %s: is it as new as this vgpuctl (" VGPU_VERSION
			")?",
			which ? which : "?", method);
	}
	if (strcmp(error_id, SD_VARLINK_ERROR_DISCONNECTED) == 0)
		return ctl_manager_explain(ctl, method, -ECONNRESET, NULL, NULL,
					   err);
	if (strcmp(error_id, SD_VARLINK_ERROR_TIMEOUT) == 0)
		return ctl_manager_explain(ctl, method, -ETIME, NULL, NULL, err);
	if (strcmp(error_id, SD_VARLINK_ERROR_PROTOCOL) == 0)
		return ctl_manager_explain(ctl, method, -EBADMSG, NULL, NULL,
					   err);
	return vgpu_err_set(
		err, -EREMOTEIO, NULL,
		"the manager failed with %s and does not say why: look at its log ('journalctl -u vgpud')",
		error_id);
}

int ctl_manager_call(struct ctl *ctl, const char *method,
		     sd_json_variant *parameters, sd_json_variant **ret_reply,
		     struct vgpu_err *err)
{
	sd_json_variant *reply = NULL; /* borrowed from the link */
	vgpu_autofree char *full = NULL;
	const char *error_id = NULL;
	int r;

	r = ctl_manager_connect(ctl, err);
	if (r < 0)
		return r;
	if (asprintf(&full, CTL_INTERFACE ".%s", method) < 0) {
		full = NULL;
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	}
	r = sd_varlink_call(ctl->link, full, parameters, &reply, &error_id);
	if (r < 0 || error_id)
		return ctl_manager_explain(ctl, method, r, error_id, reply, err);
	*ret_reply = sd_json_variant_ref(reply);
	return 0;
}

int ctl_manager_wrong_reply(const char *method, const char *what,
			    struct vgpu_err *err)
{
	return vgpu_err_set(
		err, -EPROTO, NULL,
		"the manager's reply to %s %s: is it as new as this vgpuctl (" VGPU_VERSION
		")?",
		method, what);
}

int ctl_manager_call_array(struct ctl *ctl, const char *method,
			   sd_json_variant *parameters, const char *key,
			   sd_json_variant **ret_array, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *reply = NULL;
	sd_json_variant *array;
	int r;

	r = ctl_manager_call(ctl, method, parameters, &reply, err);
	if (r < 0)
		return r;
	array = sd_json_variant_by_key(reply, key);
	if (!sd_json_variant_is_array(array))
		return ctl_manager_wrong_reply(method, "lacks its list", err);
	for (size_t i = 0; i < sd_json_variant_elements(array); i++)
		if (!sd_json_variant_is_object(sd_json_variant_by_index(array, i)))
			return ctl_manager_wrong_reply(
				method, "lists what is no object", err);
	*ret_array = sd_json_variant_ref(array);
	return 0;
}

enum ctl_exit ctl_call(struct ctl *ctl, const char *method,
		       sd_json_variant *parameters, sd_json_variant **ret_reply)
{
	ctl_autojson sd_json_variant *reply = NULL;
	struct vgpu_err err = {};

	if (ctl_manager_call(ctl, method, parameters, &reply, &err) < 0)
		return ctl_fail("%s", err.text);
	if (ret_reply)
		*ret_reply = vgpu_steal(&reply);
	return CTL_DONE;
}

enum ctl_exit ctl_fail_reply(const char *method, const char *what)
{
	struct vgpu_err err = {};

	ctl_manager_wrong_reply(method, what, &err);
	return ctl_fail("%s", err.text);
}

enum ctl_exit ctl_call_array(struct ctl *ctl, const char *method,
			     sd_json_variant *parameters, const char *key,
			     sd_json_variant **ret_array)
{
	ctl_autojson sd_json_variant *array = NULL;
	struct vgpu_err err = {};

	if (ctl_manager_call_array(ctl, method, parameters, key, &array, &err) < 0)
		return ctl_fail("%s", err.text);
	*ret_array = vgpu_steal(&array);
	return CTL_DONE;
}

enum ctl_exit ctl_parameters_failed(int r)
{
	if (r == -ENOMEM)
		return ctl_fail("out of memory");
	/* A word of the command line can fail here in one way only. */
	return ctl_fail(
		"a word of the command line is not valid UTF-8: no vGPU, type or GPU is named so");
}

enum ctl_exit ctl_vgpu_parameters(struct ctl *ctl, sd_json_variant **ret)
{
	int r = sd_json_variant_set_field_string(ret, "vgpu", ctl->words[0]);

	return r < 0 ? ctl_parameters_failed(r) : CTL_DONE;
}

int ctl_set_force(const struct ctl *ctl, sd_json_variant **parameters)
{
	if (!ctl->force)
		return 0;
	return sd_json_variant_set_field_boolean(parameters, "force", true);
}

enum ctl_exit ctl_call_vgpu(struct ctl *ctl, const char *method)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	int r;

	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	r = ctl_set_force(ctl, &parameters);
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, method, parameters, /* ret_reply= */ NULL);
}

enum ctl_exit ctl_head_parameters(struct ctl *ctl, sd_json_variant **ret)
{
	enum ctl_exit e = ctl_vgpu_parameters(ctl, ret);
	int r;

	if (e != CTL_DONE || !ctl->has_head)
		return e;
	r = sd_json_variant_set_field_unsigned(ret, "head", ctl->head);
	return r < 0 ? ctl_parameters_failed(r) : CTL_DONE;
}

const char *ctl_json_string(sd_json_variant *object, const char *key)
{
	sd_json_variant *v = sd_json_variant_is_object(object)
				     ? sd_json_variant_by_key(object, key)
				     : NULL;

	return sd_json_variant_is_string(v) ? sd_json_variant_string(v) : NULL;
}

bool ctl_json_unsigned(sd_json_variant *object, const char *key, uint64_t *ret)
{
	sd_json_variant *v = sd_json_variant_is_object(object)
				     ? sd_json_variant_by_key(object, key)
				     : NULL;

	if (!sd_json_variant_is_unsigned(v))
		return false;
	*ret = sd_json_variant_unsigned(v);
	return true;
}

bool ctl_json_some_has(sd_json_variant *array, const char *key)
{
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *v = sd_json_variant_by_key(
			sd_json_variant_by_index(array, i), key);

		if (v && !sd_json_variant_is_null(v))
			return true;
	}
	return false;
}

bool ctl_json_is_true(sd_json_variant *object, const char *key)
{
	sd_json_variant *v = sd_json_variant_is_object(object)
				     ? sd_json_variant_by_key(object, key)
				     : NULL;

	return sd_json_variant_is_boolean(v) && sd_json_variant_boolean(v);
}

enum ctl_exit ctl_print_json(struct ctl *ctl, sd_json_variant *value)
{
	sd_json_format_flags_t flags = SD_JSON_FORMAT_NEWLINE;
	vgpu_autofree char *text = NULL;
	vgpu_autofree char *escaped = NULL;

	if (ctl->format == CTL_JSON_PRETTY)
		flags |= SD_JSON_FORMAT_PRETTY;
	if (sd_json_variant_format(value, flags, &text) < 0)
		return ctl_fail("out of memory");
	escaped = ctl_text_escape_json(text);
	if (!escaped)
		return ctl_fail("out of memory");
	fputs(escaped, stdout);
	return CTL_DONE;
}
