/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl events: print past events, and follow new ones. */
#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "lib/util.h"

#define USEC_PER_SEC 1000000

/* How often to try to connect to a restarted manager. */
#define RETRY_USEC (200 * 1000)

struct subscription {
	struct ctl *ctl;
	enum ctl_exit exit;
	bool is_over;
	bool is_lost; /* the connection was lost */
	/* The last printed event, of any manager. */
	bool has_last;
	uint64_t last_sequence;
	uint64_t last_time;
	/* Since the last reconnection: */
	bool is_again; /* and no new event has come yet */
	bool is_known; /* the new manager has the event that was printed last */
	bool is_partial; /* events of others' vGPUs are neither sent nor counted */
};

static void print_time(sd_json_variant *event)
{
	char text[64];
	uint64_t usec;
	struct tm tm;
	time_t sec;

	if (!ctl_json_unsigned(event, "time", &usec))
		usec = 0;
	sec = usec / USEC_PER_SEC;
	if (!localtime_r(&sec, &tm) ||
	    strftime(text, sizeof(text), "%F %T", &tm) == 0) {
		printf("%-23s", "-");
		return;
	}
	printf("%s.%03u", text, (unsigned int)(usec % USEC_PER_SEC / 1000));
}

static void print_member(sd_json_variant *event, const char *key,
			 const char *otherwise, int width)
{
	const char *text = ctl_json_string(event, key);
	vgpu_autofree char *escaped = NULL;

	if (!text || !text[0])
		text = ctl_json_string(event, otherwise);
	escaped = ctl_text_escape(text && text[0] ? text : "-");
	printf("  %-*s", width, escaped ? escaped : "?");
}

static enum ctl_exit print_event(struct ctl *ctl, sd_json_variant *event)
{
	uint64_t uid;

	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, event);
	print_time(event);
	print_member(event, "event", "", 11);
	print_member(event, "name", "uuid", 16);
	print_member(event, "text", "", 0);
	if (ctl_json_unsigned(event, "uid", &uid))
		printf(" (by user %" PRIu64 ")", uid);
	putchar('\n');
	return CTL_DONE;
}

/*
 * After a reconnection the manager sends its history. Skip what was printed
 * already, and say how many events were missed. Numbers start again with each
 * manager.
 */
static bool is_new(struct subscription *s, uint64_t sequence, uint64_t time)
{
	uint64_t expected;

	if (!s->is_again || !s->has_last)
		return true;
	if (sequence == s->last_sequence && time == s->last_time)
		s->is_known = true;
	if (time <= s->last_time)
		return false;
	s->is_again = false;
	expected = s->is_known ? s->last_sequence + 1 : 0;
	if (sequence > expected && !s->is_partial)
		ctl_note("%" PRIu64 " events were missed", sequence - expected);
	return true;
}

static int on_reply(sd_varlink *link, sd_json_variant *parameters,
		    const char *error_id, sd_varlink_reply_flags_t flags,
		    void *userdata)
{
	struct subscription *s = userdata;
	uint64_t sequence = 0, time = 0;
	sd_json_variant *event;

	/*
	 * libsystemd reports a lost connection here before sd_varlink_process()
	 * does.
	 */
	if (error_id && strcmp(error_id, SD_VARLINK_ERROR_DISCONNECTED) == 0) {
		s->is_lost = true;
		return 0;
	}
	if (error_id) {
		struct vgpu_err err = {};

		ctl_manager_explain(s->ctl, "Subscribe", 0, error_id,
				    parameters, &err);
		s->exit = ctl_fail("%s", err.text);
		s->is_over = true;
		return 0;
	}
	if (!(flags & SD_VARLINK_REPLY_CONTINUES))
		s->is_over = true;
	/* A reply without an event only confirms the subscription. */
	if (ctl_json_is_true(parameters, "onlyOwn"))
		s->is_partial = true;
	event = sd_json_variant_is_object(parameters)
			? sd_json_variant_by_key(parameters, "event")
			: NULL;
	if (!event || sd_json_variant_is_null(event))
		return 0;
	if (!sd_json_variant_is_object(event)) {
		s->exit = ctl_fail_reply("Subscribe",
					 "has an event that is no object");
		s->is_over = true;
		return 0;
	}
	ctl_json_unsigned(event, "sequence", &sequence);
	ctl_json_unsigned(event, "time", &time);
	if (!is_new(s, sequence, time))
		return 0;
	s->has_last = true;
	s->last_sequence = sequence;
	s->last_time = time;
	s->exit = print_event(s->ctl, event);
	/* Flush: a reader of a pipe wants each line at once. */
	if (s->exit != CTL_DONE || fflush(stdout) != 0)
		s->is_over = true;
	return 0;
}

static enum ctl_exit subscribe(struct ctl *ctl, struct subscription *s)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	int r;

	r = sd_json_variant_set_field_boolean(&parameters, "history", true);
	if (r >= 0)
		r = sd_json_variant_set_field_boolean(&parameters, "follow",
						      ctl->follow);
	if (r < 0)
		return ctl_parameters_failed(r);
	sd_varlink_set_userdata(ctl->link, s);
	r = sd_varlink_bind_reply(ctl->link, on_reply);
	/* No timeout: nothing may happen for days. */
	if (r >= 0)
		r = sd_varlink_set_relative_timeout(ctl->link, UINT64_MAX);
	if (r >= 0)
		r = sd_varlink_observe(ctl->link, CTL_INTERFACE ".Subscribe",
				       parameters);
	if (r < 0)
		return ctl_fail("cannot subscribe: %s", strerror(-r));
	return CTL_DONE;
}

/* Returns -errno when the connection has ended before the subscription. */
static int serve(struct subscription *s)
{
	int r;

	while (!s->is_over) {
		r = sd_varlink_process(s->ctl->link);
		if (r == 0)
			r = sd_varlink_wait(s->ctl->link, UINT64_MAX);
		if (s->is_lost)
			return -ECONNRESET;
		if (r < 0 && r != -EINTR && !s->is_over)
			return r;
	}
	return 0;
}

/* The manager is being restarted: wait for it, and subscribe again. */
static enum ctl_exit connect_again(struct subscription *s)
{
	struct ctl *ctl = s->ctl;
	struct vgpu_err err = {};
	bool is_said = false;

	ctl_manager_disconnect(ctl);
	while (ctl_manager_connect(ctl, &err) < 0) {
		if (err.status != -ENOENT && err.status != -ECONNREFUSED &&
		    err.status != -EAGAIN)
			return ctl_fail("%s", err.text);
		if (!is_said)
			ctl_note("the manager has ended: waiting for the next one");
		is_said = true;
		usleep(RETRY_USEC);
		err = (struct vgpu_err){};
	}
	s->is_lost = false;
	s->is_again = true;
	s->is_known = false;
	return subscribe(ctl, s);
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct subscription s = {.ctl = ctl};
	struct vgpu_err err = {};
	enum ctl_exit e;
	int r;

	if (ctl_manager_connect(ctl, &err) < 0)
		return ctl_fail("%s", err.text);
	e = subscribe(ctl, &s);
	while (e == CTL_DONE) {
		r = serve(&s);
		if (r == 0)
			return s.exit;
		if (!ctl->follow || ctl->host ||
		    (r != -ECONNRESET && r != -EPIPE && r != -ENOTCONN)) {
			ctl_manager_explain(ctl, "Subscribe", r, NULL, NULL,
					    &err);
			return ctl_fail("%s", err.text);
		}
		e = connect_again(&s);
	}
	return e;
}

const struct ctl_command ctl_command_events = {
	.name = "events",
	.words = "[--follow] [--json=pretty|short]",
	.summary = "Print what happened to vGPUs",
	.help = "  --follow   go on with what happens, until interrupted\n"
		"\n"
		"Prints the events that the manager keeps, oldest first, each in one line: time,\n"
		"event, vGPU, text. As JSON, each is one object, with --json=short in one line.\n"
		"With --follow it waits for the next manager where one ends, and says how many\n"
		"events were missed.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl events\n"
		"  vgpuctl events --follow --json=short | jq -r .text\n",
	.options = CTL_OPTION_FOLLOW | CTL_OPTION_JSON,
	.run = run,
};
