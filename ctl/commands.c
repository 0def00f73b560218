/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of subcommands, and the help made of it. */
#include "ctl/ctl.h"

#include <string.h>

#include "ctl/common/message.h"
#include "lib/util.h"

const struct ctl_command *const ctl_commands[] = {
#define COMMAND(name) &ctl_command_##name,
	CTL_COMMANDS(COMMAND)
#undef COMMAND
		NULL,
};

const struct ctl_command *ctl_command_find(const char *name)
{
	for (size_t i = 0; ctl_commands[i]; i++)
		if (strcmp(ctl_commands[i]->name, name) == 0)
			return ctl_commands[i];
	return NULL;
}

#define NAME_MAX_COMPARED 32 /* longer than every command */

/* Edits (insert, delete, replace) from @a to @b; both short enough. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_COMPARED + 1];
	size_t b_length = strlen(b);

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned int replace = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			row[j] = VGPU_MIN(VGPU_MIN(row[j], row[j - 1]) + 1,
					  replace);
		}
	}
	return row[b_length];
}

const struct ctl_command *ctl_command_suggest(const char *name)
{
	/* What other tools of the kind call the same. */
	static const struct {
		const char *name;
		const struct ctl_command *command;
	} elsewhere[] = {
		{"ls", &ctl_command_list},
		{"info", &ctl_command_show},
		{"status", &ctl_command_show},
		{"add", &ctl_command_create},
		{"shutdown", &ctl_command_stop},
		{"rename", &ctl_command_modify},
		{"auto", &ctl_command_autostart},
		{"delete", &ctl_command_destroy},
		{"remove", &ctl_command_destroy},
		{"rm", &ctl_command_destroy},
		{"monitor", &ctl_command_events},
		{"capture", &ctl_command_screenshot},
	};
	const struct ctl_command *best = NULL;
	unsigned int least = 3; /* two edits are near, three are another word */

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(elsewhere); i++)
		if (strcmp(elsewhere[i].name, name) == 0)
			return elsewhere[i].command;

	if (strlen(name) < 2 || strlen(name) > NAME_MAX_COMPARED)
		return NULL;
	for (size_t i = 0; ctl_commands[i]; i++) {
		unsigned int d = edit_distance(name, ctl_commands[i]->name);

		/* The beginning of a command is near it, however short. */
		if (strncmp(ctl_commands[i]->name, name, strlen(name)) == 0)
			d = 1;
		if (d < least) {
			least = d;
			best = ctl_commands[i];
		}
	}
	return best;
}

const struct ctl_command *ctl_command_need(const char *name)
{
	const struct ctl_command *command = ctl_command_find(name);

	if (command)
		return command;
	command = ctl_command_suggest(name);
	if (command)
		ctl_complain("there is no command '%s'; is '%s' meant?", name,
			     command->name);
	else
		ctl_complain(
			"there is no command '%s'; 'vgpuctl --help' lists them",
			name);
	return NULL;
}

void ctl_version(void)
{
	puts("vgpuctl " VGPU_VERSION);
}

void ctl_help(void)
{
	puts("usage: vgpuctl [--host URL] [--socket PATH] COMMAND ...\n"
	     "\n"
	     "Make, watch and end virtual GPUs. V is a vGPU's uuid or name.\n");
	for (size_t i = 0; ctl_commands[i]; i++)
		printf("  %-11s %s\n", ctl_commands[i]->name,
		       ctl_commands[i]->summary);
	puts("\n"
	     "Options for every command:\n"
	     "  --socket PATH         the manager's socket; else $VGPU_SOCKET, else\n"
	     "                        " CTL_DEFAULT_SOCKET "\n"
	     "  --host URL            another machine: ssh://[USER@]HOST[:PORT]; else $VGPU_HOST\n"
	     "  --json[=pretty|short] print JSON, where a command prints anything\n"
	     "  --help                say more: 'vgpuctl COMMAND --help'\n"
	     "  --version             print the version\n"
	     "\n"
	     "Examples:\n"
	     "  vgpuctl create --type 4Q --name cad\n"
	     "  vgpuctl list\n"
	     "  vgpuctl qemu-args cad\n"
	     "  vgpuctl screenshot cad cad.png\n"
	     "\n"
	     "Exit status: 0 done, 1 refused or failed, 2 wrong usage.");
}

/* To the next space that is not between brackets, or to the end. */
static size_t part_length(const char *words)
{
	unsigned int depth = 0;
	size_t n;

	for (n = 0; words[n] && (depth > 0 || words[n] != ' '); n++) {
		depth += words[n] == '[';
		depth -= words[n] == ']';
	}
	return n;
}

#define USAGE_WIDTH  80
#define USAGE_INDENT "           "

static void print_usage(const struct ctl_command *command)
{
	int column = printf("usage: vgpuctl %s", command->name);

	for (const char *c = command->words; *c;) {
		int n = (int)part_length(c);

		if (column + 1 + n > USAGE_WIDTH)
			column = printf("\n" USAGE_INDENT "%.*s", n, c) - 1;
		else
			column += printf(" %.*s", n, c);
		c += n;
		c += *c == ' ';
	}
	putchar('\n');
}

void ctl_help_of(const struct ctl_command *command)
{
	print_usage(command);
	printf("\n%s.\n", command->summary);
	if (command->help[0])
		printf("\n%s", command->help);
}
