/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check what virtual machines need of this host. */
#include "ctl/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ctl/doctor/process.h"
#include "lib/util.h"

#define QEMU		   "qemu-system-x86_64"
#define LANDLOCK_ABI_SCOPE 6 /* the first that can restrict signals */
#define NOBODY		   65534
#define QEMU_DEVICE	   "vhost-user-test-device-pci"
#define QEMU_MAJOR	   11 /* the first whose device has a host-visible window */
#define QEMU_INSTALL                                                           \
	"install QEMU 11.0 or newer; Debian 13 has it in trixie-backports (qemu-system-x86)"

static bool check_qemu_version(struct ctl_findings *findings, char *path)
{
	char *const argv[] = {path, "--version", NULL};
	vgpu_autofree char *output = NULL;
	struct vgpu_err err = {};
	unsigned int major, minor;

	if (ctl_process_run(argv, &output, &err) < 0) {
		ctl_add_finding(findings, "qemu", CTL_FAIL, QEMU_INSTALL, "%s",
				err.text);
		return false;
	}
	if (sscanf(output, "QEMU emulator version %u.%u", &major, &minor) != 2) {
		ctl_add_finding(findings, "qemu", CTL_WARN, QEMU_INSTALL,
				"%s does not say its version", path);
		return true;
	}
	if (major < QEMU_MAJOR)
		ctl_add_finding(findings, "qemu", CTL_WARN, QEMU_INSTALL,
				"%s is version %u.%u, and vGPUs want %u.0",
				path, major, minor, QEMU_MAJOR);
	else
		ctl_add_finding(findings, "qemu", CTL_OK, NULL,
				"%s is version %u.%u", path, major, minor);
	return true;
}

void ctl_doctor_qemu(struct ctl_findings *findings)
{
	vgpu_autofree char *path = ctl_process_find(QEMU);
	char *const argv[] = {path, "-device", "help", NULL};
	vgpu_autofree char *output = NULL;
	struct vgpu_err err = {};

	if (!path) {
		ctl_add_finding(findings, "qemu", CTL_FAIL, QEMU_INSTALL,
				QEMU " is not in PATH");
		return;
	}
	if (!check_qemu_version(findings, path))
		return;
	if (ctl_process_run(argv, &output, &err) < 0)
		ctl_add_finding(findings, "qemu-device", CTL_FAIL, QEMU_INSTALL,
				"%s", err.text);
	else if (!strstr(output, "\"" QEMU_DEVICE "\""))
		ctl_add_finding(findings, "qemu-device", CTL_FAIL, QEMU_INSTALL,
				"%s lacks the device " QEMU_DEVICE, path);
	else
		ctl_add_finding(findings, "qemu-device", CTL_OK, NULL,
				"%s has the device " QEMU_DEVICE, path);
}

void ctl_doctor_kvm(struct ctl_findings *findings)
{
	static const char slower[] =
		"virtual machines are emulated (TCG), which is slower";
	vgpu_autoclose int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vgpu_autoclose int vm = -1;

	if (fd < 0) {
		ctl_add_finding(
			findings, "kvm", CTL_WARN,
			errno == EACCES
				? "be a member of the group kvm"
				: "turn on virtualization in the firmware's set-up, and load kvm_intel or kvm_amd",
			"/dev/kvm cannot be opened (%m): %s", slower);
		return;
	}
	vm = ioctl(fd, KVM_CREATE_VM, 0);
	if (vm < 0)
		ctl_add_finding(
			findings, "kvm", CTL_WARN,
			"end what else holds the processor's virtualization, or leave it at that",
			"/dev/kvm makes no virtual machine (%m): %s", slower);
	else
		ctl_add_finding(findings, "kvm", CTL_OK, NULL,
				"/dev/kvm is usable");
}

/*
 * Whether a child can create the namespaces of a render process: 0 or an errno.
 */
static int try_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		/* vgpu-launch is not root, so try it as another user. */
		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(errno);
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET) < 0
			      ? errno
			      : 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

void ctl_doctor_landlock(struct ctl_findings *findings)
{
	static const char less[] =
		"processes of vGPUs are kept apart by fewer layers";
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		ctl_add_finding(findings, "landlock", CTL_WARN,
				"have the kernel turn it on: lsm=landlock,...",
				"there is no Landlock (%m): %s", less);
	else if (abi < LANDLOCK_ABI_SCOPE)
		ctl_add_finding(findings, "landlock", CTL_WARN,
				"use Linux 6.12 or newer",
				"Landlock's version %ld keeps no signals in: %s",
				abi, less);
	else
		ctl_add_finding(findings, "landlock", CTL_OK, NULL,
				"Landlock's version %ld keeps signals in", abi);
}

void ctl_doctor_seccomp(struct ctl_findings *findings)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		ctl_add_finding(findings, "seccomp", CTL_FAIL,
				"use a kernel with CONFIG_SECCOMP_FILTER",
				"no list of system calls can be set (%m): no vGPU"
				" begins");
	else
		ctl_add_finding(findings, "seccomp", CTL_OK, NULL,
				"lists of system calls can be set");
}

void ctl_doctor_namespaces(struct ctl_findings *findings)
{
	int error = try_namespaces();

	if (error)
		ctl_add_finding(
			findings, "namespaces", CTL_WARN,
			"allow them: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns",
			"no user, process and network namespaces can be made (%s): processes of vGPUs are kept apart by fewer layers",
			strerror(error));
	else
		ctl_add_finding(
			findings, "namespaces", CTL_OK, NULL,
			"user, process and network namespaces can be made");
}

/* Only vGPUs of transport mdev need it. */
void ctl_doctor_mdev(struct ctl_findings *findings)
{
	if (access("/sys/class/vgpu-mdev/vgpu_mdev", F_OK) == 0)
		ctl_add_finding(
			findings, "mdev", CTL_OK, NULL,
			"the module vgpu_mdev is loaded: vGPUs can be VFIO devices");
	else
		ctl_add_finding(
			findings, "mdev", CTL_OK, NULL,
			"the module vgpu_mdev is not loaded: vGPUs are reached by vhost-user, and none can have the transport mdev");
}
