/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl fleet: the vGPUs of many machines, which are asked at the same time. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/remote.h"
#include "ctl/common/table.h"
#include "ctl/common/text.h"
#include "lib/util.h"

#define HOSTS_MAX    1024
#define FILE_MAX     (64 * 1024)
#define AT_ONCE	     64
#define ANSWER_USEC  (20 * 1000 * 1000ULL)
#define HOST_USEC    (30 * 1000 * 1000LL) /* for all of it; then it is given up */
#define REPLY_MAX    (16UL * 1024 * 1024)
#define SYSTEM_HOSTS "/etc/vgpu/hosts"
#define THIS_MACHINE "local"

struct host {
	char *name; /* as the file has it */
	char *url;  /* NULL: this machine */
	pid_t pid;  /* of the process that asks; 0: it has ended */
	int pidfd;
	int reply; /* a memfd: its vGPUs as JSON, or why there are none */
	int64_t deadline_ms;
	sd_json_variant *vgpus; /* or NULL, and */
	char *error;
};

struct fleet {
	struct host *hosts;
	size_t count;
};

static void fleet_finish(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++) {
		struct host *host = &fleet->hosts[i];

		vgpu_close(host->pidfd);
		vgpu_close(host->reply);
		sd_json_variant_unref(host->vgpus);
		free(host->name);
		free(host->url);
		free(host->error);
	}
	free(fleet->hosts);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A line of the file: a URL, the name of a host, or "local". */
static bool add_host(struct fleet *fleet, const char *path, unsigned int line,
		     const char *word)
{
	struct host *host = &fleet->hosts[fleet->count];

	if (fleet->count == HOSTS_MAX)
		return ctl_complain("%s has more than %d hosts", path, HOSTS_MAX);
	*host = (struct host){.pidfd = -1, .reply = -1, .name = strdup(word)};
	fleet->count++;
	if (!host->name)
		return ctl_complain("out of memory");
	if (strcmp(word, THIS_MACHINE) == 0)
		return true;
	if (strncmp(word, "ssh://", 6) == 0)
		host->url = strdup(word);
	else if (asprintf(&host->url, "ssh://%s", word) < 0)
		host->url = NULL;
	if (!host->url)
		return ctl_complain("out of memory");
	return ctl_remote_is_url(host->url) ||
	       ctl_complain(
		       "%s:%u: '%s' is neither ssh://[USER@]HOST[:PORT], nor a host, nor '" THIS_MACHINE
		       "'",
		       path, line, word);
}

static bool parse_hosts(struct fleet *fleet, const char *path, char *text)
{
	unsigned int number = 0;

	for (char *line; (line = strsep(&text, "\n"));) {
		number++;
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t\r");
		for (size_t end = strlen(line);
		     end > 0 && strchr(" \t\r", line[end - 1]); end--)
			line[end - 1] = '\0';
		if (line[0] && !add_host(fleet, path, number, line))
			return false;
	}
	return true;
}

/* The file that is given, or the first that is there. The caller frees it. */
static char *choose_file(const struct ctl *ctl)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char *path = NULL;

	if (ctl->file)
		return strdup(ctl->file);
	if (config && config[0]) {
		if (asprintf(&path, "%s/vgpu/hosts", config) < 0)
			return NULL;
	} else if (home && home[0]) {
		if (asprintf(&path, "%s/.config/vgpu/hosts", home) < 0)
			return NULL;
	}
	if (path && access(path, R_OK) == 0)
		return path;
	free(path);
	return strdup(SYSTEM_HOSTS);
}

static bool read_hosts(const struct ctl *ctl, struct fleet *fleet)
{
	vgpu_autofree char *path = choose_file(ctl), *text = NULL;
	vgpu_autofclose FILE *f = NULL;
	size_t n;

	text = malloc(FILE_MAX + 1);
	fleet->hosts = calloc(HOSTS_MAX, sizeof(*fleet->hosts));
	if (!path || !text || !fleet->hosts)
		return ctl_complain("out of memory");
	f = fopen(path, "re");
	if (!f)
		return ctl_complain(
			"cannot read %s: %s: write a host a line there, or name another file with --file",
			path, strerror(errno));
	n = fread(text, 1, FILE_MAX + 1, f);
	if (ferror(f))
		return ctl_complain("cannot read %s: %s", path, strerror(errno));
	if (n > FILE_MAX || memchr(text, '\0', n))
		return ctl_complain("%s is longer than %d bytes, or no text",
				    path, FILE_MAX);
	text[n] = '\0';
	if (!parse_hosts(fleet, path, text))
		return false;
	return fleet->count > 0 || ctl_complain("%s names no host", path);
}

/* In a process of its own: ask one host, and write what it says. */
__attribute__((noreturn)) static void ask(const struct ctl *ctl,
					  const struct host *host)
{
	ctl_autojson sd_json_variant *vgpus = NULL;
	struct ctl own = {.socket = ctl->socket,
			  .has_socket = ctl->has_socket,
			  .host = host->url,
			  .is_batch = true};
	vgpu_autofree char *text = NULL;
	struct vgpu_err err = {};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r;

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	r = ctl_manager_connect(&own, &err);
	if (r >= 0) {
		sd_varlink_set_relative_timeout(own.link, ANSWER_USEC);
		r = ctl_manager_call_array(&own, "ListVgpus", NULL, "vgpus",
					   &vgpus, &err);
	}
	if (r >= 0 && sd_json_variant_format(vgpus, 0, &text) < 0)
		r = vgpu_err_set(&err, -ENOMEM, NULL, "out of memory");
	dprintf(host->reply, "%s", r < 0 ? err.text : text);
	ctl_manager_disconnect(&own);
	_exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void set_error(struct host *host, const char *text)
{
	free(host->error);
	host->error = strdup(text);
}

static void begin(const struct ctl *ctl, struct host *host)
{
	host->reply = memfd_create("vgpuctl-fleet", MFD_CLOEXEC);
	host->pid = host->reply < 0 ? -1 : fork();
	if (host->pid == 0)
		ask(ctl, host);
	if (host->pid < 0) {
		host->pid = 0;
		set_error(host, "cannot start a process that asks it");
		return;
	}
	host->pidfd = pidfd_open(host->pid, 0);
	host->deadline_ms = now_ms() + HOST_USEC / 1000;
}

/* What its process wrote. The caller frees it; NULL: it makes no sense. */
static char *read_reply(const struct host *host)
{
	struct stat file;
	char *text;

	if (fstat(host->reply, &file) < 0 || file.st_size <= 0 ||
	    (size_t)file.st_size > REPLY_MAX)
		return NULL;
	text = malloc((size_t)file.st_size + 1);
	if (!text ||
	    pread(host->reply, text, (size_t)file.st_size, 0) != file.st_size) {
		free(text);
		return NULL;
	}
	text[file.st_size] = '\0';
	return text;
}

static void end(struct host *host, bool is_late)
{
	vgpu_autofree char *text = NULL;
	int status = 0;

	if (is_late)
		kill(host->pid, SIGKILL);
	while (waitpid(host->pid, &status, 0) < 0 && errno == EINTR)
		;
	host->pid = 0;
	text = read_reply(host);
	if (is_late)
		set_error(host, "it did not answer in time");
	else if (!WIFEXITED(status) || !text)
		set_error(host, "the process that asked it died");
	else if (WEXITSTATUS(status) != EXIT_SUCCESS)
		set_error(host, text);
	else if (sd_json_parse(text, 0, &host->vgpus, NULL, NULL) < 0)
		set_error(host, "what it answered makes no sense");
	host->reply = vgpu_close(host->reply);
	host->pidfd = vgpu_close(host->pidfd);
}

/* Wait for one that runs to end, or to be late. */
static void wait_for_some(struct fleet *fleet, size_t begun)
{
	struct pollfd fds[AT_ONCE];
	struct host *of[AT_ONCE];
	int64_t now = now_ms(), left = HOST_USEC / 1000;
	size_t n = 0;

	for (size_t i = 0; i < begun && n < AT_ONCE; i++) {
		struct host *host = &fleet->hosts[i];

		if (host->pid <= 0)
			continue;
		left = VGPU_MIN(left, VGPU_MAX(host->deadline_ms - now, 0));
		fds[n] = (struct pollfd){.fd = host->pidfd, .events = POLLIN};
		of[n++] = host;
	}
	poll(fds, n, (int)left);
	now = now_ms();
	for (size_t i = 0; i < n; i++)
		if (fds[i].revents || of[i]->deadline_ms <= now)
			end(of[i], !fds[i].revents);
}

static void ask_all(const struct ctl *ctl, struct fleet *fleet)
{
	size_t begun = 0, running;

	do {
		running = 0;
		for (size_t i = 0; i < begun; i++)
			running += fleet->hosts[i].pid > 0;
		while (begun < fleet->count && running < AT_ONCE) {
			begin(ctl, &fleet->hosts[begun]);
			running += fleet->hosts[begun++].pid > 0;
		}
		if (running > 0)
			wait_for_some(fleet, begun);
	} while (running > 0 || begun < fleet->count);
}

static void add_vgpu(struct ctl_table *table, const struct host *host,
		     sd_json_variant *vgpu)
{
	const char *name = ctl_json_string(vgpu, "name");

	ctl_table_text(table, host->name);
	ctl_table_text(table,
		       name && name[0] ? name : ctl_json_string(vgpu, "uuid"));
	ctl_table_string(table, vgpu, "type");
	ctl_table_string(table, vgpu, "gpu");
	ctl_table_number(table, vgpu, "framebufferMib", " MiB");
	ctl_table_number(table, vgpu, "framesPerSecond", "");
	ctl_table_state(table, vgpu);
}

static enum ctl_exit print_table(const struct fleet *fleet)
{
	static const struct ctl_column columns[] = {
		{"HOST", CTL_LEFT},	    {"VGPU", CTL_LEFT},
		{"TYPE", CTL_LEFT},	    {"GPU", CTL_LEFT},
		{"FRAMEBUFFER", CTL_RIGHT}, {"FRAMES/S", CTL_RIGHT},
		{"STATE", CTL_LEFT},	    {},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);

	for (size_t i = 0; i < fleet->count; i++) {
		const struct host *host = &fleet->hosts[i];
		size_t n =
			host->vgpus ? sd_json_variant_elements(host->vgpus) : 0;

		/* A host that answers and has none is there all the same. */
		if (host->vgpus && n == 0)
			add_vgpu(table, host, NULL);
		for (size_t j = 0; j < n; j++)
			add_vgpu(table, host,
				 sd_json_variant_by_index(host->vgpus, j));
	}
	return ctl_table_print(table, stdout) < 0 ? ctl_fail("out of memory")
						  : CTL_DONE;
}

static enum ctl_exit print_json(struct ctl *ctl, const struct fleet *fleet)
{
	ctl_autojson sd_json_variant *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (size_t i = 0; r >= 0 && i < fleet->count; i++) {
		const struct host *host = &fleet->hosts[i];
		vgpu_autofree char *error =
			host->error ? ctl_text_escape(host->error) : NULL;

		r = sd_json_variant_append_arraybo(
			&array, SD_JSON_BUILD_PAIR_STRING("host", host->name),
			SD_JSON_BUILD_PAIR_CONDITION(
				!!host->vgpus, "vgpus",
				SD_JSON_BUILD_VARIANT(host->vgpus)),
			SD_JSON_BUILD_PAIR_CONDITION(
				!host->vgpus, "error",
				SD_JSON_BUILD_STRING(error ? error : "?")));
	}
	return r < 0 ? ctl_fail("out of memory") : ctl_print_json(ctl, array);
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct fleet fleet = {};
	enum ctl_exit e = CTL_FAILED;

	if (strcmp(ctl->words[0], "list") != 0 || ctl->has_host) {
		ctl_complain(ctl->has_host
				     ? "fleet goes by its file of hosts, and takes no --host"
				     : "fleet takes 'list'");
		return CTL_USAGE;
	}
	if (read_hosts(ctl, &fleet)) {
		ask_all(ctl, &fleet);
		e = ctl->format != CTL_TEXT ? print_json(ctl, &fleet)
					    : print_table(&fleet);
		for (size_t i = 0; i < fleet.count; i++) {
			if (!fleet.hosts[i].error)
				continue;
			fflush(stdout);
			e = ctl_fail("%s: %s", fleet.hosts[i].name,
				     fleet.hosts[i].error);
		}
	}
	fleet_finish(&fleet);
	return e;
}

const struct ctl_command ctl_command_fleet = {
	.name = "fleet",
	.words = "list [--file FILE] [--json=pretty|short]",
	.summary = "List the vGPUs of many machines",
	.help = "  --file FILE   the hosts, one a line: ssh://[USER@]HOST[:PORT], or HOST, or\n"
		"                'local'; behind # is a remark. Else ~/.config/vgpu/hosts, else\n"
		"                " SYSTEM_HOSTS "\n"
		"\n"
		"Asks all at the same time, by ssh as --host does, but without a question for a\n"
		"password. A host that does not answer is a line on standard error, and the exit\n"
		"status is 1 then; the others are listed all the same.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl fleet list\n"
		"  vgpuctl fleet list --file racks.txt --json=short | jq '.[] | .host, .error'\n",
	.options = CTL_OPTION_FILE | CTL_OPTION_JSON,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_FLEET},
	.run = run,
};
