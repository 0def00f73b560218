/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: options anywhere, one command, its words. */
#include "ctl/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "ctl/common/remote.h"
#include "lib/util.h"

enum {
	OPTION_SOCKET = 0x100,
	OPTION_VERSION,
	OPTION_HOST,
	OPTION_COMMAND = 0x1000, /* + enum ctl_option */
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"host", required_argument, NULL, OPTION_HOST},
	{"json", optional_argument, NULL, OPTION_COMMAND + CTL_OPTION_JSON},
	{"gpu", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_GPU},
	{"type", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_TYPE},
	{"name", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_NAME},
	{"uuid", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_UUID},
	{"force", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_FORCE},
	{"head", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_HEAD},
	{"follow", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_FOLLOW},
	{"placement", required_argument, NULL,
	 OPTION_COMMAND + CTL_OPTION_PLACEMENT},
	{"weight", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_WEIGHT},
	{"frame-rate-limit", required_argument, NULL,
	 OPTION_COMMAND + CTL_OPTION_FRAME_RATE_LIMIT},
	{"time-slice", required_argument, NULL,
	 OPTION_COMMAND + CTL_OPTION_TIME_SLICE},
	{"memory", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_MEMORY},
	{"libvirt", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_LIBVIRT},
	{"display", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_DISPLAY},
	{"no-input", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_NO_INPUT},
	{"view-only", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_VIEW_ONLY},
	{"password", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_PASSWORD},
	{"web", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_WEB},
	{"autostart", required_argument, NULL,
	 OPTION_COMMAND + CTL_OPTION_AUTOSTART},
	{"mode", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_MODE},
	{"all", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_ALL},
	{"file", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_FILE},
	{"new-ids", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_NEW_IDS},
	{"config", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_CONFIG},
	{"dry-run", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_DRY_RUN},
	{"owner", required_argument, NULL, OPTION_COMMAND + CTL_OPTION_OWNER},
	{"transport", required_argument, NULL,
	 OPTION_COMMAND + CTL_OPTION_TRANSPORT},
	{"prometheus", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_PROMETHEUS},
	{"report", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_REPORT},
	{"container", no_argument, NULL, OPTION_COMMAND + CTL_OPTION_CONTAINER},
	{},
};

static const char *option_name(enum ctl_option option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == OPTION_COMMAND + (int)option)
			return o->name;
	return "?";
}

static enum ctl_value value_of(unsigned int option)
{
	switch (option) {
	case CTL_OPTION_JSON:
		return CTL_VALUE_FORMAT;
	case CTL_OPTION_GPU:
		return CTL_VALUE_GPU;
	case CTL_OPTION_TYPE:
		return CTL_VALUE_TYPE;
	case CTL_OPTION_HEAD:
		return CTL_VALUE_HEAD;
	case CTL_OPTION_MODE:
		return CTL_VALUE_MODE;
	case CTL_OPTION_AUTOSTART:
		return CTL_VALUE_SWITCH;
	case CTL_OPTION_MEMORY:
		return CTL_VALUE_MEMORY;
	case CTL_OPTION_FILE:
		return CTL_VALUE_FILE;
	case CTL_OPTION_TRANSPORT:
		return CTL_VALUE_TRANSPORT;
	default:
		return CTL_VALUE_ANY;
	}
}

bool ctl_option_at(size_t i, struct ctl_option_info *ret)
{
	const struct option *o;

	if (i + 1 >= VGPU_ARRAY_SIZE(long_options))
		return false;
	o = &long_options[i];
	*ret = (struct ctl_option_info){
		.name = o->name,
		.is_first = o->val == OPTION_VERSION,
		.has_value = o->has_arg == required_argument,
		.value = o->val == OPTION_SOCKET ? CTL_VALUE_FILE : CTL_VALUE_ANY,
	};
	if (o->val >= OPTION_COMMAND) {
		ret->option = (unsigned int)o->val - OPTION_COMMAND;
		ret->value = value_of(ret->option);
	}
	return true;
}

/* Returns false, with a line printed, if @value makes no sense. */
static bool option_set(struct ctl *ctl, enum ctl_option option, char *value)
{
	switch (option) {
	case CTL_OPTION_JSON:
		if (!value || strcmp(value, "pretty") == 0)
			ctl->format = CTL_JSON_PRETTY;
		else if (strcmp(value, "short") == 0)
			ctl->format = CTL_JSON_SHORT;
		else
			return ctl_complain(
				"--json takes 'pretty' or 'short', not '%s'",
				value);
		return true;
	case CTL_OPTION_GPU:
		ctl->gpu = value;
		return true;
	case CTL_OPTION_TYPE:
		ctl->type = value;
		return true;
	case CTL_OPTION_NAME:
		ctl->name = value;
		return true;
	case CTL_OPTION_UUID:
		ctl->uuid = value;
		return true;
	case CTL_OPTION_OWNER:
		ctl->owner = value;
		return true;
	case CTL_OPTION_TRANSPORT:
		ctl->transport = value;
		return true;
	case CTL_OPTION_CONTAINER:
		ctl->container = true;
		return true;
	case CTL_OPTION_PROMETHEUS:
		ctl->prometheus = true;
		return true;
	case CTL_OPTION_REPORT:
		ctl->report = true;
		return true;
	case CTL_OPTION_FORCE:
		ctl->force = true;
		return true;
	case CTL_OPTION_HEAD:
		ctl->has_head = true;
		return ctl_number_parse(value, &ctl->head) ||
		       ctl_complain(
			       "--head takes a number, counted from 0, not '%s'",
			       value);
	case CTL_OPTION_FOLLOW:
		ctl->follow = true;
		return true;
	case CTL_OPTION_PLACEMENT:
		ctl->has_placement = true;
		return ctl_number_parse(value, &ctl->placement) ||
		       ctl_complain("--placement takes a number, not '%s'",
				    value);
	case CTL_OPTION_WEIGHT:
		ctl->has_weight = true;
		return ctl_number_parse(value, &ctl->weight) ||
		       ctl_complain("--weight takes a number, not '%s'", value);
	case CTL_OPTION_FRAME_RATE_LIMIT:
		ctl->has_frame_rate_limit = true;
		return ctl_number_parse(value, &ctl->frame_rate_limit) ||
		       ctl_complain("--frame-rate-limit takes a number, not '%s'",
				    value);
	case CTL_OPTION_TIME_SLICE:
		ctl->has_time_slice = true;
		return ctl_number_parse(value, &ctl->time_slice) ||
		       ctl_complain("--time-slice takes a number of ms, not '%s'",
				    value);
	case CTL_OPTION_MEMORY:
		return ctl_memory_parse(value, &ctl->memory_mib) ||
		       ctl_complain(
			       "--memory takes a size as 4G or 4096M, not '%s'",
			       value);
	case CTL_OPTION_LIBVIRT:
		ctl->libvirt = true;
		return true;
	case CTL_OPTION_DISPLAY:
		ctl->display = true;
		return true;
	case CTL_OPTION_NO_INPUT:
		ctl->no_input = true;
		return true;
	case CTL_OPTION_VIEW_ONLY:
		ctl->view_only = true;
		return true;
	case CTL_OPTION_PASSWORD:
		ctl->password = true;
		return true;
	case CTL_OPTION_WEB:
		ctl->web = true;
		return true;
	case CTL_OPTION_AUTOSTART:
		ctl->has_autostart = true;
		return ctl_switch_parse(value, &ctl->autostart) ||
		       ctl_complain("--autostart takes 'on' or 'off', not '%s'",
				    value);
	case CTL_OPTION_MODE:
		ctl->has_mode = true;
		return ctl_size_parse(value, &ctl->width, &ctl->height) ||
		       ctl_complain(
			       "--mode takes WIDTHxHEIGHT, as in 1920x1080, not '%s'",
			       value);
	case CTL_OPTION_ALL:
		ctl->all = true;
		return true;
	case CTL_OPTION_FILE:
		ctl->file = value;
		return true;
	case CTL_OPTION_NEW_IDS:
		ctl->new_ids = true;
		return true;
	case CTL_OPTION_CONFIG:
		ctl->config = value;
		return true;
	case CTL_OPTION_DRY_RUN:
		ctl->dry_run = true;
		return true;
	}
	return false;
}

/*
 * --json takes no value, or one behind '='. Behind a space, where it was taken
 * once, it is still known.
 */
static char *take_json_value(int argc, char **argv)
{
	if (optarg || optind == argc ||
	    (strcmp(argv[optind], "pretty") != 0 &&
	     strcmp(argv[optind], "short") != 0))
		return optarg;
	return argv[optind++];
}

/* The option that getopt_long has just stumbled over, as it was written. */
static const char *stumbled_over(char **argv, char buffer[static 3])
{
	/* A short one lies inside its word, which getopt may not have left. */
	if (optopt > 0 && optopt < 0x100) {
		buffer[0] = '-';
		buffer[1] = optopt;
		buffer[2] = '\0';
		return buffer;
	}
	return argv[optind - 1];
}

static bool check_words(struct ctl *ctl, const struct ctl_command *command,
			char **words, unsigned int count)
{
	if (count < command->min_words)
		return ctl_complain("%s needs more: vgpuctl %s %s",
				    command->name, command->name, command->words);
	if (count > command->max_words)
		return ctl_complain(
			"'%s' is one word too many for %s; see 'vgpuctl %s --help'",
			words[command->max_words], command->name, command->name);
	for (unsigned int i = 0; i < count; i++)
		ctl->words[i] = words[i];
	return true;
}

bool ctl_options_parse(struct ctl *ctl, int argc, char **argv,
		       const struct ctl_command **ret_command,
		       enum ctl_exit *ret_exit)
{
	const struct ctl_command *command;
	unsigned int seen = 0;
	bool wants_help = false;
	char buffer[3];
	int option;

	*ret_exit = CTL_USAGE;
	ctl->socket = getenv("VGPU_SOCKET");
	if (!ctl->socket || !ctl->socket[0])
		ctl->socket = CTL_DEFAULT_SOCKET;
	ctl->host = getenv("VGPU_HOST");

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) !=
	       -1) {
		switch (option) {
		case 'h':
			wants_help = true;
			break;
		case OPTION_VERSION:
			ctl_version();
			*ret_exit = CTL_DONE;
			return false;
		case OPTION_SOCKET:
			ctl->socket = optarg;
			ctl->has_socket = true;
			break;
		case OPTION_HOST:
			ctl->host = optarg;
			ctl->has_host = true;
			break;
		case ':':
			return ctl_complain("%s needs a value", argv[optind - 1]);
		case '?':
			return ctl_complain(
				"there is no option '%s', or it takes no value, or its name is cut too short; see 'vgpuctl --help'",
				stumbled_over(argv, buffer));
		default:
			seen |= option - OPTION_COMMAND;
			if (option == OPTION_COMMAND + CTL_OPTION_JSON)
				optarg = take_json_value(argc, argv);
			if (!option_set(ctl, option - OPTION_COMMAND, optarg))
				return false;
		}
	}

	if (optind == argc) {
		if (!wants_help)
			return ctl_complain(
				"which command? 'vgpuctl --help' lists them");
		ctl_help();
		*ret_exit = CTL_DONE;
		return false;
	}

	command = ctl_command_need(argv[optind]);
	if (!command)
		return false;
	if (wants_help) {
		ctl_help_of(command);
		*ret_exit = CTL_DONE;
		return false;
	}
	for (unsigned int bit = 1; bit < CTL_OPTION_END; bit <<= 1)
		if (seen & ~command->options & bit)
			return ctl_complain(
				"%s takes no --%s; see 'vgpuctl %s --help'",
				command->name, option_name(bit), command->name);
	optind++;
	if (!check_words(ctl, command, argv + optind, argc - optind))
		return false;

	if (ctl->host && !ctl->host[0])
		ctl->host = NULL;
	if (ctl->host && !ctl_remote_is_url(ctl->host))
		return ctl_complain(
			"--host takes ssh://[USER@]HOST[:PORT], not '%s'",
			ctl->host);
	*ret_command = command;
	*ret_exit = CTL_DONE;
	return true;
}
