/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vgpu-device. */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "lib/type.h"
#include "lib/util.h"

#define EXIT_USAGE 2

#define HOST_VISIBLE_MIB_MAX (256 * 1024)

enum option_key {
	OPTION_SOCKET_PATH = 1,
	OPTION_FD,
	OPTION_CONTROL_FD,
	OPTION_MDEV,
	OPTION_VTEST,
	OPTION_HEADS,
	OPTION_MAX_RESOLUTION,
	OPTION_FRAMEBUFFER_MIB,
	OPTION_HOST_VISIBLE_MIB,
	OPTION_HOST_MEMORY_MIB,
	OPTION_RENDERER,
	OPTION_GFXSTREAM,
	OPTION_GPU_UUID,
	OPTION_UUID,
	OPTION_NAME,
	OPTION_PRINT_CAPABILITIES,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option options[] = {
	{"socket-path", required_argument, NULL, OPTION_SOCKET_PATH},
	{"fd", required_argument, NULL, OPTION_FD},
	{"control-fd", required_argument, NULL, OPTION_CONTROL_FD},
	{"mdev", required_argument, NULL, OPTION_MDEV},
	{"vtest", required_argument, NULL, OPTION_VTEST},
	{"heads", required_argument, NULL, OPTION_HEADS},
	{"max-resolution", required_argument, NULL, OPTION_MAX_RESOLUTION},
	{"framebuffer-mib", required_argument, NULL, OPTION_FRAMEBUFFER_MIB},
	{"host-visible-mib", required_argument, NULL, OPTION_HOST_VISIBLE_MIB},
	{"host-memory-mib", required_argument, NULL, OPTION_HOST_MEMORY_MIB},
	{"renderer", no_argument, NULL, OPTION_RENDERER},
	{"gfxstream", no_argument, NULL, OPTION_GFXSTREAM},
	{"gpu-uuid", required_argument, NULL, OPTION_GPU_UUID},
	{"uuid", required_argument, NULL, OPTION_UUID},
	{"name", required_argument, NULL, OPTION_NAME},
	{"print-capabilities", no_argument, NULL, OPTION_PRINT_CAPABILITIES},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{},
};

static const char help[] =
	"Usage: vgpu-device --socket-path PATH | --fd N | --mdev PATH |\n"
	"                   --control-fd N | --vtest PATH [OPTION...]\n"
	"One virtual GPU: a vhost-user back end, a mediated device of the kernel's,\n"
	"or for programs on this host.\n"
	"\n"
	"  --socket-path PATH      listen for a VMM at PATH\n"
	"  --fd N                  ... on the socket that is fd N, or serve the\n"
	"                          VMM that is connected to it and end with it\n"
	"  --mdev PATH             serve the mediated device of which this is the\n"
	"                          file: /dev/vgpu-mdev/UUID\n"
	"  --control-fd N          be told everything by vgpud, on fd N\n"
	"  --vtest PATH            listen at PATH for Vulkan programs without a VM\n"
	"                          (VN_DEBUG=vtest VTEST_SOCKET_NAME=PATH)\n"
	"  --uuid U, --name S      what to call it; vgpud says it besides\n"
	"\n"
	"With all but --control-fd:\n"
	"  --framebuffer-mib N     size of the framebuffer (256)\n"
	"  --host-memory-mib N     what Vulkan contexts may take of the host's\n"
	"                          memory beyond that (512)\n"
	"  --gpu-uuid U            Vulkan's deviceUUID of the GPU to use (the\n"
	"                          software one)\n"
	"  --gfxstream             offer Mesa's gfxstream driver its protocol, too\n"
	"With --socket-path, --fd or --mdev:\n"
	"  --heads N               virtual displays, 0 to 16 (1)\n"
	"  --max-resolution WxH    largest resolution of each (1920x1080)\n"
	"  --host-visible-mib N    size of the window into which the guest maps\n"
	"                          host memory, a power of two; 0 for none (0)\n"
	"  --renderer              the guest gets Vulkan; without a size given,\n"
	"                          the window is as large as that needs\n"
	"\n"
	"  --print-capabilities    say what this back end can do, as JSON\n"
	"  --help, --version\n";

/* vhost-user.json: the features of a gpu back end would be about rendering. */
static const char capabilities[] = "{\n"
				   "  \"type\": \"gpu\",\n"
				   "  \"features\": []\n"
				   "}\n";

__attribute__((format(printf, 1, 2))) static int usage(const char *fmt, ...)
{
	va_list args;

	fputs("vgpu-device: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs("; see vgpu-device --help\n", stderr);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max,
			 uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return false;
	*ret = value;
	return true;
}

static bool parse_resolution(const char *text, uint32_t *ret_width,
			     uint32_t *ret_height)
{
	char copy[32];
	char *x;
	uint64_t width, height;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	x = strchr(copy, 'x');
	if (!x)
		return false;
	*x = '\0';
	if (!parse_number(copy, 1, VGPU_DIMENSION_MAX, &width) ||
	    !parse_number(x + 1, 1, VGPU_DIMENSION_MAX, &height))
		return false;
	*ret_width = (uint32_t)width;
	*ret_height = (uint32_t)height;
	return true;
}

static int parse_one(int option, const char *arg, struct vgpu_options *o)
{
	struct vgpu_err err = {};
	uint64_t number;

	switch (option) {
	case OPTION_SOCKET_PATH:
		if (!*arg)
			return usage("--socket-path: a path is needed");
		o->socket_path = arg;
		return -1;
	case OPTION_MDEV:
		if (!*arg)
			return usage("--mdev: a path is needed");
		o->mdev_path = arg;
		return -1;
	case OPTION_VTEST:
		if (!*arg)
			return usage("--vtest: a path is needed");
		o->vtest_path = arg;
		return -1;
	case OPTION_FD:
	case OPTION_CONTROL_FD:
		if (!parse_number(arg, 3, INT_MAX - 1, &number))
			return usage("%s: '%s' is no fd number above 2",
				     option == OPTION_FD ? "--fd" : "--control-fd",
				     arg);
		*(option == OPTION_FD ? &o->fd : &o->control_fd) = (int)number;
		return -1;
	case OPTION_HEADS:
		if (!parse_number(arg, 0, VGPU_HEADS_MAX, &number))
			return usage("--heads: '%s' is not 0 to %u", arg,
				     VGPU_HEADS_MAX);
		o->heads = (uint32_t)number;
		return -1;
	case OPTION_MAX_RESOLUTION:
		if (!parse_resolution(arg, &o->max_width, &o->max_height))
			return usage("--max-resolution: '%s' is not WxH, each"
				     " 1 to %u",
				     arg, VGPU_DIMENSION_MAX);
		return -1;
	case OPTION_FRAMEBUFFER_MIB:
		if (!parse_number(arg, 1, VGPU_TYPE_FRAMEBUFFER_MIB_MAX, &number))
			return usage("--framebuffer-mib: '%s' is not 1 to %u",
				     arg, VGPU_TYPE_FRAMEBUFFER_MIB_MAX);
		o->framebuffer_bytes = number * VGPU_MIB;
		return -1;
	case OPTION_HOST_VISIBLE_MIB:
		if (!parse_number(arg, 0, HOST_VISIBLE_MIB_MAX, &number) ||
		    (number & (number - 1)))
			return usage("--host-visible-mib: '%s' is not a power"
				     " of two up to %u",
				     arg, HOST_VISIBLE_MIB_MAX);
		o->host_visible_bytes = number * VGPU_MIB;
		return -1;
	case OPTION_HOST_MEMORY_MIB:
		if (!parse_number(arg, VGPU_TYPE_HOST_MEMORY_MIB_MIN,
				  VGPU_TYPE_HOST_MEMORY_MIB_MAX, &number))
			return usage("--host-memory-mib: '%s' is not %u to %u",
				     arg, VGPU_TYPE_HOST_MEMORY_MIB_MIN,
				     VGPU_TYPE_HOST_MEMORY_MIB_MAX);
		o->host_memory_bytes = number * VGPU_MIB;
		return -1;
	case OPTION_RENDERER:
		o->has_renderer = true;
		return -1;
	case OPTION_GFXSTREAM:
		o->has_gfxstream = true;
		return -1;
	case OPTION_GPU_UUID:
		if (!vgpu_uuid_bytes(arg, o->gpu_uuid))
			return usage("--gpu-uuid: '%s' is not of the form"
				     " 8-4-4-4-12",
				     arg);
		return -1;
	case OPTION_UUID:
		if (vgpu_uuid_parse(arg, o->uuid, &err) < 0)
			return usage("--uuid: %s", err.text);
		return -1;
	case OPTION_NAME:
		if (vgpu_name_check(arg, &err) < 0)
			return usage("--name: %s", err.text);
		o->name = arg;
		return -1;
	case OPTION_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS;
	case OPTION_VERSION:
		puts("vgpu-device " VGPU_VERSION);
		return EXIT_SUCCESS;
	default:
		return usage("wrong option");
	}
}

/* --print-capabilities wins over all other options. */
static bool asks_capabilities(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--print-capabilities"))
			return true;
	return false;
}

int vgpu_options_parse(int argc, char **argv, struct vgpu_options *ret_options)
{
	struct vgpu_options *o = ret_options;
	int option;
	int r;

	*o = (struct vgpu_options){
		.fd = -1,
		.control_fd = -1,
		.heads = 1,
		.max_width = 1920,
		.max_height = 1080,
		.framebuffer_bytes = 256 * VGPU_MIB,
		.host_memory_bytes = VGPU_TYPE_HOST_MEMORY_MIB_DEFAULT * VGPU_MIB,
		.name = "vgpu",
	};
	if (asks_capabilities(argc, argv)) {
		fputs(capabilities, stdout);
		return EXIT_SUCCESS;
	}

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option == '?')
			return usage("unknown option '%s'", argv[optind - 1]);
		if (option == ':')
			return usage("option '%s' needs a value",
				     argv[optind - 1]);
		r = parse_one(option, optarg, o);
		if (r >= 0)
			return r;
	}
	if (optind < argc)
		return usage("unexpected argument '%s'", argv[optind]);
	if (!!o->socket_path + !!o->mdev_path + !!o->vtest_path + (o->fd >= 0) +
		    (o->control_fd >= 0) !=
	    1)
		return usage("exactly one of --socket-path, --fd, --mdev,"
			     " --control-fd and --vtest is needed");
	if (o->has_renderer && !o->host_visible_bytes)
		o->host_visible_bytes = vgpu_type_window(o->framebuffer_bytes);
	return -1;
}
