/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpud, the vGPU manager: options, signals, and the event loop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "manager/host/closer.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager.h"

static void print_help(void)
{
	puts("usage: vgpud [OPTION]...\n"
	     "Manage the vGPUs of this machine, over varlink: io.openvgpu.Manager.\n"
	     "\n"
	     "  --state-dir DIR    keep definitions here (" VGPU_PATH_STATE ")\n"
	     "  --runtime-dir DIR  make sockets here (" VGPU_PATH_RUNTIME ")\n"
	     "  --config FILE      configuration (" VGPU_CONFIG_PATH ")\n"
	     "  --types FILE       types of vGPUs (types.ini beside the configuration\n"
	     "                     file, else " VGPU_DATADIR "/types.ini)\n"
	     "  --check            read the configuration and the types, say what is wrong\n"
	     "                     with them, and end\n"
	     "  --sysfs DIR        look for GPUs here, for tests (/sys)\n"
	     "  --devices DIR      see here that GPUs come and go, for tests (/dev)\n"
	     "  --help             this text\n"
	     "  --version          the version\n"
	     "\n"
	     "SIGHUP reads the types again, and tries again what a GPU's driver refused.\n"
	     "SIGTERM and SIGINT end vgpud, but no vGPU: the next vgpud on these folders goes\n"
	     "on with them.");
}

/* Returns 1 to go on, 2 to check only, or else -(exit status). */
static int parse_options(int argc, char **argv,
			 struct vgpu_manager_options *options)
{
	int ret = 1;
	static const struct option long_options[] = {
		{"state-dir", required_argument, NULL, 's'},
		{"runtime-dir", required_argument, NULL, 'r'},
		{"config", required_argument, NULL, 'c'},
		{"types", required_argument, NULL, 't'},
		{"check", no_argument, NULL, 'C'},
		{"sysfs", required_argument, NULL, 'S'},
		{"devices", required_argument, NULL, 'D'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			options->state = optarg;
			break;
		case 'r':
			options->runtime = optarg;
			break;
		case 'c':
			options->config = optarg;
			break;
		case 't':
			options->types = optarg;
			break;
		case 'C':
			ret = 2;
			break;
		case 'S':
			options->sysfs = optarg;
			break;
		case 'D':
			options->devices = optarg;
			break;
		case 'h':
			print_help();
			return 0;
		case 'V':
			puts("vgpud " VGPU_VERSION);
			return 0;
		default:
			fputs("try `vgpud --help`\n", stderr);
			return -2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vgpud: '%s' is no option: try `vgpud --help`\n",
			argv[optind]);
		return -2;
	}
	return ret;
}

static int check_options(const struct vgpu_manager_options *options)
{
	struct vgpu_err err = {};

	if (vgpu_manager_check(options, &err) >= 0)
		return 0;
	vgpu_log("%s", err.text);
	return 1;
}

/* A vGPU takes some twenty fds, and one for each framebuffer segment. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int on_hangup(sd_event_source *source,
		     const struct signalfd_siginfo *info, void *userdata)
{
	vgpu_manager_reload(userdata);
	return 0;
}

/* Blocks the signals too, before there is another thread. */
static int add_signals(sd_event *event, struct vgpu_manager *manager)
{
	int r;

	r = sd_event_add_signal(event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK,
				NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL,
					SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
					on_hangup, manager);
	return r;
}

static int run_manager(const struct vgpu_manager_options *options)
{
	__attribute__((cleanup(sd_event_unrefp))) sd_event *event = NULL;
	struct vgpu_manager *manager = calloc(1, sizeof(*manager));
	struct vgpu_err err = {};
	int r;

	if (!manager) {
		vgpu_log("out of memory");
		return 1;
	}
	r = sd_event_default(&event);
	if (r >= 0)
		r = add_signals(event, manager);
	if (r >= 0)
		r = vgpu_closer_start();
	if (r < 0) {
		vgpu_log("no event loop: %s", strerror(-r));
		free(manager);
		return 1;
	}

	r = vgpu_manager_init(manager, event, options, &err);
	if (r < 0) {
		vgpu_log("%s", err.text);
		free(manager);
		return 1;
	}
	r = vgpu_manager_start(manager, &err);
	if (r < 0)
		vgpu_log("%s", err.text);
	else
		r = sd_event_loop(event);
	sd_notify(0, "STOPPING=1");
	vgpu_manager_finish(manager);
	free(manager);
	return r < 0 ? 1 : r;
}

int main(int argc, char **argv)
{
	struct vgpu_manager_options options = {
		.state = VGPU_PATH_STATE,
		.runtime = VGPU_PATH_RUNTIME,
	};
	int r;

	r = parse_options(argc, argv, &options);
	if (r <= 0)
		return -r;
	if (r == 2)
		return check_options(&options);
	/* Permissions are set where sockets are created, not by this umask. */
	umask(0007);
	/*
	 * This process holds all vGPUs' fds: keep other processes of the same
	 * user from them.
	 */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error, no more */
	raise_fd_limit();
	return run_manager(&options);
}
