/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the manager says, as text that is made once a second at most. */
#ifndef VGPU_CTL_EXPORTER_SCRAPE_H
#define VGPU_CTL_EXPORTER_SCRAPE_H

#include <stddef.h>

#include "ctl/ctl.h"

/* Shared by all who are sent it. */
struct exporter_text {
	unsigned int refs;
	size_t bytes;
	char *text;
};

struct exporter_scrape {
	struct ctl ctl;
	struct exporter_text *last;
	uint64_t last_usec; /* CLOCK_MONOTONIC */
	bool was_down;	    /* which was said */
};

void exporter_scrape_init(struct exporter_scrape *scrape, const char *socket);
void exporter_scrape_finish(struct exporter_scrape *scrape);
/* The figures of this second; the caller unrefs them. NULL: out of memory. */
struct exporter_text *exporter_scrape(struct exporter_scrape *scrape);
void exporter_text_unref(struct exporter_text *text); /* NULL is fine */

#endif
