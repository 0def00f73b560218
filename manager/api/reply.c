/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers to varlink calls, at once and later. */
#include "reply.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "interface.h"
#include "rights.h"
#include "lib/name.h"
#include "lib/util.h"
#include "manager/host/text.h"

void vgpu_reply_check(sd_varlink *link, int r)
{
	/*
	 * sd_varlink_error() returns -EBADR after it has sent an error of ours.
	 */
	if (r >= 0 || r == -EBADR)
		return;
	/* A method may not call sd_varlink_close() for its own link. */
	shutdown(sd_varlink_get_fd(link), SHUT_RDWR);
}

int vgpu_reply_error(sd_varlink *link, const struct vgpu_err *err)
{
	char name[128], text[VGPU_ERR_TEXT_MAX];

	snprintf(name, sizeof(name), VGPU_INTERFACE ".%s",
		 err->name ? err->name : "Internal");
	/* JSON is UTF-8, and the text may have been cut within a character. */
	VGPU_TEXT_SET(text, err->text);
	vgpu_text_make_printable(text);
	vgpu_reply_check(link, sd_varlink_errorbo(
				       link, name,
				       SD_JSON_BUILD_PAIR_STRING("text", text)));
	return 0;
}

static void fail_later(void *link, const struct vgpu_err *err)
{
	vgpu_reply_error(link, err);
	sd_varlink_unref(link);
}

static void succeed_later(void *link, const char *uuid)
{
	int r = uuid ? sd_varlink_replybo(
			       link, SD_JSON_BUILD_PAIR_STRING("uuid", uuid))
		     : sd_varlink_reply(link, NULL);

	vgpu_reply_check(link, r);
	sd_varlink_unref(link);
}

static void drop_link(void *link)
{
	sd_varlink_unref(link);
}

struct vgpu_caller vgpu_reply_caller(sd_varlink *link)
{
	static const struct vgpu_caller_ops ops = {
		.succeed = succeed_later,
		.fail = fail_later,
		.drop = drop_link,
	};

	return (struct vgpu_caller){&ops, sd_varlink_ref(link),
				    vgpu_rights_uid(link)};
}

int vgpu_reply_refuse(struct vgpu_caller *caller, const struct vgpu_err *err)
{
	vgpu_caller_fail(caller, err);
	return 0;
}
