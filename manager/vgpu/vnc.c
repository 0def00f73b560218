/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC servers: a vgpu-vnc process for each head that has one. */
#include "vnc.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "access.h"
#include "lib/fds.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/text.h"
#include "manager/host/process.h"
#include "manager/host/watchdog.h"

#define USEC_PER_S	    1000000ULL
#define LISTEN_TIMEOUT_USEC (20 * USEC_PER_S)
#define STOP_TIMEOUT_USEC   (1 * USEC_PER_S)
#define RESTART_DELAY_USEC  (1 * USEC_PER_S)
/* The first picture usually comes at once; clients wait for a late one. */
#define PICTURE_TIMEOUT_USEC (20 * USEC_PER_S)
#define FAILURES_MAX	     10 /* in a row, without having listened */

struct vgpu_vnc {
	TAILQ_ENTRY(vgpu_vnc) entry;	/* of vgpu_manager.ending_vncs */
	struct vgpu_instance *instance; /* NULL while it only has to end */
	struct vgpu_manager *manager;
	uint32_t head;
	struct vgpu_vnc_setting setting; /* wanted; no address: none */
	/* Its socket, if it has one: "" once that is removed. */
	char path[VGPU_SOCKET_PATH_SIZE];
	dev_t path_dev;
	ino_t path_ino;
	struct vgpu_caller caller; /* who asked for it */
	struct vgpu_process process;
	int control;
	sd_event_source *control_source;
	sd_event_source *process_source;
	sd_event_source *timer;
	sd_event_source *viewer_timer; /* until it is given another */
	struct vgpu_watchdog watchdog; /* while it listens */
	bool is_listening;
	bool has_picture;
	bool is_stopping;
	unsigned int failures;
	unsigned int clients; /* that look, as it said last */
	char problem[200];    /* what it said before it ended */
};

/*
 * A killed server does not remove its socket. Another may use the name by now.
 */
static void remove_socket(struct vgpu_vnc *vnc)
{
	struct stat file;

	if (vnc->path[0] && lstat(vnc->path, &file) == 0 &&
	    file.st_dev == vnc->path_dev && file.st_ino == vnc->path_ino)
		unlink(vnc->path);
	vnc->path[0] = '\0';
}

/* It listens: give access to those who may look. Nobody had access before. */
static void open_socket(struct vgpu_vnc *vnc)
{
	const char *path = vnc->setting.address + strlen("unix:");
	struct stat file;
	int r;

	if (strncmp(vnc->setting.address, "unix:", strlen("unix:")) != 0)
		return;
	r = lstat(path, &file) < 0
		    ? -errno
		    : vgpu_access_open_vnc(vnc->manager,
					   &vnc->instance->definition, path);
	if (r < 0) {
		vgpu_log("%s: who may connect to %s cannot be set: %s",
			 vnc->instance->definition.uuid, path, strerror(-r));
		return;
	}
	VGPU_TEXT_SET(vnc->path, path);
	vnc->path_dev = file.st_dev;
	vnc->path_ino = file.st_ino;
}

static void close_process(struct vgpu_vnc *vnc)
{
	vnc->control_source = sd_event_source_disable_unref(vnc->control_source);
	vnc->process_source = sd_event_source_disable_unref(vnc->process_source);
	vnc->timer = sd_event_source_disable_unref(vnc->timer);
	vnc->viewer_timer = sd_event_source_disable_unref(vnc->viewer_timer);
	vgpu_watchdog_stop(&vnc->watchdog);
	vnc->control = vgpu_close(vnc->control);
	vgpu_process_finish(&vnc->process);
	vnc->is_listening = false;
	vnc->has_picture = false;
	vnc->is_stopping = false;
}

static void destroy_server(struct vgpu_vnc *vnc)
{
	if (vnc->instance)
		vnc->instance->vnc[vnc->head] = NULL;
	else
		TAILQ_REMOVE(&vnc->manager->ending_vncs, vnc, entry);
	close_process(vnc);
	vgpu_caller_drop(&vnc->caller);
	free(vnc);
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_vnc *vnc = userdata;

	vgpu_process_signal(&vnc->process, SIGKILL);
	return 0;
}

static void kill_later(struct vgpu_vnc *vnc)
{
	vnc->timer = sd_event_source_disable_unref(vnc->timer);
	if (sd_event_add_time_relative(vnc->manager->event, &vnc->timer,
				       CLOCK_MONOTONIC, STOP_TIMEOUT_USEC, 0,
				       on_stop_timeout, vnc) < 0)
		vgpu_process_signal(&vnc->process, SIGKILL);
}

static void stop_server(struct vgpu_vnc *vnc)
{
	vnc->is_stopping = true;
	vgpu_watchdog_stop(&vnc->watchdog);
	vgpu_process_signal(&vnc->process, SIGTERM);
	kill_later(vnc);
}

static bool is_same(const struct vgpu_vnc_setting *a,
		    const struct vgpu_vnc_setting *b)
{
	return strcmp(a->address, b->address) == 0 &&
	       strcmp(a->password, b->password) == 0 &&
	       a->has_input == b->has_input;
}

/* For user @uid, or VGPU_EVENT_BY_NOBODY. */
static int save_setting(struct vgpu_instance *instance, uint32_t head,
			const struct vgpu_vnc_setting *setting, int64_t uid,
			struct vgpu_err *err)
{
	const char *address = setting->address;
	struct vgpu_definition definition = instance->definition;
	int r;

	definition.heads[head].vnc = *setting;
	r = vgpu_store_save(&instance->manager->paths, &definition, err);
	if (r < 0)
		return r;
	instance->definition = definition;
	vgpu_instance_event_by(instance, uid, "modified",
			       "head %u has %s VNC server%s%s%s%s", head,
			       address[0] ? "a" : "no", address[0] ? " at " : "",
			       address, setting->has_input ? ", with input" : "",
			       setting->password[0] ? ", with a password" : "");
	return 0;
}

static int send_viewer(int control, int viewer)
{
	const struct iovec part = {.iov_base = (char[]){'V'}, .iov_len = 1};

	return (int)VGPU_MIN(vgpu_fds_send(control, &part, 1, viewer, 0), 0);
}

/* Connect it with the device, if that serves. */
static void give_viewer(struct vgpu_vnc *vnc)
{
	struct vgpu_control_msg msg = {
		.type = VGPU_CONTROL_VIEW,
		.view = {.head = vnc->head, .has_input = vnc->setting.has_input}};
	vgpu_autoclose int ours = -1, theirs = -1;
	struct vgpu_err err = {};
	int pair[2];
	int r;

	/* One that is to end had another setting. */
	if (!vnc->is_listening || vnc->is_stopping ||
	    !vgpu_instance_is_serving(vnc->instance))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	ours = pair[0];
	theirs = pair[1];
	r = vgpu_device_request(vnc->instance->device, &msg, theirs,
				vgpu_device_ignore_reply, NULL, &err);
	if (r == 0)
		r = send_viewer(vnc->control, ours);
	if (r < 0)
		vgpu_instance_log(vnc->instance, "head %u gets no viewer: %s",
				  vnc->head,
				  err.text[0] ? err.text : strerror(-r));
}

static int on_viewer_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_vnc *vnc = userdata;

	if (vnc->instance && !vnc->is_stopping)
		give_viewer(vnc);
	return 0;
}

/*
 * Its viewer ended. If that was the device's end the next device brings another,
 * and else there was too little of something. Not at once: it may be so still.
 */
static void on_viewer_over(struct vgpu_vnc *vnc)
{
	vnc->viewer_timer = sd_event_source_disable_unref(vnc->viewer_timer);
	if (sd_event_add_time_relative(vnc->manager->event, &vnc->viewer_timer,
				       CLOCK_MONOTONIC, RESTART_DELAY_USEC, 0,
				       on_viewer_timer, vnc) < 0)
		vgpu_log("head %u of its VNC server stays as it is", vnc->head);
}

static void ask_for_life(void *opaque)
{
	struct vgpu_vnc *vnc = opaque;

	send(vnc->control, "P", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_frozen(void *opaque)
{
	struct vgpu_vnc *vnc = opaque;
	char packet[sizeof(vnc->problem)];

	/* Its answer may be here unread. */
	if (recv(vnc->control, packet, sizeof(packet), MSG_PEEK) > 0) {
		vgpu_watchdog_start(&vnc->watchdog, vnc->manager->event,
				    vnc->watchdog.ops, vnc);
		return;
	}
	vgpu_instance_event(vnc->instance, "head",
			    "the VNC server of head %u " VGPU_WATCHDOG_REASON
			    "is started again",
			    vnc->head);
	vgpu_process_signal(&vnc->process, SIGKILL);
}

static const struct vgpu_watchdog_ops watchdog_ops = {
	.ask = ask_for_life,
	.frozen = on_frozen,
};

/* Answer the caller once there is a picture. */
static void on_picture(struct vgpu_vnc *vnc)
{
	vnc->has_picture = true;
	vnc->timer = sd_event_source_disable_unref(vnc->timer);
	vgpu_caller_succeed(&vnc->caller, NULL);
}

static int on_picture_timeout(sd_event_source *source, uint64_t usec,
			      void *userdata)
{
	struct vgpu_vnc *vnc = userdata;

	vgpu_caller_succeed(&vnc->caller, NULL);
	return 0;
}

static void on_listening(struct vgpu_vnc *vnc)
{
	struct vgpu_instance *instance = vnc->instance;
	const struct vgpu_vnc_setting *saved =
		&instance->definition.heads[vnc->head].vnc;
	struct vgpu_err err = {};

	vnc->is_listening = true;
	vnc->failures = 0;
	vnc->timer = sd_event_source_disable_unref(vnc->timer);
	if (vgpu_watchdog_start(&vnc->watchdog, vnc->manager->event,
				&watchdog_ops, vnc) < 0)
		vgpu_instance_log(
			instance,
			"nobody notices if the VNC server of head %u freezes",
			vnc->head);
	if (!is_same(saved, &vnc->setting) &&
	    save_setting(instance, vnc->head, &vnc->setting,
			 vgpu_caller_uid(&vnc->caller), &err) < 0) {
		vnc->setting = (struct vgpu_vnc_setting){};
		vgpu_caller_fail(&vnc->caller, &err);
		stop_server(vnc);
		return;
	}
	open_socket(vnc);
	give_viewer(vnc);
	if (sd_event_add_time_relative(vnc->manager->event, &vnc->timer,
				       CLOCK_MONOTONIC, PICTURE_TIMEOUT_USEC, 0,
				       on_picture_timeout, vnc) < 0)
		vgpu_caller_succeed(&vnc->caller, NULL);
}

/* One digit: there are never more. 0 from a server that does not count. */
static unsigned int read_clients(const char *text)
{
	return text[0] >= '0' && text[0] <= '9' && !text[1] ? text[0] - '0' : 0;
}

static int on_control(sd_event_source *source, int fd, uint32_t revents,
		      void *userdata)
{
	struct vgpu_vnc *vnc = userdata;
	char packet[sizeof(vnc->problem)];
	ssize_t n = recv(fd, packet, sizeof(packet) - 1, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0 && packet[0] == 'R' && !vnc->is_listening && !vnc->is_stopping) {
		on_listening(vnc);
		return 0;
	}
	if (n > 0 && packet[0] == 'F' && vnc->is_listening &&
	    !vnc->has_picture && !vnc->is_stopping)
		on_picture(vnc);
	if (n > 0 && packet[0] == 'O' && vnc->is_listening && !vnc->is_stopping)
		on_viewer_over(vnc);
	if (n > 0 && packet[0] == 'P') {
		packet[n] = '\0';
		vnc->clients = read_clients(packet + 1);
		vgpu_watchdog_answered(&vnc->watchdog);
	}
	if (n > 1 && packet[0] == 'E') {
		packet[n] = '\0';
		VGPU_TEXT_SET(vnc->problem, packet + 1);
		vgpu_text_make_printable(vnc->problem);
	}
	if (n <= 0) {
		/* It is ending, or is to end. */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		kill_later(vnc);
	}
	return 0;
}

static void start_server(struct vgpu_vnc *vnc);

static int on_restart(sd_event_source *source, uint64_t usec, void *userdata)
{
	start_server(userdata);
	return 0;
}

/* It ended by itself, or could not be started. */
static void handle_failure(struct vgpu_vnc *vnc, const char *why)
{
	struct vgpu_instance *instance = vnc->instance;
	struct vgpu_err err = {};

	if (vnc->caller.ops) {
		/* The caller was told; do not try again. */
		vgpu_err_set(&err, -EADDRNOTAVAIL, "BadAddress",
			     "the VNC server of head %u %s", vnc->head, why);
		if (instance->definition.heads[vnc->head].vnc.address[0])
			save_setting(instance, vnc->head,
				     &(struct vgpu_vnc_setting){},
				     VGPU_EVENT_BY_NOBODY, NULL);
		vgpu_caller_fail(&vnc->caller, &err);
		destroy_server(vnc);
		return;
	}
	if (++vnc->failures >= FAILURES_MAX ||
	    sd_event_add_time_relative(vnc->manager->event, &vnc->timer,
				       CLOCK_MONOTONIC, RESTART_DELAY_USEC, 0,
				       on_restart, vnc) < 0) {
		vgpu_instance_event(instance, "head",
				    "the VNC server of head %u %s", vnc->head,
				    why);
		destroy_server(vnc);
	}
}

static int on_process_end(sd_event_source *source, int fd, uint32_t revents,
			  void *userdata)
{
	struct vgpu_vnc *vnc = userdata;
	bool was_stopping = vnc->is_stopping;
	char how[VGPU_PROCESS_REASON_SIZE], why[256 + VGPU_VNC_ADDRESS_SIZE];

	/* Its last words may still be unread. */
	if (vnc->control >= 0 && !vnc->problem[0])
		on_control(vnc->control_source, vnc->control, EPOLLIN, vnc);
	/* Before its fd is closed, of which others may have a duplicate. */
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (vgpu_process_reap(&vnc->process, how) && vnc->instance)
		vgpu_instance_event(vnc->instance, "forbidden-call",
				    "the VNC server of head %u %s", vnc->head,
				    how);
	close_process(vnc);
	remove_socket(vnc);
	if (!vnc->instance) {
		destroy_server(vnc);
	} else if (was_stopping && !vnc->setting.address[0]) {
		vgpu_caller_succeed(&vnc->caller, NULL);
		destroy_server(vnc);
	} else if (was_stopping) {
		start_server(vnc);
	} else {
		/* What it says names the address. */
		if (vnc->problem[0])
			snprintf(why, sizeof(why), "failed: %s", vnc->problem);
		else
			snprintf(why, sizeof(why), "on %s %s",
				 vnc->setting.address, how);
		handle_failure(vnc, why);
	}
	return 0;
}

static int on_listen_timeout(sd_event_source *source, uint64_t usec,
			     void *userdata)
{
	struct vgpu_vnc *vnc = userdata;

	snprintf(vnc->problem, sizeof(vnc->problem),
		 "it did not listen on %.100s within 20 s", vnc->setting.address);
	vgpu_process_signal(&vnc->process, SIGKILL);
	return 0;
}

/* By the socket: others can read a command line. It waits there to be read. */
static int send_password(const struct vgpu_vnc *vnc)
{
	char packet[1 + VGPU_VNC_PASSWORD_SIZE];
	int n = snprintf(packet, sizeof(packet), "K%s", vnc->setting.password);

	if (n <= 1 || send(vnc->control, packet, (size_t)n, MSG_NOSIGNAL) == n)
		return 0;
	return -errno;
}

static int spawn_server(struct vgpu_vnc *vnc, struct vgpu_err *err)
{
	const struct vgpu_definition *d = &vnc->instance->definition;
	sd_event *event = vnc->manager->event;
	vgpu_autoclose int theirs = -1;
	char name[VGPU_NAME_MAX + 32];
	char *argv[] = {(char *)"vgpu-vnc",
			(char *)"--control-fd",
			(char *)"3",
			(char *)"--listen",
			vnc->setting.address,
			(char *)"--name",
			name,
			NULL,
			NULL,
			NULL};
	size_t n = 7;
	int pair[2];
	int r;

	static_assert(VGPU_PROCESS_CHILD_FD == 3, "the fd in argv");
	snprintf(name, sizeof(name), "%s head %u",
		 d->name[0] ? d->name : d->uuid, vnc->head);
	/* The device enforces that; here it is for what clients are told. */
	if (!vnc->setting.has_input)
		argv[n++] = (char *)"--view-only";
	if (vnc->setting.password[0])
		argv[n++] = (char *)"--with-password";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, "Internal",
				    "no control socket: %s", strerror(errno));
	vnc->control = pair[0];
	theirs = pair[1];
	r = fcntl(vnc->control, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r >= 0)
		r = send_password(vnc);
	if (r >= 0)
		r = vgpu_process_start(argv, theirs, vnc->instance->group, 0,
				       &vnc->process, err);
	if (r < 0)
		return r;
	r = sd_event_add_io(event, &vnc->control_source, vnc->control, EPOLLIN,
			    on_control, vnc);
	if (r >= 0)
		r = sd_event_add_io(event, &vnc->process_source,
				    vnc->process.pidfd, EPOLLIN, on_process_end,
				    vnc);
	if (r >= 0)
		r = sd_event_add_time_relative(
			event, &vnc->timer, CLOCK_MONOTONIC,
			LISTEN_TIMEOUT_USEC, 0, on_listen_timeout, vnc);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the VNC server cannot be watched: %s",
				    strerror(-r));
	return 0;
}

static void start_server(struct vgpu_vnc *vnc)
{
	char why[VGPU_ERR_TEXT_MAX + VGPU_VNC_ADDRESS_SIZE + 32];
	struct vgpu_err err = {};

	vnc->problem[0] = '\0';
	vnc->timer = sd_event_source_disable_unref(vnc->timer);
	if (spawn_server(vnc, &err) < 0) {
		close_process(vnc);
		snprintf(why, sizeof(why), "on %s cannot be started: %s",
			 vnc->setting.address, err.text);
		handle_failure(vnc, why);
	}
}

static struct vgpu_vnc *create_server(struct vgpu_instance *instance,
				      uint32_t head)
{
	struct vgpu_vnc *vnc = calloc(1, sizeof(*vnc));

	if (!vnc)
		return NULL;
	vnc->instance = instance;
	vnc->manager = instance->manager;
	vnc->head = head;
	vnc->process = VGPU_PROCESS_NONE;
	vnc->control = -1;
	instance->vnc[head] = vnc;
	return vnc;
}

/* If @vnc has a process, that gives way to another, or to none. */
static void change_setting(struct vgpu_vnc *vnc,
			   const struct vgpu_vnc_setting *setting,
			   const struct vgpu_caller *caller)
{
	vnc->setting = *setting;
	vnc->caller = *caller;
	vnc->failures = 0;
	if (vnc->process.pidfd >= 0) {
		stop_server(vnc);
	} else if (setting->address[0]) {
		start_server(vnc);
	} else {
		vgpu_caller_succeed(&vnc->caller, NULL);
		destroy_server(vnc);
	}
}

static void answer_at_once(const struct vgpu_caller *caller)
{
	struct vgpu_caller copy = *caller;

	vgpu_caller_succeed(&copy, NULL);
}

int vgpu_vnc_set(struct vgpu_instance *instance, uint32_t head,
		 const struct vgpu_vnc_setting *setting,
		 const struct vgpu_caller *caller, struct vgpu_err *err)
{
	struct vgpu_vnc *vnc = instance->vnc[head];
	bool is_wanted = setting->address[0];
	int r;

	if (vnc && (vnc->caller.ops || vnc->is_stopping))
		return vgpu_err_set(
			err, -EBUSY, "TryAgain",
			"the VNC server of head %u is just being changed: try again",
			head);
	if (is_wanted && vnc && vnc->is_listening &&
	    is_same(&vnc->setting, setting)) {
		answer_at_once(caller);
		return 0;
	}
	if (!is_wanted && instance->definition.heads[head].vnc.address[0]) {
		r = save_setting(instance, head, setting,
				 vgpu_caller_uid(caller), err);
		if (r < 0)
			return r;
	}
	if (!is_wanted && !vnc) {
		answer_at_once(caller);
		return 0;
	}
	if (!vnc)
		vnc = create_server(instance, head);
	if (!vnc)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	change_setting(vnc, setting, caller);
	return 0;
}

void vgpu_vnc_on_serving(struct vgpu_instance *instance)
{
	for (uint32_t i = 0; i < instance->definition.type.heads; i++) {
		const struct vgpu_vnc_setting *saved =
			&instance->definition.heads[i].vnc;
		struct vgpu_vnc *vnc = instance->vnc[i];
		struct vgpu_err err = {};

		if (vnc) {
			give_viewer(vnc);
			continue;
		}
		if (!saved->address[0])
			continue;
		/* The file may have been edited. */
		if (vgpu_vnc_check_address(&instance->manager->paths,
					   instance->definition.uuid,
					   saved->address,
					   /* is_manager= */ true, &err) < 0) {
			vgpu_instance_event(
				instance, "head",
				"the VNC server of head %u is not started: %s",
				i, err.text);
			continue;
		}
		vnc = create_server(instance, i);
		if (vnc) {
			vnc->setting = *saved;
			start_server(vnc);
		}
	}
}

void vgpu_vnc_open_again(struct vgpu_instance *instance)
{
	for (uint32_t i = 0; i < VGPU_HEADS_MAX; i++)
		if (instance->vnc[i] && instance->vnc[i]->path[0])
			vgpu_access_open_vnc(instance->manager,
					     &instance->definition,
					     instance->vnc[i]->path);
}

void vgpu_vnc_finish(struct vgpu_instance *instance)
{
	struct vgpu_err err = {};

	vgpu_err_set(&err, -ESHUTDOWN, "NotActive", "the vGPU ended meanwhile");
	for (uint32_t i = 0; i < VGPU_HEADS_MAX; i++) {
		struct vgpu_vnc *vnc = instance->vnc[i];

		if (!vnc)
			continue;
		vgpu_caller_fail(&vnc->caller, &err);
		if (vnc->process.pidfd < 0) {
			destroy_server(vnc);
			continue;
		}
		/* It stays until it is reaped. */
		instance->vnc[i] = NULL;
		vnc->instance = NULL;
		TAILQ_INSERT_TAIL(&vnc->manager->ending_vncs, vnc, entry);
		stop_server(vnc);
	}
}

void vgpu_vnc_forget_ending(struct vgpu_manager *manager)
{
	while (!TAILQ_EMPTY(&manager->ending_vncs))
		destroy_server(TAILQ_FIRST(&manager->ending_vncs));
}

unsigned int vgpu_vnc_clients(const struct vgpu_instance *instance, uint32_t head)
{
	const struct vgpu_vnc *vnc = instance->vnc[head];

	return vnc && vnc->is_listening && !vnc->is_stopping ? vnc->clients : 0;
}
