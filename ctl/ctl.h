/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl: what its subcommands are made of and what they share. */
#ifndef VGPU_CTL_H
#define VGPU_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "lib/name.h"

#define CTL_DEFAULT_SOCKET "/run/vgpu/" VGPU_INTERFACE
#define CTL_INTERFACE	   VGPU_INTERFACE

/* What vgpuctl exits with, and what every handler returns. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_FAILED = 1, /* refused or failed; one line on stderr said why */
	CTL_USAGE = 2,
};

/* Options that some commands take; a command's mask says which. */
enum ctl_option {
	CTL_OPTION_JSON = 1 << 0,
	CTL_OPTION_GPU = 1 << 1,
	CTL_OPTION_TYPE = 1 << 2,
	CTL_OPTION_NAME = 1 << 3,
	CTL_OPTION_UUID = 1 << 4,
	CTL_OPTION_FORCE = 1 << 5,
	CTL_OPTION_HEAD = 1 << 6,
	CTL_OPTION_FOLLOW = 1 << 7,
	CTL_OPTION_PLACEMENT = 1 << 8,
	CTL_OPTION_WEIGHT = 1 << 9,
	CTL_OPTION_FRAME_RATE_LIMIT = 1 << 10,
	CTL_OPTION_TIME_SLICE = 1 << 11,
	CTL_OPTION_MEMORY = 1 << 12,
	CTL_OPTION_LIBVIRT = 1 << 13,
	CTL_OPTION_AUTOSTART = 1 << 14,
	CTL_OPTION_MODE = 1 << 15,
	CTL_OPTION_ALL = 1 << 16,
	CTL_OPTION_FILE = 1 << 17,
	CTL_OPTION_NEW_IDS = 1 << 18,
	CTL_OPTION_CONFIG = 1 << 19,
	CTL_OPTION_DRY_RUN = 1 << 20,
	CTL_OPTION_OWNER = 1 << 21,
	CTL_OPTION_CONTAINER = 1 << 22,
	CTL_OPTION_DISPLAY = 1 << 23,
	CTL_OPTION_PROMETHEUS = 1 << 24,
	CTL_OPTION_REPORT = 1 << 25,
	CTL_OPTION_NO_INPUT = 1 << 26,
	CTL_OPTION_VIEW_ONLY = 1 << 27,
	CTL_OPTION_PASSWORD = 1 << 28,
	CTL_OPTION_TRANSPORT = 1 << 29,
	CTL_OPTION_WEB = 1 << 30,
};
#define CTL_OPTION_END ((unsigned int)CTL_OPTION_WEB << 1) /* of bits */

enum ctl_format {
	CTL_TEXT,
	CTL_JSON_PRETTY,
	CTL_JSON_SHORT,
};

#define CTL_WORDS_MAX 2 /* no command takes more */

/* What a word, or the value of an option, is: for who completes it. */
enum ctl_value {
	CTL_VALUE_ANY, /* nobody knows */
	CTL_VALUE_VGPU,
	CTL_VALUE_GPU,
	CTL_VALUE_TYPE,
	CTL_VALUE_HEAD,
	CTL_VALUE_MODE,
	CTL_VALUE_SWITCH,
	CTL_VALUE_FORMAT,
	CTL_VALUE_SCHEDULER,
	CTL_VALUE_VNC,
	CTL_VALUE_MEMORY,
	CTL_VALUE_FILE,
	CTL_VALUE_COMMAND,
	CTL_VALUE_FLEET,
	CTL_VALUE_TRANSPORT,
};

struct ctl_option_info {
	const char *name;
	unsigned int option; /* its bit; 0: every command has it */
	bool is_first;	     /* it is no option of any command */
	bool has_value;
	enum ctl_value value;
};

/* One run of vgpuctl. Strings are the command line's. */
struct ctl {
	const char *socket; /* --socket, or VGPU_SOCKET, or the default */
	const char *host;   /* --host, or VGPU_HOST; NULL: this machine */
	const char *gpu;
	const char *type;
	const char *name;
	const char *uuid;
	const char *owner;
	const char *transport;
	const char *file;
	const char *config;
	const char *words[CTL_WORDS_MAX]; /* what follows the command */
	sd_varlink *link;		  /* NULL until the manager is called */
	struct ctl_remote *remote;	  /* of @host, once it was called */
	uint64_t memory_mib;		  /* 0: not given */
	enum ctl_format format;
	uint32_t head;
	uint32_t placement;
	uint32_t weight;
	uint32_t frame_rate_limit;
	uint32_t time_slice;
	uint32_t width; /* of --mode */
	uint32_t height;
	bool has_head;
	bool has_placement;
	bool has_weight;
	bool has_frame_rate_limit;
	bool has_time_slice;
	bool has_autostart;
	bool has_mode;
	bool force;
	bool follow;
	bool libvirt;
	bool display;
	bool no_input;
	bool view_only;
	bool password;
	bool web;
	bool autostart;
	bool all;
	bool new_ids;
	bool dry_run;
	bool container;
	bool prometheus;
	bool report;
	bool has_socket; /* by --socket: it is on @host */
	bool has_host;	 /* by --host */
	bool is_batch;	 /* nobody is there to ask */
};

struct ctl_command {
	const char *name;
	const char *words; /* how the help shows its words and options, or "" */
	const char *summary;
	const char *help; /* examples and notes; each line ends with \n */
	unsigned int options;
	unsigned int min_words;
	unsigned int max_words;
	enum ctl_value values[CTL_WORDS_MAX];
	enum ctl_exit (*run)(struct ctl *ctl);
};

/* One file of ctl/cmd each, in the order in which the help lists them. */
// clang-format off
#define CTL_COMMANDS(row)                                                      \
	row(gpus)                                                              \
	row(types)                                                             \
	row(list)                                                              \
	row(show)                                                              \
	row(top)                                                               \
	row(stats)                                                             \
	row(create)                                                            \
	row(destroy)                                                           \
	row(define)                                                            \
	row(start)                                                             \
	row(stop)                                                              \
	row(undefine)                                                          \
	row(modify)                                                            \
	row(autostart)                                                         \
	row(apply)                                                             \
	row(check)                                                             \
	row(qemu_args)                                                         \
	row(cdi)                                                               \
	row(scheduler)                                                         \
	row(screenshot)                                                        \
	row(mode)                                                              \
	row(vnc)                                                               \
	row(console)                                                           \
	row(events)                                                            \
	row(bridge)                                                            \
	row(fleet)                                                             \
	row(doctor)                                                            \
	row(help)                                                              \
	row(version)
// clang-format on
#define CTL_DECLARE_COMMAND(name)                                              \
	extern const struct ctl_command ctl_command_##name;
CTL_COMMANDS(CTL_DECLARE_COMMAND)
#undef CTL_DECLARE_COMMAND

/* options.c */

/*
 * Read the command line into @ctl and *ret_command. Returns true if the command
 * is to be run; else help was printed or a line said what is wrong, and
 * *ret_exit is what to exit with.
 */
bool ctl_options_parse(struct ctl *ctl, int argc, char **argv,
		       const struct ctl_command **ret_command,
		       enum ctl_exit *ret_exit);

/* The options one after the other, from 0; false: there is no more. */
bool ctl_option_at(size_t i, struct ctl_option_info *ret);

/* commands.c */
extern const struct ctl_command *const ctl_commands[]; /* ends with NULL */
const struct ctl_command *ctl_command_find(const char *name);
/* The command whose name is nearest to @name, or NULL if none is near. */
const struct ctl_command *ctl_command_suggest(const char *name);
/* The one of that name; NULL with a line printed if there is none. */
const struct ctl_command *ctl_command_need(const char *name);
void ctl_help(void);
void ctl_version(void);
void ctl_help_of(const struct ctl_command *command);

#endif
