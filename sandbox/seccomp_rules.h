/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the lists of system calls are written down: one list a role. */
#ifndef VGPU_SANDBOX_SECCOMP_RULES_H
#define VGPU_SANDBOX_SECCOMP_RULES_H

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/util.h"
#include "sandbox/role.h"

#define VGPU_SECCOMP_ARGS_MAX 3

/* An argument of which the bits in @mask are @value. */
struct vgpu_seccomp_arg {
	uint8_t index;
	bool is_own_pid; /* instead of @value */
	uint64_t mask;
	uint64_t value;
};

/* When a rule counts. */
enum vgpu_seccomp_when {
	VGPU_SECCOMP_ALWAYS,
	VGPU_SECCOMP_ON_HARDWARE, /* a GPU's node is open */
	VGPU_SECCOMP_ON_SOFTWARE, /* none is */
};

/* A call that is carried out, or, with an @error, fails with it. */
struct vgpu_seccomp_rule {
	int call;
	int error;
	enum vgpu_seccomp_when when;
	unsigned int n_args;
	struct vgpu_seccomp_arg arg[VGPU_SECCOMP_ARGS_MAX];
};

struct vgpu_seccomp_list {
	const struct vgpu_seccomp_rule *rule;
	size_t n;
	const struct vgpu_seccomp_list *base; /* all of which counts, too */
	/*
	 * All calls but these are carried out, and a child's own list comes
	 * first: what the child is to be ended for does not fail instead.
	 */
	bool denies;
};

/* One for each role, and what all have in common. */
extern const struct vgpu_seccomp_list vgpu_seccomp_render, vgpu_seccomp_replay,
	vgpu_seccomp_device, vgpu_seccomp_vnc, vgpu_seccomp_launcher,
	vgpu_seccomp_common;
const struct vgpu_seccomp_list *vgpu_seccomp_list_of(enum vgpu_sandbox_role role);

/* Whether the rule counts here, with a GPU's node open or none. */
bool vgpu_seccomp_counts(const struct vgpu_seccomp_rule *rule, bool is_hardware);
/* Whether it speaks of this call, by the process @own. */
bool vgpu_seccomp_matches(const struct vgpu_seccomp_rule *rule,
			  const struct seccomp_data *call, pid_t own);

/*
 * All rules that count, as the kernel takes them; NULL and errno. @otherwise:
 * what becomes of a call that is on no list.
 */
scmp_filter_ctx vgpu_seccomp_build(enum vgpu_sandbox_role role,
				   bool is_hardware, uint32_t otherwise);

/* The kernel looks at 32 bits of what is an int. */
#define VGPU_SECCOMP_INT 0xffffffffULL

#define ARG_COUNT(...)                                                         \
	(sizeof((const struct vgpu_seccomp_arg[]){__VA_ARGS__}) /              \
	 sizeof(struct vgpu_seccomp_arg))
/* Every such call. */
#define ALLOW(name) {.call = SCMP_SYS(name)}
/* Those that have all these arguments. */
#define ALLOW_IF(name, ...)                                                    \
	{                                                                      \
		.call = SCMP_SYS(name), .n_args = ARG_COUNT(__VA_ARGS__),      \
		.arg = { __VA_ARGS__ }                                         \
	}
#define ALLOW_WHEN(condition, name, ...)                                       \
	{                                                                      \
		.call = SCMP_SYS(name), .when = VGPU_SECCOMP_##condition,      \
		.n_args = ARG_COUNT(__VA_ARGS__),                              \
		.arg = { __VA_ARGS__ }                                         \
	}
/* What is asked for and can be done without. */
#define REFUSE(name, number) {.call = SCMP_SYS(name), .error = (number)}
#define REFUSE_WHEN(condition, name, number)                                   \
	{.call = SCMP_SYS(name),                                               \
	 .when = VGPU_SECCOMP_##condition,                                     \
	 .error = (number)}
#define REFUSE_IF(name, number, ...)                                           \
	{                                                                      \
		.call = SCMP_SYS(name), .error = (number),                     \
		.n_args = ARG_COUNT(__VA_ARGS__),                              \
		.arg = { __VA_ARGS__ }                                         \
	}

/* Of a list that denies; as if the kernel did not know it. */
#define DENY(name) REFUSE(name, ENOSYS)

#define IS(at, number)                                                         \
	{.index = (at), .mask = VGPU_SECCOMP_INT, .value = (number)}
/* Some bits of an int. */
#define BITS(at, of, are) {.index = (at), .mask = (of), .value = (are)}
/* No bit but these. */
#define ONLY(at, these)                                                        \
	{.index = (at), .mask = VGPU_SECCOMP_INT & ~(uint64_t)(these)}
#define IS_NULL(at) {.index = (at), .mask = UINT64_MAX}
#define IS_OWN_PID(at)                                                         \
	{.index = (at), .is_own_pid = true, .mask = VGPU_SECCOMP_INT}

#endif
