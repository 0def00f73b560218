/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-exporter: the figures of all vGPUs over HTTP, for Prometheus. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <systemd/sd-daemon.h>

#include "ctl/common/number.h"
#include "ctl/exporter/server.h"
#include "lib/err.h"
#include "lib/util.h"

enum { OPTION_SOCKET = 0x100, OPTION_LISTEN, OPTION_VERSION };

static int print_help(void)
{
	puts("usage: vgpu-exporter [--socket PATH] [--listen ADDRESS]\n"
	     "\n"
	     "Shows the figures of all vGPUs to Prometheus, at /metrics.\n"
	     "\n"
	     "  --socket PATH     the manager's socket; else $VGPU_SOCKET, else\n"
	     "                    " CTL_DEFAULT_SOCKET "\n"
	     "  --listen ADDRESS  unix:PATH, or 127.0.0.1:PORT, or [::1]:PORT; else the\n"
	     "                    sockets that systemd passes\n"
	     "  --help            print this\n"
	     "  --version         print the version");
	return EXIT_SUCCESS;
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "vgpu-exporter: %s: %s\n", what, strerror(-r));
	return EXIT_FAILURE;
}

static int listen_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	vgpu_autoclose int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	/* Whoever may connect is for the folder to say. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

/* Nothing here is encrypted, nor asks who is there: this machine alone. */
static int parse_loopback(const char *text, struct sockaddr_in6 *ret6,
			  struct sockaddr_in *ret4)
{
	const char *colon = strrchr(text, ':');
	uint32_t port;

	if (!colon || !ctl_number_parse(colon + 1, &port) || port == 0 ||
	    port > UINT16_MAX)
		return -EINVAL;
	if (strncmp(text, "127.0.0.1:", 10) == 0 && colon == text + 9)
		*ret4 = (struct sockaddr_in){.sin_family = AF_INET,
					     .sin_port = htons((uint16_t)port),
					     .sin_addr.s_addr =
						     htonl(INADDR_LOOPBACK)};
	else if (strncmp(text, "[::1]:", 6) == 0 && colon == text + 5)
		*ret6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
					      .sin6_port = htons((uint16_t)port),
					      .sin6_addr = in6addr_loopback};
	else
		return -EINVAL;
	return 0;
}

static int listen_loopback(const char *text, int *ret_fd)
{
	struct sockaddr_in6 address6 = {};
	struct sockaddr_in address4 = {};
	vgpu_autoclose int fd = -1;
	int r = parse_loopback(text, &address6, &address4);
	const int on = 1;

	if (r < 0)
		return r;
	fd = socket(address4.sin_family ? AF_INET : AF_INET6,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	r = address4.sin_family
		    ? bind(fd, (struct sockaddr *)&address4, sizeof(address4))
		    : bind(fd, (struct sockaddr *)&address6, sizeof(address6));
	if (r < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

static int listen_at(struct exporter_server *server, const char *address)
{
	int fd = -1;
	int r = strncmp(address, "unix:", 5) == 0
			? listen_unix(address + 5, &fd)
			: listen_loopback(address, &fd);

	return r < 0 ? r : exporter_server_listen(server, fd);
}

static int listen_at_passed(struct exporter_server *server)
{
	int n = sd_listen_fds(/* unset_environment= */ true);
	int r = 0;

	for (int i = 0; r >= 0 && i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
		r = exporter_server_listen(server, fd);
	}
	return r < 0 ? r : n;
}

static int serve(const char *socket, const char *address)
{
	__attribute__((cleanup(sd_event_unrefp))) sd_event *event = NULL;
	struct exporter_server *server = NULL;
	struct exporter_scrape scrape;
	int r, passed = 0;

	exporter_scrape_init(&scrape, socket);
	r = sd_event_default(&event);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGTERM | SD_EVENT_SIGNAL_PROCMASK,
					NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = exporter_server_create(event, &scrape, &server);
	if (r < 0)
		return fail("cannot start", r);
	r = address ? listen_at(server, address) : listen_at_passed(server);
	if (r < 0) {
		r = fail(address ? address : "the sockets that were passed", r);
	} else if (!address && r == 0) {
		fputs("vgpu-exporter: no socket was passed: use --listen\n",
		      stderr);
		r = 2;
	} else {
		sd_notify(0, "READY=1");
		passed = sd_event_loop(event);
		r = passed < 0 ? fail("the event loop failed", passed) : 0;
	}
	exporter_server_destroy(server);
	exporter_scrape_finish(&scrape);
	if (address && strncmp(address, "unix:", 5) == 0 && passed >= 0 && r == 0)
		unlink(address + 5);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, OPTION_SOCKET},
		{"listen", required_argument, NULL, OPTION_LISTEN},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPTION_VERSION},
		{},
	};
	const char *socket = getenv("VGPU_SOCKET"), *address = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_SOCKET:
			socket = optarg;
			break;
		case OPTION_LISTEN:
			address = optarg;
			break;
		case OPTION_VERSION:
			puts("vgpu-exporter " VGPU_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return print_help();
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vgpu-exporter: '%s' is one word too many\n",
			argv[optind]);
		return 2;
	}
	return serve(socket && socket[0] ? socket : CTL_DEFAULT_SOCKET, address);
}
