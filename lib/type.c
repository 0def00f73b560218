/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The catalogue of vGPU types, read from a file. */
#include "type.h"

#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

/* Room for VGPU_TYPES_MAX types with a page of comments each. */
#define FILE_BYTES_MAX 262144

struct vgpu_types {
	size_t count;
	struct vgpu_type type[VGPU_TYPES_MAX];
};

static const char series_order[] = "QBAC";

/* The keys of a section; each is there once, or may be missing. */
static const struct key {
	const char *name;
	size_t offset; /* of a uint32_t in struct vgpu_type */
	uint32_t min;
	uint32_t max;
	uint32_t fallback; /* 0: it may not be missing */
} keys[] = {
#define KEY(member, json, stored, min, max, fallback, about)                   \
	{#member, offsetof(struct vgpu_type, member), min, max, fallback}
	VGPU_TYPE_FIELDS(KEY),
#undef KEY
};

static uint32_t *find_value(struct vgpu_type *type, const struct key *key)
{
	return (uint32_t *)((char *)type + key->offset);
}

void vgpu_type_fill_in(struct vgpu_type *type)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(keys); i++)
		if (keys[i].fallback && *find_value(type, &keys[i]) == 0)
			*find_value(type, &keys[i]) = keys[i].fallback;
}

bool vgpu_type_is_in_range(struct vgpu_type type)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(keys); i++)
		if (*find_value(&type, &keys[i]) > keys[i].max)
			return false;
	return true;
}

/*
 * libinih splits lines into section, key and value. It says neither where a
 * section begins nor which line a key is on; the reader that it calls for each
 * line does, and ends the file at the first error.
 */
struct parser {
	FILE *file;
	const char *name; /* of the file, for messages */
	size_t bytes;
	int line;	  /* the one read last, from 1 */
	int section_line; /* where the open section begins, 0 if none is open */
	bool is_named;	  /* the open section's name is known */
	unsigned int keys_seen; /* a bit for each of keys[] */
	struct vgpu_type type;	/* the open section's */
	struct vgpu_types *types;
	int status;	/* of the first error */
	int error_line; /* the line read when it was found */
	struct vgpu_err *err;
};

/* Always returns 0, which is failure to libinih. */
__attribute__((format(printf, 3, 4))) static int fail(struct parser *p, int line,
						      const char *fmt, ...)
{
	char reason[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	p->error_line = p->line;
	p->status = vgpu_err_set(p->err, -EINVAL, NULL, "%.200s:%d: %s",
				 p->name, line, reason);
	return 0;
}

static bool parse_digits(const char **text, uint32_t *ret_value)
{
	const char *c = *text;
	uint32_t value = 0;

	for (; *c >= '0' && *c <= '9'; c++)
		if (!vgpu_checked_mul(value, 10u, &value) ||
		    !vgpu_checked_add(value, (uint32_t)(*c - '0'), &value))
			return false;
	if (c == *text)
		return false;
	*text = c;
	*ret_value = value;
	return true;
}

bool vgpu_type_parse_name(const char *name, char *ret_series, uint32_t *ret_mib)
{
	uint32_t size;

	if (*name == '0' || strlen(name) >= VGPU_TYPE_NAME_MAX ||
	    !parse_digits(&name, &size))
		return false;
	if (*name == 'M') {
		if (size % 1024 == 0)
			return false;
		name++;
	} else if (!vgpu_checked_mul(size, 1024u, &size)) {
		return false;
	}
	if (!*name || !strchr(series_order, *name) || name[1])
		return false;
	*ret_series = *name;
	*ret_mib = size;
	return true;
}

static int name_section(struct parser *p, const char *name)
{
	uint32_t mib;

	if (!vgpu_type_parse_name(name, &p->type.series, &mib))
		return fail(p, p->section_line,
			    "'%.32s' is no type's name: a size in GiB (or in "
			    "MiB with an M) and one of Q, B, A, C, as in 4Q or "
			    "128MQ",
			    name);
	if (vgpu_types_find(p->types, name))
		return fail(p, p->section_line, "type %s is there twice", name);
	memcpy(p->type.name, name, strlen(name) + 1); /* short: checked */
	p->is_named = true;
	return 1;
}

/* Check what needs the whole section. */
static int check_type(struct parser *p)
{
	const struct vgpu_type *t = &p->type;
	uint64_t pixels_mib;
	char series;
	uint32_t mib;

	if (vgpu_type_parse_name(t->name, &series, &mib) &&
	    mib != t->framebuffer_mib)
		return fail(p, p->section_line,
			    "type %s has framebuffer_mib %" PRIu32
			    ", its name says %" PRIu32,
			    t->name, t->framebuffer_mib, mib);
	if (t->heads == 0 && (t->max_width > 0 || t->max_height > 0))
		return fail(p, p->section_line,
			    "type %s has no heads: max_width and max_height "
			    "must be 0",
			    t->name);
	if (t->heads > 0 && (t->max_width < VGPU_TYPE_WIDTH_MIN ||
			     t->max_height < VGPU_TYPE_HEIGHT_MIN))
		return fail(p, p->section_line,
			    "type %s has heads: max_width and max_height must "
			    "be %dx%d at least",
			    t->name, VGPU_TYPE_WIDTH_MIN, VGPU_TYPE_HEIGHT_MIN);

	/* Each at most 2^13 or 2^4: no overflow. Four bytes a pixel. */
	pixels_mib =
		(4ULL * t->heads * t->max_width * t->max_height + VGPU_MIB - 1) /
		VGPU_MIB;
	if (pixels_mib > t->framebuffer_mib)
		return fail(p, p->section_line,
			    "type %s needs %" PRIu64
			    " MiB to show all its heads at their largest, it "
			    "has %" PRIu32,
			    t->name, pixels_mib, t->framebuffer_mib);
	return 1;
}

/* The open section, if there is one, ends before the line read last. */
static int end_section(struct parser *p)
{
	if (p->section_line == 0)
		return 1;
	if (!p->is_named)
		return fail(p, p->section_line, "this section is empty");
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(keys); i++)
		if (!(p->keys_seen & (1u << i)) && !keys[i].fallback)
			return fail(p, p->section_line, "type %s has no %s",
				    p->type.name, keys[i].name);
	if (!check_type(p))
		return 0;
	if (p->types->count == VGPU_TYPES_MAX)
		return fail(p, p->section_line, "there are more than %d types",
			    VGPU_TYPES_MAX);
	p->types->type[p->types->count++] = p->type;
	p->section_line = 0;
	return 1;
}

static int begin_section(struct parser *p, const char *line)
{
	const char *end = strchr(line, ']');

	if (!end)
		return fail(p, p->line, "a section's ']' is missing");
	end += 1 + strspn(end + 1, " \t\r\n");
	if (*end && !strchr("#;", *end))
		return fail(p, p->line, "nothing may follow a section's ']'");
	if (!end_section(p))
		return 0;
	p->section_line = p->line;
	p->is_named = false;
	p->keys_seen = 0;
	p->type = (struct vgpu_type){};
	vgpu_type_fill_in(&p->type);
	return 1;
}

/* libinih calls this for each key. Returns 1, or 0 after fail(). */
static int take_key(void *user, const char *section, const char *name,
		    const char *value)
{
	struct parser *p = user;
	const struct key *key = NULL;
	uint32_t number;
	size_t i;

	if (p->status < 0)
		return 0;
	if (p->section_line == 0)
		return fail(p, p->line, "'%.32s' stands before any section",
			    name);
	if (!p->is_named && !name_section(p, section))
		return 0;

	for (i = 0; i < VGPU_ARRAY_SIZE(keys) && !key; i++)
		if (!strcmp(keys[i].name, name))
			key = &keys[i];
	if (!key)
		return fail(p, p->line, "type %s: there is no key '%.32s'",
			    p->type.name, name);
	i = (size_t)(key - keys);
	if (p->keys_seen & (1u << i))
		return fail(p, p->line, "type %s has %s twice", p->type.name,
			    name);
	p->keys_seen |= 1u << i;

	if (!parse_digits(&value, &number) || *value || number < key->min ||
	    number > key->max)
		return fail(p, p->line,
			    "type %s: %s must be a number from %" PRIu32
			    " to %" PRIu32,
			    p->type.name, name, key->min, key->max);
	*find_value(&p->type, key) = number;
	return 1;
}

/* The file's next character, or EOF at its end and after fail(). */
static int next_char(struct parser *p)
{
	int c = getc(p->file);

	if (c == EOF)
		return EOF;
	if (++p->bytes > FILE_BYTES_MAX) {
		fail(p, p->line, "the file is longer than %d bytes",
		     FILE_BYTES_MAX);
		return EOF;
	}
	if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
		fail(p, p->line, "byte 0x%02x is no text", c);
		return EOF;
	}
	return c;
}

/*
 * Read a line as fgets() does, for libinih. Leading space is left out, so that
 * a line never continues the one before it. NULL at the end and after fail().
 */
static char *read_line(char *buffer, int size, void *stream)
{
	struct parser *p = stream;
	int c, length = 0;

	if (p->status < 0)
		return NULL;
	p->line++;
	while ((c = next_char(p)) != EOF && c != '\n') {
		if (length == size - 2) {
			fail(p, p->line, "the line is longer than %d bytes",
			     size - 2);
			return NULL;
		}
		if (length > 0 || (c != ' ' && c != '\t'))
			buffer[length++] = (char)c;
	}
	if (p->status < 0 || (c == EOF && length == 0))
		return NULL;
	buffer[length++] = '\n';
	buffer[length] = '\0';
	if (buffer[0] == '[' && !begin_section(p, buffer))
		return NULL;
	return buffer;
}

static int compare_types(const void *a_, const void *b_)
{
	const struct vgpu_type *a = a_, *b = b_;

	if (a->series != b->series)
		return strchr(series_order, a->series) <
				       strchr(series_order, b->series)
			       ? -1
			       : 1;
	/* Two names never have the same size. */
	return a->framebuffer_mib < b->framebuffer_mib ? -1 : 1;
}

int vgpu_types_read(FILE *file, const char *name, struct vgpu_types **ret_types,
		    struct vgpu_err *err)
{
	vgpu_autofree struct vgpu_types *types = calloc(1, sizeof(*types));
	struct parser p = {.file = file, .name = name, .types = types, .err = err};
	int line;

	if (!types)
		return vgpu_err_set(err, -ENOMEM, NULL, "%.200s: out of memory",
				    name);

	/* Line of the first error, found by a handler or by libinih. */
	line = ini_parse_stream(read_line, &p, take_key, &p);
	if (ferror(file))
		return vgpu_err_set(err, -EIO, NULL, "%.200s: cannot be read",
				    name);
	if (line > 0 && (p.status == 0 || line < p.error_line))
		fail(&p, line, "this is neither [TYPE] nor KEY = NUMBER");
	else if (line < 0)
		return vgpu_err_set(err, -ENOMEM, NULL, "%.200s: out of memory",
				    name);
	if (p.status == 0)
		end_section(&p);
	if (p.status == 0 && types->count == 0)
		fail(&p, p.line, "there is no type in this file");
	if (p.status < 0)
		return p.status;

	qsort(types->type, types->count, sizeof(types->type[0]), compare_types);
	*ret_types = vgpu_steal(&types);
	return 0;
}

int vgpu_types_load(const char *path, struct vgpu_types **ret_types,
		    struct vgpu_err *err)
{
	vgpu_autoclose int fd = -1;
	vgpu_autofclose FILE *file = NULL;
	struct stat st;

	/* O_NONBLOCK: a FIFO must not block the manager. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return vgpu_err_set(err, -errno, NULL, "%.200s: %s", path,
				    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return vgpu_err_set(err, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL,
				    NULL, "%.200s: not a file", path);
	file = fdopen(fd, "r");
	if (!file)
		return vgpu_err_set(err, -errno, NULL, "%.200s: %s", path,
				    strerror(errno));
	vgpu_steal_fd(&fd);
	return vgpu_types_read(file, path, ret_types, err);
}

uint64_t vgpu_type_window(uint64_t framebuffer_bytes)
{
	uint64_t bytes = 1;

	while (bytes < framebuffer_bytes + VGPU_SHARED_MEMORY_MAX)
		bytes *= 2;
	return bytes;
}

void vgpu_types_destroy(struct vgpu_types *types)
{
	free(types);
}

size_t vgpu_types_count(const struct vgpu_types *types)
{
	return types->count;
}

const struct vgpu_type *vgpu_types_at(const struct vgpu_types *types, size_t i)
{
	return &types->type[i];
}

const struct vgpu_type *vgpu_types_find(const struct vgpu_types *types,
					const char *name)
{
	for (size_t i = 0; i < types->count; i++)
		if (!strcmp(types->type[i].name, name))
			return &types->type[i];
	return NULL;
}
