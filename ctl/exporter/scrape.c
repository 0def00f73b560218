/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the manager says, as text that is made once a second at most. */
#include "ctl/exporter/scrape.h"

#include <stdlib.h>
#include <time.h>

#include "ctl/common/manager.h"
#include "ctl/common/prometheus.h"
#include "lib/util.h"

#define USEC_PER_S 1000000ULL
/* However many ask, the manager is asked once in this time. */
#define FRESH_USEC USEC_PER_S
/* A manager that does not answer is down. */
#define ANSWER_USEC (5 * USEC_PER_S)

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_S + (uint64_t)now.tv_nsec / 1000;
}

void exporter_scrape_init(struct exporter_scrape *scrape, const char *socket)
{
	*scrape = (struct exporter_scrape){.ctl = {.socket = socket}};
}

static void disconnect(struct exporter_scrape *scrape)
{
	scrape->ctl.link = sd_varlink_unref(scrape->ctl.link);
}

void exporter_scrape_finish(struct exporter_scrape *scrape)
{
	disconnect(scrape);
	exporter_text_unref(scrape->last);
}

void exporter_text_unref(struct exporter_text *text)
{
	if (!text || --text->refs > 0)
		return;
	free(text->text);
	free(text);
}

static int ask(struct exporter_scrape *scrape, struct ctl_figures *ret,
	       struct vgpu_err *err)
{
	int r = ctl_manager_connect(&scrape->ctl, err);

	if (r < 0)
		return r;
	sd_varlink_set_relative_timeout(scrape->ctl.link, ANSWER_USEC);
	r = ctl_figures_init(ret, &scrape->ctl, err);
	if (r < 0)
		disconnect(scrape);
	return r;
}

static void write_text(struct exporter_scrape *scrape, FILE *f)
{
	struct ctl_figures figures;
	struct vgpu_err err = {};
	bool had_link = scrape->ctl.link;
	int r = ask(scrape, &figures, &err);

	/* A manager that was started again has closed our connection. */
	if (r < 0 && had_link && r != -ETIME && r != -ETIMEDOUT)
		r = ask(scrape, &figures, &err);
	if (r < 0) {
		if (!scrape->was_down)
			fprintf(stderr, "vgpu-exporter: %s\n", err.text);
		ctl_prometheus_write_down(f);
	} else {
		ctl_prometheus_write(&scrape->ctl, &figures, f);
		ctl_figures_finish(&figures);
	}
	scrape->was_down = r < 0;
}

static struct exporter_text *make_text(struct exporter_scrape *scrape)
{
	struct exporter_text *text = calloc(1, sizeof(*text));
	FILE *f = text ? open_memstream(&text->text, &text->bytes) : NULL;

	if (!f) {
		free(text);
		return NULL;
	}
	text->refs = 1;
	write_text(scrape, f);
	if (fclose(f) != 0) {
		exporter_text_unref(text);
		return NULL;
	}
	return text;
}

struct exporter_text *exporter_scrape(struct exporter_scrape *scrape)
{
	if (!scrape->last || now_usec() - scrape->last_usec >= FRESH_USEC) {
		exporter_text_unref(scrape->last);
		scrape->last = make_text(scrape);
		scrape->last_usec = now_usec();
	}
	if (scrape->last)
		scrape->last->refs++;
	return scrape->last;
}
