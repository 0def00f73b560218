/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check the systemd service, and what libvirt needs. */
#include "ctl/doctor/doctor.h"

#include <string.h>

#include "ctl/doctor/apparmor.h"
#include "ctl/doctor/process.h"
#include "lib/util.h"

#define UNIT "vgpud.service"

/*
 * The value of @key in KEY=VALUE lines, terminated in place; "" if there is
 * none.
 */
static const char *value_of(char *lines, const char *key)
{
	size_t length = strlen(key);

	for (char *line = lines; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == '=')
			return line + length + 1;
	}
	return "";
}

static bool is_value(const char *value, const char *wanted)
{
	size_t length = strlen(wanted);

	return strncmp(value, wanted, length) == 0 &&
	       (value[length] == '\n' || value[length] == '\0');
}

static bool has_word(const char *value, const char *word)
{
	size_t length = strlen(word), end = strcspn(value, "\n");

	for (const char *at = value; at < value + end;) {
		size_t n = strcspn(at, " \n");

		if (n == length && strncmp(at, word, n) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

/* Look in sbin, too: daemons are there, and it is not in users' PATH. */
static bool has_libvirt(void)
{
	static const char *const names[] = {"virtqemud", "libvirtd"};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(names); i++) {
		vgpu_autofree char *path = ctl_process_find(names[i]);
		vgpu_autofree char *sbin = NULL;

		if (path)
			return true;
		if (asprintf(&sbin, "/usr/sbin/%s", names[i]) < 0)
			sbin = NULL;
		else if (access(sbin, X_OK) == 0)
			return true;
	}
	return false;
}

void ctl_doctor_unit(struct ctl_findings *findings)
{
	vgpu_autofree char *path = ctl_process_find("systemctl");
	char *const argv[] = {
		path,
		(char *)"show",
		(char *)"--property=LoadState,ActiveState,UnitFileState,NeedDaemonReload,Before",
		(char *)UNIT,
		NULL,
	};
	vgpu_autofree char *output = NULL;
	struct vgpu_err err = {};
	const char *before;

	/* No systemd, or no such unit: vgpud may be started by hand. */
	if (!path || ctl_process_run(argv, &output, &err) < 0 ||
	    !is_value(value_of(output, "LoadState"), "loaded"))
		return;
	before = value_of(output, "Before");
	if (is_value(value_of(output, "ActiveState"), "failed"))
		ctl_add_finding(
			findings, "service", CTL_FAIL,
			"look at its log ('journalctl -u vgpud'), then 'systemctl restart vgpud'",
			UNIT " has failed");
	else if (is_value(value_of(output, "NeedDaemonReload"), "yes"))
		ctl_add_finding(
			findings, "service", CTL_WARN,
			"'systemctl daemon-reload'; it takes effect when vgpud is started again",
			"the file of " UNIT " has changed since systemd read it");
	else if (is_value(value_of(output, "UnitFileState"), "disabled"))
		ctl_add_finding(
			findings, "service", CTL_WARN, "'systemctl enable vgpud'",
			UNIT
			" does not start with the machine: its vGPUs are not there then");
	else if (has_libvirt() && !has_word(before, "libvirtd.service") &&
		 !has_word(before, "virtqemud.service"))
		ctl_add_finding(
			findings, "service", CTL_WARN,
			"install the unit anew, or have it Before=libvirtd.service virtqemud.service",
			UNIT
			" is not started before libvirt: domains that libvirt starts by itself may not find their vGPUs");
	else
		ctl_add_finding(
			findings, "service", CTL_OK, NULL,
			UNIT " is %.*s, and %.*s",
			(int)strcspn(value_of(output, "UnitFileState"), "\n"),
			value_of(output, "UnitFileState"),
			(int)strcspn(value_of(output, "ActiveState"), "\n"),
			value_of(output, "ActiveState"));
}

void ctl_doctor_libvirt(struct ctl_findings *findings)
{
	if (!has_libvirt())
		return;
	if (!ctl_apparmor_is_enabled())
		ctl_add_finding(
			findings, "libvirt", CTL_OK, NULL,
			"AppArmor is off: nothing but a socket's owner and mode keeps libvirt's QEMU from it");
	else if (ctl_apparmor_allows_qemu(CTL_APPARMOR_FOLDER))
		ctl_add_finding(findings, "libvirt", CTL_OK, NULL,
				"AppArmor lets libvirt's QEMU connect to vGPUs");
	else
		ctl_add_finding(
			findings, "libvirt", CTL_WARN,
			"install OpenVGPU anew: what it puts into " CTL_APPARMOR_FOLDER
			"/abstractions/libvirt-qemu.d is missing",
			"AppArmor keeps libvirt's QEMU from the sockets of vGPUs");
}
