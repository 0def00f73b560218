/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completion: what a shell may offer for the next word. */
#include "ctl/complete.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "lib/type.h"
#include "lib/util.h"

#define PATIENCE_USEC 2000000ULL /* as long as a person waits at a prompt */
#define PLAIN                                                                  \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"

/* The command line before the word that is completed. */
struct line {
	struct ctl ctl;
	bool has_command;
	const struct ctl_command *command; /* NULL: there is no such command */
	unsigned int words;		   /* of the command */
	/* An option that waits for its value. */
	bool is_value;
	bool is_socket;
	enum ctl_value value;
};

static void offer(const char *text, const char *about, const char *begin)
{
	if (strncmp(text, begin, strlen(begin)) != 0)
		return;
	if (about)
		printf("%s\t%s\n", text, about);
	else
		puts(text);
}

static void offer_list(const char *const *list, const char *begin)
{
	for (; *list; list++)
		offer(*list, NULL, begin);
}

/*
 * Offer the members @key of the objects that @method lists. Only plain ones,
 * which no shell has to quote.
 */
static void offer_known(struct ctl *ctl, const char *method, const char *array,
			const char *key, const char *about, const char *begin)
{
	ctl_autojson sd_json_variant *list = NULL;
	struct vgpu_err err = {};

	/* No other machine is asked behind a person's back. */
	if (ctl->host || ctl_manager_connect(ctl, &err) < 0)
		return;
	sd_varlink_set_relative_timeout(ctl->link, PATIENCE_USEC);
	if (ctl_manager_call_array(ctl, method, NULL, array, &list, &err) < 0)
		return;
	for (size_t i = 0; i < sd_json_variant_elements(list); i++) {
		sd_json_variant *one = sd_json_variant_by_index(list, i);
		const char *text = ctl_json_string(one, key);
		const char *more = ctl_json_string(one, about);

		if (text && text[0] && text[0] != '-' &&
		    !text[strspn(text, PLAIN)])
			offer(text,
			      more && more[0] && !more[strspn(more, PLAIN)]
				      ? more
				      : NULL,
			      begin);
	}
}

static void offer_commands(const char *begin)
{
	for (size_t i = 0; ctl_commands[i]; i++)
		offer(ctl_commands[i]->name, ctl_commands[i]->summary, begin);
}

static void offer_heads(const char *begin)
{
	char text[16];

	for (unsigned int i = 0; i < VGPU_HEADS_MAX; i++) {
		snprintf(text, sizeof(text), "%u", i);
		offer(text, NULL, begin);
	}
}

static void offer_value(struct ctl *ctl, enum ctl_value value, const char *begin)
{
	static const char *const formats[] = {"pretty", "short", NULL};
	static const char *const switches[] = {"on", "off", NULL};
	static const char *const schedulers[] = {"best-effort", "equal-share",
						 "fixed-share", NULL};
	static const char *const sizes[] = {"1G", "2G",	 "4G",
					    "8G", "16G", NULL};
	static const char *const vnc[] = {"off",
					  "unix:", "127.0.0.1:", "[::1]:", NULL};
	static const char *const transports[] = {"vhost-user", "mdev", NULL};
	static const char *const modes[] = {
		"1024x768",  "1280x720",  "1280x1024", "1600x900", "1920x1080",
		"1920x1200", "2560x1440", "3840x2160", NULL};

	switch (value) {
	case CTL_VALUE_ANY:
		break;
	case CTL_VALUE_FORMAT:
		offer_list(formats, begin);
		break;
	case CTL_VALUE_SWITCH:
		offer_list(switches, begin);
		break;
	case CTL_VALUE_SCHEDULER:
		offer_list(schedulers, begin);
		break;
	case CTL_VALUE_TRANSPORT:
		offer_list(transports, begin);
		break;
	case CTL_VALUE_VNC:
		offer_list(vnc, begin);
		break;
	case CTL_VALUE_MODE:
		offer_list(modes, begin);
		break;
	case CTL_VALUE_MEMORY:
		offer_list(sizes, begin);
		break;
	case CTL_VALUE_HEAD:
		offer_heads(begin);
		break;
	case CTL_VALUE_FILE:
		puts(":files");
		break;
	case CTL_VALUE_FLEET:
		offer("list", NULL, begin);
		break;
	case CTL_VALUE_COMMAND:
		offer_commands(begin);
		break;
	case CTL_VALUE_GPU:
		offer_known(ctl, "ListGpus", "gpus", "gpu", "provider", begin);
		break;
	case CTL_VALUE_TYPE:
		offer_known(ctl, "ListTypes", "types", "type", "gpu", begin);
		break;
	case CTL_VALUE_VGPU:
		offer_known(ctl, "ListVgpus", "vgpus", "uuid", "name", begin);
		offer_known(ctl, "ListVgpus", "vgpus", "name", "type", begin);
		break;
	}
}

static void offer_options(const struct ctl_command *command, const char *begin)
{
	struct ctl_option_info info;
	char text[64];

	for (size_t i = 0; ctl_option_at(i, &info); i++) {
		if (command ? info.is_first || (info.option &&
						!(command->options & info.option))
			    : info.option != 0)
			continue;
		snprintf(text, sizeof(text), "--%s", info.name);
		offer(text, NULL, begin);
	}
}

static bool find_option(const char *word, struct ctl_option_info *ret)
{
	size_t length = strcspn(word + 2, "=");

	for (size_t i = 0; ctl_option_at(i, ret); i++)
		if (strlen(ret->name) == length &&
		    strncmp(ret->name, word + 2, length) == 0)
			return true;
	return false;
}

static void take_option(struct line *line, const char *word)
{
	const char *equals = strchr(word, '=');
	struct ctl_option_info info;

	if (!find_option(word, &info) || !info.has_value)
		return;
	line->is_socket = strcmp(info.name, "socket") == 0;
	line->is_value = !equals;
	if (strcmp(info.name, "host") == 0)
		line->ctl.host = "";
	line->value = info.value;
	if (line->is_socket && equals)
		line->ctl.socket = equals + 1;
}

/* A whole word, before the one that is completed. */
static void take_word(struct line *line, const char *word)
{
	if (line->is_value) {
		if (line->is_socket)
			line->ctl.socket = word;
		line->is_value = false;
	} else if (strncmp(word, "--", 2) == 0) {
		take_option(line, word);
	} else if (word[0] == '-' && word[1]) {
		return;
	} else if (!line->has_command) {
		line->has_command = true;
		line->command = ctl_command_find(word);
	} else {
		line->words++;
	}
}

enum ctl_exit ctl_complete(int count, char **words)
{
	struct line line = {};
	struct ctl_option_info info;
	const char *last = count > 0 ? words[count - 1] : "";
	const char *equals = strchr(last, '=');

	line.ctl.socket = getenv("VGPU_SOCKET");
	if (!line.ctl.socket || !line.ctl.socket[0])
		line.ctl.socket = CTL_DEFAULT_SOCKET;
	line.ctl.host = getenv("VGPU_HOST");
	for (int i = 0; i + 1 < count; i++)
		take_word(&line, words[i]);
	if (line.is_value)
		offer_value(&line.ctl, line.value, last);
	else if (strncmp(last, "--", 2) == 0 && equals && find_option(last, &info))
		offer_value(&line.ctl, info.value, equals + 1);
	else if (last[0] == '-')
		offer_options(line.command, last);
	else if (!line.has_command)
		offer_commands(last);
	else if (line.command && line.words < line.command->max_words)
		offer_value(&line.ctl, line.command->values[line.words], last);
	sd_varlink_unref(line.ctl.link);
	return CTL_DONE;
}
