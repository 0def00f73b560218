/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpuctl qemu-args: print the arguments that attach a vGPU to QEMU or libvirt.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "lib/util.h"

#define METHOD	 "GetQemuArguments"
#define QEMU_XML "http://libvirt.org/schemas/domain/qemu/1.0"

static enum ctl_exit print_words(sd_json_variant *arguments)
{
	for (size_t i = 0; i < sd_json_variant_elements(arguments); i++) {
		vgpu_autofree char *quoted =
			ctl_text_quote(sd_json_variant_string(
				sd_json_variant_by_index(arguments, i)));

		if (!quoted)
			return ctl_fail("out of memory");
		printf("%s%s", i ? " " : "", quoted);
	}
	putchar('\n');
	return CTL_DONE;
}

static int append_strings(sd_json_variant **array, const char *const *words,
			  size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sd_json_variant_append_arrayb(
			array, SD_JSON_BUILD_STRING(words[i]));
	return r;
}

/*
 * Prepend to *@arguments what gives a machine @mib of memory. A second -machine
 * adds to the first in QEMU, so that the user's own stays in effect.
 */
static int add_memory(sd_json_variant **arguments, uint64_t mib, bool is_shared)
{
	ctl_autojson sd_json_variant *all = NULL;
	char size[32], object[96];
	const char *const words[] = {
		"-m",	size,	    "-object",
		object, "-machine", "memory-backend=vgpu-memory",
		"-vga", "none",
	};
	int r;

	snprintf(size, sizeof(size), "%" PRIu64 "M", mib);
	snprintf(object, sizeof(object),
		 "memory-backend-memfd,id=vgpu-memory,size=%s,share=on", size);
	r = append_strings(&all, words, is_shared ? VGPU_ARRAY_SIZE(words) : 2);
	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(*arguments); i++)
		r = sd_json_variant_append_array(
			&all, sd_json_variant_by_index(*arguments, i));
	if (r < 0)
		return r;
	sd_json_variant_unref(*arguments);
	*arguments = vgpu_steal(&all);
	return 0;
}

static enum ctl_exit print_argument(const char *text)
{
	vgpu_autofree char *escaped = ctl_text_escape_xml(text);

	if (!escaped)
		return ctl_fail(
			"an argument of QEMU's cannot be written as XML: %s",
			strerror(errno));
	printf("  <qemu:arg value='%s'/>\n", escaped);
	return CTL_DONE;
}

/* Device number @i as JSON. An older manager has one, and names it alone. */
static enum ctl_exit print_device(sd_json_variant *reply, size_t i)
{
	sd_json_variant *devices = sd_json_variant_by_key(reply, "devices");
	sd_json_variant *device = sd_json_variant_by_key(reply, "device");
	vgpu_autofree char *text = NULL;

	if (sd_json_variant_is_array(devices))
		device = sd_json_variant_by_index(devices, i);
	if (!sd_json_variant_is_object(device))
		return ctl_fail_reply(METHOD, "lacks a device");
	if (sd_json_variant_format(device, /* flags= */ 0, &text) < 0)
		return ctl_fail("out of memory");
	return print_argument(text);
}

/*
 * Print QEMU's arguments from number @first on. Devices are written as JSON:
 * otherwise QEMU could put them into slots that libvirt has chosen for others.
 */
static enum ctl_exit print_commandline(sd_json_variant *reply,
				       sd_json_variant *arguments, size_t first)
{
	enum ctl_exit e = CTL_DONE;
	bool is_device = false;
	size_t n_devices = first ? 1 : 0;

	puts("<qemu:commandline xmlns:qemu='" QEMU_XML "'>");
	for (size_t i = first;
	     e == CTL_DONE && i < sd_json_variant_elements(arguments); i++) {
		const char *word = sd_json_variant_string(
			sd_json_variant_by_index(arguments, i));

		e = is_device ? print_device(reply, n_devices++)
			      : print_argument(word);
		is_device = strcmp(word, "-device") == 0;
	}
	if (e == CTL_DONE)
		puts("</qemu:commandline>");
	return e;
}

/* For VFIO devices libvirt itself binds the driver and locks memory. */
static enum ctl_exit print_hostdev(const char *host)
{
	unsigned int domain, bus, slot, function;
	int end = 0;

	if (!host ||
	    sscanf(host, "%x:%x:%x.%x%n", &domain, &bus, &slot, &function,
		   &end) != 4 ||
	    host[end])
		return ctl_fail_reply(METHOD, "has a device with no PCI address");
	printf("<devices>\n"
	       "  <hostdev mode='subsystem' type='pci' managed='no'>\n"
	       "    <source>\n"
	       "      <address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n"
	       "    </source>\n"
	       "  </hostdev>\n"
	       "</devices>\n",
	       domain, bus, slot, function);
	return CTL_DONE;
}

static void print_shared_memory(void)
{
	puts("<memoryBacking>\n"
	     "  <source type='memfd'/>\n"
	     "  <access mode='shared'/>\n"
	     "</memoryBacking>");
}

/* A mediated device, by its uuid; its input devices follow as QEMU's arguments. */
static enum ctl_exit print_mdev(sd_json_variant *reply,
				sd_json_variant *arguments, const char *path)
{
	const char *name = strrchr(path, '/');
	char uuid[VGPU_UUID_SIZE];
	enum ctl_exit e;

	if (!name || vgpu_uuid_parse(name + 1, uuid, NULL) < 0)
		return ctl_fail_reply(METHOD, "has a device with no uuid");
	if (ctl_json_is_true(reply, "sharedMemory"))
		print_shared_memory();
	printf("<devices>\n"
	       "  <video>\n"
	       "    <model type='none'/>\n"
	       "  </video>\n"
	       "  <hostdev mode='subsystem' type='mdev' model='vfio-pci' display='off'>\n"
	       "    <source>\n"
	       "      <address uuid='%s'/>\n"
	       "    </source>\n"
	       "  </hostdev>\n"
	       "</devices>\n",
	       uuid);
	/* The first two are the device itself. */
	if (sd_json_variant_elements(arguments) <= 2)
		return CTL_DONE;
	e = print_commandline(reply, arguments, 2);
	if (e == CTL_DONE)
		ctl_note("note: with --no-input the machine needs neither shared memory nor <qemu:commandline>");
	return e;
}

static enum ctl_exit print_libvirt(sd_json_variant *reply,
				   sd_json_variant *arguments)
{
	sd_json_variant *device = sd_json_variant_by_key(reply, "device");
	const char *driver = ctl_json_string(device, "driver");
	const char *path = ctl_json_string(device, "sysfsdev");
	enum ctl_exit e;

	if (!driver)
		return ctl_fail(
			"the manager does not say what libvirt needs: it is older than this vgpuctl; 'systemctl restart vgpud'");
	if (strcmp(driver, "vfio-pci") == 0 && path)
		return print_mdev(reply, arguments, path);
	if (strcmp(driver, "vfio-pci") == 0)
		return print_hostdev(ctl_json_string(device, "host"));
	if (ctl_json_is_true(reply, "sharedMemory"))
		print_shared_memory();
	puts("<devices>\n"
	     "  <video>\n"
	     "    <model type='none'/>\n"
	     "  </video>\n"
	     "</devices>");
	e = print_commandline(reply, arguments, 0);
	if (e == CTL_DONE)
		ctl_note("note: this belongs into the domain's <domain> ('virsh edit'), in place of the <memoryBacking> and <video> it has; libvirt's QEMU must be allowed to connect to the socket");
	return e;
}

static enum ctl_exit print_json(struct ctl *ctl, sd_json_variant *reply,
				sd_json_variant *arguments)
{
	ctl_autojson sd_json_variant *all = sd_json_variant_ref(reply);
	int r = 0;

	if (ctl->memory_mib)
		r = sd_json_variant_set_field(&all, "arguments", arguments);
	return r < 0 ? ctl_parameters_failed(r) : ctl_print_json(ctl, all);
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	ctl_autojson sd_json_variant *arguments = NULL;
	bool has_all = false;
	const char *note;
	enum ctl_exit e;

	if (ctl->libvirt && (ctl->memory_mib || ctl->format != CTL_TEXT)) {
		ctl_complain(
			"--libvirt prints XML: neither --memory nor --json goes with it");
		return CTL_USAGE;
	}
	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	if (ctl->display) {
		int r = sd_json_variant_set_field_boolean(&parameters,
							  "display", true);

		if (r < 0)
			return ctl_parameters_failed(r);
	}
	if (ctl->no_input) {
		int r = sd_json_variant_set_field_boolean(&parameters, "input",
							  false);

		if (r < 0)
			return ctl_parameters_failed(r);
	}
	e = ctl_call(ctl, METHOD, parameters, &reply);
	if (e != CTL_DONE)
		return e;
	arguments =
		sd_json_variant_ref(sd_json_variant_by_key(reply, "arguments"));
	if (!sd_json_variant_is_array(arguments) ||
	    sd_json_variant_elements(arguments) == 0)
		return ctl_fail_reply(METHOD, "lacks the arguments");
	for (size_t i = 0; i < sd_json_variant_elements(arguments); i++)
		if (!sd_json_variant_is_string(
			    sd_json_variant_by_index(arguments, i)))
			return ctl_fail_reply(
				METHOD, "has an argument that is no string");
	if (ctl->libvirt)
		return print_libvirt(reply, arguments);
	if (ctl->memory_mib) {
		/* Older managers do not say, and have mediated vGPUs only. */
		bool is_shared = !sd_json_variant_by_key(reply, "sharedMemory") ||
				 ctl_json_is_true(reply, "sharedMemory");
		int r = add_memory(&arguments, ctl->memory_mib, is_shared);

		if (r < 0)
			return ctl_parameters_failed(r);
		has_all = is_shared;
	}
	if (ctl->format != CTL_TEXT)
		return print_json(ctl, reply, arguments);

	e = print_words(arguments);
	note = ctl_json_string(reply, "note");
	if (e == CTL_DONE && !has_all && note && note[0])
		ctl_note("note: %s", note);
	return e;
}

const struct ctl_command ctl_command_qemu_args = {
	.name = "qemu-args",
	.words = "V [--memory SIZE | --libvirt] [--display] [--no-input] [--json=pretty|short]",
	.summary = "Print the QEMU arguments that attach a vGPU",
	.help = "  --memory SIZE   also those that give the machine SIZE of memory, as 4G, shared\n"
		"                  as the vGPU needs it, and no other VGA\n"
		"  --libvirt       what belongs into the XML of a libvirt domain instead\n"
		"  --display       for QEMU's own window or SPICE to show the heads; the guest\n"
		"                  gets no Vulkan\n"
		"  --no-input      without the keyboard and the pointer that VNC viewers use\n"
		"\n"
		"Prints one line for a shell. Without --memory, what else the virtual machine\n"
		"needs is said on stderr.\n"
		"\n"
		"Examples:\n"
		"  qemu-system-x86_64 -M q35 $(vgpuctl qemu-args cad --memory 4G) disk.img\n"
		"  vgpuctl qemu-args cad --libvirt\n"
		"  vgpuctl qemu-args cad --json=short | jq -r '.arguments[]'\n",
	.options = CTL_OPTION_JSON | CTL_OPTION_MEMORY | CTL_OPTION_LIBVIRT |
		   CTL_OPTION_DISPLAY | CTL_OPTION_NO_INPUT,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
