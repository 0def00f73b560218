/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: LibVNCServer, view only, with all other features off. */
#include "device/display/vnc/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "device/display/vnc/gate.h"
#include "lib/util.h"

/* How long a client that reads slowly may delay the others, in ms. */
#define CLIENT_WAIT_MS 1000
/* How often to look for the rest of half a message. */
#define HALF_MS 20
/* Messages of one client before others have their turn. */
#define TURN 16

#define VERSION "RFB 003.008\n"

struct vgpu_vnc_server {
	/*
	 * A new client is created on one end of this pair, which always has
	 * something to read: LibVNCServer waits for the first bytes of a
	 * websocket.
	 */
	int lure[2];
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

static void gone_client(rfbClientPtr client)
{
	free(client->clientData);
	client->clientData = NULL;
}

static enum rfbNewClientAction new_client(rfbClientPtr client)
{
	/*
	 * Any page in a browser of this machine could open a websocket to us,
	 * and there is no password: no websockets.
	 */
	if (client->wsctx)
		return RFB_CLIENT_REFUSE;
	client->clientData = calloc(1, sizeof(struct vgpu_vnc_gate));
	if (!client->clientData)
		return RFB_CLIENT_REFUSE;
	client->clientGoneHook = gone_client;
	vgpu_vnc_gate_init(client->clientData);
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
	server->lure[0] = server->lure[1] = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       server->lure) < 0 ||
	    send(server->lure[1], VERSION, strlen(VERSION), MSG_NOSIGNAL) < 0) {
		vgpu_vnc_server_destroy(server);
		return NULL;
	}
	/* Clients could fill the log: drop LibVNCServer's messages. */
	rfbLogEnable(FALSE);
	server->source = source;
	server->name = strdup(name);
	screen = rfbGetScreen(NULL, NULL, source->width, source->height, 8, 3, 4);
	if (!screen || !server->name) {
		if (screen)
			rfbScreenCleanup(screen);
		vgpu_vnc_server_destroy(server);
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
	if (server->screen) {
		rfbShutdownServer(server->screen, /* disconnectClients= */ TRUE);
		server->screen->frameBuffer = NULL;
		rfbScreenCleanup(server->screen);
	}
	vgpu_close(server->lure[0]);
	vgpu_close(server->lure[1]);
	free(server->name);
	free(server);
}

unsigned int vgpu_vnc_server_poll(struct vgpu_vnc_server *server,
				  struct pollfd *ret_fds, int *ret_timeout_ms)
{
	rfbClientIteratorPtr iterator = rfbGetClientIterator(server->screen);
	unsigned int n = 0;
	rfbClientPtr client;

	*ret_timeout_ms = -1;
	while ((client = rfbClientIteratorNext(iterator))) {
		const struct vgpu_vnc_gate *gate = client->clientData;

		if (client->sock < 0 || n == VGPU_VNC_CLIENTS_MAX)
			continue;
		ret_fds[n++] = (struct pollfd){
			.fd = client->sock,
			.events = gate->is_half ? 0 : POLLIN,
		};
		if (gate->is_half)
			*ret_timeout_ms = HALF_MS;
	}
	rfbReleaseClientIterator(iterator);
	return n;
}

unsigned int vgpu_vnc_server_clients(const struct vgpu_vnc_server *server)
{
	rfbClientIteratorPtr iterator = rfbGetClientIterator(server->screen);
	unsigned int n = 0;
	rfbClientPtr client;

	while ((client = rfbClientIteratorNext(iterator)))
		n += client->sock >= 0 && client->state == RFB_NORMAL;
	rfbReleaseClientIterator(iterator);
	return n;
}

/*
 * The oldest client that has not finished the handshake; NULL if none has to
 * make room.
 */
static rfbClientPtr find_silent(struct vgpu_vnc_server *server, bool *ret_has_room)
{
	rfbClientIteratorPtr iterator = rfbGetClientIterator(server->screen);
	rfbClientPtr client, found = NULL;
	unsigned int n = 0;

	while ((client = rfbClientIteratorNext(iterator))) {
		if (client->sock < 0)
			continue;
		n++;
		if (client->state != RFB_NORMAL)
			found = client; /* the newest is the first */
	}
	rfbReleaseClientIterator(iterator);
	*ret_has_room = n < VGPU_VNC_CLIENTS_MAX;
	return *ret_has_room ? NULL : found;
}

/* Nobody reads the greeting that the library sent to the pair. */
static void clean_lure(const struct vgpu_vnc_server *server)
{
	char greeting[64];

	while (recv(server->lure[1], greeting, sizeof(greeting), MSG_DONTWAIT) > 0)
		;
}

/*
 * Put the client's socket in place of the pair's end. False if the client is
 * gone already.
 */
static bool connect_client(const struct vgpu_vnc_server *server,
			   rfbClientPtr client, int fd)
{
	const int on = 1;

	clean_lure(server);
	/* We look whether there is something to read, it does not. */
	FD_CLR(client->sock, &server->screen->allFds);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return dup3(fd, client->sock, O_CLOEXEC) >= 0 &&
	       send(fd, VERSION, strlen(VERSION), MSG_NOSIGNAL | MSG_DONTWAIT) ==
		       (ssize_t)strlen(VERSION);
}

void vgpu_vnc_server_add(struct vgpu_vnc_server *server, int fd)
{
	bool has_room;
	rfbClientPtr silent = find_silent(server, &has_room), client = NULL;
	int lure = -1;

	if (silent) {
		rfbCloseClient(silent);
		rfbProcessEvents(server->screen, 0);
	}
	if (silent || has_room)
		lure = fcntl(server->lure[0], F_DUPFD_CLOEXEC, 3);
	if (lure >= 0)
		client = rfbNewClient(server->screen, lure); /* or closes it */
	if (client && client->sock >= 0 && !connect_client(server, client, fd))
		rfbCloseClient(client);
	vgpu_close(fd);
}

static void read_client(rfbClientPtr client)
{
	for (int i = 0; i < TURN && client->sock >= 0; i++) {
		switch (vgpu_vnc_gate_look(client->clientData, client)) {
		case VGPU_VNC_LOOK_NOTHING:
			return;
		case VGPU_VNC_LOOK_WHOLE:
			rfbProcessClientMessage(client);
			break;
		case VGPU_VNC_LOOK_END:
			rfbCloseClient(client);
			return;
		}
	}
}

void vgpu_vnc_server_serve(struct vgpu_vnc_server *server)
{
	rfbClientIteratorPtr iterator = rfbGetClientIterator(server->screen);
	rfbClientPtr client;

	while ((client = rfbClientIteratorNext(iterator)))
		if (client->sock >= 0 && client->clientData)
			read_client(client);
	rfbReleaseClientIterator(iterator);
	/* It finds nothing to read, see connect_client(), and sends. */
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

	/*
	 * A client without resize support would fail on a larger picture: it
	 * must reconnect.
	 */
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
