/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Write pixels as a PNG file. */
#include "ctl/common/png_file.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * State that survives an error of libpng, which longjmps: what is needed
 * afterwards must not be a local variable.
 */
struct writer {
	png_structp png;
	png_infop info;
	ctl_png_row row;
	void *userdata;
	struct vgpu_err *err;
	bool has_failed; /* with err filled */
};

static void on_error(png_structp png, png_const_charp message)
{
	struct writer *w = png_get_error_ptr(png);

	/* If libpng gave no message, it is an error of the file. */
	if (!w->has_failed)
		vgpu_err_set(w->err, -EIO, NULL, "%s",
			     errno ? strerror(errno) : message);
	w->has_failed = true;
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
}

static void write_rows(struct writer *w, uint32_t width, uint32_t height)
{
	png_set_IHDR(w->png, w->info, width, height, 8, PNG_COLOR_TYPE_RGB,
		     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	png_write_info(w->png, w->info);
	/* x8r8g8b8, little-endian: blue, green, red, and an unused byte. */
	png_set_bgr(w->png);
	png_set_filler(w->png, 0, PNG_FILLER_AFTER);
	for (uint32_t y = 0; y < height; y++) {
		const uint8_t *row = w->row(w->userdata, w->err);

		if (!row) {
			w->has_failed = true;
			return;
		}
		errno = 0;
		png_write_row(w->png, row);
	}
	errno = 0;
	png_write_end(w->png, NULL);
}

int ctl_png_write(FILE *file, uint32_t width, uint32_t height, ctl_png_row row,
		  void *userdata, struct vgpu_err *err)
{
	struct writer *w = calloc(1, sizeof(*w));
	bool has_failed;

	if (!w)
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	w->row = row;
	w->userdata = userdata;
	w->err = err;
	w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, on_error,
					 on_warning);
	w->info = w->png ? png_create_info_struct(w->png) : NULL;
	if (!w->info) {
		w->has_failed = true;
		vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	} else if (setjmp(png_jmpbuf(w->png)) == 0) {
		errno = 0;
		png_init_io(w->png, file);
		write_rows(w, width, height);
	}
	has_failed = w->has_failed;
	png_destroy_write_struct(&w->png, &w->info);
	free(w);
	return has_failed ? -EIO : 0;
}
