// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams that no vGPU has written, and who waits for what does not come. */
#include "migrate.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What cannot be restored makes the state an error, until a reset. Some of that
 * is known while it is written (-1: perhaps), some in the end.
 */
static void check_refused(struct vf *vf, uint8_t *memory, const char *what,
			  const uint8_t *bytes, size_t count, int write_errno)
{
	int fd = mig_set_state(vf, RESUMING), none, rc;

	rc = mig_restore(fd, bytes, count);
	if (rc != write_errno && write_errno >= 0)
		FAIL("%s: writing it is %d, not %d", what, rc, write_errno);
	if (rc) {
		CHECK_ERRNO(write(fd, bytes, 1), rc);
		CHECK_EQUAL(mig_state(vf), ERROR);
		CHECK_ERRNO(mig_try_state(vf, STOP, &none), EIO);
	} else if (mig_try_state(vf, STOP, &none) != -1 || errno != EINVAL) {
		FAIL("%s: it is taken for a vGPU", what);
	}
	CHECK_EQUAL(mig_state(vf), ERROR);
	CHECK_ERRNO(mig_try_state(vf, RUNNING, &none), EIO);
	mig_reset(vf);
	close(fd);
	mig_check_empty(vf, memory);
	printf("test: refused: %s\n", what);
}

/* VF is of another type than OTHER_VF is. */
void check_type(const struct arguments *arg)
{
	struct stream s = mig_save_of(arg->other);
	uint8_t *memory;
	struct vf vf;

	memory = mig_open(&vf, arg->vf);
	check_refused(&vf, memory, "another type", s.bytes, s.count, EINVAL);
	vf_close(&vf);
}

void check_hostile(const struct arguments *arg)
{
	struct stream s = mig_save_of(arg->other),
		      bad = {.bytes = malloc(STREAM_MAX)};
	size_t i, data = HEADER_BYTES + PIECE_BYTES;
	uint8_t *memory;
	struct vf vf;
	int fd;

	memory = mig_open(&vf, arg->vf);
	check_refused(&vf, memory, "nothing", s.bytes, 0, 0);
	check_refused(&vf, memory, "half a header", s.bytes, HEADER_BYTES / 2, 0);
	check_refused(&vf, memory, "a header", s.bytes, HEADER_BYTES, 0);
	check_refused(&vf, memory, "half of it", s.bytes, s.count / 2, 0);
	check_refused(&vf, memory, "all but its end", s.bytes,
		      s.count - PIECE_BYTES, 0);
	check_refused(&vf, memory, "all but a byte", s.bytes, s.count - 1, 0);
	memcpy(bad.bytes, s.bytes, s.count);
	check_refused(&vf, memory, "a byte more", bad.bytes, s.count + 1, EINVAL);
	/* Each field of the header, and of the first piece's. */
	for (i = 0; i < data; i += 4) {
		memcpy(bad.bytes, s.bytes, s.count);
		bad.bytes[i] ^= 0x40;
		check_refused(&vf, memory, "a broken header", bad.bytes,
			      s.count, EINVAL);
	}
	memset(bad.bytes, 0xff, s.count);
	memcpy(bad.bytes, s.bytes, HEADER_BYTES);
	check_refused(&vf, memory, "a piece that is too long", bad.bytes,
		      s.count, EINVAL);
	/* What only the firmware can know. */
	for (i = data; i < s.count - PIECE_BYTES; i += s.count / 5) {
		memcpy(bad.bytes, s.bytes, s.count);
		bad.bytes[i] ^= 1;
		check_refused(&vf, memory, "a bit that is wrong", bad.bytes,
			      s.count, -1);
	}
	/* It is as good as new. */
	fd = mig_set_state(&vf, RESUMING);
	CHECK_EQUAL(mig_restore(fd, s.bytes, s.count), 0);
	mig_set_state(&vf, RUNNING);
	vf_set_master(&vf, true);
	mig_check_filled(&vf, memory);
	vf_close(&vf);
}

/* Writes a stream, or reads one into framebuffer, until that ends. */
static pid_t use_stream(struct vf *vf, int fd, const struct stream *s)
{
	pid_t child = fork();
	ssize_t part;

	if (child)
		return child;
	if (s)
		_exit(mig_restore(fd, s->bytes, s->count));
	while ((part = read(fd, (void *)vf->bar1, 65536)) > 0)
		;
	_exit(part ? errno : 0);
}

static void check_ended(pid_t child, int wanted)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), wanted);
}

/*
 * A task that has met something broken takes no more; who has more than the
 * ring holds waits, until it is clear that nothing comes of it, or a reset.
 */
void check_stall(const struct arguments *arg)
{
	uint8_t *memory;
	struct stream s;
	double began;
	struct vf vf;
	uint64_t at;
	int fd, i;

	memory = mig_open(&vf, arg->vf);
	vf_set_master(&vf, true);
	memset(memory, 0x99, BUFFER_BYTES);
	for (at = 0; at < 8 * MIB; at += BUFFER_BYTES)
		CHECK_EQUAL(mig_move(&vf, DMA_TO_FB, at, BUFFER_BYTES), DMA_DONE);
	fd = mig_set_state(&vf, STOP_COPY);
	s = mig_save(fd);
	CHECK(s.count > 8 * MIB);
	close(fd);

	/* Into memory of the VF's own, too. */
	mig_set_state(&vf, RUNNING);
	fd = mig_set_state(&vf, STOP_COPY);
	check_ended(use_stream(&vf, fd, NULL), 0);
	close(fd);
	mig_reset(&vf);
	s.bytes[HEADER_BYTES + PIECE_BYTES] ^= 0x40;
	/* A reset does not wait for who waits for the firmware, or reads. */
	for (i = 0; i < 2; i++) {
		pid_t child;

		vf_set_master(&vf, true);
		CHECK_EQUAL(mig_move(&vf, DMA_TO_FB, 64 * MIB, BUFFER_BYTES),
			    DMA_DONE);
		fd = mig_set_state(&vf, i ? STOP_COPY : RESUMING);
		child = use_stream(&vf, fd, i ? NULL : &s);
		usleep(i ? 1000 : QUIET_MS * 1000);
		began = mig_now_ms();
		mig_reset(&vf);
		CHECK(mig_now_ms() - began < WAIT_MS);
		if (i == 0)
			check_ended(child, ENODEV);
		else
			CHECK(waitpid(child, NULL, 0) == child);
		close(fd);
		/* The last of what it read may have come after the reset. */
		if (i)
			mig_reset(&vf);
		mig_check_empty(&vf, memory);
	}
	fd = mig_set_state(&vf, RESUMING);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK_EQUAL(mig_restore(fd, s.bytes, s.count), EAGAIN);
	CHECK(fcntl(fd, F_SETFL, 0) == 0);
	/* Half of it is there: what is wanted now is the rest. */
	CHECK_ERRNO(write(fd, s.bytes, 1000), ETIMEDOUT);
	CHECK_EQUAL(mig_state(&vf), ERROR);
	mig_reset(&vf);
	mig_check_empty(&vf, memory);
	close(fd);
	vf_close(&vf);
}
