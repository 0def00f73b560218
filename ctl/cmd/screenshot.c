/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl screenshot: save what a head shows as a PNG file. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/common/frame.h"
#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/png_file.h"
#include "ctl/common/remote.h"
#include "lib/util.h"

static enum ctl_exit capture(struct ctl *ctl, struct ctl_frame *ret_frame)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	struct vgpu_err err = {};
	enum ctl_exit e = ctl_head_parameters(ctl, &parameters);

	if (e != CTL_DONE)
		return e;
	return ctl_frame_capture(ctl, parameters, ret_frame, &err) < 0
		       ? ctl_fail("%s", err.text)
		       : CTL_DONE;
}

/* A file beside @path, so that it can be renamed to it: "DIR/.vgpuctl-XXXXXX". */
static char *temporary_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name;

	if (asprintf(&name, "%.*s.vgpuctl-XXXXXX",
		     slash ? (int)(slash - path + 1) : 0, path) < 0)
		return NULL;
	return name;
}

/* Of another machine, which sends it as a PNG file: no fd passes by ssh. */
static enum ctl_exit fetch(struct ctl *ctl, int output)
{
	char head[16];
	const char *arguments[] = {"screenshot",  "--head", head, "--",
				   ctl->words[0], "-",	    NULL};

	snprintf(head, sizeof(head), "%u", ctl->has_head ? ctl->head : 0);
	return ctl_remote_run(ctl, arguments, output);
}

/*
 * The picture into @file, which is closed, whatever happens; @frame is NULL for
 * another machine's.
 */
static enum ctl_exit write_and_close(struct ctl *ctl, FILE *file,
				     struct ctl_frame *frame, const char *path)
{
	enum ctl_exit e = CTL_DONE;
	struct vgpu_err err = {};
	mode_t mask = umask(0);
	int r = 0;

	umask(mask);
	if (frame)
		r = ctl_png_write(file, frame->width, frame->height,
				  ctl_frame_next_row, frame, &err);
	else
		e = fetch(ctl, fileno(file));
	/*
	 * mkstemp() makes the file private: give it the mode that the umask
	 * says.
	 */
	if (r == 0 && fchmod(fileno(file), 0666 & ~mask) < 0)
		r = vgpu_err_set(&err, -errno, NULL, "%m");
	if (fclose(file) != 0 && r == 0)
		r = vgpu_err_set(&err, -errno, NULL, "%m");
	return r < 0 ? ctl_fail("cannot write %s: %s", path, err.text) : e;
}

static enum ctl_exit save(struct ctl *ctl, struct ctl_frame *frame,
			  const char *path)
{
	vgpu_autofree char *temporary = NULL;
	struct stat st;
	enum ctl_exit e;
	FILE *file;
	int fd;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return ctl_fail("%s is there and is no plain file: name another",
				path);
	temporary = temporary_beside(path);
	if (!temporary)
		return ctl_fail("out of memory");
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return ctl_fail("cannot make a file beside %s: %s", path,
				strerror(errno));
	file = fdopen(fd, "w");
	if (!file) {
		vgpu_close(fd);
		unlink(temporary);
		return ctl_fail("out of memory");
	}
	e = write_and_close(ctl, file, frame, path);
	if (e == CTL_DONE && rename(temporary, path) < 0)
		e = ctl_fail("cannot write %s: %s", path, strerror(errno));
	if (e != CTL_DONE)
		unlink(temporary);
	return e;
}

/* To standard output, which a failure leaves incomplete. */
static enum ctl_exit print(struct ctl *ctl, struct ctl_frame *frame)
{
	struct vgpu_err err = {};

	if (isatty(STDOUT_FILENO))
		return ctl_fail(
			"a PNG file is nothing for a terminal: name a file, or send it to another program");
	if (!frame)
		return fetch(ctl, STDOUT_FILENO);
	if (ctl_png_write(stdout, frame->width, frame->height,
			  ctl_frame_next_row, frame, &err) < 0)
		return ctl_fail("cannot write the picture: %s", err.text);
	if (fflush(stdout) != 0)
		return ctl_fail("cannot write the picture: %s", strerror(errno));
	return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct ctl_frame frame = {.fd = -1}, *from = ctl->host ? NULL : &frame;
	enum ctl_exit e = from ? capture(ctl, from) : CTL_DONE;

	if (e != CTL_DONE)
		return e;
	e = strcmp(ctl->words[1], "-") == 0 ? print(ctl, from)
					    : save(ctl, from, ctl->words[1]);
	ctl_frame_finish(&frame);
	return e;
}

const struct ctl_command ctl_command_screenshot = {
	.name = "screenshot",
	.words = "V FILE.png [--head N]",
	.summary = "Save what a head shows, cursor included, as a PNG file",
	.help = "  --head N   the head, counted from 0; else 0\n"
		"\n"
		"FILE is whole or not there: it is written beside and then renamed. '-' is\n"
		"standard output.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl screenshot cad cad.png\n"
		"  vgpuctl screenshot cad second.png --head 1\n"
		"  vgpuctl screenshot cad - | display\n",
	.options = CTL_OPTION_HEAD,
	.min_words = 2,
	.max_words = 2,
	.values = {CTL_VALUE_VGPU, CTL_VALUE_FILE},
	.run = run,
};
