/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to a render process: sent if they fit into the socket, else kept. */
#include "outbox.h"

#include <string.h>
#include <sys/socket.h>

#include "device/render/host_memory.h"
#include "lib/util.h"

struct vgpu_render_packet {
	STAILQ_ENTRY(vgpu_render_packet) link;
	struct vgpu_render_parcel parcel; /* its body is ours, below */
	uint8_t body[];
};

void vgpu_render_outbox_init(struct vgpu_render_outbox *outbox, int socket,
			     struct vgpu_host_memory *host_memory)
{
	*outbox = (struct vgpu_render_outbox){
		.socket = socket,
		.host_memory = host_memory,
	};
	STAILQ_INIT(&outbox->packets);
}

/* A memfd with commands also costs an fd, so few may wait. */
static size_t parcel_cost(const struct vgpu_render_parcel *parcel)
{
	if (!parcel->own_bytes)
		return parcel->body_bytes;
	return parcel->body_bytes +
	       VGPU_MAX(parcel->own_bytes, VGPU_RENDER_BULK_BYTES_MIN);
}

static size_t charge_of(const struct vgpu_render_parcel *parcel)
{
	return parcel->is_ours
		       ? 0
		       : sizeof(struct vgpu_render_packet) + parcel->body_bytes;
}

static void drop_first(struct vgpu_render_outbox *outbox)
{
	struct vgpu_render_packet *packet = STAILQ_FIRST(&outbox->packets);

	STAILQ_REMOVE_HEAD(&outbox->packets, link);
	vgpu_host_memory_uncharge(outbox->host_memory,
				  charge_of(&packet->parcel));
	outbox->n_packets--;
	outbox->bytes -= parcel_cost(&packet->parcel);
	vgpu_close(packet->parcel.own_fd);
	free(packet);
}

void vgpu_render_outbox_finish(struct vgpu_render_outbox *outbox)
{
	while (!STAILQ_EMPTY(&outbox->packets))
		drop_first(outbox);
}

static int send_parcel(struct vgpu_render_outbox *outbox,
		       const struct vgpu_render_parcel *parcel)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VGPU_RENDER_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov[] = {
		{(void *)&parcel->message, sizeof(parcel->message)},
		{(void *)parcel->body, parcel->body_bytes},
	};
	struct msghdr header = {.msg_iov = iov, .msg_iovlen = 2};
	const int *fds = parcel->own_fd >= 0 ? &parcel->own_fd : parcel->fds;
	uint32_t n = parcel->own_fd >= 0 ? 1 : parcel->n_fds;
	ssize_t sent;

	if (outbox->socket < 0 || outbox->is_held ||
	    (parcel->own_bytes && outbox->is_bulk_out))
		return -EAGAIN;
	if (n) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	}
	do
		sent = sendmsg(outbox->socket, &header,
			       MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (parcel->own_bytes)
		outbox->is_bulk_out = true;
	return 0;
}

static int keep_parcel(struct vgpu_render_outbox *outbox,
		       const struct vgpu_render_parcel *parcel)
{
	struct vgpu_render_packet *packet;

	if (outbox->n_packets >= VGPU_RENDER_QUEUE_PACKETS_MAX ||
	    parcel_cost(parcel) > VGPU_RENDER_QUEUE_BYTES_MAX - outbox->bytes ||
	    !vgpu_host_memory_charge(outbox->host_memory, charge_of(parcel)))
		return -ENOBUFS;
	packet = malloc(sizeof(*packet) + parcel->body_bytes);
	if (!packet) {
		vgpu_host_memory_uncharge(outbox->host_memory, charge_of(parcel));
		return -ENOMEM;
	}
	packet->parcel = *parcel;
	if (parcel->body_bytes)
		memcpy(packet->body, parcel->body, parcel->body_bytes);
	packet->parcel.body = packet->body;
	STAILQ_INSERT_TAIL(&outbox->packets, packet, link);
	outbox->n_packets++;
	outbox->bytes += parcel_cost(parcel);
	return 0;
}

int vgpu_render_outbox_put(struct vgpu_render_outbox *outbox,
			   const struct vgpu_render_parcel *parcel)
{
	int r = -EAGAIN;

	if (STAILQ_EMPTY(&outbox->packets))
		r = send_parcel(outbox, parcel);
	if (r == -EAGAIN) {
		r = keep_parcel(outbox, parcel);
		if (r == 0)
			return 0; /* its fd is the packet's now */
	}
	vgpu_close(parcel->own_fd);
	return r;
}

int vgpu_render_outbox_try(struct vgpu_render_outbox *outbox,
			   const struct vgpu_render_parcel *parcel)
{
	int r = -EAGAIN;

	if (STAILQ_EMPTY(&outbox->packets))
		r = send_parcel(outbox, parcel);
	vgpu_close(parcel->own_fd);
	return r;
}

int vgpu_render_outbox_flush(struct vgpu_render_outbox *outbox)
{
	while (!STAILQ_EMPTY(&outbox->packets)) {
		int r = send_parcel(outbox,
				    &STAILQ_FIRST(&outbox->packets)->parcel);

		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		drop_first(outbox);
	}
	return 0;
}

bool vgpu_render_outbox_wants_room(const struct vgpu_render_outbox *outbox)
{
	const struct vgpu_render_packet *first = STAILQ_FIRST(&outbox->packets);

	return first && outbox->socket >= 0 && !outbox->is_held &&
	       !(first->parcel.own_bytes && outbox->is_bulk_out);
}
