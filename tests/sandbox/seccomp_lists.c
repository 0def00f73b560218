/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No list allows what nothing calls, nor leaves out what something does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/seccomp_rules.h"

#define CALLS_MAX 1000
/* Of those, how many calls a list may name. */
#define RENDER_MAX 59
#define DEVICE_MAX 39

static const char *folder;

/* What one line says: arguments that it does not name are not known. */
struct recorded {
	struct seccomp_data call;
	unsigned int known; /* a bit for each argument */
	char line[256];
};

static uint64_t read_value(const char *text)
{
	if (strcmp(text, "NULL") == 0 || strcmp(text, "self") == 0)
		return 0;
	if (strcmp(text, "own") == 0)
		return (uint64_t)getpid();
	if (strcmp(text, "other") == 0)
		return (uint64_t)getpid() + 1;
	if (strcmp(text, "pointer") == 0)
		return 0x1000;
	return strtoull(text, NULL, 0);
}

static struct recorded read_line(char *line)
{
	struct recorded recorded = {};
	char *rest = NULL, *word;

	line[strcspn(line, "#\n")] = '\0';
	snprintf(recorded.line, sizeof(recorded.line), "%s", line);
	word = strtok_r(line, " ", &rest);
	recorded.call.nr =
		word ? seccomp_syscall_resolve_name(word) : __NR_SCMP_ERROR;
	while ((word = strtok_r(NULL, " ", &rest))) {
		unsigned int index = (unsigned int)(word[0] - '0');

		assert_true(index < 6 && word[1] == '=');
		recorded.call.args[index] = read_value(word + 2);
		recorded.known |= 1u << index;
	}
	return recorded;
}

static size_t read_calls(const char *role, struct recorded *ret)
{
	char path[4096], line[256];
	FILE *file;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s.txt", folder, role);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		assert_true(n < CALLS_MAX);
		ret[n] = read_line(line);
		if (ret[n].call.nr == __NR_SCMP_ERROR)
			fail_msg("%s: no such call: %s", path, ret[n].line);
		n++;
	}
	fclose(file);
	return n;
}

static bool is_matched(const struct vgpu_seccomp_rule *rule,
		       const struct recorded *recorded)
{
	if (!vgpu_seccomp_matches(rule, &recorded->call, getpid()))
		return false;
	for (unsigned int i = 0; i < rule->n_args; i++)
		if (!(recorded->known & (1u << rule->arg[i].index)))
			return false;
	return true;
}

static void print_rule(const char *role, const struct vgpu_seccomp_rule *rule)
{
	vgpu_autofree char *name =
		seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, rule->call);

	print_error("%s: nothing calls %s", role, name);
	for (unsigned int i = 0; i < rule->n_args; i++)
		print_error(" %u: 0x%llx of 0x%llx", rule->arg[i].index,
			    (unsigned long long)rule->arg[i].value,
			    (unsigned long long)rule->arg[i].mask);
	print_error("\n");
}

/* Rules for hardware and sanitizers are beyond this record. */
static void check_role(const char *role, enum vgpu_sandbox_role number)
{
	static struct recorded calls[CALLS_MAX];
	const struct vgpu_seccomp_list *list = vgpu_seccomp_list_of(number);
	size_t n = read_calls(role, calls), faults = 0;
	bool is_allowed[CALLS_MAX] = {};

	assert_true(n > 0);
	for (; list; list = list->base)
		for (size_t i = 0; i < list->n; i++) {
			bool is_used = false;

			if (!vgpu_seccomp_counts(&list->rule[i], false))
				continue;
			for (size_t k = 0; k < n; k++) {
				if (!is_matched(&list->rule[i], &calls[k]))
					continue;
				is_used = is_allowed[k] = true;
			}
			/* A replay need not do all that the rest does. */
			if (!is_used && (number != VGPU_SANDBOX_REPLAY ||
					 list == vgpu_seccomp_list_of(number))) {
				print_rule(role, &list->rule[i]);
				faults++;
			}
		}
	for (size_t k = 0; k < n; k++)
		if (!is_allowed[k]) {
			print_error("%s: it is on no list: %s\n", role,
				    calls[k].line);
			faults++;
		}
	assert_int_equal(faults, 0);
}

static size_t count_calls(enum vgpu_sandbox_role role)
{
	const struct vgpu_seccomp_list *list = vgpu_seccomp_list_of(role);
	bool is_allowed[1024] = {};
	size_t n = 0;

	for (; list; list = list->base)
		for (size_t i = 0; i < list->n; i++) {
			const struct vgpu_seccomp_rule *rule = &list->rule[i];

			assert_in_range(rule->call, 0, 1023);
			if (rule->error || rule->when != VGPU_SECCOMP_ALWAYS)
				continue;
			n += !is_allowed[rule->call];
			is_allowed[rule->call] = true;
		}
	return n;
}

static void test_render(void **state)
{
	check_role("render", VGPU_SANDBOX_RENDER);
	print_message("render: %zu calls\n", count_calls(VGPU_SANDBOX_RENDER));
	assert_in_range(count_calls(VGPU_SANDBOX_RENDER), 1, RENDER_MAX);
}

static void test_device(void **state)
{
	check_role("device", VGPU_SANDBOX_DEVICE);
	print_message("device: %zu calls\n", count_calls(VGPU_SANDBOX_DEVICE));
	assert_in_range(count_calls(VGPU_SANDBOX_DEVICE), 1, DEVICE_MAX);
}

static void test_vnc(void **state)
{
	check_role("vnc", VGPU_SANDBOX_VNC);
}

static void test_replay(void **state)
{
	check_role("replay", VGPU_SANDBOX_REPLAY);
}

/* The kernel gets it as it is, whatever becomes of other calls. */
static void test_builds(void **state)
{
	const uint32_t otherwise[] = {SCMP_ACT_ERRNO(EPERM),
				      SCMP_ACT_KILL_PROCESS};
	const enum vgpu_sandbox_role roles[] = {
		VGPU_SANDBOX_RENDER, VGPU_SANDBOX_REPLAY, VGPU_SANDBOX_DEVICE,
		VGPU_SANDBOX_VNC};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(roles); i++)
		for (int is_hardware = 0; is_hardware < 2; is_hardware++) {
			scmp_filter_ctx filter = vgpu_seccomp_build(
				roles[i], is_hardware, otherwise[!is_hardware]);

			assert_non_null(filter);
			seccomp_release(filter);
		}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render), cmocka_unit_test(test_replay),
		cmocka_unit_test(test_device), cmocka_unit_test(test_vnc),
		cmocka_unit_test(test_builds),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
