/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A successor goes on from the state, wherever the one before it stopped. */
#include "tests/device/gpu_guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cmocka.h>

#define OK   VGPU_GPU_OK_NODATA
#define SIDE 64u
/* What these tests use of the tables: enough to copy. */
#define RESOURCES   16
#define ENTRIES	    256
#define ALLOCATIONS 16

#ifdef __SANITIZE_ADDRESS__
#define STRIDE 8
#else
#define STRIDE 1
#endif

static const struct vgpu_gpu_set_scanout_blob show_blob = {
	.rect = {2, 2, SIDE - 4, SIDE - 4},
	.scanout_id = 1,
	.resource_id = 2,
	.width = SIDE,
	.height = SIDE,
	.format = VGPU_GPU_R8G8B8A8,
	.strides = {SIDE * 4},
};

static uint32_t create_2d(struct guest *guest)
{
	return guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, SIDE, SIDE);
}

static uint32_t attach(struct guest *guest)
{
	return guest_attach_scattered(guest, 1, 0, SIDE * SIDE * 4);
}

static uint32_t transfer(struct guest *guest)
{
	return guest_transfer(guest, 1, 0, 0, SIDE, SIDE, 0);
}

static uint32_t set_scanout(struct guest *guest)
{
	return guest_scanout(guest, 0, 1, 1, 1, SIDE - 2, SIDE - 2);
}

static uint32_t set_scanout_again(struct guest *guest)
{
	return guest_scanout(guest, 0, 1, 0, 0, SIDE, SIDE);
}

static uint32_t flush(struct guest *guest)
{
	return guest_flush(guest, 1, 0, 0, SIDE, SIDE);
}

static uint32_t set_cursor(struct guest *guest)
{
	return guest_cursor(guest, 0, 1, 10, -10);
}

static uint32_t set_cursor_again(struct guest *guest)
{
	return guest_cursor(guest, 0, 2, -5, 7);
}

static uint32_t move_cursor(struct guest *guest)
{
	return guest_send_cursor(
		guest, VGPU_GPU_MOVE_CURSOR,
		&(struct vgpu_gpu_cursor_request){.x = 40, .y = 41});
}

static uint32_t hide_cursor(struct guest *guest)
{
	return guest_cursor(guest, 0, 0, 0, 0);
}

static uint32_t create_blob(struct guest *guest)
{
	return guest_blob(guest, 2, 65536, SIDE * SIDE * 4);
}

static uint32_t set_scanout_blob(struct guest *guest)
{
	return guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB, &show_blob,
			  sizeof(show_blob));
}

static uint32_t assign_uuid(struct guest *guest)
{
	struct vgpu_gpu_resource_only body = {.resource_id = 2};

	return guest_send(guest, VGPU_GPU_RESOURCE_ASSIGN_UUID, &body,
			  sizeof(body));
}

static uint32_t detach(struct guest *guest)
{
	return guest_detach(guest, 1);
}

static uint32_t detach_blob(struct guest *guest)
{
	return guest_detach(guest, 2);
}

static uint32_t unref(struct guest *guest)
{
	return guest_unref(guest, 1);
}

static uint32_t unref_blob(struct guest *guest)
{
	return guest_unref(guest, 2);
}

static const struct {
	const char *name;
	uint32_t (*send)(struct guest *guest);
} script[] = {
	{"create", create_2d},
	{"attach", attach},
	{"transfer", transfer},
	{"scanout", set_scanout},
	{"flush", flush},
	{"cursor", set_cursor},
	{"create blob", create_blob},
	{"scanout blob", set_scanout_blob},
	{"uuid", assign_uuid},
	{"move cursor", move_cursor},
	{"scanout again", set_scanout_again},
	{"cursor again", set_cursor_again},
	{"detach", detach},
	{"detach blob", detach_blob},
	{"hide cursor", hide_cursor},
	{"unref", unref},
	{"create again", create_2d},
	{"unref blob", unref_blob},
};

static struct guest *begin(void)
{
	struct guest *guest = guest_create(2, GUEST_WIDTH, GUEST_HEIGHT, 1, 1);

	for (uint32_t i = 0; i < VGPU_MIB / 4; i++)
		((uint32_t *)guest->memory)[i] = i * 2654435761u;
	return guest;
}

/* Another guest that has the first one's memory, and a state of its own. */
static struct guest *twin_of(const struct guest *guest)
{
	struct guest *twin = begin();

	munmap(twin->memory, twin->memory_bytes);
	twin->memory = guest->memory;
	return twin;
}

static void end_twin(struct guest *twin)
{
	twin->memory = mmap(NULL, twin->memory_bytes, PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	guest_destroy(twin);
}

static void copy_state(struct guest *to, const struct guest *from)
{
	memcpy(to->state, from->state,
	       offsetof(struct vgpu_gpu_state, resource[RESOURCES]));
	memcpy(to->state->cursor[0], from->state->cursor[0],
	       sizeof(to->state->cursor[0]));
	memcpy(to->state->entry, from->state->entry,
	       sizeof(to->state->entry[0]) * ENTRIES);
	memcpy(to->state->allocation, from->state->allocation,
	       sizeof(to->state->allocation[0]) * ALLOCATIONS);
	kept_copy(to->config.launcher, from->config.launcher);
}

static void assert_same_picture(struct guest *a, struct guest *b)
{
	for (uint32_t head = 0; head < 2; head++) {
		struct picture one, two;

		guest_capture(a, head, &one);
		guest_capture(b, head, &two);
		assert_int_equal(one.width, two.width);
		assert_int_equal(one.height, two.height);
		assert_memory_equal(one.pixels, two.pixels, one.bytes);
		picture_finish(&one);
		picture_finish(&two);
	}
}

static void test_resume_after_every_command(void **state)
{
	struct guest *guest = begin();
	struct guest *twin = twin_of(guest);
	struct vgpu_control_status one = {}, two = {};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(script); i++) {
		assert_in_range(script[i].send(guest), OK, 0x11ff);
		copy_state(twin, guest);
		guest_resume(twin);
		guest_check(twin);
		assert_same_picture(guest, twin);
		vgpu_gpu_status(guest->gpu, &one);
		vgpu_gpu_status(twin->gpu, &two);
		assert_memory_equal(&one, &two, sizeof(one));
		/* The answer may be lost, and the command come again. */
		twin->is_retry = true;
		assert_in_range(script[i].send(twin), OK, 0x11ff);
		assert_same_picture(guest, twin);
		guest_check(twin);
		twin->is_retry = false;
	}
	end_twin(twin);
	guest_destroy(guest);
}

static void test_modes_and_events_outlive_the_process(void **state)
{
	struct guest *guest = begin();
	struct vgpu_control_status status = {};
	uint8_t config[VGPU_GPU_CONFIG_BYTES];
	struct vgpu_err err = {};

	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 1, 640, 480, &err), 0);
	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 0, 0, 0, &err), 0);
	guest_resume(guest);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.head[0].preferred_width, 0);
	assert_int_equal(status.head[1].preferred_height, 480);
	vgpu_gpu_config_read(guest->gpu, config);
	assert_int_equal(config[0], VGPU_GPU_EVENT_DISPLAY);
	/* Features too. */
	assert_int_equal(create_blob(guest), OK);
	/* A guest's reset is not the host's: the monitors stay. */
	vgpu_gpu_reset(guest->gpu);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.head[1].preferred_height, 480);
	guest_destroy(guest);
}

/* Wait for the child's next stop. False when it is over. */
static bool is_stopped(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return false;
	if (WIFSTOPPED(status))
		return true;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

/* What head 0 shows, in so far as one store must change all of it. */
struct shown {
	struct vgpu_gpu_state_view view;
	struct vgpu_viewer_cursor cursor;
	uint32_t image[VGPU_GPU_CURSOR_PIXELS];
};

static void get_shown(const struct guest *guest, struct shown *ret_shown)
{
	const struct vgpu_gpu_state_view *view;
	const uint32_t *image;

	memset(ret_shown, 0, sizeof(*ret_shown));
	view = vgpu_gpu_view_of(guest->gpu, 0);
	if (view)
		ret_shown->view = *view;
	image = vgpu_gpu_cursor_of(guest->gpu, 0, &ret_shown->cursor);
	if (image)
		memcpy(ret_shown->image, image, sizeof(ret_shown->image));
	/* Where the cursor is may change before what it is. */
	ret_shown->cursor.x = ret_shown->cursor.y = 0;
}

static void assert_either(const struct shown *shown, const struct shown *before,
			  const struct shown *after)
{
	assert_true(
		memcmp(&shown->view, &before->view, sizeof(shown->view)) == 0 ||
		memcmp(&shown->view, &after->view, sizeof(shown->view)) == 0);
	assert_true(memcmp(&shown->cursor, &before->cursor,
			   sizeof(*shown) - offsetof(struct shown, cursor)) == 0 ||
		    memcmp(&shown->cursor, &after->cursor,
			   sizeof(*shown) - offsetof(struct shown, cursor)) == 0);
}

/*
 * Run a command in a process of its own, instruction by instruction, and let a
 * successor begin on a copy of the state whenever the state has changed, and
 * be sent the command again. Long copies are looked at now and then only.
 */
static void step(struct guest *guest, struct guest *twin, size_t command)
{
	const size_t head_bytes =
		offsetof(struct vgpu_gpu_state, resource[RESOURCES]);
	const size_t entry_bytes = sizeof(guest->state->entry[0]) * ENTRIES;
	uint8_t *seen = calloc(1, head_bytes + entry_bytes);
	static struct shown before, now, after;
	unsigned long steps = 0, changes = 0;
	pid_t child;

	assert_non_null(seen);
	get_shown(guest, &before);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		guest->is_ended_by_completion = true;
		raise(SIGSTOP);
		script[command].send(guest);
		_exit(1);
	}
	assert_true(is_stopped(child));
	twin->is_retry = true;
	while (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 &&
	       is_stopped(child)) {
		if (steps++ % 499 != 0 &&
		    memcmp(seen, guest->state, head_bytes) == 0 &&
		    memcmp(seen + head_bytes, guest->state->entry,
			   entry_bytes) == 0)
			continue;
		memcpy(seen, guest->state, head_bytes);
		memcpy(seen + head_bytes, guest->state->entry, entry_bytes);
		/* The sanitizers make each look dear: take a sample. */
		if (changes++ % STRIDE != 0)
			continue;
		copy_state(twin, guest);
		guest_resume(twin);
		guest_check(twin);
		get_shown(twin, &now);
		assert_in_range(script[command].send(twin), OK, 0x11ff);
		guest_check(twin);
		get_shown(twin, &after);
		assert_either(&now, &before, &after);
	}
	assert_true(steps > 100);
	assert_true(changes > 2);
	/* The child ended after the command, and its state is the guest's. */
	guest_resume(guest);
	guest_check(guest);
	assert_same_picture(guest, twin);
	free(seen);
}

static void test_killed_at_any_instruction(void **state)
{
	struct guest *guest = begin();
	struct guest *twin = twin_of(guest);

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(script); i++)
		step(guest, twin, i);
	end_twin(twin);
	guest_destroy(guest);
}

static uint32_t random_word(void)
{
	static const uint32_t words[] = {
		0, 1, 2, 3, 4096, 0x7fffffff, 1u << 20, 0x80000000, UINT32_MAX};

	return rand() % 2 ? words[rand() % VGPU_ARRAY_SIZE(words)]
			  : (uint32_t)rand() * 3u;
}

static void corrupt(struct guest *guest)
{
	struct vgpu_gpu_state *state = guest->state;
	uint8_t *bytes = (uint8_t *)state;

	for (int n = 1 + rand() % 8; n > 0; n--) {
		size_t at;

		switch (rand() % 4) {
		case 0:
			at = rand() % offsetof(struct vgpu_gpu_state, head[2]);
			break;
		case 1:
			at = offsetof(struct vgpu_gpu_state, entry) +
			     rand() % (64 * sizeof(state->entry[0]));
			break;
		default:
			at = offsetof(struct vgpu_gpu_state, resource) +
			     rand() % (8 * sizeof(state->resource[0]));
			break;
		}
		if (rand() % 2) {
			bytes[at] ^= 1u << rand() % 8;
		} else {
			uint32_t word = random_word();

			memcpy(bytes + (at & ~3ul), &word, sizeof(word));
		}
	}
}

static void test_corrupted_state(void **state)
{
	struct guest *guest = begin();
	struct guest *twin = twin_of(guest);
	struct picture picture;
	unsigned int fresh = 0;

	for (size_t i = 0; i < 12; i++)
		script[i].send(guest);
	guest_create_2d(guest, 3, VGPU_GPU_B8G8R8A8, 16, 16);
	guest_attach_scattered(guest, 3, 0, 65536);
	guest_create_2d(guest, 4, VGPU_GPU_B8G8R8A8, 100, 100);

	srand(11);
	for (int i = 0; i < 10000; i++) {
		copy_state(twin, guest);
		corrupt(twin);
		guest_resume(twin);
		guest_check(twin);
		fresh += twin->state->slots_used == 0;
		for (uint32_t head = 0; head < 2; head++) {
			guest_capture(twin, head, &picture);
			picture_finish(&picture);
		}
		for (int j = 0; j < 3; j++)
			script[rand() % VGPU_ARRAY_SIZE(script)].send(twin);
		guest_check(twin);
		if (i % 16 == 0) {
			vgpu_gpu_reset(twin->gpu);
			guest_check(twin);
			vgpu_gpu_set_features(twin->gpu, ~0ull);
			assert_int_equal(create_blob(twin), OK);
		}
	}
	/* Most of it was kept each time: drop what is wrong, not all. */
	assert_true(fresh < 1000);
	end_twin(twin);
	guest_destroy(guest);
}

static void test_state_of_noise(void **state)
{
	struct guest *guest = begin();
	struct picture picture;

	srand(13);
	for (int i = 0; i < 50; i++) {
		uint8_t *bytes = (uint8_t *)guest->state;

		for (size_t j = 0;
		     j < offsetof(struct vgpu_gpu_state, entry[1024]); j++)
			bytes[j] = rand() >> 4;
		/* Every other time it claims to be a state. */
		if (i % 2)
			guest->state->magic = VGPU_GPU_STATE_MAGIC;
		guest_resume(guest);
		guest_check(guest);
		guest_capture(guest, 0, &picture);
		picture_finish(&picture);
		vgpu_gpu_reset(guest->gpu);
		vgpu_gpu_set_features(guest->gpu, ~0ull);
		guest_show(guest, 0, 1, 0, SIDE, SIDE);
	}
	guest_destroy(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resume_after_every_command),
		cmocka_unit_test(test_modes_and_events_outlive_the_process),
		cmocka_unit_test(test_killed_at_any_instruction),
		cmocka_unit_test(test_corrupted_state),
		cmocka_unit_test(test_state_of_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
