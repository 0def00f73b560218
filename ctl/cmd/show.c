/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl show: all about one vGPU. */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "ctl/common/owner.h"
#include "ctl/common/sample.h"
#include "ctl/common/text.h"
#include "ctl/common/vm.h"
#include "lib/util.h"

static void print_line(const char *label, const char *text)
{
	vgpu_autofree char *escaped = ctl_text_escape(text);

	if (text[0])
		printf("%-13s%s\n", label, escaped ? escaped : "?");
}

static void print_string(const char *label, sd_json_variant *vgpu, const char *key)
{
	const char *text = ctl_json_string(vgpu, key);

	if (text)
		print_line(label, text);
}

static void print_number(const char *label, sd_json_variant *vgpu, const char *key)
{
	uint64_t n;

	if (ctl_json_unsigned(vgpu, key, &n))
		printf("%-13s%" PRIu64 "\n", label, n);
}

static void print_host_memory(sd_json_variant *vgpu)
{
	uint64_t mib;

	if (ctl_json_unsigned(vgpu, "hostMemoryMib", &mib))
		printf("%-13sat most %" PRIu64 " MiB beyond the framebuffer\n",
		       "Host memory:", mib);
}

static void print_framebuffer(sd_json_variant *vgpu)
{
	uint64_t size, offset, used;

	if (!ctl_json_unsigned(vgpu, "framebufferMib", &size))
		return;
	printf("%-13s%" PRIu64 " MiB", "Framebuffer:", size);
	if (ctl_json_unsigned(vgpu, "framebufferOffsetMib", &offset))
		printf(" at %" PRIu64 " MiB", offset);
	if (ctl_json_unsigned(vgpu, "usedBytes", &used))
		printf(", %" PRIu64 " MiB in use", ctl_mib(used));
	putchar('\n');
}

static void print_commands(sd_json_variant *vgpu)
{
	uint64_t commands, errors;

	if (!ctl_json_unsigned(vgpu, "commands", &commands))
		return;
	printf("%-13s%" PRIu64, "Commands:", commands);
	if (ctl_json_unsigned(vgpu, "errors", &errors))
		printf(", %" PRIu64 " of them refused", errors);
	putchar('\n');
}

static void print_head(sd_json_variant *head)
{
	const char *vnc = ctl_json_string(head, "vnc");
	uint64_t number, width, height;

	if (!ctl_json_unsigned(head, "head", &number))
		return;
	printf("Head %" PRIu64 ":%*s", number, number > 9 ? 5 : 6, "");
	if (ctl_json_unsigned(head, "width", &width) &&
	    ctl_json_unsigned(head, "height", &height) && width && height)
		printf("shows %" PRIu64 "x%" PRIu64, width, height);
	else
		fputs("shows nothing", stdout);
	if (ctl_json_unsigned(head, "preferredWidth", &width) &&
	    ctl_json_unsigned(head, "preferredHeight", &height)) {
		if (width && height)
			printf(", prefers %" PRIu64 "x%" PRIu64, width, height);
		else
			fputs(", unplugged", stdout);
	}
	if (vnc) {
		vgpu_autofree char *escaped = ctl_text_escape(vnc);

		printf(", VNC at %s%s%s", escaped ? escaped : "?",
		       ctl_json_is_true(head, "vncInput") ? ", with input" : "",
		       ctl_json_is_true(head, "vncPassword") ? ", with a password"
							     : "");
	}
	putchar('\n');
}

static void print_owner(const struct ctl *ctl, sd_json_variant *vgpu)
{
	vgpu_autofree char *text = ctl_owner_text(ctl, vgpu);

	if (text)
		print_line("Owner:", text);
}

/* Which virtual function of its GPU it is. */
static void print_vf(sd_json_variant *vgpu)
{
	const char *address = ctl_json_string(vgpu, "pciAddress");
	vgpu_autofree char *escaped = ctl_text_escape(address ? address : "-");
	uint64_t vf;

	if (ctl_json_unsigned(vgpu, "vf", &vf))
		printf("%-13s%" PRIu64 ", at %s\n", "VF:", vf,
		       escaped ? escaped : "?");
	print_number("Heads:", vgpu, "maxHeads");
}

static void print_guest(sd_json_variant *vgpu)
{
	const char *driver = ctl_json_string(vgpu, "guestDriver");

	if (driver)
		print_line("Guest:", strcmp(driver, "loaded") == 0
					     ? "its driver is loaded"
					     : "it has no driver loaded");
}

/* For how long the GPU's engines have worked for it. */
static void print_engines(sd_json_variant *vgpu)
{
	static const struct {
		const char *key, *name;
	} engines[] = {
		{"graphicsNs", "graphics"},
		{"encoderNs", "encoder"},
		{"decoderNs", "decoder"},
	};
	const char *before = "Engine time: ";
	uint64_t ns;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(engines); i++)
		if (ctl_json_unsigned(vgpu, engines[i].key, &ns)) {
			printf("%s%s %.1f s", before, engines[i].name, ns / 1e9);
			before = ", ";
		}
	if (before[0] == ',')
		putchar('\n');
}

static void print_shares(sd_json_variant *vgpu)
{
	uint64_t quantum, timeout;

	if (ctl_json_unsigned(vgpu, "execQuantumMs", &quantum) &&
	    ctl_json_unsigned(vgpu, "preemptTimeoutUs", &timeout))
		printf("%-13s%" PRIu64 " ms at once, preempted within %" PRIu64
		       " us (0: no limit)\n",
		       "Time:", quantum, timeout);
	print_string("Priority:", vgpu, "schedulingPriority");
}

static void print_vm(const struct ctl *ctl, sd_json_variant *vgpu)
{
	vgpu_autofree char *escaped = NULL;
	struct ctl_vm vm;
	uint64_t pid;

	if (!ctl_json_unsigned(vgpu, "vmPid", &pid))
		return;
	ctl_vm_of_vgpu(ctl, vgpu, &vm);
	escaped = vm.name[0] ? ctl_text_escape(vm.name) : NULL;
	printf("%-13s%" PRIu64 "%s%s%s\n", "VM PID:", pid, escaped ? " (" : "",
	       escaped ? escaped : "", escaped ? ")" : "");
	if (vm.uuid[0])
		print_line("VM UUID:", vm.uuid);
}

/* What it may have of the GPU, and what it showed. */
static void print_figures(sd_json_variant *vgpu)
{
	uint64_t ppm, frames, p50, p99, n;

	if (ctl_json_unsigned(vgpu, "grantedPpm", &ppm))
		printf("%-13s%.1f%% of the GPU's time if all have work\n",
		       "Share:", ppm / 1e4);
	if (ctl_json_unsigned(vgpu, "framesPerSecond", &frames)) {
		printf("%-13s%" PRIu64 " a second", "Frames:", frames);
		if (ctl_sample_interval(vgpu, NULL, 0.5, &p50) &&
		    ctl_sample_interval(vgpu, NULL, 0.99, &p99))
			printf(", %.1f ms apart (99%%: %.1f ms)",
			       (double)p50 / 1000, (double)p99 / 1000);
		putchar('\n');
	}
	if (ctl_json_unsigned(vgpu, "contexts", &n)) {
		printf("%-13s%" PRIu64, "Contexts:", n);
		if (ctl_sample_count(vgpu, "contextsLost", &n))
			printf(", %" PRIu64 " lost", n);
		putchar('\n');
	}
}

static void print_vgpu(const struct ctl *ctl, sd_json_variant *vgpu)
{
	sd_json_variant *heads = sd_json_variant_by_key(vgpu, "heads");
	const char *provider = ctl_json_string(vgpu, "provider");
	bool is_vf = provider && strcmp(provider, "mediated") != 0;

	print_string("UUID:", vgpu, "uuid");
	print_string("Name:", vgpu, "name");
	print_string("Type:", vgpu, "type");
	print_string("GPU:", vgpu, "gpu");
	print_string("Provider:", vgpu, "provider");
	print_vf(vgpu);
	print_string("State:", vgpu, "state");
	if (sd_json_variant_by_key(vgpu, "autostart"))
		print_line("Autostart:",
			   ctl_json_is_true(vgpu, "autostart") ? "on" : "off");
	if (ctl_json_is_true(vgpu, "foreign"))
		print_line("Foreign:",
			   "others made it; it is shown here, and not kept");
	if (ctl_json_is_true(vgpu, "container"))
		print_line("For:", "containers");
	print_string("Failure:", vgpu, "failure");
	print_owner(ctl, vgpu);
	print_framebuffer(vgpu);
	print_host_memory(vgpu);
	print_number("Placement:", vgpu, "placement");
	print_guest(vgpu);
	print_engines(vgpu);
	print_shares(vgpu);
	print_figures(vgpu);
	print_string("Transport:", vgpu, "transport");
	print_string("Socket:", vgpu, "socket");
	print_string("VFIO device:", vgpu, "sysfsPath");
	print_string("CDI device:", vgpu, "cdiDevice");
	print_number("Device PID:", vgpu, "devicePid");
	print_vm(ctl, vgpu);
	print_number("Client PID:", vgpu, "clientPid");
	/* Of a device process; a virtual function has none. */
	if (!is_vf) {
		print_number("Restarts:", vgpu, "restarts");
		print_commands(vgpu);
	}
	if (sd_json_variant_is_array(heads))
		for (size_t i = 0; i < sd_json_variant_elements(heads); i++)
			print_head(sd_json_variant_by_index(heads, i));
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	sd_json_variant *vgpu;
	enum ctl_exit e;

	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	e = ctl_call(ctl, "GetVgpu", parameters, &reply);
	if (e != CTL_DONE)
		return e;
	vgpu = sd_json_variant_by_key(reply, "vgpu");
	if (!sd_json_variant_is_object(vgpu))
		return ctl_fail_reply("GetVgpu", "lacks the vGPU");
	if (ctl->format != CTL_TEXT)
		return ctl_print_json(ctl, vgpu);
	print_vgpu(ctl, vgpu);
	return CTL_DONE;
}

const struct ctl_command ctl_command_show = {
	.name = "show",
	.words = "V [--json=pretty|short]",
	.summary = "Show all about one vGPU",
	.help = "Examples:\n"
		"  vgpuctl show cad\n"
		"  vgpuctl show cad --json=short | jq -r .state\n",
	.options = CTL_OPTION_JSON,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
