/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: LibVNCServer, with everything off that is not looking. */
#include "device/display/vnc/server.h"

#include <stdlib.h>
#include <string.h>

#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "lib/util.h"

/* How long a client may hold up the others with half a message, in ms. */
#define CLIENT_WAIT_MS 1000

struct vgpu_vnc_server {
	rfbScreenInfoPtr screen;
	const struct vgpu_vnc_source *source;
	char *name;
};

static void ignore_key(rfbBool down, rfbKeySym key, rfbClientPtr client)
{
}

static void ignore_pointer(int buttons, int x, int y, rfbClientPtr client)
{
}

static void ignore_text(char *text, int length, rfbClientPtr client)
{
}

static int refuse_files(rfbClientPtr client)
{
	return FALSE;
}

static enum rfbNewClientAction new_client(rfbClientPtr client)
{
	/*
	 * Any page in a browser of this machine could open a websocket to us,
	 * and there is no password: no websockets.
	 */
	if (client->wsctx)
		return RFB_CLIENT_REFUSE;
	client->viewOnly = TRUE;
	return RFB_CLIENT_ACCEPT;
}

/* Ours is x8r8g8b8; the library thinks of red as the lowest byte. */
static void set_format(rfbScreenInfoPtr screen)
{
	screen->serverFormat.redShift = 16;
	screen->serverFormat.greenShift = 8;
	screen->serverFormat.blueShift = 0;
}

struct vgpu_vnc_server *
vgpu_vnc_server_create(const char *name, const struct vgpu_vnc_source *source)
{
	struct vgpu_vnc_server *server = calloc(1, sizeof(*server));
	rfbScreenInfoPtr screen;

	if (!server)
		return NULL;
	/* What it logs is for clients to trigger, as often as they like. */
	rfbLogEnable(FALSE);
	server->source = source;
	server->name = strdup(name);
	screen = rfbGetScreen(NULL, NULL, source->width, source->height, 8, 3, 4);
	if (!screen || !server->name) {
		if (screen)
			rfbScreenCleanup(screen);
		free(server->name);
		free(server);
		return NULL;
	}
	server->screen = screen;
	screen->screenData = server;
	screen->desktopName = server->name;
	screen->frameBuffer = (char *)source->pixels;
	set_format(screen);
	/* No listening of its own: we accept, and hand over. */
	screen->autoPort = FALSE;
	screen->port = 0;
	screen->ipv6port = 0;
	screen->httpDir = NULL;
	screen->alwaysShared = TRUE;
	screen->dontDisconnect = TRUE;
	screen->deferUpdateTime = 0; /* the device sets the pace */
	screen->maxClientWait = CLIENT_WAIT_MS;
	screen->permitFileTransfer = FALSE;
	screen->getFileTransferPermission = refuse_files;
	screen->newClientHook = new_client;
	screen->kbdAddEvent = ignore_key;
	screen->ptrAddEvent = ignore_pointer;
	screen->setXCutText = ignore_text;
	rfbSetCursor(screen, NULL); /* it is in the picture */
	rfbInitServer(screen);
	return server;
}

void vgpu_vnc_server_destroy(struct vgpu_vnc_server *server)
{
	if (!server)
		return;
	rfbShutdownServer(server->screen, /* disconnectClients= */ TRUE);
	server->screen->frameBuffer = NULL;
	rfbScreenCleanup(server->screen);
	free(server->name);
	free(server);
}

unsigned int vgpu_vnc_server_poll(struct vgpu_vnc_server *server,
				  struct pollfd *ret_fds)
{
	rfbClientIteratorPtr iterator = rfbGetClientIterator(server->screen);
	unsigned int n = 0;
	rfbClientPtr client;

	while ((client = rfbClientIteratorNext(iterator)))
		if (client->sock >= 0 && n < VGPU_VNC_CLIENTS_MAX)
			ret_fds[n++] = (struct pollfd){.fd = client->sock,
						       .events = POLLIN};
	rfbReleaseClientIterator(iterator);
	return n;
}

void vgpu_vnc_server_add(struct vgpu_vnc_server *server, int fd)
{
	struct pollfd fds[VGPU_VNC_CLIENTS_MAX];

	if (vgpu_vnc_server_poll(server, fds) == VGPU_VNC_CLIENTS_MAX) {
		vgpu_close(fd);
		return;
	}
	rfbNewClient(server->screen, fd); /* closes it if it fails */
}

void vgpu_vnc_server_serve(struct vgpu_vnc_server *server)
{
	rfbProcessEvents(server->screen, 0);
}

void vgpu_vnc_server_damage(struct vgpu_vnc_server *server)
{
	const struct vgpu_vnc_source *source = server->source;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(source->damage); i++) {
		const struct vgpu_vnc_rect *rect = &source->damage[i];

		if (rect->width > 0 && rect->height > 0)
			rfbMarkRectAsModified(server->screen, rect->x, rect->y,
					      rect->x + rect->width,
					      rect->y + rect->height);
	}
}

void vgpu_vnc_server_resize(struct vgpu_vnc_server *server)
{
	const struct vgpu_vnc_source *source = server->source;
	rfbScreenInfoPtr screen = server->screen;
	rfbClientIteratorPtr iterator;
	rfbClientPtr client;

	/* To a client that knows of one size only, what is beyond is an
	 * error: it has to connect again. */
	iterator = rfbGetClientIterator(screen);
	while ((client = rfbClientIteratorNext(iterator)))
		if (!client->useNewFBSize && client->state == RFB_NORMAL)
			rfbCloseClient(client);
	rfbReleaseClientIterator(iterator);

	rfbNewFramebuffer(screen, (char *)source->pixels, source->width,
			  source->height, 8, 3, 4);
	set_format(screen);
	iterator = rfbGetClientIterator(screen);
	while ((client = rfbClientIteratorNext(iterator)))
		screen->setTranslateFunction(client);
	rfbReleaseClientIterator(iterator);
	rfbMarkRectAsModified(screen, 0, 0, source->width, source->height);
}

bool vgpu_vnc_server_is_ready(struct vgpu_vnc_server *server)
{
	rfbClientIteratorPtr iterator = rfbGetClientIterator(server->screen);
	bool is_served = false, is_waiting = false;
	rfbClientPtr client;

	while ((client = rfbClientIteratorNext(iterator))) {
		if (client->sock < 0 || client->state != RFB_NORMAL)
			continue;
		if (sraRgnEmpty(client->modifiedRegion))
			is_served = true;
		else
			is_waiting = true;
	}
	rfbReleaseClientIterator(iterator);
	return is_served || !is_waiting;
}
