/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One virtio-input device (virtio 1.3, 5.8) with a vhost-user front end. */
#include "device/input/device.h"

#include <endian.h>
#include <errno.h>
#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/input/internal.h"
#include "device/state.h"
#include "device/vhost/vhost.h"
#include "device/virtio/queue.h"
#include "lib/util.h"

#define EVENT_QUEUE 0

struct vgpu_input_device {
	enum vgpu_input kind;
	struct vgpu_state *state;
	struct vgpu_input_state *input; /* in the state block */
	struct vgpu_transport *transport;
	struct vgpu_vhost *vhost; /* what that is */
	vgpu_input_fault *fault;
	void *opaque;
};

static uint64_t model_features(void *model)
{
	return 0;
}

static void model_set_features(void *model, uint64_t features)
{
}

static void model_config_read(void *model, uint8_t space[VGPU_MODEL_CONFIG_MAX])
{
	const struct vgpu_input_device *device = model;
	uint32_t selected = device->input->selected;

	vgpu_input_describe(device->kind, (uint8_t)selected,
			    (uint8_t)(selected >> 8), space);
}

/* Two bytes can be written; QEMU writes all of the space each time. */
static int model_config_write(void *model, uint32_t offset, const uint8_t *data,
			      uint32_t size)
{
	struct vgpu_input_device *device = model;
	uint32_t selected = device->input->selected;

	if (offset > VGPU_MODEL_CONFIG_MAX ||
	    size > VGPU_MODEL_CONFIG_MAX - offset)
		return -EINVAL;
	for (uint32_t i = 0; i < size && offset + i < 2; i++) {
		uint32_t shift = 8 * (offset + i);

		selected = (selected & ~(0xffU << shift)) | (uint32_t)data[i]
								    << shift;
	}
	vgpu_state_commit(device->input->selected, selected);
	return 0;
}

static bool model_is_ready(void *model, uint32_t queue)
{
	const struct vgpu_input_device *device = model;

	return queue != EVENT_QUEUE || vgpu_input_has_event(device->input);
}

static ssize_t give_event(struct vgpu_input_device *device,
			  struct vgpu_gpu_request *request)
{
	struct virtio_input_event wire;
	struct vgpu_input_event event;

	if (request->writable_bytes < sizeof(wire)) {
		device->fault(device->opaque, "a buffer too small for an event");
		return 0;
	}
	event = vgpu_input_fetch(device->input, request->token);
	wire.type = htole16(event.type);
	wire.code = htole16(event.code);
	wire.value = htole32(event.value);
	return (ssize_t)vgpu_chain_copy_in(request, &wire, sizeof(wire));
}

/* The guest switches an LED. */
static ssize_t take_status(struct vgpu_input_device *device,
			   const struct vgpu_gpu_request *request)
{
	struct virtio_input_event wire;
	uint32_t led;

	if (request->readable_bytes < sizeof(wire)) {
		device->fault(device->opaque, "a status of too few bytes");
		return 0;
	}
	vgpu_chain_copy_out(request, &wire, sizeof(wire));
	if (le16toh(wire.type) != EV_LED || le16toh(wire.code) > LED_SCROLLL)
		return 0;
	led = 1U << le16toh(wire.code);
	vgpu_state_commit(device->input->leds,
			  wire.value ? device->input->leds | led
				     : device->input->leds & ~led);
	return 0;
}

static ssize_t model_execute(void *model, uint32_t queue,
			     struct vgpu_gpu_request *request)
{
	struct vgpu_input_device *device = model;

	return queue == EVENT_QUEUE ? give_event(device, request)
				    : take_status(device, request);
}

static size_t model_refuse(void *model, const struct vgpu_gpu_request *request)
{
	return 0;
}

static void model_resumed(void *model)
{
}

static void model_reset(void *model)
{
	struct vgpu_input_device *device = model;

	vgpu_input_events_reset(device->input);
	vgpu_state_commit(device->input->selected, 0U);
}

static const struct vgpu_model_ops model = {
	.queue_name = {"event queue", "status queue"},
	.features = model_features,
	.set_features = model_set_features,
	.config_read = model_config_read,
	.config_write = model_config_write,
	.is_ready = model_is_ready,
	.execute = model_execute,
	.refuse = model_refuse,
	.resumed = model_resumed,
	.reset = model_reset,
};

static void on_fault(void *opaque, const char *text)
{
	const struct vgpu_input_device *device = opaque;

	device->fault(device->opaque, text);
}

static void on_change(void *opaque)
{
}

static const struct vgpu_transport_events transport_events = {
	.fault = on_fault,
	.link_changed = on_change,
	.status_changed = on_change,
};

int vgpu_input_device_create(sd_event *event, struct vgpu_slots *slots,
			     enum vgpu_input kind, vgpu_input_fault *fault,
			     void *opaque, struct vgpu_input_device **ret_device,
			     struct vgpu_err *err)
{
	struct vgpu_input_device *device = calloc(1, sizeof(*device));
	struct vgpu_transport_config config = {
		.event = event,
		.slots = slots,
		.virtio = {.model = &model, .model_opaque = device},
		.events = &transport_events,
		.opaque = device,
	};
	int r;

	if (!device)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	device->kind = kind;
	device->fault = fault;
	device->opaque = opaque;
	r = vgpu_state_map(vgpu_slots_get(slots, VGPU_SLOT_STATE),
			   sizeof(struct vgpu_input_state), &device->state, err);
	if (r < 0)
		goto fail;
	device->input = vgpu_state_gpu(device->state);
	vgpu_input_events_check(device->input);
	config.state = device->state;
	r = vgpu_vhost_create(&config, &device->transport, err);
	if (r < 0)
		goto fail;
	device->vhost = vgpu_vhost_of(device->transport);
	/* Whoever held them down was connected to the predecessor. */
	vgpu_input_device_release_all(device);
	*ret_device = device;
	return 0;
fail:
	vgpu_input_device_destroy(device);
	return r;
}

void vgpu_input_device_destroy(struct vgpu_input_device *device)
{
	if (!device)
		return;
	vgpu_transport_destroy(device->transport);
	vgpu_state_unmap(device->state, sizeof(struct vgpu_input_state));
	free(device);
}

/* Whether the guest could miss what it was not told. */
static bool is_heard(const struct vgpu_input_device *device)
{
	return vgpu_vhost_is_running(device->vhost);
}

void vgpu_input_device_press(struct vgpu_input_device *device, uint32_t code)
{
	if (!vgpu_input_has_code(device->kind, code) || !is_heard(device) ||
	    !vgpu_input_press(device->input, code))
		return;
	vgpu_vhost_run(device->vhost);
}

void vgpu_input_device_release(struct vgpu_input_device *device, uint32_t code)
{
	if (!vgpu_input_has_code(device->kind, code))
		return;
	vgpu_input_release(device->input, code);
	vgpu_vhost_run(device->vhost);
}

void vgpu_input_device_release_all(struct vgpu_input_device *device)
{
	for (uint32_t code = 0; code < VGPU_INPUT_CODES; code++)
		vgpu_input_release(device->input, code);
	vgpu_vhost_run(device->vhost);
}

void vgpu_input_device_move(struct vgpu_input_device *device, uint32_t x,
			    uint32_t y)
{
	if (!is_heard(device) || !vgpu_input_move(device->input, x, y))
		return;
	vgpu_vhost_run(device->vhost);
}

void vgpu_input_device_turn(struct vgpu_input_device *device, int32_t up,
			    int32_t right)
{
	if (!is_heard(device))
		return;
	if (up)
		vgpu_input_turn(device->input, REL_WHEEL, up);
	if (right)
		vgpu_input_turn(device->input, REL_HWHEEL, right);
	vgpu_vhost_run(device->vhost);
}
