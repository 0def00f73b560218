/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-web: the consoles of vGPUs in a browser. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <systemd/sd-daemon.h>

#include "ctl/common/listen.h"
#include "ctl/web/server.h"
#include "lib/util.h"

enum {
	OPTION_LISTEN = 0x100,
	OPTION_AGENTS,
	OPTION_URL,
	OPTION_PAGE,
	OPTION_NOVNC,
	OPTION_VERSION,
};

#define DEFAULT_PAGE  VGPU_DATADIR "/web"
#define DEFAULT_NOVNC "/usr/share/novnc"
/* Of one that listens on a socket only: a port is forwarded to that by ssh. */
#define DEFAULT_URL "http://localhost:9847"
#define URL_MAX	    250

struct options {
	const char *listen;
	const char *agents;
	const char *url;
	struct web_files files;
};

static int print_help(void)
{
	puts("usage: vgpu-web [--listen ADDRESS --agents PATH] [--url URL]\n"
	     "\n"
	     "Shows the consoles of vGPUs in browsers that have a link of 'vgpuctl console'.\n"
	     "\n"
	     "  --listen ADDRESS  unix:PATH, or 127.0.0.1:PORT, or [::1]:PORT; else the\n"
	     "                    sockets that systemd passes\n"
	     "  --agents PATH     the socket that vgpuctl connects to; else of systemd's\n"
	     "                    the one of packets\n"
	     "  --url URL         what links begin with, if browsers reach it by another\n"
	     "                    server: https://HOST\n"
	     "  --page FOLDER     the page's files; else " DEFAULT_PAGE "\n"
	     "  --novnc FOLDER    noVNC's; else " DEFAULT_NOVNC "\n"
	     "  --help            print this\n"
	     "  --version         print the version");
	return EXIT_SUCCESS;
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "vgpu-web: %s: %s\n", what, strerror(-r));
	return EXIT_FAILURE;
}

/* The sockets to listen on, each once. */
struct sockets {
	int agents;
	int http[SD_LISTEN_FDS_START + 5];
	size_t n_http;
};

static void close_sockets(struct sockets *sockets)
{
	sockets->agents = vgpu_close(sockets->agents);
	while (sockets->n_http > 0)
		vgpu_close(sockets->http[--sockets->n_http]);
}

static int take_socket(struct sockets *sockets, int fd)
{
	vgpu_autoclose int ours = fd;
	socklen_t bytes = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	if (type == SOCK_SEQPACKET && sockets->agents < 0)
		sockets->agents = vgpu_steal_fd(&ours);
	else if (type == SOCK_STREAM &&
		 sockets->n_http < VGPU_ARRAY_SIZE(sockets->http))
		sockets->http[sockets->n_http++] = vgpu_steal_fd(&ours);
	else
		return -EPROTOTYPE;
	return 0;
}

static int open_sockets(const struct options *options, struct sockets *ret)
{
	int n = sd_listen_fds(/* unset_environment= */ true);
	int r = VGPU_MIN(n, 0), fd;

	for (int i = 0; r >= 0 && i < n; i++)
		r = take_socket(ret, SD_LISTEN_FDS_START + i);
	if (r >= 0 && options->listen) {
		r = ctl_listen_at(options->listen, &fd);
		r = r < 0 ? r : take_socket(ret, fd);
	}
	if (r >= 0 && options->agents) {
		r = ctl_listen_unix(options->agents, SOCK_SEQPACKET, &fd);
		r = r < 0 ? r : take_socket(ret, fd);
	}
	if (r >= 0 && (ret->agents < 0 || ret->n_http == 0))
		r = -EDESTADDRREQ;
	return r;
}

/* The first port, as a browser on this machine has it. */
static void make_url(const struct sockets *sockets, char url[URL_MAX])
{
	for (size_t i = 0; i < sockets->n_http; i++) {
		struct sockaddr_storage address = {};
		socklen_t bytes = sizeof(address);
		const struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
		const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

		if (getsockname(sockets->http[i], (struct sockaddr *)&address,
				&bytes) < 0)
			continue;
		if (address.ss_family == AF_INET)
			snprintf(url, URL_MAX, "http://127.0.0.1:%u",
				 ntohs(v4->sin_port));
		else if (address.ss_family == AF_INET6)
			snprintf(url, URL_MAX, "http://[::1]:%u",
				 ntohs(v6->sin6_port));
		else
			continue;
		return;
	}
	snprintf(url, URL_MAX, DEFAULT_URL);
}

/* "http[s]://HOST[:PORT]", as a browser's Origin is. */
static bool is_url(const char *url)
{
	const char *host = strstr(url, "://");

	return strlen(url) < URL_MAX && host && host[3] &&
	       (strncmp(url, "http:", 5) == 0 || strncmp(url, "https:", 6) == 0) &&
	       !strpbrk(host + 3, "/?#@ ");
}

static int listen_all(struct web_server *server, struct web_sessions *sessions,
		      struct sockets *sockets)
{
	int r = web_sessions_listen(sessions, vgpu_steal_fd(&sockets->agents));

	while (r >= 0 && sockets->n_http > 0)
		r = web_server_listen(server, sockets->http[--sockets->n_http]);
	return r;
}

static int run(const struct options *options, sd_event *event,
	       struct sockets *sockets)
{
	struct web_sessions *sessions = NULL;
	struct web_server *server = NULL;
	char url[URL_MAX];
	int r;

	make_url(sockets, url);
	if (options->url)
		snprintf(url, sizeof(url), "%s", options->url);
	r = web_sessions_create(event, url, &sessions);
	if (r >= 0)
		r = web_server_create(
			&(struct web_server_config){.event = event,
						    .files = options->files,
						    .sessions = sessions,
						    .url = url},
			&server);
	if (r >= 0)
		r = listen_all(server, sessions, sockets);
	if (r >= 0) {
		sd_notify(0, "READY=1");
		r = web_server_run(server);
	}
	/* Whoever waits is answered before the server ends. */
	web_sessions_destroy(sessions);
	web_server_destroy(server);
	return r;
}

static int serve(const struct options *options)
{
	__attribute__((cleanup(sd_event_unrefp))) sd_event *event = NULL;
	struct sockets sockets = {.agents = -1};
	int r = sd_event_default(&event);

	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGTERM | SD_EVENT_SIGNAL_PROCMASK,
					NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r < 0)
		return fail("cannot start", r);
	r = open_sockets(options, &sockets);
	if (r == -EDESTADDRREQ) {
		close_sockets(&sockets);
		fputs("vgpu-web: no sockets were passed: use --listen and --agents\n",
		      stderr);
		return 2;
	}
	if (r < 0) {
		close_sockets(&sockets);
		return fail("cannot listen", r);
	}
	r = run(options, event, &sockets);
	close_sockets(&sockets);
	if (options->listen)
		ctl_listen_remove(options->listen);
	if (options->agents)
		unlink(options->agents);
	return r < 0 ? fail("cannot serve", r) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"listen", required_argument, NULL, OPTION_LISTEN},
		{"agents", required_argument, NULL, OPTION_AGENTS},
		{"url", required_argument, NULL, OPTION_URL},
		{"page", required_argument, NULL, OPTION_PAGE},
		{"novnc", required_argument, NULL, OPTION_NOVNC},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPTION_VERSION},
		{},
	};
	struct options options = {
		.files = {.page = DEFAULT_PAGE, .novnc = DEFAULT_NOVNC}};
	int option;

	while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		switch (option) {
		case OPTION_LISTEN:
			options.listen = optarg;
			break;
		case OPTION_AGENTS:
			options.agents = optarg;
			break;
		case OPTION_URL:
			options.url = optarg;
			break;
		case OPTION_PAGE:
			options.files.page = optarg;
			break;
		case OPTION_NOVNC:
			options.files.novnc = optarg;
			break;
		case OPTION_VERSION:
			puts("vgpu-web " VGPU_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return print_help();
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vgpu-web: '%s' is one word too many\n",
			argv[optind]);
		return 2;
	}
	if (options.url && !is_url(options.url)) {
		fprintf(stderr,
			"vgpu-web: --url takes http://HOST[:PORT] or https://HOST[:PORT], not '%s'\n",
			options.url);
		return 2;
	}
	return serve(&options);
}
