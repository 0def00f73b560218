/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ring threads of one context against each other, for ThreadSanitizer. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz/input.h"
#include "venus_test.h"

/*
 * usage: ring-race SECONDS [SEED]
 *
 * A round is a stream of commands for each ring, which are carried out by all
 * rings at once, on the same objects: they make, use and destroy them under
 * each other's hands, and give them the same ids. The driver is the null one.
 * Commands fail that another ring has made wrong; what must not be is a race
 * that the sanitizer sees, a crash, or an object table that does not hold
 * together.
 */
#define RINGS	     4
#define COMMANDS     48
#define STREAM_BYTES (512 * 1024)
#define REPLY_BYTES  (64 * 1024)
#define SAMPLE_BYTES (1024 * 1024)
#define SHARED_FIRST 0x100000u
#define NEW_FIRST    0x200000u
#define NEW_IDS	     64
#define HANDLES	     0x1000000000u

struct ring {
	struct vgpu_decoder decoder;
	struct vgpu_sampler answers; /* of the driver, to this ring */
	uint8_t *stream;
	size_t bytes;
	size_t end[COMMANDS]; /* of each command in it */
	unsigned int n;
	uint8_t *reply;
	pthread_t thread;
	uint64_t carried_out;
};

static struct ring ring[RINGS];
static __thread struct ring *current;
static struct vgpu_objects *objects;
static pthread_barrier_t begin, end;
static bool is_over;
static struct vgpu_sampler sampler; /* of the guest */
static uint64_t chance;
static uint32_t n_commands;
static const struct venus_test_command *by_number[1024];

static uint32_t draw(uint32_t n)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance >> 16) % n;
}

static void *must_alloc(size_t bytes)
{
	void *memory = malloc(bytes);

	FUZZ_CHECK(memory);
	return memory;
}

static uint32_t index_of(VkObjectType type)
{
	uint32_t i = 0;

	while (venus_test_types[i].type != type)
		i++;
	return i;
}

/* Mostly one of the two that all rings share, at times a new one. */
static uint64_t get_id(VkObjectType type)
{
	if (draw(8) == 0)
		return NEW_FIRST + draw(NEW_IDS);
	return SHARED_FIRST + 2 * index_of(type) + draw(2);
}

static void add_shared(void)
{
	for (uint32_t i = 0; venus_test_types[i].type; i++) {
		const struct venus_test_type *type = &venus_test_types[i];

		for (uint64_t id = SHARED_FIRST + 2 * i;
		     id < SHARED_FIRST + 2 * i + 2; id++) {
			struct vgpu_object *object =
				vgpu_objects_reserve(objects, id, type->type);

			FUZZ_CHECK(object);
			object->handle = id ^ GUEST_HANDLE_XOR;
			object->vk = &vgpu_null_vk;
			if (type->parent)
				object->parent = vgpu_objects_find(
					objects,
					SHARED_FIRST + 2 * index_of(type->parent),
					type->parent);
			vgpu_objects_publish(objects, object);
		}
	}
}

/* The driver answers in the thread that asks. */
static void answer(uint32_t number, void *args)
{
	current->answers.used = 0;
	by_number[number]->fill(&current->answers, args);
}

void vgpu_null_saw(uint32_t number, void *args)
{
	answer(number, args);
}

void vgpu_null_handle(struct vgpu_decoder *d, uint32_t number, void *args)
{
	if (number == VK_COMMAND_TYPE_vkCreateInstance_EXT) {
		struct vgpu_args_CreateInstance *create = args;

		create->new_pInstance[0]->vk = &vgpu_null_vk;
	}
	answer(number, args);
}

static void add_command(struct ring *r)
{
	const struct venus_test_command *command =
		&venus_test_commands[draw(n_commands)];
	struct vgpu_encoder e = {.start = r->stream + r->bytes,
				 .at = r->stream + r->bytes,
				 .end = r->stream + STREAM_BYTES,
				 .broken = draw(64) ? -1 : (int64_t)draw(32),
				 .broken_value = draw(4)};
	void *args;

	/* An instance that ends takes all with it: that is not every round. */
	if (command->is_destroy && draw(4))
		return;
	sampler.used = 0;
	sampler.value = command->number;
	sampler.is_sparse = draw(2);
	sampler.chains = draw(4) ? CHAIN_NONE : CHAIN_ONE;
	sampler.chain_one = draw(8);
	sampler.new_id = NEW_FIRST + draw(NEW_IDS);
	sampler.handle = sampler.new_id ^ GUEST_HANDLE_XOR;
	args = vgpu_sample_alloc(&sampler, command->args_bytes);
	command->sample(&sampler, args);
	command->encode(&e, args, VK_COMMAND_GENERATE_REPLY_BIT_EXT);
	if (e.is_full)
		return;
	r->bytes = (size_t)(e.at - r->stream);
	r->end[r->n++] = r->bytes;
}

static void carry_out(struct ring *r)
{
	struct vgpu_decoder *d = &r->decoder;

	d->objects = objects;
	/* A context would be at its end with the first that fails. */
	for (unsigned int i = 0; i < r->n; i++) {
		d->fatal = NULL;
		d->at = r->stream + (i ? r->end[i - 1] : 0);
		d->end = r->stream + r->end[i];
		d->reply = r->reply;
		d->reply_end = r->reply + REPLY_BYTES;
		r->carried_out += vgpu_venus_dispatch(d);
	}
}

static void *run_ring(void *opaque)
{
	current = opaque;
	for (;;) {
		pthread_barrier_wait(&begin);
		if (is_over)
			return NULL;
		carry_out(current);
		pthread_barrier_wait(&end);
	}
}

static void init_ring(struct ring *r, unsigned int i)
{
	r->stream = must_alloc(STREAM_BYTES);
	r->reply = must_alloc(REPLY_BYTES);
	r->answers = (struct vgpu_sampler){
		.memory = must_alloc(SAMPLE_BYTES),
		.bytes = SAMPLE_BYTES,
		.get_id = get_id,
		.handle = HANDLES * (i + 1),
	};
	vgpu_decoder_init(&r->decoder, NULL, r);
	FUZZ_CHECK(pthread_create(&r->thread, NULL, run_ring, r) == 0);
}

static void finish_ring(struct ring *r)
{
	pthread_join(r->thread, NULL);
	vgpu_decoder_finish(&r->decoder);
	free(r->stream);
	free(r->reply);
	free(r->answers.memory);
}

static void run_round(void)
{
	FUZZ_CHECK(vgpu_objects_create(&objects) == 0);
	add_shared();
	for (unsigned int i = 0; i < RINGS; i++) {
		ring[i].bytes = ring[i].n = 0;
		for (unsigned int k = 0; k < COMMANDS; k++)
			add_command(&ring[i]);
	}
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	vgpu_objects_destroy(objects);
}

int main(int argc, char **argv)
{
	time_t until = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	uint64_t carried_out = 0, rounds = 0;

	chance = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	chance |= 1;
	printf("ring-race: seed %llu\n", (unsigned long long)chance);
	for (; venus_test_commands[n_commands].name; n_commands++)
		by_number[venus_test_commands[n_commands].number] =
			&venus_test_commands[n_commands];
	sampler = (struct vgpu_sampler){.memory = must_alloc(SAMPLE_BYTES),
					.bytes = SAMPLE_BYTES,
					.get_id = get_id};
	pthread_barrier_init(&begin, NULL, RINGS + 1);
	pthread_barrier_init(&end, NULL, RINGS + 1);
	for (unsigned int i = 0; i < RINGS; i++)
		init_ring(&ring[i], i);
	for (; time(NULL) < until; rounds++)
		run_round();
	is_over = true;
	pthread_barrier_wait(&begin);
	for (unsigned int i = 0; i < RINGS; i++) {
		finish_ring(&ring[i]);
		carried_out += ring[i].carried_out;
	}
	free(sampler.memory);
	printf("ring-race: %llu rounds, %llu commands carried out\n",
	       (unsigned long long)rounds, (unsigned long long)carried_out);
	return carried_out ? 0 : 1;
}
