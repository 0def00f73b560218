/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Those that connect, and what they share. */
#include "vtest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "device/render/launcher.h"
#include "device/vtest/internal.h"
#include "lib/util.h"

/* Connections of a vGPU, for each context that it can have. */
#define CONNECTIONS_PER_CONTEXT 2U
/* Connections without a context of one process; its newest ones are kept. */
#define SILENT_PER_PROCESS 16U

/* Fds: of the device itself; of a context and its connections; its least. */
#define FDS_OF_DEVICE 128U
/*
 * Process, two sockets to it, a pair on its way; the connections' sockets and
 * answers; memfds with commands.
 */
#define FDS_OF_CONTEXT                                                         \
	(6 + 2 * CONNECTIONS_PER_CONTEXT +                                     \
	 VGPU_RENDER_QUEUE_BYTES_MAX / VGPU_RENDER_BULK_BYTES_MIN)
#define FDS_OF_CLIENT_MIN 128U
/* More than clients could use within their other limits. */
#define FDS_MAX (1U << 20)

/* Limits wake-ups by a connection that cannot be accepted for want of an fd. */
#define ACCEPTS_PER_S 1000

void vgpu_vtest_fault(struct vgpu_vtest *vtest, const char *fmt, ...)
{
	struct vgpu_err line = {};
	char text[VGPU_ERR_TEXT_MAX];
	va_list args;

	if (!vtest->config.ops)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	vgpu_err_set(&line, -EPROTO, NULL, "%s", text); /* printable */
	vtest->config.ops->fault(vtest->config.opaque, line.text);
}

void vgpu_vtest_changed(struct vgpu_vtest *vtest)
{
	if (vtest->config.ops)
		vtest->config.ops->changed(vtest->config.opaque);
}

void vgpu_vtest_status(const struct vgpu_vtest *vtest,
		       struct vgpu_control_status *status)
{
	const struct connection *c = TAILQ_FIRST(&vtest->connections);

	while (c && !c->render)
		c = TAILQ_NEXT(c, link);
	status->link = c ? VGPU_LINK_ATTACHED : VGPU_LINK_LISTENING;
	status->peer_pid = c ? c->pid : 0;
	status->commands = vtest->commands;
	status->errors = vtest->errors;
	status->framebuffer_used_bytes = vgpu_own_memory_used(vtest->memory);
}

void vgpu_vtest_figures(const struct vgpu_vtest *vtest,
			struct vgpu_figures *figures)
{
	const struct connection *c;

	*figures = vtest->figures;
	figures->is_known = 1;
	figures->contexts = 0;
	for (c = TAILQ_FIRST(&vtest->connections); c; c = TAILQ_NEXT(c, link))
		figures->contexts += c->render && c->phase < LOST;
}

/* The read end of a pipe that nobody writes to: poll() finds POLLHUP alone. */
static int make_never_ready(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	close(fds[1]);
	return fds[0];
}

/*
 * Divide the process's limit of fds, so that all limits together fit into it.
 */
static void divide_fds(struct vgpu_vtest *vtest)
{
	struct rlimit limit = {};
	uint32_t n, contexts;

	getrlimit(RLIMIT_NOFILE, &limit);
	n = (uint32_t)VGPU_MIN(limit.rlim_cur, (rlim_t)FDS_MAX);
	n -= VGPU_MIN(n, FDS_OF_DEVICE);
	contexts = n / (FDS_OF_CONTEXT + FDS_OF_CLIENT_MIN);
	contexts = VGPU_MIN(contexts, VGPU_VTEST_CONTEXTS_MAX);
	vtest->contexts_max = VGPU_MAX(contexts, 1U);
	vtest->connections_max = CONNECTIONS_PER_CONTEXT * vtest->contexts_max;
	n -= VGPU_MIN(n, FDS_OF_CONTEXT * vtest->contexts_max);
	vgpu_fd_pool_init(&vtest->fds, n, 2 * vtest->contexts_max);
}

static struct vgpu_fd_share *find_fds(void *opaque,
				      const struct vgpu_render *context)
{
	struct vgpu_vtest *vtest = opaque;
	struct connection *c;

	for (c = TAILQ_FIRST(&vtest->connections); c; c = TAILQ_NEXT(c, link))
		if (c->render == context)
			return c->memory_fds;
	return NULL;
}

/* Count connections without a context of @than's process. */
static uint32_t count_silent(const struct vgpu_vtest *vtest,
			     const struct connection *than)
{
	const struct connection *c;
	uint32_t n = 0;

	for (c = TAILQ_FIRST(&vtest->connections); c; c = TAILQ_NEXT(c, link))
		n += c->phase < STARTED && vgpu_connection_is_of_same(c, than);
	return n;
}

/*
 * Choose the connection to close: one without a context, of the process that
 * has most of these (or of @process's, if not NULL), and of these the oldest in
 * the earliest phase.
 */
static struct connection *find_silent(const struct vgpu_vtest *vtest,
				      const struct connection *process)
{
	struct connection *c, *found = NULL;
	uint32_t n, most = 0;

	for (c = TAILQ_FIRST(&vtest->connections); c; c = TAILQ_NEXT(c, link)) {
		if (c->phase >= STARTED ||
		    (process && !vgpu_connection_is_of_same(c, process)))
			continue;
		n = count_silent(vtest, c);
		if (found && (n < most || (n == most && c->phase >= found->phase)))
			continue;
		found = c;
		most = n;
	}
	return found;
}

/* Returns whether another can be served. */
static bool make_room(struct vgpu_vtest *vtest)
{
	struct connection *silent;

	if (vtest->n_connections < vtest->connections_max)
		return true;
	silent = find_silent(vtest, /* process= */ NULL);
	if (silent)
		vgpu_connection_evict(silent);
	return silent;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_vtest *vtest = opaque;
	int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const struct connection *newest;
	int r;

	if (socket < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			vgpu_vtest_fault(vtest, "cannot accept a client: %s",
					 strerror(errno));
		return 0;
	}
	if (!make_room(vtest)) {
		vgpu_vtest_fault(vtest, "a client more than %u is sent away",
				 vtest->connections_max);
		vgpu_close(socket);
		return 0;
	}
	r = vgpu_connection_create(vtest, socket);
	if (r < 0) {
		vgpu_vtest_fault(vtest, "cannot serve a client: %s",
				 strerror(-r));
		return 0;
	}
	newest = TAILQ_LAST(&vtest->connections, connections);
	if (count_silent(vtest, newest) > SILENT_PER_PROCESS)
		vgpu_connection_evict(find_silent(vtest, newest));
	return 0;
}

int vgpu_vtest_create(sd_event *event, int socket,
		      const struct vgpu_vtest_config *config,
		      struct vgpu_vtest **ret_vtest, struct vgpu_err *err)
{
	struct vgpu_vtest *vtest = malloc(sizeof(*vtest));
	int r;

	if (!vtest)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	*vtest = (struct vgpu_vtest){.event = event, .config = *config};
	TAILQ_INIT(&vtest->connections);
	divide_fds(vtest);
	vtest->spare = vgpu_render_spare_new();
	vtest->always_ready = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r = vtest->always_ready < 0 ? -errno : 0;
	vtest->never_ready = make_never_ready();
	if (r >= 0 && vtest->never_ready < 0)
		r = vtest->never_ready;
	if (r >= 0)
		r = vgpu_launcher_create(
			event, config->launcher_fd, config->launcher_ops,
			config->launcher_opaque, &vtest->launcher);
	/* Contexts of a predecessor. */
	if (r >= 0)
		vgpu_launcher_end_others(vtest->launcher);
	if (r >= 0)
		r = vgpu_own_memory_create(config->framebuffer_bytes,
					   config->reserve, config->udmabuf >= 0,
					   find_fds, vtest, &vtest->memory);
	if (r >= 0)
		r = vgpu_host_memory_create(
			event, config->host_memory_bytes,
			config->framebuffer_bytes,
			vgpu_render_is_software(config->gpu_uuid),
			&vtest->host_memory);
	if (r >= 0)
		r = sd_event_add_io(event, &vtest->on_connect, socket, EPOLLIN,
				    on_connect, vtest);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(vtest->on_connect,
						  1000 * 1000, ACCEPTS_PER_S);
	if (r < 0) {
		vgpu_vtest_destroy(vtest);
		return vgpu_err_set(err, r, NULL, "cannot serve vtest: %s",
				    strerror(-r));
	}
	*ret_vtest = vtest;
	return 0;
}

void vgpu_vtest_destroy(struct vgpu_vtest *vtest)
{
	if (!vtest)
		return;
	sd_event_source_disable_unref(vtest->on_connect);
	while (!TAILQ_EMPTY(&vtest->connections))
		vgpu_connection_destroy(TAILQ_FIRST(&vtest->connections));
	vgpu_render_spare_free(vtest->spare);
	vgpu_launcher_destroy(vtest->launcher);
	vgpu_host_memory_destroy(vtest->host_memory);
	vgpu_own_memory_destroy(vtest->memory);
	vgpu_close(vtest->always_ready);
	vgpu_close(vtest->never_ready);
	free(vtest);
}
