/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-exporter: the figures of all vGPUs over HTTP, for Prometheus. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "ctl/common/listen.h"
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

static int listen_at(struct exporter_server *server, const char *address)
{
	int fd = -1;
	int r = ctl_listen_at(address, &fd);

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
	if (address && passed >= 0 && r == 0)
		ctl_listen_remove(address);
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
