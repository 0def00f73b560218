/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: LibVNCServer, with all features off but those named here. */
#include "device/display/vnc/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

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

/* How long no password is right after one that was wrong. */
#define GUESS_NS 1000000000ULL

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
	struct vgpu_vnc_input *input; /* NULL: view only */
	char *name;
	char password[VGPU_VNC_PASSWORD_MAX + 1];
	uint64_t refused_ns; /* when a password was wrong */
};

/* One client: clientData of LibVNCServer's. */
struct client {
	struct vgpu_vnc_gate gate;
	struct vgpu_vnc_hands hands;
	bool has_size; /* it was told that it may ask for another size */
};

static struct vgpu_vnc_input *input_of(rfbClientPtr client)
{
	const struct vgpu_vnc_server *server = client->screen->screenData;

	return client->viewOnly ? NULL : server->input;
}

static void on_key(rfbBool down, rfbKeySym key, rfbClientPtr client)
{
	struct client *data = client->clientData;

	if (input_of(client))
		vgpu_vnc_input_symbol(input_of(client), &data->hands, key, down);
}

static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
	struct client *data = client->clientData;

	if (input_of(client))
		vgpu_vnc_input_point(input_of(client), &data->hands,
				     (uint32_t)buttons, x, y);
}

static int change_size(rfbClientPtr client, const uint8_t *message)
{
	struct vgpu_vnc_input *input = input_of(client);
	uint32_t width = (uint32_t)message[2] << 8 | message[3];
	uint32_t height = (uint32_t)message[4] << 8 | message[5];

	if (!input)
		return rfbExtDesktopSize_ResizeProhibited;
	if (message[6] != 1 || !width || !height)
		return rfbExtDesktopSize_InvalidScreenLayout;
	/* The picture follows when the guest does. */
	return vgpu_vnc_input_mode(input, width, height)
		       ? rfbExtDesktopSize_Success
		       : rfbExtDesktopSize_OutOfResources;
}

/* The client learns of another size with the next picture. */
static void note_reason(rfbClientPtr client, int reason, int result)
{
	client->requestedDesktopSizeChange = reason;
	client->lastDesktopSizeChangeError = result;
	if (result != rfbExtDesktopSize_Success)
		client->newFBSizePending = TRUE;
}

/*
 * SetDesktopSize, all of which is there. Not by LibVNCServer's hook: it loses
 * an iterator each time that one succeeds. False: it is another message.
 */
static bool handle_size(rfbClientPtr client)
{
	uint8_t message[VGPU_VNC_SIZE_BYTES_MAX];
	rfbClientIteratorPtr iterator;
	rfbClientPtr other;
	int result;

	if (client->state != RFB_NORMAL ||
	    recv(client->sock, message, VGPU_VNC_SIZE_BYTES(0),
		 MSG_PEEK | MSG_DONTWAIT) != VGPU_VNC_SIZE_BYTES(0) ||
	    message[0] != rfbSetDesktopSize)
		return false;
	if (rfbReadExact(client, (char *)message,
			 VGPU_VNC_SIZE_BYTES(message[6])) <= 0) {
		rfbCloseClient(client);
		return true;
	}
	result = change_size(client, message);
	note_reason(client, rfbExtDesktopSize_ClientRequestedChange, result);
	if (result != rfbExtDesktopSize_Success)
		return true;
	iterator = rfbGetClientIterator(client->screen);
	while ((other = rfbClientIteratorNext(iterator)))
		if (other != client)
			note_reason(other,
				    rfbExtDesktopSize_OtherClientRequestedChange,
				    result);
	rfbReleaseClientIterator(iterator);
	return true;
}

/*
 * Extended key events say which key it is, in whatever layout: LibVNCServer has
 * their numbers, and no code for them on this side.
 */
static int extended_encodings[] = {(int)rfbEncodingQemuExtendedKeyEvent, 0};

/* A client can have them: say that we can. */
static rfbBool enable_extended(rfbClientPtr client, void **data, int encoding)
{
	const rfbFramebufferUpdateMsg update = {
		.type = rfbFramebufferUpdate,
		.nRects = Swap16IfLE(1),
	};
	const rfbFramebufferUpdateRectHeader rect = {
		.encoding = Swap32IfLE(rfbEncodingQemuExtendedKeyEvent),
	};

	if (encoding != extended_encodings[0] || !input_of(client))
		return FALSE;
	return rfbWriteExact(client, (const char *)&update,
			     sz_rfbFramebufferUpdateMsg) > 0 &&
	       rfbWriteExact(client, (const char *)&rect,
			     sz_rfbFramebufferUpdateRectHeader) > 0;
}

/* The gate has seen that all of it is there. */
static rfbBool handle_extended(rfbClientPtr client, void *data,
			       const rfbClientToServerMsg *begun)
{
	struct client *own = client->clientData;
	rfbQemuExtendedKeyEventMsg msg;

	if (begun->type != rfbQemuEvent)
		return FALSE;
	msg.type = begun->type;
	if (rfbReadExact(client, (char *)&msg + 1,
			 sz_rfbQemuExtendedKeyEventMsg - 1) <= 0) {
		rfbCloseClient(client);
		return TRUE;
	}
	if (input_of(client))
		vgpu_vnc_input_number(input_of(client), &own->hands,
				      Swap32IfLE(msg.keycode), msg.down != 0);
	return TRUE;
}

static rfbProtocolExtension extended_keys;

/* LibVNCServer never frees the entry that it makes for each client. */
static void forget_extended(rfbClientPtr client)
{
	rfbExtensionData **at = &client->extensions;

	while (*at) {
		rfbExtensionData *entry = *at;

		if (entry->extension != &extended_keys) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		free(entry);
	}
}

static rfbBool begin_extended(rfbClientPtr client, void **data)
{
	return TRUE;
}

static rfbProtocolExtension extended_keys = {
	.newClient = begin_extended,
	.pseudoEncodings = extended_encodings,
	.enablePseudoEncoding = enable_extended,
	.handleMessage = handle_extended,
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* After a wrong one, none is right for a moment: guessing takes for ever. */
static rfbBool check_password(rfbClientPtr client, const char *response,
			      int length)
{
	struct vgpu_vnc_server *server = client->screen->screenData;
	unsigned char expected[CHALLENGESIZE];
	unsigned char difference = 0;

	if (length != CHALLENGESIZE ||
	    (server->refused_ns && now_ns() - server->refused_ns < GUESS_NS))
		return FALSE;
	memcpy(expected, client->authChallenge, sizeof(expected));
	rfbEncryptBytes(expected, server->password);
	/*
	 * The library says nothing when its cipher fails, as with a weak key or
	 * where DES is not allowed: the challenge is left as it was, and would
	 * be the answer.
	 */
	if (memcmp(expected, client->authChallenge, sizeof(expected)) == 0)
		return FALSE;
	for (int i = 0; i < CHALLENGESIZE; i++)
		difference |= (unsigned char)(expected[i] ^
					      (unsigned char)response[i]);
	if (difference)
		server->refused_ns = now_ns();
	return difference == 0;
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
	const struct vgpu_vnc_server *server = client->screen->screenData;
	struct client *data = client->clientData;

	if (data && server->input)
		vgpu_vnc_input_leave(server->input, &data->hands);
	forget_extended(client);
	free(client->clientData);
	client->clientData = NULL;
}

static enum rfbNewClientAction new_client(rfbClientPtr client)
{
	const struct vgpu_vnc_server *server = client->screen->screenData;
	struct client *data;

	/*
	 * Any page in a browser of this machine could open a websocket to us,
	 * and there need be no password: no websockets.
	 */
	if (client->wsctx)
		return RFB_CLIENT_REFUSE;
	data = calloc(1, sizeof(*data));
	if (!data)
		return RFB_CLIENT_REFUSE;
	client->clientData = data;
	client->clientGoneHook = gone_client;
	vgpu_vnc_gate_init(&data->gate, server->input);
	client->viewOnly = !server->input;
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
vgpu_vnc_server_create(const struct vgpu_vnc_server_config *config)
{
	const struct vgpu_vnc_source *source = config->source;
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
	server->input = config->input;
	server->name = strdup(config->name);
	snprintf(server->password, sizeof(server->password), "%s",
		 config->password);
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
	screen->kbdAddEvent = on_key;
	screen->ptrAddEvent = on_pointer;
	screen->deferPtrUpdateTime = 0;
	screen->setXCutText = ignore_text;
	if (server->password[0]) {
		/* Only that there is something makes it ask. */
		screen->authPasswdData = server->password;
		screen->passwordCheck = check_password;
	}
	rfbRegisterProtocolExtension(&extended_keys);
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
		rfbUnregisterProtocolExtension(&extended_keys);
		server->screen->frameBuffer = NULL;
		rfbScreenCleanup(server->screen);
	}
	vgpu_close(server->lure[0]);
	vgpu_close(server->lure[1]);
	explicit_bzero(server->password, sizeof(server->password));
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
		const struct client *data = client->clientData;

		if (client->sock < 0 || n == VGPU_VNC_CLIENTS_MAX)
			continue;
		ret_fds[n++] = (struct pollfd){
			.fd = client->sock,
			.events = data->gate.is_half ? 0 : POLLIN,
		};
		if (data->gate.is_half)
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

/*
 * A client asks for another size only after it was told of this one in the way
 * that it can be asked for, which LibVNCServer leaves until there is another.
 */
static void announce_size(rfbClientPtr client)
{
	struct client *data = client->clientData;

	if (client->sock < 0 || !data || data->has_size ||
	    !client->useExtDesktopSize)
		return;
	data->has_size = true;
	client->newFBSizePending = TRUE;
}

static void read_client(rfbClientPtr client)
{
	struct client *data = client->clientData;

	for (int i = 0; i < TURN && client->sock >= 0; i++) {
		switch (vgpu_vnc_gate_look(&data->gate, client)) {
		case VGPU_VNC_LOOK_NOTHING:
			return;
		case VGPU_VNC_LOOK_WHOLE:
			if (!handle_size(client))
				rfbProcessClientMessage(client);
			announce_size(client);
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
