// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * paint FRAMES CARD: sets the first connected head's preferred mode by KMS, paints a
 * colour into each quarter, and has as many frames shown. Tells how long they took.
 */
#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define MODES_MAX 64

static void die(const char *what)
{
	printf("guest: FAILED: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void ask(int fd, unsigned long request, void *argument, const char *what)
{
	if (ioctl(fd, request, argument) < 0)
		die(what);
}

static void paint(uint32_t *pixels, uint32_t width, uint32_t height,
		  uint32_t pitch)
{
	static const uint32_t colors[] = {0xc02040, 0x20c040, 0x2040c0, 0xc0c020};

	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			pixels[y * (pitch / 4) + x] =
				colors[(y >= height / 2) * 2 + (x >= width / 2)];
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int frames = argc > 1 ? atoi(argv[1]) : 1;
	uint32_t connectors[16], crtcs[16];
	struct drm_mode_card_res res = {
		.connector_id_ptr = (uintptr_t)connectors,
		.crtc_id_ptr = (uintptr_t)crtcs,
		.count_connectors = 16,
		.count_crtcs = 16,
	};
	static struct drm_mode_modeinfo modes[MODES_MAX];
	uint32_t encoders[8], props[64];
	uint64_t values[64];
	struct drm_mode_get_connector connector = {
		.modes_ptr = (uintptr_t)modes,
		.encoders_ptr = (uintptr_t)encoders,
		.props_ptr = (uintptr_t)props,
		.prop_values_ptr = (uintptr_t)values,
		.count_modes = MODES_MAX,
		.count_encoders = 8,
		.count_props = 64,
	};
	struct drm_mode_create_dumb dumb = {.bpp = 32};
	struct drm_mode_map_dumb map = {};
	struct drm_mode_fb_cmd2 fb = {.pixel_format = 0x34325258}; /* XR24 */
	struct drm_mode_fb_dirty_cmd dirty = {};
	struct drm_mode_crtc crtc = {.mode_valid = 1, .count_connectors = 1};
	uint32_t *pixels;
	double start;
	const char *card = argc > 2 ? argv[2] : "/dev/dri/card0";
	int fd = open(card, O_RDWR);

	if (fd < 0)
		die(card);
	ask(fd, DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");
	connector.connector_id = connectors[0];
	ask(fd, DRM_IOCTL_MODE_GETCONNECTOR, &connector, "connector");
	if (connector.connection != 1 || !connector.count_modes)
		die("no connected head");
	dumb.width = modes[0].hdisplay;
	dumb.height = modes[0].vdisplay;
	ask(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "dumb buffer");
	map.handle = dumb.handle;
	ask(fd, DRM_IOCTL_MODE_MAP_DUMB, &map, "map");
	pixels = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)map.offset);
	if (pixels == MAP_FAILED)
		die("mmap");
	fb.width = dumb.width;
	fb.height = dumb.height;
	fb.handles[0] = dumb.handle;
	fb.pitches[0] = dumb.pitch;
	ask(fd, DRM_IOCTL_MODE_ADDFB2, &fb, "fb");
	crtc.set_connectors_ptr = (uintptr_t)&connectors[0];
	crtc.crtc_id = crtcs[0];
	crtc.fb_id = fb.fb_id;
	crtc.mode = modes[0];
	ask(fd, DRM_IOCTL_MODE_SETCRTC, &crtc, "mode");
	paint(pixels, dumb.width, dumb.height, dumb.pitch);
	dirty.fb_id = fb.fb_id;
	start = now();
	for (int i = 0; i < frames; i++)
		ask(fd, DRM_IOCTL_MODE_DIRTYFB, &dirty, "frame");
	printf("guest: painted %ux%u, %d frames in %.3f s\n", dumb.width,
	       dumb.height, frames, now() - start);
	fflush(stdout);
	/* It is shown until this ends. */
	while (getchar() != EOF)
		;
	return 0;
}
