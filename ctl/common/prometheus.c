/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures in Prometheus' text format. */
#include "prometheus.h"

#include <inttypes.h>
#include <string.h>

#include "lib/err.h"
#include "lib/type.h"
#include "lib/util.h"

#include "manager.h"
#include "text.h"
#include "vm.h"

/* A number of each vGPU that has it. */
struct metric {
	const char *name;
	const char *type; /* "counter" or "gauge" */
	const char *help;
	const char *key;   /* of the vGPU */
	const char *label; /* one more, ="@value"; NULL for none */
	const char *value;
	uint64_t factor;     /* what the number counts, or 0 for 1 */
	unsigned int digits; /* of the number, behind the point */
};

/* Metrics of one name stand together. */
static const struct metric metrics[] = {
	{.name = "vgpu_memory_used_bytes",
	 .type = "gauge",
	 .help = "Framebuffer that the guest uses",
	 .key = "usedBytes"},
	{.name = "vgpu_memory_limit_bytes",
	 .type = "gauge",
	 .help = "Framebuffer of the vGPU",
	 .key = "framebufferMib",
	 .factor = VGPU_MIB},
	{.name = "vgpu_host_memory_used_bytes",
	 .type = "gauge",
	 .help = "Memory of the vGPU's processes, as its control group counts",
	 .key = "memoryBytes"},
	{.name = "vgpu_host_memory_limit_bytes",
	 .type = "gauge",
	 .help = "The most that they may have",
	 .key = "memoryMaxBytes"},
	{.name = "vgpu_cpu_seconds_total",
	 .type = "counter",
	 .help = "Processor time of the vGPU's processes: on a software GPU, GPU time is in it",
	 .key = "cpuUsec",
	 .digits = 6},
	{.name = "vgpu_busy_seconds_total",
	 .type = "counter",
	 .help = "For how long an engine of the GPU worked for the vGPU, where the driver says it",
	 .key = "graphicsNs",
	 .label = "engine",
	 .value = "graphics",
	 .digits = 9},
	{.name = "vgpu_busy_seconds_total",
	 .key = "encoderNs",
	 .label = "engine",
	 .value = "encoder",
	 .digits = 9},
	{.name = "vgpu_busy_seconds_total",
	 .key = "decoderNs",
	 .label = "engine",
	 .value = "decoder",
	 .digits = 9},
	{.name = "vgpu_gpu_share_ratio",
	 .type = "gauge",
	 .help = "Part of the GPU's time that it gets if every vGPU has work",
	 .key = "grantedPpm",
	 .digits = 6},
	{.name = "vgpu_frames_total",
	 .type = "counter",
	 .help = "Frames that heads showed since the virtual machine attached",
	 .key = "frames"},
	{.name = "vgpu_frame_rate_limit",
	 .type = "gauge",
	 .help = "The most frames a second of a head, 0 for no limit",
	 .key = "frameRateLimit"},
	{.name = "vgpu_contexts",
	 .type = "gauge",
	 .help = "Contexts of the guest that are alive",
	 .key = "contexts"},
	{.name = "vgpu_submits_total",
	 .type = "counter",
	 .help = "Command streams that the guest's kernel submitted",
	 .key = "submits"},
	{.name = "vgpu_commands_total",
	 .type = "counter",
	 .help = "Control commands handled since the virtual machine attached",
	 .key = "commands"},
	{.name = "vgpu_queue_depth",
	 .type = "gauge",
	 .help = "Commands that wait for their answers",
	 .key = "queueDepth"},
	{.name = "vgpu_device_restarts_total",
	 .type = "counter",
	 .help = "Device processes that were replaced since the vGPU was started",
	 .key = "restarts"},
};

struct out {
	FILE *f;
	const struct ctl *ctl;
	sd_json_variant *vgpus;
	size_t count; /* of those to show */
};

static void write_head(const struct out *out, const char *name,
		       const char *type, const char *help)
{
	fprintf(out->f, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

/*
 * Behind a label's =. The format wants UTF-8 with three characters escaped; of
 * those a line's end is one that ctl_text_escape() leaves none of.
 */
static void write_label_value(FILE *f, const char *text)
{
	vgpu_autofree char *plain = ctl_text_escape(text ? text : "");

	fputc('"', f);
	for (const char *c = plain ? plain : "?"; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', f);
		fputc(*c, f);
	}
	fputc('"', f);
}

static sd_json_variant *vgpu_at(const struct out *out, size_t i,
				const char **ret_uuid)
{
	sd_json_variant *vgpu = sd_json_variant_by_index(out->vgpus, i);

	*ret_uuid = ctl_json_string(vgpu, "uuid");
	return *ret_uuid ? vgpu : NULL;
}

/* NAME{uuid="...",LABEL="VALUE" */
static void write_labels(const struct out *out, const char *name,
			 const char *uuid, const char *label, const char *value)
{
	fprintf(out->f, "%s{uuid=", name);
	write_label_value(out->f, uuid);
	if (!label)
		return;
	fprintf(out->f, ",%s=", label);
	write_label_value(out->f, value);
}

static void write_number(const struct out *out, uint64_t number,
			 unsigned int digits)
{
	uint64_t unit = 1;

	for (unsigned int i = 0; i < digits; i++)
		unit *= 10;
	fprintf(out->f, "} %" PRIu64, number / unit);
	if (digits)
		fprintf(out->f, ".%0*" PRIu64, (int)digits, number % unit);
	fputc('\n', out->f);
}

static void write_metric(const struct out *out, const struct metric *metric)
{
	const char *uuid;

	if (metric->help)
		write_head(out, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < out->count; i++) {
		sd_json_variant *vgpu = vgpu_at(out, i, &uuid);
		uint64_t number;

		if (!vgpu || !ctl_json_unsigned(vgpu, metric->key, &number))
			continue;
		if (metric->factor && number > UINT64_MAX / metric->factor)
			continue;
		write_labels(out, metric->name, uuid, metric->label,
			     metric->value);
		write_number(out, number * VGPU_MAX(metric->factor, 1u),
			     metric->digits);
	}
}

/* An array of {what, count} of each vGPU, @key: a label for @what. */
static void write_counts(const struct out *out, const char *name,
			 const char *label, const char *key, const char *help)
{
	const char *uuid;

	write_head(out, name, "counter", help);
	for (size_t i = 0; i < out->count; i++) {
		sd_json_variant *vgpu = vgpu_at(out, i, &uuid);
		sd_json_variant *counts =
			vgpu ? sd_json_variant_by_key(vgpu, key) : NULL;

		for (size_t j = 0; sd_json_variant_is_array(counts) &&
				   j < sd_json_variant_elements(counts);
		     j++) {
			sd_json_variant *one =
				sd_json_variant_by_index(counts, j);
			uint64_t number;

			if (!ctl_json_unsigned(one, "count", &number))
				continue;
			write_labels(out, name, uuid, label,
				     ctl_json_string(one, "what"));
			write_number(out, number, 0);
		}
	}
}

static void write_intervals_of(const struct out *out, sd_json_variant *vgpu,
			       const char *uuid)
{
	static const char name[] = "vgpu_frame_interval_seconds";
	sd_json_variant *classes = sd_json_variant_by_key(vgpu, "frameIntervals");
	uint64_t up_to, frames, total = 0, sum = 0;
	char bound[32];

	if (!sd_json_variant_is_array(classes) ||
	    !ctl_json_unsigned(vgpu, "frameIntervalsUsec", &sum))
		return;
	for (size_t i = 0; i < sd_json_variant_elements(classes); i++) {
		sd_json_variant *one = sd_json_variant_by_index(classes, i);

		if (!ctl_json_unsigned(one, "upToUsec", &up_to) ||
		    !ctl_json_unsigned(one, "frames", &frames))
			continue;
		total = frames > UINT64_MAX - total ? UINT64_MAX : total + frames;
		snprintf(bound, sizeof(bound), "%g", (double)up_to / 1e6);
		write_labels(out, "vgpu_frame_interval_seconds_bucket", uuid,
			     "le", bound);
		write_number(out, total, 0);
	}
	/* Longer ones are not counted: they are pauses. */
	write_labels(out, "vgpu_frame_interval_seconds_bucket", uuid, "le",
		     "+Inf");
	write_number(out, total, 0);
	fprintf(out->f, "%s_sum{uuid=", name);
	write_label_value(out->f, uuid);
	write_number(out, sum, 6);
	fprintf(out->f, "%s_count{uuid=", name);
	write_label_value(out->f, uuid);
	write_number(out, total, 0);
}

static void write_intervals(const struct out *out)
{
	const char *uuid;

	write_head(
		out, "vgpu_frame_interval_seconds", "histogram",
		"Time from one frame of a head to the next; pauses of more than a second do not count");
	for (size_t i = 0; i < out->count; i++) {
		sd_json_variant *vgpu = vgpu_at(out, i, &uuid);

		if (vgpu)
			write_intervals_of(out, vgpu, uuid);
	}
}

static void write_states(const struct out *out)
{
	static const char *const states[] = {"defined", "active", "attached",
					     "failed"};
	const char *uuid;

	write_head(out, "vgpu_state", "gauge",
		   "1 for the state that the vGPU is in");
	for (size_t i = 0; i < out->count; i++) {
		sd_json_variant *vgpu = vgpu_at(out, i, &uuid);
		const char *state = vgpu ? ctl_json_string(vgpu, "state") : NULL;

		for (size_t j = 0; state && j < VGPU_ARRAY_SIZE(states); j++) {
			write_labels(out, "vgpu_state", uuid, "state", states[j]);
			write_number(out, strcmp(state, states[j]) == 0, 0);
		}
	}
}

static void write_vnc(const struct out *out)
{
	const char *uuid;

	write_head(out, "vgpu_vnc_clients", "gauge",
		   "How many look at the heads by VNC");
	for (size_t i = 0; i < out->count; i++) {
		sd_json_variant *vgpu = vgpu_at(out, i, &uuid);
		sd_json_variant *heads =
			vgpu ? sd_json_variant_by_key(vgpu, "heads") : NULL;
		uint64_t clients, total = 0;

		if (!sd_json_variant_is_array(heads))
			continue;
		for (size_t j = 0; j < sd_json_variant_elements(heads); j++)
			if (ctl_json_unsigned(sd_json_variant_by_index(heads, j),
					      "vncClients", &clients))
				total += VGPU_MIN(clients, (uint64_t)UINT32_MAX);
		write_labels(out, "vgpu_vnc_clients", uuid, NULL, NULL);
		write_number(out, total, 0);
	}
}

static void write_info_of(const struct out *out, sd_json_variant *vgpu,
			  const char *uuid)
{
	static const char *const keys[][2] = {
		{"name", "name"},
		{"type", "type"},
		{"gpu", "gpu"},
		{"provider", "provider"},
		{"pci_address", "pciAddress"},
	};
	struct ctl_vm vm;

	ctl_vm_of_vgpu(out->ctl, vgpu, &vm);
	write_labels(out, "vgpu_info", uuid, "vm", vm.name);
	fputs(",vm_uuid=", out->f);
	write_label_value(out->f, vm.uuid);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(keys); i++) {
		fprintf(out->f, ",%s=", keys[i][0]);
		write_label_value(out->f, ctl_json_string(vgpu, keys[i][1]));
	}
	write_number(out, 1, 0);
}

static void write_info(const struct out *out)
{
	const char *uuid;

	write_head(
		out, "vgpu_info", "gauge",
		"What a vGPU and its virtual machine are called; the latter as that says itself");
	for (size_t i = 0; i < out->count; i++) {
		sd_json_variant *vgpu = vgpu_at(out, i, &uuid);

		if (vgpu)
			write_info_of(out, vgpu, uuid);
	}
}

static void write_gpu_info(const struct out *out, sd_json_variant *gpus)
{
	static const char *const keys[][2] = {
		{"name", "name"},
		{"driver", "driver"},
		{"provider", "provider"},
		{"pci_address", "pciAddress"},
	};

	write_head(out, "vgpu_gpu_info", "gauge", "What a physical GPU is");
	for (size_t i = 0; i < sd_json_variant_elements(gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);

		fputs("vgpu_gpu_info{gpu=", out->f);
		write_label_value(out->f, ctl_json_string(gpu, "gpu"));
		for (size_t j = 0; j < VGPU_ARRAY_SIZE(keys); j++) {
			fprintf(out->f, ",%s=", keys[j][0]);
			write_label_value(out->f,
					  ctl_json_string(gpu, keys[j][1]));
		}
		write_number(out, 1, 0);
	}
}

static void write_gpus(const struct out *out, sd_json_variant *gpus)
{
	static const struct {
		const char *name, *help, *key;
		uint64_t factor;
	} of_gpus[] = {
		{"vgpu_gpu_memory_bytes", "Framebuffer of the GPU for vGPUs",
		 "framebufferMib", VGPU_MIB},
		{"vgpu_gpu_memory_free_bytes", "Of that what no vGPU has",
		 "freeMib", VGPU_MIB},
		{"vgpu_gpu_vgpus", "vGPUs on the GPU", "vgpus", 1},
	};

	write_gpu_info(out, gpus);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(of_gpus); i++) {
		write_head(out, of_gpus[i].name, "gauge", of_gpus[i].help);
		for (size_t j = 0; j < sd_json_variant_elements(gpus); j++) {
			sd_json_variant *gpu = sd_json_variant_by_index(gpus, j);
			uint64_t number;

			if (!ctl_json_unsigned(gpu, of_gpus[i].key, &number) ||
			    number > UINT64_MAX / of_gpus[i].factor)
				continue;
			fprintf(out->f, "%s{gpu=", of_gpus[i].name);
			write_label_value(out->f, ctl_json_string(gpu, "gpu"));
			write_number(out, number * of_gpus[i].factor, 0);
		}
	}
}

static void write_up(const struct out *out, bool is_up)
{
	write_head(out, "vgpu_up", "gauge", "Whether the manager answered");
	fprintf(out->f, "vgpu_up %d\n", is_up);
}

static void write_manager(const struct out *out, sd_json_variant *info)
{
	size_t all = sd_json_variant_elements(out->vgpus);

	write_up(out, true);
	write_head(out, "vgpu_manager_info", "gauge", "Which manager answered");
	fputs("vgpu_manager_info{version=", out->f);
	write_label_value(out->f, ctl_json_string(info, "version"));
	write_number(out, 1, 0);
	write_head(out, "vgpu_left_out", "gauge",
		   "vGPUs that are not shown here, for there are too many");
	fprintf(out->f, "vgpu_left_out %zu\n", all - out->count);
}

void ctl_prometheus_write(const struct ctl *ctl,
			  const struct ctl_figures *figures, FILE *f)
{
	const struct out out = {
		.f = f,
		.ctl = ctl,
		.vgpus = figures->vgpus,
		.count = VGPU_MIN(sd_json_variant_elements(figures->vgpus),
				  (size_t)CTL_PROMETHEUS_VGPUS_MAX),
	};

	write_manager(&out, figures->info);
	write_gpus(&out, figures->gpus);
	write_info(&out);
	write_states(&out);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(metrics); i++)
		write_metric(&out, &metrics[i]);
	write_intervals(&out);
	write_counts(&out, "vgpu_contexts_lost_total", "reason", "contextsLost",
		     "Contexts of the guest that were lost");
	write_counts(
		&out, "vgpu_decode_errors_total", "class", "refusals",
		"Commands of the guest that were refused, by virtio-gpu's errors");
	write_vnc(&out);
}

void ctl_prometheus_write_down(FILE *f)
{
	write_up(&(struct out){.f = f}, false);
}

void ctl_figures_finish(struct ctl_figures *figures)
{
	sd_json_variant_unref(figures->info);
	sd_json_variant_unref(figures->gpus);
	sd_json_variant_unref(figures->vgpus);
	*figures = (struct ctl_figures){};
}

int ctl_figures_init(struct ctl_figures *ret, struct ctl *ctl,
		     struct vgpu_err *err)
{
	struct ctl_figures figures = {};
	int r;

	r = ctl_manager_call(ctl, "GetInfo", NULL, &figures.info, err);
	if (r >= 0)
		r = ctl_manager_call_array(ctl, "ListGpus", NULL, "gpus",
					   &figures.gpus, err);
	if (r >= 0)
		r = ctl_manager_call_array(ctl, "ListVgpus", NULL, "vgpus",
					   &figures.vgpus, err);
	if (r < 0) {
		ctl_figures_finish(&figures);
		return r;
	}
	*ret = figures;
	return 0;
}
