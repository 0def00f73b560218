/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a filter of a role's list, for the kernel to hold this process to. */
#include "sandbox/seccomp.h"

#include <string.h>
#include <unistd.h>

#include "lib/fds.h"
#include "sandbox/gpu_nodes.h"
#include "sandbox/report.h"
#include "sandbox/seccomp_record.h"
#include "sandbox/seccomp_rules.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

const struct vgpu_seccomp_list *vgpu_seccomp_list_of(enum vgpu_sandbox_role role)
{
	static const struct vgpu_seccomp_list *const lists[] = {
		[VGPU_SANDBOX_RENDER] = &vgpu_seccomp_render,
		[VGPU_SANDBOX_DEVICE] = &vgpu_seccomp_device,
		[VGPU_SANDBOX_VNC] = &vgpu_seccomp_vnc,
		[VGPU_SANDBOX_LAUNCHER] = &vgpu_seccomp_launcher,
		[VGPU_SANDBOX_REPLAY] = &vgpu_seccomp_replay,
	};

	return lists[role];
}

bool vgpu_seccomp_counts(const struct vgpu_seccomp_rule *rule, bool is_hardware)
{
	return rule->when == VGPU_SECCOMP_ALWAYS ||
	       is_hardware == (rule->when == VGPU_SECCOMP_ON_HARDWARE);
}

bool vgpu_seccomp_matches(const struct vgpu_seccomp_rule *rule,
			  const struct seccomp_data *call, pid_t own)
{
	if (call->nr != rule->call)
		return false;
	for (unsigned int i = 0; i < rule->n_args; i++) {
		const struct vgpu_seccomp_arg *arg = &rule->arg[i];
		uint64_t value = arg->is_own_pid ? (uint64_t)own : arg->value;

		if ((call->args[arg->index] & arg->mask) != value)
			return false;
	}
	return true;
}

/*
 * Of several filters' actions the kernel takes the strictest, and an error is
 * stricter than a question to a listener. Being traced is not, and without a
 * tracer, which there cannot be, the call fails with ENOSYS.
 */
static uint32_t choose_action(const struct vgpu_seccomp_list *list,
			      const struct vgpu_seccomp_rule *rule)
{
	if (list->denies)
		return SCMP_ACT_TRACE(0);
	return rule->error ? SCMP_ACT_ERRNO(rule->error) : SCMP_ACT_ALLOW;
}

static int add_rule(scmp_filter_ctx filter, const struct vgpu_seccomp_list *list,
		    const struct vgpu_seccomp_rule *rule)
{
	struct scmp_arg_cmp args[VGPU_SECCOMP_ARGS_MAX];

	for (unsigned int i = 0; i < rule->n_args; i++) {
		const struct vgpu_seccomp_arg *arg = &rule->arg[i];

		args[i] = (struct scmp_arg_cmp){
			.arg = arg->index,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = arg->mask,
			.datum_b = arg->is_own_pid ? (scmp_datum_t)getpid()
						   : arg->value,
		};
	}
	return seccomp_rule_add_array(filter, choose_action(list, rule),
				      rule->call, rule->n_args, args);
}

/* What a sanitizer's runtime does in a process, whatever arguments it has. */
static const int sanitizers[] = {
	SCMP_SYS(madvise),     SCMP_SYS(mmap),
	SCMP_SYS(mprotect),    SCMP_SYS(sigaltstack),
	SCMP_SYS(getrlimit),   SCMP_SYS(prlimit64),
	SCMP_SYS(prctl),       SCMP_SYS(openat),
	SCMP_SYS(read),	       SCMP_SYS(lseek),
	SCMP_SYS(write),       SCMP_SYS(readlink),
	SCMP_SYS(newfstatat),  SCMP_SYS(futex),
	SCMP_SYS(clone),       SCMP_SYS(poll),
	SCMP_SYS(getpriority), SCMP_SYS(sched_getaffinity),
};

static bool is_sanitizers(int call)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(sanitizers); i++)
		if (IS_SANITIZED && sanitizers[i] == call)
			return true;
	return false;
}

static int add_sanitizers(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(sanitizers) && r == 0; i++)
		if (IS_SANITIZED)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					     sanitizers[i], 0);
	return r;
}

static int add_list(scmp_filter_ctx filter, const struct vgpu_seccomp_list *list,
		    bool is_hardware, uint32_t otherwise)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		const struct vgpu_seccomp_rule *rule = &list->rule[i];

		/* libseccomp takes no rule that says what there is without it. */
		if (vgpu_seccomp_counts(rule, is_hardware) &&
		    !is_sanitizers(rule->call) &&
		    !(rule->error && otherwise == SCMP_ACT_ERRNO(rule->error)))
			r = add_rule(filter, list, rule);
	}
	return r;
}

scmp_filter_ctx vgpu_seccomp_build(enum vgpu_sandbox_role role,
				   bool is_hardware, uint32_t otherwise)
{
	const struct vgpu_seccomp_list *list = vgpu_seccomp_list_of(role);
	scmp_filter_ctx filter = seccomp_init(otherwise);
	int r = filter ? 0 : -ENOMEM;

	/* Calls of other ABIs, such as i386's. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				     SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A search tree, not one comparison a call. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_sanitizers(filter);
	for (; list && r == 0; list = list->base)
		r = add_list(filter, list, is_hardware, otherwise);
	if (r == 0)
		return filter;
	seccomp_release(filter);
	errno = -r;
	return NULL;
}

/*
 * What a hardware driver calls after set-up no list of ours has been made
 * from: there, what is on none fails, and does not end the process.
 */
static uint32_t choose_otherwise(enum vgpu_sandbox_role role, bool is_hardware,
				 int socket)
{
	if (vgpu_seccomp_list_of(role)->denies)
		return SCMP_ACT_ALLOW;
	if (is_hardware)
		return SCMP_ACT_ERRNO(EPERM);
	return socket < 0 ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_NOTIFY;
}

/* The other end then has the only one there is. */
static int hand_listener(scmp_filter_ctx filter, int socket)
{
	vgpu_autoclose int listener = seccomp_notify_fd(filter);
	const struct iovec part = {(void *)"", 1};
	ssize_t n = vgpu_fds_send(socket, &part, 1, listener, 0);

	return (int)VGPU_MIN(n, 0);
}

int vgpu_seccomp_enter(enum vgpu_sandbox_role role, int socket,
		       struct vgpu_err *err)
{
	bool is_hardware = role == VGPU_SANDBOX_RENDER && vgpu_gpu_node_is_open();
	uint32_t otherwise = choose_otherwise(role, is_hardware, socket);
	scmp_filter_ctx filter;
	int r;

	/* The others look for leaks when they end, by tracing themselves. */
	if (vgpu_sandbox_is_without(VGPU_LAYER_SECCOMP) ||
	    (IS_SANITIZED && role != VGPU_SANDBOX_RENDER &&
	     role != VGPU_SANDBOX_REPLAY))
		return 0;
	if (vgpu_seccomp_is_recording(role))
		return vgpu_seccomp_record(role, err);
	filter = vgpu_seccomp_build(role, is_hardware, otherwise);
	r = filter ? seccomp_load(filter) : -errno;
	if (r == 0 && otherwise == SCMP_ACT_NOTIFY)
		r = hand_listener(filter, socket);
	seccomp_release(filter);
	if (r < 0)
		return vgpu_err_set(err, r, NULL,
				    "the filter of system calls: %s",
				    strerror(-r));
	return 0;
}
