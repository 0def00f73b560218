/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Acts for a browser's session of vgpu-web, with its starter's rights. */
#include "ctl/console/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "ctl/common/vm.h"
#include "ctl/common/web_abi.h"
#include "ctl/console/picture.h"
#include "ctl/console/vnc.h"
#include "lib/fds.h"
#include "lib/util.h"

#define USEC_PER_S 1000000ULL
/*
 * For an answer of the manager, which waits 20 s for a VNC server to listen and
 * as long for its first picture. vgpu-web waits for longer than this.
 */
#define ANSWER_USEC (45 * USEC_PER_S)

struct agent {
	struct ctl *ctl;
	int fd;
	char vgpu[VGPU_UUID_SIZE]; /* "": all */
};

/* What a page needs to know of a vGPU. */
static const char *const shown[] = {
	"uuid",	    "name",	 "type",	   "gpu",	 "state",
	"failure",  "container", "framebufferMib", "usedBytes",	 "frames",
	"contexts", "cpuUsec",	 "grantedPpm",	   "graphicsNs",
};
static const char *const shown_of_head[] = {"head", "width", "height"};

int ctl_agent_connect(int *ret_fd, struct vgpu_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("VGPU_WEB_SOCKET");
	vgpu_autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot make a socket: %m");
	if (!path || !*path)
		path = VGPU_WEB_DEFAULT_SOCKET;
	if (strlen(path) >= sizeof(address.sun_path))
		return vgpu_err_set(err, -ENAMETOOLONG, "PathTooLong",
				    "VGPU_WEB_SOCKET is too long");
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vgpu_err_set(
			err, -errno, NULL,
			"the web console does not answer at %s (%m): start it ('systemctl enable --now vgpu-web.socket')",
			path);
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

/* Call again on a new connection: the manager may have been started again. */
static bool is_worth_a_retry(struct agent *agent, bool had_link, int r)
{
	if (r >= 0 || r == -EREMOTEIO || r == -EPROTO)
		return false;
	ctl_manager_disconnect(agent->ctl);
	return had_link && r != -ETIME && r != -ETIMEDOUT;
}

static int connect_manager(struct agent *agent, bool *ret_had_link,
			   struct vgpu_err *err)
{
	int r;

	*ret_had_link = agent->ctl->link;
	r = ctl_manager_connect(agent->ctl, err);
	if (r >= 0)
		sd_varlink_set_relative_timeout(agent->ctl->link, ANSWER_USEC);
	return r;
}

static int copy_fields(sd_json_variant *from, const char *const *names,
		       size_t n, sd_json_variant **to)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		sd_json_variant *value = sd_json_variant_by_key(from, names[i]);

		if (value && !sd_json_variant_is_null(value))
			r = sd_json_variant_set_field(to, names[i], value);
	}
	return r;
}

static int describe_heads(sd_json_variant *from, sd_json_variant **ret)
{
	sd_json_variant *heads = sd_json_variant_by_key(from, "heads");
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(heads); i++) {
		ctl_autojson sd_json_variant *one = NULL;
		sd_json_variant *head = sd_json_variant_by_index(heads, i);

		if (!sd_json_variant_is_object(head))
			continue;
		r = copy_fields(head, shown_of_head,
				VGPU_ARRAY_SIZE(shown_of_head), &one);
		if (r >= 0)
			r = sd_json_variant_append_array(ret, one);
	}
	return r;
}

static int describe_vgpu(struct agent *agent, sd_json_variant *from,
			 sd_json_variant **ret_array)
{
	ctl_autojson sd_json_variant *heads = NULL;
	ctl_autojson sd_json_variant *one = NULL;
	struct ctl_vm vm;
	int r = copy_fields(from, shown, VGPU_ARRAY_SIZE(shown), &one);

	if (r >= 0)
		r = describe_heads(from, &heads);
	if (r >= 0 && heads)
		r = sd_json_variant_set_field(&one, "heads", heads);
	ctl_vm_of_vgpu(agent->ctl, from, &vm);
	/* Of any process: what is not UTF-8 is left out. */
	if (r >= 0 && vm.name[0] && ctl_text_is_plain(vm.name))
		r = sd_json_variant_set_field_string(&one, "vm", vm.name);
	return r < 0 ? r : sd_json_variant_append_array(ret_array, one);
}

static bool is_ours(const struct agent *agent, const char *uuid)
{
	return uuid && (!agent->vgpu[0] || strcmp(uuid, agent->vgpu) == 0);
}

/* { "host": ..., "user": ..., "vgpus": [...] } */
static int describe_all(struct agent *agent, sd_json_variant *vgpus,
			sd_json_variant **ret)
{
	ctl_autojson sd_json_variant *array = NULL;
	struct passwd *user = getpwuid(geteuid());
	char host[65] = "";
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(vgpus); i++) {
		sd_json_variant *one = sd_json_variant_by_index(vgpus, i);

		if (is_ours(agent, ctl_json_string(one, "uuid")))
			r = describe_vgpu(agent, one, &array);
	}
	gethostname(host, sizeof(host) - 1);
	if (r >= 0)
		r = sd_json_variant_set_field(ret, "vgpus", array);
	if (r >= 0 && ctl_text_is_plain(host))
		r = sd_json_variant_set_field_string(ret, "host", host);
	if (r >= 0 && user && ctl_text_is_plain(user->pw_name))
		r = sd_json_variant_set_field_string(ret, "user", user->pw_name);
	return r;
}

static int make_file(const char *text, int *ret_fd, struct vgpu_err *err)
{
	vgpu_autoclose int fd =
		memfd_create("vgpu-list", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t bytes = strlen(text), done = 0;

	while (fd >= 0 && done < bytes) {
		ssize_t n = write(fd, text + done, bytes - done);

		if (n < 0 && errno != EINTR)
			break;
		done += n < 0 ? 0 : (size_t)n;
	}
	if (fd < 0 || done < bytes ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot make a file: %m");
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

static int answer_list(struct agent *agent, int *ret_fd, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *vgpus = NULL;
	ctl_autojson sd_json_variant *list = NULL;
	vgpu_autofree char *text = NULL;
	int r = ctl_manager_call_array(agent->ctl, "ListVgpus", NULL, "vgpus",
				       &vgpus, err);

	if (r < 0)
		return r;
	r = describe_all(agent, vgpus, &list);
	if (r >= 0)
		r = sd_json_variant_format(list, 0, &text);
	if (r < 0)
		return vgpu_err_set(err, -ENOMEM, NULL,
				    "cannot write the list: %s", strerror(-r));
	return make_file(text, ret_fd, err);
}

static int answer_vnc(struct agent *agent, const struct vgpu_web_message *asked,
		      int *ret_fd, struct vgpu_err *err)
{
	vgpu_autofree char *address = NULL;
	int r = ctl_console_find(agent->ctl, asked->text, asked->head, &address,
				 err);

	return r < 0 ? r : ctl_console_connect(address, ret_fd, err);
}

static int answer_once(struct agent *agent, const struct vgpu_web_message *asked,
		       int *ret_fd, struct vgpu_err *err)
{
	if (asked->type == VGPU_WEB_LIST)
		return answer_list(agent, ret_fd, err);
	/* vgpu-web speaks with browsers: it may ask for anything. */
	if (!vgpu_uuid_has_form(asked->text) || !is_ours(agent, asked->text))
		return vgpu_err_set(err, -EREMOTEIO, NULL,
				    "this session is not for that vGPU");
	if (asked->type == VGPU_WEB_PICTURE)
		return ctl_console_picture(agent->ctl, asked->text, asked->head,
					   ret_fd, err);
	return answer_vnc(agent, asked, ret_fd, err);
}

/* False: vgpu-web is gone. */
static bool answer(struct agent *agent, const struct vgpu_web_message *asked)
{
	struct vgpu_web_message reply = {.type = VGPU_WEB_ANSWER,
					 .id = asked->id};
	const struct iovec part = {.iov_base = &reply, .iov_len = sizeof(reply)};
	vgpu_autoclose int fd = -1;
	struct vgpu_err err = {};
	bool had_link;
	int r;

	for (int tries = 0; tries < 2; tries++) {
		r = connect_manager(agent, &had_link, &err);
		if (r >= 0)
			r = answer_once(agent, asked, &fd, &err);
		if (!is_worth_a_retry(agent, had_link, r))
			break;
	}
	if (r < 0)
		snprintf(reply.text, sizeof(reply.text), "%.400s",
			 err.text[0] ? err.text : strerror(-r));
	return vgpu_fds_send(agent->fd, &part, 1, fd, 0) == sizeof(reply);
}

static void print_link(const char *link)
{
	vgpu_autofree char *escaped = ctl_text_escape(link);

	puts(escaped ? escaped : "?");
	fflush(stdout);
	ctl_note("note: the link is for one use, within 5 minutes; its session ends with this program (Ctrl-C)");
}

/* False: vgpu-web is gone, or is none. */
static bool handle(struct agent *agent)
{
	struct vgpu_web_message message;
	bool was_reset = false;
	ssize_t n;

	do {
		n = recv(agent->fd, &message, sizeof(message), 0);
		/* It left our hello unread; what it said before can be read. */
		if (n < 0 && errno == ECONNRESET && !was_reset) {
			was_reset = true;
			errno = EINTR;
		}
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(message) ||
	    !memchr(message.text, '\0', sizeof(message.text)))
		return false;
	switch (message.type) {
	case VGPU_WEB_LINK:
		print_link(message.text);
		return true;
	case VGPU_WEB_OPENED:
		ctl_note("note: a browser has opened it");
		return true;
	case VGPU_WEB_LIST:
	case VGPU_WEB_PICTURE:
	case VGPU_WEB_VNC:
		return answer(agent, &message);
	case VGPU_WEB_ANSWER: /* it refuses the session */
		ctl_note("note: the web console says: %.*s",
			 (int)sizeof(message.text), message.text);
		return false;
	default:
		return true;
	}
}

/* The uuid of the vGPU that @name names, if the caller may see it. */
static int find_uuid(struct ctl *ctl, const char *name,
		     char ret_uuid[VGPU_UUID_SIZE], struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	const char *uuid;
	int r = sd_json_variant_set_field_string(&parameters, "vgpu", name);

	if (r < 0)
		return vgpu_err_set(err, r, NULL, "no vGPU can be named so: %s",
				    strerror(-r));
	r = ctl_manager_call(ctl, "GetVgpu", parameters, &reply, err);
	if (r < 0)
		return r;
	uuid = ctl_json_string(sd_json_variant_by_key(reply, "vgpu"), "uuid");
	if (!uuid || vgpu_uuid_parse(uuid, ret_uuid, NULL) < 0)
		return ctl_manager_wrong_reply("GetVgpu", "has no uuid", err);
	return 0;
}

enum ctl_exit ctl_agent_run(struct ctl *ctl, int fd, const char *vgpu,
			    uint32_t head)
{
	vgpu_autoclose int ours = fd;
	struct agent agent = {.ctl = ctl, .fd = ours};
	struct vgpu_web_message hello = {
		.type = VGPU_WEB_HELLO, .id = VGPU_WEB_VERSION, .head = head};
	/* Of standard output only that nobody reads it any more: ssh is gone. */
	struct pollfd fds[] = {{.fd = ours, .events = POLLIN},
			       {.fd = STDOUT_FILENO}};
	struct vgpu_err err = {};

	if (vgpu && find_uuid(ctl, vgpu, agent.vgpu, &err) < 0)
		return ctl_fail("%s", err.text);
	snprintf(hello.text, sizeof(hello.text), "%s", agent.vgpu);
	/* If it is closed already it was said why. */
	if (send(ours, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return ctl_fail("the web console does not listen: %s",
				strerror(errno));
	for (;;) {
		if (poll(fds, VGPU_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return ctl_fail("cannot wait: %s", strerror(errno));
		if (fds[1].revents & POLLERR)
			return CTL_DONE;
		if (fds[0].revents && !handle(&agent))
			return ctl_fail("the web console has ended the session");
	}
}
