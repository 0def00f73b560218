/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Those that connect, and what they share. */
#include "vtest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "device/vtest/internal.h"
#include "lib/util.h"

#define LINES_MAX	10
#define LINES_PERIOD_US (10 * 1000 * 1000ULL)
/* With no fd left for it, who waits to be accepted would keep us awake. */
#define ACCEPTS_PER_S 1000

void vgpu_vtest_log(struct vgpu_vtest *vtest, const char *fmt, ...)
{
	struct vgpu_err line = {};
	char text[VGPU_ERR_TEXT_MAX];
	uint64_t now = 0;
	va_list args;

	sd_event_now(vtest->event, CLOCK_MONOTONIC, &now);
	if (now - vtest->lines_since > LINES_PERIOD_US) {
		vtest->lines_since = now;
		vtest->lines = 0;
	}
	if (vtest->lines == LINES_MAX) {
		vtest->lines_left_out++;
		return;
	}
	vtest->lines++;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	vgpu_err_set(&line, -EPROTO, NULL, "%s", text); /* printable */
	if (vtest->lines_left_out)
		fprintf(stderr, "vgpu-device %s: %s (%u such lines left out)\n",
			vtest->config.name, line.text, vtest->lines_left_out);
	else
		fprintf(stderr, "vgpu-device %s: %s\n", vtest->config.name,
			line.text);
	vtest->lines_left_out = 0;
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

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_vtest *vtest = opaque;
	int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	if (socket < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			vgpu_vtest_log(vtest, "cannot accept a client: %s",
				       strerror(errno));
		return 0;
	}
	if (vtest->n_connections >= VGPU_VTEST_CONNECTIONS_MAX) {
		vgpu_vtest_log(vtest, "a client more than %u is sent away",
			       VGPU_VTEST_CONNECTIONS_MAX);
		vgpu_close(socket);
		return 0;
	}
	r = vgpu_connection_create(vtest, socket);
	if (r < 0)
		vgpu_vtest_log(vtest, "cannot serve a client: %s", strerror(-r));
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
	vtest->spare = vgpu_render_spare_new();
	vtest->always_ready = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r = vtest->always_ready < 0 ? -errno : 0;
	vtest->never_ready = make_never_ready();
	if (r >= 0 && vtest->never_ready < 0)
		r = vtest->never_ready;
	if (r >= 0)
		r = vgpu_own_memory_create(config->framebuffer_bytes,
					   &vtest->memory);
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
	vgpu_own_memory_destroy(vtest->memory);
	vgpu_close(vtest->always_ready);
	vgpu_close(vtest->never_ready);
	free(vtest);
}
