/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl: what its subcommands are made of and what they share. */
#ifndef VGPU_CTL_H
#define VGPU_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#define CTL_DEFAULT_SOCKET "/run/vgpu/io.openvgpu.Manager"
#define CTL_INTERFACE	   "io.openvgpu.Manager"

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
	CTL_OPTION_LIBVIRT = 1 << 13, /* the last one */
};

enum ctl_format {
	CTL_TEXT,
	CTL_JSON_PRETTY,
	CTL_JSON_SHORT,
};

#define CTL_WORDS_MAX 2 /* no command takes more */

/* One run of vgpuctl. Strings are the command line's. */
struct ctl {
	const char *socket; /* --socket, or VGPU_SOCKET, or the default */
	enum ctl_format format;
	const char *gpu;
	const char *type;
	const char *name;
	const char *uuid;
	bool force;
	bool follow;
	bool has_head;
	uint32_t head;
	bool has_placement;
	uint32_t placement;
	bool has_weight;
	uint32_t weight;
	bool has_frame_rate_limit;
	uint32_t frame_rate_limit;
	bool has_time_slice;
	uint32_t time_slice;
	uint64_t memory_mib; /* 0: not given */
	bool libvirt;
	const char *words[CTL_WORDS_MAX]; /* what follows the command */
	sd_varlink *link;		  /* NULL until the manager is called */
};

struct ctl_command {
	const char *name;
	const char *words; /* how the help shows its words and options, or "" */
	const char *summary;
	const char *help; /* examples and notes; each line ends with \n */
	unsigned int options;
	unsigned int min_words;
	unsigned int max_words;
	enum ctl_exit (*run)(struct ctl *ctl);
};

/* One file each. */
extern const struct ctl_command ctl_command_create;
extern const struct ctl_command ctl_command_destroy;
extern const struct ctl_command ctl_command_doctor;
extern const struct ctl_command ctl_command_events;
extern const struct ctl_command ctl_command_gpus;
extern const struct ctl_command ctl_command_list;
extern const struct ctl_command ctl_command_mode;
extern const struct ctl_command ctl_command_modify;
extern const struct ctl_command ctl_command_qemu_args;
extern const struct ctl_command ctl_command_scheduler;
extern const struct ctl_command ctl_command_screenshot;
extern const struct ctl_command ctl_command_show;
extern const struct ctl_command ctl_command_top;
extern const struct ctl_command ctl_command_types;
extern const struct ctl_command ctl_command_vnc;

/* options.c */

/*
 * Read the command line into @ctl and *ret_command. Returns true if the command
 * is to be run; else help was printed or a line said what is wrong, and
 * *ret_exit is what to exit with.
 */
bool ctl_options_parse(struct ctl *ctl, int argc, char **argv,
		       const struct ctl_command **ret_command,
		       enum ctl_exit *ret_exit);

/* commands.c */
extern const struct ctl_command *const ctl_commands[]; /* ends with NULL */
const struct ctl_command *ctl_command_find(const char *name);
/* The command whose name is nearest to @name, or NULL if none is near. */
const struct ctl_command *ctl_command_suggest(const char *name);
void ctl_help(void);
void ctl_command_help(const struct ctl_command *command);

#endif
