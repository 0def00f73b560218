/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to the manager, and its replies, which are checked before use. */
#ifndef VGPU_CTL_COMMON_MANAGER_H
#define VGPU_CTL_COMMON_MANAGER_H

#include "ctl/ctl.h"
#include "lib/err.h"

/* As vgpu_autofree. */
#define ctl_autojson __attribute__((cleanup(sd_json_variant_unrefp)))

/*
 * Connect, unless connected already. Returns 0 or a negative errno with @err.
 */
int ctl_manager_connect(struct ctl *ctl, struct vgpu_err *err);
void ctl_manager_disconnect(struct ctl *ctl);
/* A connection to the manager that is the caller's. */
int ctl_manager_open(struct ctl *ctl, int *ret_fd, struct vgpu_err *err);

/*
 * Call @method (its name alone) with @parameters (NULL for none). Returns 0 and
 * the reply, which the caller unrefs, or a negative errno with @err.
 */
int ctl_manager_call(struct ctl *ctl, const char *method,
		     sd_json_variant *parameters, sd_json_variant **ret_reply,
		     struct vgpu_err *err);

/*
 * The same for a reply whose member @key is an array of objects. Returns that
 * array.
 */
int ctl_manager_call_array(struct ctl *ctl, const char *method,
			   sd_json_variant *parameters, const char *key,
			   sd_json_variant **ret_array, struct vgpu_err *err);

/* "the manager's reply to METHOD ..." in @err. Returns -EPROTO. */
int ctl_manager_wrong_reply(const char *method, const char *what,
			    struct vgpu_err *err);

/*
 * Translate a varlink error (@error_id with its @parameters), or a call that
 * failed with @r, into @err. Returns a negative errno.
 */
int ctl_manager_explain(struct ctl *ctl, const char *method, int r,
			const char *error_id, sd_json_variant *parameters,
			struct vgpu_err *err);

/*
 * The same for commands: returns CTL_DONE, or CTL_FAILED with a line printed.
 * @ret_reply may be NULL if the reply has no parameters.
 */
enum ctl_exit ctl_call(struct ctl *ctl, const char *method,
		       sd_json_variant *parameters, sd_json_variant **ret_reply);
enum ctl_exit ctl_call_array(struct ctl *ctl, const char *method,
			     sd_json_variant *parameters, const char *key,
			     sd_json_variant **ret_array);

/* Parameters with the vGPU that the command's first word names. */
enum ctl_exit ctl_vgpu_parameters(struct ctl *ctl, sd_json_variant **ret);
/* The same with --head, where it was given. */
enum ctl_exit ctl_head_parameters(struct ctl *ctl, sd_json_variant **ret);
/* The same with --force, where it was given, and call @method with that. */
enum ctl_exit ctl_call_vgpu(struct ctl *ctl, const char *method);
/* Add --force to @parameters, where it was given. Returns 0 or -errno. */
int ctl_set_force(const struct ctl *ctl, sd_json_variant **parameters);
/* Print why sd_json_variant_set_field_*() failed with @r. */
enum ctl_exit ctl_parameters_failed(int r);

/* "the manager's reply to METHOD ...", CTL_FAILED. */
enum ctl_exit ctl_fail_reply(const char *method, const char *what);

/* Members of an object in a reply: NULL or false if they are not there, are
 * null or of another type. Borrowed. */
const char *ctl_json_string(sd_json_variant *object, const char *key);
bool ctl_json_unsigned(sd_json_variant *object, const char *key, uint64_t *ret);
/* Whether one of the objects in @array has a member @key. */
bool ctl_json_some_has(sd_json_variant *array, const char *key);
bool ctl_json_is_true(sd_json_variant *object, const char *key);

/* Print one value in the format of @ctl, with a newline. */
enum ctl_exit ctl_print_json(struct ctl *ctl, sd_json_variant *value);

#endif
