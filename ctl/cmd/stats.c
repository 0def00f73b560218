/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl stats: what vGPUs have done, for scripts and Prometheus. */
#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "ctl/common/prometheus.h"
#include "ctl/common/sample.h"
#include "ctl/common/table.h"
#include "ctl/common/vm.h"
#include "lib/err.h"
#include "lib/util.h"

#define USEC_PER_S  1000000ULL
#define INTERVAL_US USEC_PER_S

static void add_interval(struct ctl_table *table, sd_json_variant *vgpu,
			 sd_json_variant *old, double fraction)
{
	uint64_t usec;

	if (ctl_sample_interval(vgpu, old, fraction, &usec))
		ctl_table_printf(table, "%.1f ms", (double)usec / 1000);
	else
		ctl_table_text(table, NULL);
}

static void add_count(struct ctl_table *table, sd_json_variant *vgpu,
		      const char *key)
{
	uint64_t n;

	if (ctl_sample_count(vgpu, key, &n))
		ctl_table_printf(table, "%" PRIu64, n);
	else
		ctl_table_text(table, NULL);
}

static void add_vgpu(struct ctl_table *table, const struct ctl *ctl,
		     sd_json_variant *vgpu, sd_json_variant *old)
{
	const char *name = ctl_json_string(vgpu, "name");
	struct ctl_vm vm;
	uint64_t used;

	ctl_vm_of_vgpu(ctl, vgpu, &vm);
	ctl_table_text(table,
		       name && name[0] ? name : ctl_json_string(vgpu, "uuid"));
	if (ctl_json_unsigned(vgpu, "usedBytes", &used))
		ctl_table_printf(table, "%" PRIu64 " MiB", ctl_mib(used));
	else
		ctl_table_text(table, NULL);
	ctl_table_number(table, vgpu, "frames", "");
	ctl_table_number(table, vgpu, "framesPerSecond", "");
	add_interval(table, vgpu, old, 0.5);
	add_interval(table, vgpu, old, 0.99);
	ctl_table_number(table, vgpu, "contexts", "");
	add_count(table, vgpu, "contextsLost");
	ctl_table_number(table, vgpu, "submits", "");
	add_count(table, vgpu, "refusals");
	ctl_table_number(table, vgpu, "restarts", "");
	ctl_table_text(table, vm.name);
}

static enum ctl_exit print_table(const struct ctl *ctl,
				 const struct ctl_sample *now,
				 const struct ctl_sample *before)
{
	static const struct ctl_column columns[] = {
		{"VGPU", CTL_LEFT},
		{"USED", CTL_RIGHT},
		{"FRAMES", CTL_RIGHT},
		{"FRAMES/S", CTL_RIGHT},
		{"P50", CTL_RIGHT},
		{"P99", CTL_RIGHT},
		{"CONTEXTS", CTL_RIGHT},
		{"LOST", CTL_RIGHT},
		{"SUBMITS", CTL_RIGHT},
		{"REFUSED", CTL_RIGHT},
		{"RESTARTS", CTL_RIGHT},
		{"VM", CTL_LEFT},
		{},
	};
	ctl_autotable struct ctl_table *table = ctl_table_create(columns);

	for (size_t i = 0; i < sd_json_variant_elements(now->vgpus); i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(now->vgpus, i);

		add_vgpu(table, ctl, vgpu, ctl_sample_find(before, vgpu));
	}
	if (ctl_table_print(table, stdout) < 0)
		return ctl_fail("out of memory");
	return CTL_DONE;
}

/* What the manager says of it, and what follows from that. */
static int add_json(const struct ctl *ctl, sd_json_variant *vgpu,
		    sd_json_variant *old, sd_json_variant **array)
{
	ctl_autojson sd_json_variant *json = sd_json_variant_ref(vgpu);
	uint64_t p50, p99;
	struct ctl_vm vm;
	int r = 0;

	ctl_vm_of_vgpu(ctl, vgpu, &vm);
	/* A name that is not UTF-8 cannot be said in JSON. */
	if (vm.name[0])
		(void)sd_json_variant_set_field_string(&json, "vmName", vm.name);
	if (vm.uuid[0])
		r = sd_json_variant_set_field_string(&json, "vmUuid", vm.uuid);
	if (r >= 0 && ctl_sample_interval(vgpu, old, 0.5, &p50) &&
	    ctl_sample_interval(vgpu, old, 0.99, &p99))
		r = sd_json_variant_merge_objectbo(
			&json,
			SD_JSON_BUILD_PAIR_UNSIGNED("frameIntervalP50Usec", p50),
			SD_JSON_BUILD_PAIR_UNSIGNED("frameIntervalP99Usec", p99));
	if (r >= 0)
		r = sd_json_variant_append_array(array, json);
	return r;
}

static enum ctl_exit print_json(struct ctl *ctl, const struct ctl_sample *now,
				const struct ctl_sample *before)
{
	ctl_autojson sd_json_variant *json = NULL;
	ctl_autojson sd_json_variant *array = NULL;
	struct timespec time;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(now->vgpus);
	     i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(now->vgpus, i);

		r = add_json(ctl, vgpu, ctl_sample_find(before, vgpu), &array);
	}
	clock_gettime(CLOCK_REALTIME, &time);
	if (r >= 0)
		r = sd_json_buildo(
			&json,
			SD_JSON_BUILD_PAIR_UNSIGNED(
				"time", (uint64_t)time.tv_sec * USEC_PER_S +
						(uint64_t)time.tv_nsec / 1000),
			SD_JSON_BUILD_PAIR_VARIANT("gpus", now->gpus),
			SD_JSON_BUILD_PAIR_VARIANT("vgpus", array));
	return r < 0 ? ctl_fail("out of memory") : ctl_print_json(ctl, json);
}

static enum ctl_exit print_sample(struct ctl *ctl, const struct ctl_sample *now,
				  const struct ctl_sample *before)
{
	enum ctl_exit e;

	if (ctl->format != CTL_TEXT)
		e = print_json(ctl, now, before);
	else
		e = print_table(ctl, now, before);
	/* A reader of a pipe wants each sample at once. */
	if (e == CTL_DONE && fflush(stdout) != 0)
		e = CTL_FAILED; /* main() says why */
	return e;
}

static enum ctl_exit follow(struct ctl *ctl, struct ctl_sample *before)
{
	struct vgpu_err err = {};
	enum ctl_exit e = CTL_DONE;

	while (e == CTL_DONE) {
		struct ctl_sample now;

		usleep(INTERVAL_US);
		if (ctl_sample_init(&now, ctl, &err) < 0)
			return ctl_fail("%s", err.text);
		if (ctl->format == CTL_TEXT)
			putchar('\n');
		e = print_sample(ctl, &now, before);
		ctl_sample_finish(before);
		*before = now;
	}
	return e;
}

static enum ctl_exit print_prometheus(struct ctl *ctl)
{
	struct ctl_figures figures;
	struct vgpu_err err = {};

	if (ctl->follow || ctl->format != CTL_TEXT) {
		ctl_complain(
			"--prometheus is a format of its own, of one moment: leave out --json and --follow");
		return CTL_USAGE;
	}
	if (ctl_figures_init(&figures, ctl, &err) < 0)
		return ctl_fail("%s", err.text);
	ctl_prometheus_write(ctl, &figures, stdout);
	ctl_figures_finish(&figures);
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	static const struct ctl_sample none;
	struct ctl_sample sample;
	struct vgpu_err err = {};
	enum ctl_exit e;

	if (ctl->prometheus)
		return print_prometheus(ctl);
	if (ctl_sample_init(&sample, ctl, &err) < 0)
		return ctl_fail("%s", err.text);
	e = print_sample(ctl, &sample, &none);
	if (e == CTL_DONE && ctl->follow)
		e = follow(ctl, &sample);
	ctl_sample_finish(&sample);
	return e;
}

const struct ctl_command ctl_command_stats = {
	.name = "stats",
	.words = "[--follow] [--prometheus] [--json=pretty|short]",
	.summary = "Print what the vGPUs have done",
	.help = "  --follow      go on, once a second, until interrupted\n"
		"  --prometheus  print Prometheus' text format, for node_exporter's textfile\n"
		"                collector; vgpu-exporter(8) serves the same over HTTP\n"
		"\n"
		"P50 and P99 are the time from one frame to the next that half and 99 of 100\n"
		"frames keep, pauses of more than a second left out: since the device process\n"
		"began, and with --follow since the line before. LOST counts contexts, REFUSED\n"
		"commands. As JSON each sample is one object, with time, gpus and vgpus.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl stats\n"
		"  vgpuctl stats --follow --json=short | jq '.vgpus[].framesPerSecond'\n"
		"  vgpuctl stats --prometheus > vgpu.prom.new && mv vgpu.prom.new vgpu.prom\n",
	.options = CTL_OPTION_FOLLOW | CTL_OPTION_PROMETHEUS | CTL_OPTION_JSON,
	.run = run,
};
