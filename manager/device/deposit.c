/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps fds in systemd's fd store for the next vgpud. */
#include "deposit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <systemd/sd-daemon.h>

#include "manager/host/closer.h"
#include "lib/control_abi.h"
#include "lib/name.h"
#include "lib/util.h"
#include "manager/host/log.h"

#define TABLE_NAME    "table"
#define TABLE_MAGIC   0x76677075U
#define TABLE_VERSION 1
/*
 * Names have five digits at most: with their colons, 16384 of them take less
 * than the 128 KiB that a variable may have.
 */
#define ENTRIES_MAX 16384
#define ID_MAX	    0xfffffU

/* In the memfd, kept from one vgpud to the next: only ever appended to. */
struct entry {
	char uuid[40];
	uint32_t slot;
	uint32_t id; /* the name, in hexadecimal digits; 0: the entry is free */
};

struct table {
	uint32_t magic;
	uint32_t version;
	struct entry entries[ENTRIES_MAX];
};

/* What this vgpud knows of an entry besides. */
struct item {
	int compared; /* a duplicate for comparison, -1 for none */
	int found;    /* kept by an earlier vgpud and not taken yet; -1: none */
};

struct vgpu_deposit {
	vgpu_deposit_full_t full;
	void *userdata;
	struct table *table;
	struct item *items; /* as many as entries */
	uint32_t *ids;	    /* ... each one's, close together to search */
	uint32_t n_used;    /* entries above this one were never used */
	uint32_t n_kept;    /* fds that systemd has */
	uint32_t max;	    /* ... at most */
	uint32_t last_id;
	bool is_left;
};

static void keep_fd(const char *name, int fd)
{
	char text[96];

	/* Without FDPOLL=0 systemd closes sockets whose peer is gone. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static void keep_no_more(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

/* Whether two fds are of one open file, as dup() makes them. */
static bool is_same_file(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

static bool is_segment(uint32_t slot)
{
	return slot >= VGPU_SLOT_SEGMENT && slot < VGPU_SLOT_MAX;
}

static uint32_t count_of_id(const struct vgpu_deposit *deposit, uint32_t id)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < deposit->n_used; i++)
		n += deposit->ids[i] == id;
	return n;
}

static uint32_t new_id(struct vgpu_deposit *deposit)
{
	/* There are far more ids than entries: this ends. */
	do
		deposit->last_id = deposit->last_id % ID_MAX + 1;
	while (count_of_id(deposit, deposit->last_id) > 0);
	return deposit->last_id;
}

/* The name under which @fd's file is kept already, or 0. */
static uint32_t id_of_file(const struct vgpu_deposit *deposit, int fd)
{
	for (uint32_t i = 0; i < deposit->n_used; i++)
		if (deposit->items[i].compared >= 0 &&
		    is_same_file(deposit->items[i].compared, fd))
			return deposit->ids[i];
	return 0;
}

static void forget_id(struct vgpu_deposit *deposit, uint32_t id)
{
	char name[16];

	if (count_of_id(deposit, id) > 0)
		return;
	snprintf(name, sizeof(name), "%" PRIx32, id);
	keep_no_more(name);
	deposit->n_kept--;
}

static void set_compared(struct item *item, int fd)
{
	vgpu_closer_close(item->compared);
	item->compared = fd;
}

static uint32_t find_free(struct vgpu_deposit *deposit)
{
	for (uint32_t i = 0; i < deposit->n_used; i++)
		if (deposit->ids[i] == 0)
			return i;
	return deposit->n_used;
}

/* One store: a kill cannot leave it half done. */
static void set_id(struct vgpu_deposit *deposit, uint32_t i, uint32_t id)
{
	deposit->ids[i] = id;
	__atomic_store_n(&deposit->table->entries[i].id, id, __ATOMIC_RELEASE);
}

static uint32_t refuse_fd(struct vgpu_deposit *deposit, uint32_t handle)
{
	vgpu_deposit_remove(deposit, handle);
	deposit->full(deposit->userdata);
	return 0;
}

static uint32_t id_for(struct vgpu_deposit *deposit, int fd, int compared)
{
	uint32_t id = compared >= 0 ? id_of_file(deposit, compared) : 0;
	char name[16];

	if (id || deposit->n_kept >= deposit->max)
		return id;
	id = new_id(deposit);
	snprintf(name, sizeof(name), "%" PRIx32, id);
	keep_fd(name, fd);
	deposit->n_kept++;
	return id;
}

uint32_t vgpu_deposit_put(struct vgpu_deposit *deposit, uint32_t handle,
			  const char *uuid, uint32_t slot, int fd)
{
	vgpu_autoclose int compared = -1;
	struct entry *entry;
	uint32_t i, id, last;

	if (!deposit || deposit->is_left)
		return handle;
	i = handle ? handle - 1 : find_free(deposit);
	if (i >= ENTRIES_MAX)
		return refuse_fd(deposit, handle);
	/* Segments are created by vgpud, each for one slot: never shared. */
	if (!is_segment(slot))
		compared = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	id = id_for(deposit, fd, compared);
	if (!id)
		return refuse_fd(deposit, handle);

	entry = &deposit->table->entries[i];
	last = deposit->ids[i];
	if (!handle) {
		snprintf(entry->uuid, sizeof(entry->uuid), "%s", uuid);
		entry->slot = slot;
		deposit->n_used = VGPU_MAX(deposit->n_used, i + 1);
	}
	set_id(deposit, i, id);
	set_compared(&deposit->items[i], vgpu_steal_fd(&compared));
	if (last && last != id)
		forget_id(deposit, last);
	return i + 1;
}

void vgpu_deposit_remove(struct vgpu_deposit *deposit, uint32_t handle)
{
	uint32_t id;

	if (!deposit || deposit->is_left || !handle)
		return;
	id = deposit->ids[handle - 1];
	set_id(deposit, handle - 1, 0);
	set_compared(&deposit->items[handle - 1], -1);
	if (id)
		forget_id(deposit, id);
}

void vgpu_deposit_recover(struct vgpu_deposit *deposit, const char *uuid,
			  vgpu_deposit_found_t found, void *userdata)
{
	for (uint32_t i = 0; deposit && i < deposit->n_used; i++) {
		const struct entry *entry = &deposit->table->entries[i];
		struct item *item = &deposit->items[i];

		if (item->found < 0 || strcmp(entry->uuid, uuid) != 0)
			continue;
		found(userdata, entry->slot, vgpu_steal_fd(&item->found), i + 1);
	}
}

void vgpu_deposit_clean(struct vgpu_deposit *deposit,
			bool (*is_known)(void *userdata, const char *uuid),
			void *userdata)
{
	for (uint32_t i = 0; deposit && i < deposit->n_used; i++) {
		const struct entry *entry = &deposit->table->entries[i];

		if (deposit->ids[i] && !is_known(userdata, entry->uuid)) {
			vgpu_closer_close(deposit->items[i].found);
			deposit->items[i].found = -1;
			vgpu_deposit_remove(deposit, i + 1);
		}
	}
}

/* NULL, and errno, if it cannot be. */
static struct table *map_table(int fd)
{
	void *map = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

static int make_table(struct vgpu_deposit *deposit)
{
	vgpu_autoclose int fd =
		memfd_create("vgpu-deposit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct table *table;

	if (fd < 0 || ftruncate(fd, sizeof(struct table)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	table = map_table(fd);
	if (!table)
		return -errno;
	table->magic = TABLE_MAGIC;
	table->version = TABLE_VERSION;
	deposit->table = table;
	keep_fd(TABLE_NAME, fd);
	deposit->n_kept++;
	return 0;
}

/* False if it is no table of ours, or of another version. */
static bool has_table(struct vgpu_deposit *deposit, int fd)
{
	struct table *table = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size == sizeof(struct table))
		table = map_table(fd);
	if (!table)
		return false;
	if (table->magic != TABLE_MAGIC || table->version != TABLE_VERSION) {
		munmap(table, sizeof(struct table));
		return false;
	}
	deposit->table = table;
	deposit->n_kept++;
	return true;
}

/* Give the entries whose name is @name their fd. Takes @fd. */
static void match_fd(struct vgpu_deposit *deposit, const char *name, int fd)
{
	vgpu_autoclose int own = fd;
	bool is_first = true;
	uint32_t id = 0;
	char again[16];

	if (sscanf(name, "%8" SCNx32, &id) != 1)
		id = 0;
	snprintf(again, sizeof(again), "%" PRIx32, id);
	if (strcmp(again, name) != 0)
		id = 0;
	for (uint32_t i = 0; id && i < deposit->n_used; i++) {
		struct item *item = &deposit->items[i];

		if (deposit->ids[i] != id || item->found >= 0)
			continue;
		item->found = fcntl(own, F_DUPFD_CLOEXEC, 3);
		if (item->found >= 0 &&
		    !is_segment(deposit->table->entries[i].slot))
			item->compared = fcntl(own, F_DUPFD_CLOEXEC, 3);
		deposit->n_kept += is_first;
		is_first = false;
	}
	/* An fd whose vgpud was killed before it wrote the table. */
	if (is_first)
		keep_no_more(name);
}

static void read_table(struct vgpu_deposit *deposit)
{
	for (uint32_t i = 0; i < ENTRIES_MAX; i++) {
		struct entry *entry = &deposit->table->entries[i];

		entry->uuid[sizeof(entry->uuid) - 1] = '\0';
		deposit->ids[i] = entry->id <= ID_MAX ? entry->id : 0;
		if (!deposit->ids[i])
			continue;
		deposit->n_used = i + 1;
		deposit->last_id = VGPU_MAX(deposit->last_id, deposit->ids[i]);
	}
}

/* Free the entries whose fd systemd does not have. */
static void drop_unmatched(struct vgpu_deposit *deposit)
{
	for (uint32_t i = 0; i < ENTRIES_MAX; i++)
		if (deposit->items[i].found < 0)
			set_id(deposit, i, 0);
}

static int take_entries(struct vgpu_deposit *deposit)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names);
	int table_fd = -1;
	int r = 0;

	for (int i = 0; i < n; i++)
		if (strcmp(names[i], TABLE_NAME) == 0)
			table_fd = SD_LISTEN_FDS_START + i;
	if (!has_table(deposit, table_fd)) {
		if (n > 0)
			keep_no_more(TABLE_NAME);
		r = make_table(deposit);
	}
	if (deposit->table)
		read_table(deposit);
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (fd == table_fd || !deposit->table)
			vgpu_closer_close(fd);
		else
			match_fd(deposit, names[i], fd);
		free(names[i]);
	}
	free((void *)names);
	if (deposit->table)
		drop_unmatched(deposit);
	return n < 0 ? n : r;
}

/* systemd's limit of fds for this service; since version 254. */
static uint32_t read_max(void)
{
	const char *text = getenv("FDSTORE");
	uint32_t max;

	if (!text || !getenv("NOTIFY_SOCKET") ||
	    sscanf(text, "%" SCNu32, &max) != 1)
		return 0;
	return VGPU_MIN(max, ENTRIES_MAX);
}

int vgpu_deposit_open(vgpu_deposit_full_t full, void *userdata,
		      struct vgpu_deposit **ret_deposit)
{
	struct vgpu_deposit *deposit;
	uint32_t max = read_max();
	int r;

	*ret_deposit = NULL;
	if (max == 0)
		return 0;
	deposit = calloc(1, sizeof(*deposit));
	if (!deposit)
		return -ENOMEM;
	deposit->full = full;
	deposit->userdata = userdata;
	deposit->max = max;
	deposit->items = calloc(ENTRIES_MAX, sizeof(*deposit->items));
	deposit->ids = calloc(ENTRIES_MAX, sizeof(*deposit->ids));
	for (uint32_t i = 0; deposit->items && i < ENTRIES_MAX; i++)
		deposit->items[i] = (struct item){-1, -1};
	r = deposit->items && deposit->ids ? take_entries(deposit) : -ENOMEM;
	if (r < 0) {
		vgpu_deposit_close(deposit);
		return r;
	}
	*ret_deposit = deposit;
	return 0;
}

void vgpu_deposit_leave(struct vgpu_deposit *deposit)
{
	if (deposit)
		deposit->is_left = true;
}

void vgpu_deposit_close(struct vgpu_deposit *deposit)
{
	if (!deposit)
		return;
	for (uint32_t i = 0; deposit->items && i < ENTRIES_MAX; i++) {
		vgpu_closer_close(deposit->items[i].compared);
		vgpu_closer_close(deposit->items[i].found);
	}
	if (deposit->table)
		munmap(deposit->table, sizeof(struct table));
	free(deposit->items);
	free(deposit->ids);
	free(deposit);
}
