/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vgpu-launch, and no program that it starts, needs: a list of denials. */
#include "sandbox/seccomp_rules.h"

/*
 * What a driver calls while it is opened is not known, so that a list of what
 * is allowed would keep some driver from working. These calls no driver makes.
 */
static const struct vgpu_seccomp_rule rules[] = {
	/* Other processes. */
	DENY(ptrace),
	DENY(process_vm_readv),
	DENY(process_vm_writev),
	DENY(process_madvise),
	DENY(process_mrelease),
	DENY(pidfd_getfd),
	DENY(kcmp),
	DENY(migrate_pages),

	/* Namespaces, and file systems: an empty root is mounted nowhere. */
	DENY(setns),
	DENY(unshare),
	DENY(mount),
	DENY(umount2),
	DENY(pivot_root),
	DENY(move_mount),
	DENY(mount_setattr),
	DENY(open_tree),
	DENY(fspick),
	DENY(name_to_handle_at),
	DENY(open_by_handle_at),
	DENY(fanotify_init),
	DENY(fanotify_mark),
	DENY(quotactl),
	DENY(quotactl_fd),

	/* The kernel, and the machine. */
	DENY(kexec_load),
	DENY(kexec_file_load),
	DENY(init_module),
	DENY(finit_module),
	DENY(delete_module),
	DENY(reboot),
	DENY(swapon),
	DENY(swapoff),
	DENY(acct),
	DENY(syslog),
	DENY(settimeofday),
	DENY(clock_settime),
	DENY(clock_adjtime),
	DENY(adjtimex),
	DENY(sethostname),
	DENY(setdomainname),
	DENY(vhangup),
	DENY(iopl),
	DENY(ioperm),
	DENY(modify_ldt),

	/* Large parts of the kernel that few programs use. */
	DENY(bpf),
	DENY(perf_event_open),
	DENY(io_uring_setup),
	DENY(io_uring_enter),
	DENY(io_uring_register),
	DENY(userfaultfd),
	DENY(keyctl),
	DENY(add_key),
	DENY(request_key),
	DENY(memfd_secret),
	DENY(personality),
};

const struct vgpu_seccomp_list vgpu_seccomp_launcher = {
	.rule = rules,
	.n = VGPU_ARRAY_SIZE(rules),
	.denies = true,
};
