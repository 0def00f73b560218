/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits the host memory of a vGPU's contexts. */
#include "host_memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

#define PAGE_BYTES 4096U

/* How often use is looked at while it changes, and while it does not. */
#define BUSY_US	    (20 * 1000ULL)
#define IDLE_US	    (100 * 1000ULL)
#define QUIET_TICKS 50
/* For so long what a process was told of may not be mapped yet. */
#define MAP_US (2000 * 1000ULL)

/*
 * Shared memory that a process may map beside its own. What it maps beyond
 * counts as its own, too: a guest may show one blob to many contexts.
 */
#define SHARED_MAX (32 * VGPU_MIB)
/*
 * Until it is ready a process has a quarter of what is left, between these two.
 * With less a software driver makes no device, which may be the first thing
 * that it does, before we have looked.
 */
#define START_MIN (64 * VGPU_MIB)
#define START_MAX (96 * VGPU_MIB)
/* A spare one is worth less than what contexts come to need. */
#define SPARE_ROOM(max) ((max) / 2)
/*
 * What most programs need with a software driver comes first, whatever others
 * ask for. One that has it, and uses less than a quarter of all, keeps a little
 * free. An eighth of all is for new ones.
 */
#define USUAL	     (64 * VGPU_MIB)
#define LITTLE	     (4 * VGPU_MIB)
#define MODEST(max)  ((max) / 4)
#define RESERVE(max) ((max) / 8)
/* Of what a process has free so much is for files (render/vulkan/limits.c). */
#define FILE_PART 8
/* It is short of memory if it has left no more of it than one part of so many. */
#define SHORT_PART 8
/* It is hungry if it grew by so much since the last look. */
#define GROWTH (256 * 1024ULL)
/* Programs, libraries and framebuffer: more is no such number. */
#define FIXED_MAX (1ULL << 46)
/* So much is not worth taking back while nobody waits for it. */
#define SLACK VGPU_MIB

enum { SPACE, FILES };

bool vgpu_render_is_software(const uint8_t gpu_uuid[16])
{
	static const uint8_t embedded[16];

	return memcmp(gpu_uuid, embedded, sizeof(embedded)) == 0;
}

TAILQ_HEAD(processes, vgpu_host_process);

struct vgpu_host_memory {
	sd_event *event;
	uint64_t bytes_max;
	uint64_t framebuffer_bytes;
	uint64_t charged_bytes; /* what is no process's */
	bool is_software;
	struct processes processes;
	sd_event_source *timer;
	unsigned int quiet_ticks;
	/* Some are held to less, when the launcher has answered. */
	struct vgpu_launcher_sync shrink;
};

static void on_shrunk(void *opaque);
static int on_timer(sd_event_source *source, uint64_t usec, void *opaque);

int vgpu_host_memory_create(sd_event *event, uint64_t bytes_max,
			    uint64_t framebuffer_bytes, bool is_software,
			    struct vgpu_host_memory **ret_memory)
{
	struct vgpu_host_memory *memory = malloc(sizeof(*memory));
	int r;

	if (!memory)
		return -ENOMEM;
	*memory = (struct vgpu_host_memory){
		.event = event,
		.bytes_max = bytes_max,
		.framebuffer_bytes = framebuffer_bytes,
		.is_software = is_software,
	};
	memory->shrink.done = on_shrunk;
	memory->shrink.opaque = memory;
	TAILQ_INIT(&memory->processes);
	r = sd_event_add_time_relative(event, &memory->timer, CLOCK_MONOTONIC,
				       BUSY_US, 0, on_timer, memory);
	if (r >= 0)
		r = sd_event_source_set_enabled(memory->timer, SD_EVENT_OFF);
	if (r < 0) {
		vgpu_host_memory_destroy(memory);
		return r;
	}
	*ret_memory = memory;
	return 0;
}

void vgpu_host_memory_destroy(struct vgpu_host_memory *memory)
{
	if (!memory)
		return;
	vgpu_launcher_sync_forget(&memory->shrink);
	sd_event_source_disable_unref(memory->timer);
	free(memory);
}

static uint64_t now_usec(const struct vgpu_host_memory *memory)
{
	uint64_t now = 0;

	sd_event_now(memory->event, CLOCK_MONOTONIC, &now);
	return now;
}

static void set_timer(struct vgpu_host_memory *memory, uint64_t usec)
{
	if (sd_event_source_set_time_relative(memory->timer, usec) >= 0)
		sd_event_source_set_enabled(memory->timer, SD_EVENT_ONESHOT);
}

static void look_soon(struct vgpu_host_memory *memory)
{
	memory->quiet_ticks = 0;
	set_timer(memory, BUSY_US);
}

/* Bytes of address space and of private data; false once it is dead. */
static bool read_statm(const struct vgpu_host_process *process,
		       uint64_t *ret_space, uint64_t *ret_data)
{
	int fd = process->launched->statm;
	unsigned long long size, data;
	char text[160];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text, "%llu %*u %*u %*u %*u %llu", &size, &data) != 2)
		return false;
	*ret_space = size * PAGE_BYTES;
	*ret_data = data * PAGE_BYTES;
	return true;
}

/* Those pages count, too, that are in no mapping any more. */
static uint64_t read_files(const struct vgpu_host_process *process)
{
	uint64_t largest = 0;
	struct stat st;

	for (unsigned int i = 0; i < process->n_files; i++)
		if (fstat(process->file[i], &st) == 0)
			largest = VGPU_MAX(largest, (uint64_t)st.st_size);
	return largest;
}

/*
 * Address space that is no memory of its own. A guest may attach the same
 * memory as many resources as it likes, and mapping them takes page tables.
 */
static uint64_t get_known(const struct vgpu_host_process *process)
{
	return process->fixed_bytes + process->device_bytes +
	       VGPU_MIN(process->attached_bytes,
			process->memory->framebuffer_bytes) +
	       VGPU_MIN(process->shared_bytes, SHARED_MAX);
}

/* Whether what it uses can be told, and so what is granted be changed. */
static bool is_open(const struct vgpu_host_process *process)
{
	return process->is_ready && process->launched->statm >= 0;
}

static void look_at(struct vgpu_host_process *process)
{
	const struct vgpu_host_memory *memory = process->memory;
	uint64_t space, data, known;

	process->used[FILES] = read_files(process);
	if (!read_statm(process, &space, &data))
		return;
	if (!memory->is_software) {
		process->used[SPACE] = data;
		return;
	}
	known = get_known(process);
	space = space > known ? space - known : 0;
	/* What it has not mapped yet hides as much that is its own. */
	if (now_usec(memory) - process->added_usec < MAP_US)
		space = VGPU_MAX(space, process->used[SPACE]);
	process->used[SPACE] = space;
}

/* Have it held to what it may have. Returns whether that is anything new. */
static bool set_limits(struct vgpu_host_process *process)
{
	const uint64_t *bytes =
		process->is_shrinking ? process->less : process->granted;
	uint64_t limit[VGPU_LAUNCH_LIMITS] = {
		[VGPU_LAUNCH_SPACE] = VGPU_LAUNCH_UNLIMITED,
		[VGPU_LAUNCH_DATA] = VGPU_LAUNCH_UNLIMITED,
		[VGPU_LAUNCH_FILES] = bytes[FILES],
	};

	if (process->memory->is_software)
		limit[VGPU_LAUNCH_SPACE] = bytes[SPACE] + get_known(process);
	else
		limit[VGPU_LAUNCH_DATA] = bytes[SPACE];
	if (memcmp(limit, process->asked, sizeof(limit)) == 0)
		return false;
	memcpy(process->asked, limit, sizeof(limit));
	vgpu_launched_limit(process->launched, limit);
	return true;
}

static uint64_t sum_pair(const uint64_t pair[2])
{
	/* A driver has one file that grows; all may grow to the limit. */
	return pair[SPACE] + pair[FILES];
}

static uint64_t get_room(const struct vgpu_host_memory *memory)
{
	const struct vgpu_host_process *process;
	uint64_t taken = memory->charged_bytes;

	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link))
		taken += sum_pair(process->granted);
	return taken < memory->bytes_max ? memory->bytes_max - taken : 0;
}

/* What is left of @bytes_max, and who wants it. */
struct survey {
	uint64_t free_bytes, due_bytes;
	unsigned int n, n_hungry;
};

/* As of the last look: what nobody uses, whoever is granted it. */
static uint64_t get_unused(const struct vgpu_host_memory *memory)
{
	const struct vgpu_host_process *process;
	uint64_t used = memory->charged_bytes;

	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link))
		used += sum_pair(is_open(process) ? process->used
						  : process->granted);
	return used < memory->bytes_max ? memory->bytes_max - used : 0;
}

/* What a process gets before others get more than that. */
static uint64_t due_to(const struct vgpu_host_process *process)
{
	uint64_t used = sum_pair(process->used);

	if (used >= MODEST(process->memory->bytes_max))
		return 0;
	return used + LITTLE < USUAL ? USUAL - used : LITTLE;
}

static bool is_hungry(const struct vgpu_host_process *process)
{
	uint64_t used = sum_pair(process->used),
		 granted = sum_pair(process->granted);

	return used > process->last_used + GROWTH ||
	       (granted > used && granted - used < 2 * LITTLE);
}

static struct survey survey_processes(struct vgpu_host_memory *memory,
				      uint64_t wanted)
{
	struct vgpu_host_process *process;
	uint64_t taken = memory->charged_bytes + wanted;
	struct survey s = {};

	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link)) {
		if (!is_open(process)) {
			taken += sum_pair(process->granted);
			continue;
		}
		look_at(process);
		taken += sum_pair(process->used);
		s.n++;
		s.due_bytes += due_to(process);
		s.n_hungry += is_hungry(process);
	}
	s.free_bytes = taken < memory->bytes_max ? memory->bytes_max - taken : 0;
	return s;
}

/* What @process shall be granted beyond what it uses. */
static uint64_t share_of(const struct vgpu_host_process *process,
			 const struct survey *s)
{
	uint64_t set_aside = s->due_bytes + RESERVE(process->memory->bytes_max);
	uint64_t rest, share;

	if (s->free_bytes < s->due_bytes)
		return due_to(process) * s->free_bytes / s->due_bytes;
	rest = s->free_bytes > set_aside ? s->free_bytes - set_aside : 0;
	share = rest / 2 / s->n;
	if (!s->n_hungry || is_hungry(process))
		share += rest / 2 / (s->n_hungry ? s->n_hungry : s->n);
	return due_to(process) + share;
}

/* Before the process is held to more, and after it is held to less. */
static void note_granted(const struct vgpu_host_process *process)
{
	if (process->kept)
		memcpy(process->kept, process->granted, sizeof(process->granted));
}

static void grant_memory(struct vgpu_host_process *process,
			 const uint64_t wanted[2], uint64_t *room)
{
	for (int i = 0; i < 2; i++) {
		uint64_t more = wanted[i] > process->granted[i]
					? wanted[i] - process->granted[i]
					: 0;

		more = VGPU_MIN(more, *room);
		process->granted[i] += more;
		*room -= more;
	}
	note_granted(process);
	set_limits(process);
}

static void get_wanted(const struct vgpu_host_process *process,
		       const struct survey *s, uint64_t ret_wanted[2])
{
	uint64_t share = share_of(process, s);
	uint64_t files = share / FILE_PART;

	ret_wanted[FILES] = process->used[FILES] + files;
	ret_wanted[SPACE] = process->used[SPACE] + share - files;
}

/* What it is to be held to; false: not less than it has. */
static bool get_less(const struct vgpu_host_process *process,
		     const struct survey *s, uint64_t slack, uint64_t ret_less[2])
{
	uint64_t wanted[2];
	bool is_less = false;

	get_wanted(process, s, wanted);
	for (int i = 0; i < 2; i++) {
		is_less |= wanted[i] + slack < process->granted[i];
		ret_less[i] = VGPU_MIN(process->granted[i], wanted[i]);
	}
	return is_less;
}

/* It is held to less. What it has taken meanwhile stays granted. */
static void take_back_memory(struct vgpu_host_process *process)
{
	process->is_shrinking = false;
	look_at(process);
	for (int i = 0; i < 2; i++)
		process->granted[i] =
			VGPU_MAX(process->less[i], process->used[i]);
	note_granted(process);
	set_limits(process);
}

/* Hold those to less that use less, all at once. */
static void begin_shrink(struct vgpu_host_memory *memory,
			 const struct survey *s, uint64_t slack)
{
	struct vgpu_host_process *process;
	struct vgpu_launcher *launcher = NULL;

	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link)) {
		process->is_shrinking =
			is_open(process) && process->launched->launcher &&
			get_less(process, s, slack, process->less);
		if (!process->is_shrinking)
			continue;
		set_limits(process);
		launcher = process->launched->launcher;
	}
	if (launcher)
		vgpu_launcher_sync(launcher, &memory->shrink);
}

static void end_shrink(struct vgpu_host_memory *memory)
{
	struct vgpu_host_process *process;

	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link))
		if (process->is_shrinking)
			take_back_memory(process);
}

/* Grant what is free, but for @wanted_bytes. Returns whether any is wanted. */
static bool share_out(struct vgpu_host_memory *memory, const struct survey *s,
		      uint64_t wanted_bytes)
{
	struct vgpu_host_process *process;
	uint64_t wanted[2], room;

	room = get_room(memory);
	room = room > wanted_bytes ? room - wanted_bytes : 0;
	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link)) {
		if (!is_open(process))
			continue;
		get_wanted(process, s, wanted);
		grant_memory(process, wanted, &room);
	}
	for (process = TAILQ_FIRST(&memory->processes); process;
	     process = TAILQ_NEXT(process, link))
		process->last_used = sum_pair(process->used);
	return s->n_hungry;
}

static bool is_shrinking(const struct vgpu_host_memory *memory)
{
	return memory->shrink.launcher;
}

static void note_use(struct vgpu_host_memory *memory, bool is_wanted)
{
	memory->quiet_ticks = is_wanted ? 0 : memory->quiet_ticks + 1;
}

/* Begin to grant anew: all that are to have less come first. */
static void balance_grants(struct vgpu_host_memory *memory)
{
	struct survey s;

	if (is_shrinking(memory))
		return;
	s = survey_processes(memory, 0);
	begin_shrink(memory, &s, SLACK);
	if (!is_shrinking(memory))
		note_use(memory, share_out(memory, &s, 0));
}

static void on_shrunk(void *opaque)
{
	struct vgpu_host_memory *memory = opaque;
	struct survey s;

	end_shrink(memory);
	s = survey_processes(memory, 0);
	note_use(memory, share_out(memory, &s, 0));
}

/* False: the launcher takes too long. */
static bool wait_for_shrink(struct vgpu_host_memory *memory)
{
	if (!is_shrinking(memory))
		return true;
	if (!vgpu_launcher_sync_wait(&memory->shrink))
		return false;
	end_shrink(memory);
	return true;
}

/* Grant anew here and now, so that @wanted bytes stay free if that can be. */
static void balance_now(struct vgpu_host_memory *memory, uint64_t wanted_bytes)
{
	struct survey s;

	if (!wait_for_shrink(memory))
		return;
	s = survey_processes(memory, wanted_bytes);
	begin_shrink(memory, &s, 0);
	if (wait_for_shrink(memory))
		share_out(memory, &s, wanted_bytes);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_host_memory *memory = opaque;

	if (TAILQ_EMPTY(&memory->processes))
		return 0;
	balance_grants(memory);
	set_timer(memory, memory->quiet_ticks < QUIET_TICKS ? BUSY_US : IDLE_US);
	return 0;
}

/* Whether there are @bytes that nobody is granted, if need be after a balance. */
static bool make_room(struct vgpu_host_memory *memory, uint64_t bytes)
{
	if (bytes <= get_room(memory))
		return true;
	if (bytes > memory->bytes_max)
		return false;
	balance_now(memory, bytes);
	return bytes <= get_room(memory);
}

bool vgpu_host_memory_charge(struct vgpu_host_memory *memory, uint64_t bytes)
{
	if (!memory)
		return true;
	if (!make_room(memory, bytes))
		return false;
	memory->charged_bytes += bytes;
	if (!TAILQ_EMPTY(&memory->processes))
		look_soon(memory);
	return true;
}

void vgpu_host_memory_uncharge(struct vgpu_host_memory *memory, uint64_t bytes)
{
	if (memory)
		memory->charged_bytes -= bytes;
}

int vgpu_host_memory_join(struct vgpu_host_memory *memory,
			  struct vgpu_host_process *process, bool is_spare,
			  uint64_t *ret_bytes)
{
	uint64_t bytes;

	*process = (struct vgpu_host_process){.memory = memory};
	*ret_bytes = 0;
	if (!memory)
		return 0;
	if (is_spare ? get_unused(memory) < SPARE_ROOM(memory->bytes_max)
		     : !make_room(memory, START_MIN)) {
		process->memory = NULL;
		return -ENOMEM;
	}
	bytes = VGPU_MIN(get_unused(memory) / 4, START_MAX);
	bytes = VGPU_MAX(bytes, START_MIN);
	if (!make_room(memory, bytes))
		bytes = START_MIN;
	process->granted[FILES] = bytes / FILE_PART;
	process->granted[SPACE] = bytes - process->granted[FILES];
	TAILQ_INSERT_TAIL(&memory->processes, process, link);
	look_soon(memory);
	*ret_bytes = bytes;
	return 0;
}

void vgpu_host_memory_started(struct vgpu_host_process *process,
			      struct vgpu_launched *launched,
			      void (*raised)(void *opaque), void *opaque)
{
	process->launched = launched;
	process->raised = raised;
	process->opaque = opaque;
}

void vgpu_host_memory_ready(struct vgpu_host_process *process,
			    uint64_t fixed_bytes, const int *files,
			    unsigned int n_files)
{
	/* What is recorded, or built with sanitizers, has no limit. */
	if (!process->memory || !fixed_bytes) {
		for (unsigned int i = 0; i < n_files; i++)
			vgpu_close(files[i]);
		vgpu_host_memory_leave(process);
		return;
	}
	memcpy(process->file, files, n_files * sizeof(files[0]));
	process->n_files = n_files;
	process->fixed_bytes = fixed_bytes;
	process->is_ready = true;
	balance_grants(process->memory);
	look_soon(process->memory);
}

void vgpu_host_memory_keep(struct vgpu_host_process *process, uint64_t *kept)
{
	process->kept = kept;
	note_granted(process);
}

static bool has_room_for(const struct vgpu_host_memory *memory,
			 const uint64_t granted[2])
{
	uint64_t room = get_room(memory);

	return granted[SPACE] <= room && granted[FILES] <= room - granted[SPACE];
}

int vgpu_host_memory_resume(struct vgpu_host_memory *memory,
			    struct vgpu_host_process *process,
			    struct vgpu_launched *launched,
			    uint64_t fixed_bytes, uint64_t *kept,
			    const int *files, unsigned int n_files,
			    void (*raised)(void *opaque), void *opaque)
{
	const uint64_t granted[2] = {kept[SPACE], kept[FILES]};

	bool is_limited = memory && fixed_bytes;

	*process = (struct vgpu_host_process){};
	vgpu_host_memory_started(process, launched, raised, opaque);
	if (!is_limited || fixed_bytes > FIXED_MAX ||
	    !has_room_for(memory, granted)) {
		for (unsigned int i = 0; i < n_files; i++)
			vgpu_close(files[i]);
		return is_limited ? -EINVAL : 0;
	}
	process->memory = memory;
	process->fixed_bytes = fixed_bytes;
	memcpy(process->granted, granted, sizeof(granted));
	process->kept = kept;
	memcpy(process->file, files, n_files * sizeof(files[0]));
	process->n_files = n_files;
	TAILQ_INSERT_TAIL(&memory->processes, process, link);
	return 0;
}

void vgpu_host_memory_resume_told(struct vgpu_host_process *process,
				  uint64_t shared_bytes,
				  uint64_t attached_bytes, uint64_t device_bytes)
{
	if (!process->memory)
		return;
	process->shared_bytes = shared_bytes;
	process->attached_bytes = attached_bytes;
	process->device_bytes = device_bytes;
	/* The last that it was told of it may be about to map. */
	process->added_usec = now_usec(process->memory);
	process->is_ready = true;
	look_soon(process->memory);
}

bool vgpu_host_memory_was_short(const struct vgpu_host_process *process)
{
	if (!process->memory || !is_open(process))
		return false;
	for (int i = 0; i < 2; i++)
		if (process->used[i] >=
		    process->granted[i] - process->granted[i] / SHORT_PART)
			return true;
	return false;
}

void vgpu_host_memory_leave(struct vgpu_host_process *process)
{
	if (!process->memory)
		return;
	TAILQ_REMOVE(&process->memory->processes, process, link);
	vgpu_launcher_sync_forget(&process->raise);
	process->memory = NULL;
	while (process->n_files)
		vgpu_close(process->file[--process->n_files]);
}

bool vgpu_host_memory_is_raising(const struct vgpu_host_process *process)
{
	return process->raise.launcher;
}

static void raise_limits(struct vgpu_host_process *process);

static void on_raised(void *opaque)
{
	struct vgpu_host_process *process = opaque;

	/* It may have been given more meanwhile. */
	if (process->is_raise_due)
		raise_limits(process);
	if (!vgpu_host_memory_is_raising(process))
		process->raised(process->opaque);
}

static void raise_limits(struct vgpu_host_process *process)
{
	struct vgpu_launched *launched = process->launched;

	process->is_raise_due = false;
	set_limits(process);
	if (!launched->launcher)
		return;
	process->raise.done = on_raised;
	process->raise.opaque = process;
	vgpu_launcher_sync(launched->launcher, &process->raise);
}

static void change_count(struct vgpu_host_process *process, uint64_t *counted,
			 uint64_t bytes, bool is_more)
{
	if (!process->memory)
		return;
	*counted = is_more ? *counted + bytes : *counted - bytes;
	if (is_more)
		process->added_usec = now_usec(process->memory);
	if (!process->is_ready)
		return;
	/* It maps that as soon as it is told. */
	if (vgpu_host_memory_is_raising(process))
		process->is_raise_due |= is_more;
	else if (is_more)
		raise_limits(process);
	else
		set_limits(process);
}

void vgpu_host_memory_share(struct vgpu_host_process *process, uint64_t bytes)
{
	change_count(process, &process->shared_bytes, bytes, true);
}

void vgpu_host_memory_unshare(struct vgpu_host_process *process, uint64_t bytes)
{
	change_count(process, &process->shared_bytes, bytes, false);
}

void vgpu_host_memory_attach(struct vgpu_host_process *process, uint64_t bytes)
{
	change_count(process, &process->attached_bytes, bytes, true);
}

void vgpu_host_memory_detach(struct vgpu_host_process *process, uint64_t bytes)
{
	change_count(process, &process->attached_bytes, bytes, false);
}

void vgpu_host_memory_map(struct vgpu_host_process *process, uint64_t bytes)
{
	change_count(process, &process->device_bytes, bytes, true);
}

void vgpu_host_memory_unmap(struct vgpu_host_process *process, uint64_t bytes)
{
	change_count(process, &process->device_bytes, bytes, false);
}
