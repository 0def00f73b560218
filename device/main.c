/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-device: one virtual GPU, for a VMM or for vtest. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "device/container.h"
#include "device/control.h"
#include "device/device.h"
#include "device/harden.h"
#include "device/launch/spawn.h"
#include "device/options.h"
#include "device/render/host_memory.h"
#include "lib/mark.h"
#include "lib/util.h"
#include "sandbox/remover.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "venus_capset.h"
#include "vulkan/udmabuf.h"

/* Remove a socket file that nobody listens on any more. */
static int remove_stale(const struct sockaddr_un *address, struct vgpu_err *err)
{
	vgpu_autoclose int fd = -1;
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return vgpu_err_set(err, -EEXIST, NULL,
				    "%s exists and is no socket; choose"
				    " another path",
				    address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vgpu_err_set(err, -errno, NULL, "no socket: %s",
				    strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return vgpu_err_set(err, -EADDRINUSE, NULL,
				    "%s is in use by another process; choose"
				    " another path",
				    address->sun_path);
	unlink(address->sun_path);
	return 0;
}

/* @ret_remover removes the socket file, see vgpu_remover_finish(). */
static int bind_at(const char *path, int *ret_fd, int *ret_remover,
		   struct vgpu_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	vgpu_autoclose int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return vgpu_err_set(err, -ENAMETOOLONG, NULL,
				    "%s is longer than %zu bytes; choose a"
				    " shorter path",
				    path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = remove_stale(&address, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot bind %s: %s",
				    path, strerror(errno));
	r = vgpu_remover_start(path, ret_remover, err);
	if (r < 0)
		return r;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

/* --fd: *ret_listens says which kind of socket it is. */
static int check_fd(int fd, bool *ret_listens, struct vgpu_err *err)
{
	int domain, type, listens;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	    domain != AF_UNIX || type != SOCK_STREAM)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "--fd: fd %d is not a unix stream socket",
				    fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return vgpu_err_set(err, -errno, NULL, "--fd: %s",
				    strerror(errno));
	*ret_listens = listens;
	return 0;
}

/* --mdev */
static int open_mdev(const char *path, struct vgpu_slots *slots,
		     struct vgpu_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot open %s: %s", path,
				    errno == EBUSY ? "another process serves it"
						   : strerror(errno));
	vgpu_slots_put(slots, VGPU_SLOT_MDEV, fd);
	return 0;
}

/* Create a memfd, as vgpud would have sent us. */
static int add_memory(struct vgpu_slots *slots, uint32_t slot, const char *name,
		      uint64_t bytes, struct vgpu_err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return vgpu_err_set(err, -errno, NULL, "no memory: %s",
				    strerror(errno));
	vgpu_slots_put(slots, slot, fd);
	vgpu_mark_file(fd);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return vgpu_err_set(err, -errno, NULL, "no memory: %s",
				    strerror(errno));
	return 0;
}

static int configure_start(const struct vgpu_options *options,
			   struct vgpu_slots *slots,
			   struct vgpu_control_start *start, struct vgpu_err *err)
{
	int r;

	*start = (struct vgpu_control_start){
		.version = VGPU_CONTROL_VERSION,
		.heads = options->heads,
		.max_width = options->max_width,
		.max_height = options->max_height,
		.segments = 1,
		.segment_bytes = options->framebuffer_bytes,
		.framebuffer_bytes = options->framebuffer_bytes,
		.host_visible_bytes = options->host_visible_bytes,
		.host_memory_bytes = options->host_memory_bytes,
		.has_renderer = options->has_renderer,
		.is_framebuffer_new = true,
	};
	if (options->vtest_path) {
		/*
		 * Without segments: the files of its programs are all of its
		 * memory.
		 */
		start->segments = 0;
		start->has_renderer = true;
		start->is_for_container = true;
	}
	memcpy(start->gpu_uuid, options->gpu_uuid, sizeof(start->gpu_uuid));
	snprintf(start->uuid, sizeof(start->uuid), "%s", options->uuid);
	snprintf(start->name, sizeof(start->name), "%s", options->name);
	if (options->vtest_path)
		return 0;
	r = add_memory(slots, VGPU_SLOT_STATE, "vgpu-state", 0, err);
	if (r < 0)
		return r;
	return add_memory(slots, VGPU_SLOT_SEGMENT, "vgpu-framebuffer",
			  options->framebuffer_bytes, err);
}

static int make_event(sd_event **ret_event)
{
	sd_event *event = NULL;
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_new(&event);
	if (r >= 0) /* no handler: exits the event loop with status 0 */
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r < 0) {
		sd_event_unref(event);
		return r;
	}
	*ret_event = event;
	return 0;
}

/*
 * Enter the sandbox: when the process has its sockets and memory, and before it
 * handles guest data. Then listen on @fd, a socket of our own, or -1.
 */
static int shut_in(int fd, struct vgpu_sandbox_report *report,
		   struct vgpu_err *err)
{
	int r = vgpu_sandbox_begin(VGPU_SANDBOX_DEVICE, 0, report, err);

	if (r >= 0)
		r = vgpu_sandbox_finish(VGPU_SANDBOX_DEVICE, /* root= */ -1,
					report, err);
	if (r >= 0 && fd >= 0 && listen(fd, 4) < 0)
		return vgpu_err_set(err, -errno, NULL, "cannot listen: %s",
				    strerror(errno));
	return r;
}

/* Use vgpud's launcher, or start one. */
static int find_launcher(struct vgpu_slots *slots, struct vgpu_err *err)
{
	int fd = -1;
	int r;

	if (vgpu_slots_get(slots, VGPU_SLOT_LAUNCHER) >= 0)
		return 0;
	r = vgpu_launch_spawn(&fd, err);
	if (r >= 0)
		vgpu_slots_put(slots, VGPU_SLOT_LAUNCHER, fd);
	return r;
}

/* For drivers that take dma-bufs only; the software GPU's is none of them. */
static int open_udmabuf(const struct vgpu_control_start *start)
{
	if (vgpu_render_is_software(start->gpu_uuid) ||
	    (!start->has_renderer && !start->is_for_container))
		return -ENODEV;
	return vgpu_udmabuf_open();
}

/* The reason for a positive status was printed already. */
static int run_loop(sd_event *event)
{
	int r = sd_event_loop(event);

	return r > 0 ? -ESHUTDOWN : r;
}

/*
 * Fill in @slots and *start, from the control socket or the options. *ret_fd is
 * a VMM's socket, or a listening one.
 */
static int begin_device(const struct vgpu_options *options,
			struct vgpu_slots *slots,
			struct vgpu_control_start *start, bool *ret_listens,
			int *ret_fd, int *ret_remover, struct vgpu_err *err)
{
	const char *path = options->vtest_path ? options->vtest_path
					       : options->socket_path;
	int fd = options->fd;
	int r;

	*ret_listens = true;
	if (options->control_fd >= 0) {
		r = vgpu_link_begin(options->control_fd, slots, start, err);
	} else if (options->mdev_path) {
		r = open_mdev(options->mdev_path, slots, err);
		if (r >= 0)
			r = configure_start(options, slots, start, err);
	} else {
		r = path ? bind_at(path, &fd, ret_remover, err)
			 : check_fd(fd, ret_listens, err);
		if (r >= 0 && *ret_listens)
			vgpu_slots_put(slots, VGPU_SLOT_LISTEN, fd);
		if (r >= 0)
			r = configure_start(options, slots, start, err);
	}
	if (r >= 0)
		r = start->has_renderer ? find_launcher(slots, err) : 0;
	if (r >= 0)
		*ret_fd = fd;
	return r;
}

/* @own: a socket of our own, which does not listen yet, or -1. */
static int serve_container(const struct vgpu_options *options, sd_event *event,
			   struct vgpu_slots *slots,
			   struct vgpu_device_config *config, int own,
			   struct vgpu_err *err)
{
	struct vgpu_container *container = NULL;
	int r;

	r = vgpu_container_create(event, slots, config, &container, err);
	if (r >= 0)
		r = shut_in(own, &config->sandbox, err);
	if (r >= 0)
		r = vgpu_container_serve(container, options->control_fd,
					 &config->sandbox, err);
	if (r >= 0)
		r = vgpu_seccomp_enter(VGPU_SANDBOX_DEVICE, -1, err);
	if (r < 0) {
		vgpu_container_destroy(container);
		return r;
	}
	r = run_loop(event);
	vgpu_container_destroy(container);
	return r < 0 ? vgpu_err_set(err, r, NULL, "%s", strerror(-r)) : 0;
}

static int serve(const struct vgpu_options *options, sd_event *event,
		 struct vgpu_slots *slots, int *ret_remover, struct vgpu_err *err)
{
	struct vgpu_device_config config = {
		.capset = &vgpu_venus_capset,
		.udmabuf = -ENODEV,
		.has_gfxstream = options->has_gfxstream,
	};
	struct vgpu_device *device = NULL;
	bool listens;
	int control = options->control_fd;
	int fd = -1, own;
	int r;

	r = begin_device(options, slots, &config.start, &listens, &fd,
			 ret_remover, err);
	if (r < 0)
		return r;
	config.udmabuf = open_udmabuf(&config.start);
	own = options->socket_path || options->vtest_path ? fd : -1;
	if (config.start.is_for_container)
		return serve_container(options, event, slots, &config, own, err);
	if (config.start.is_retired)
		control = vgpu_close(control);
	r = shut_in(own, &config.sandbox, err);
	if (r >= 0)
		r = vgpu_device_create(event, slots, &config, control, &device,
				       err);
	if (r < 0)
		return r;
	if (config.start.is_retired)
		vgpu_device_end_with_front_end(device);
	if (!listens)
		r = vgpu_device_serve_one(device, fd);
	if (r >= 0)
		r = vgpu_seccomp_enter(VGPU_SANDBOX_DEVICE, -1, err);
	if (r >= 0)
		r = run_loop(event);
	vgpu_device_destroy(device);
	return r < 0 ? vgpu_err_set(err, r, NULL, "%s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
	struct vgpu_options options;
	int remover = -1;
	struct vgpu_slots *slots = NULL;
	struct vgpu_err err = {};
	sd_event *event = NULL;
	int r;

	r = vgpu_options_parse(argc, argv, &options);
	if (r >= 0)
		return r;
	r = vgpu_harden(VGPU_MAX(options.fd, options.control_fd));
	if (r >= 0)
		r = make_event(&event);
	if (r >= 0)
		r = vgpu_slots_create(&slots);
	if (r < 0)
		vgpu_err_set(&err, r, NULL, "cannot begin: %s", strerror(-r));
	else
		r = serve(&options, event, slots, &remover, &err);
	if (r < 0)
		fprintf(stderr, "vgpu-device: %s\n", err.text);
	vgpu_remover_finish(remover);
	vgpu_slots_destroy(slots);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
