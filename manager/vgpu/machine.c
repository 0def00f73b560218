/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs of one virtual machine: each is told of how many there are. */
#include "machine.h"

#include "instance.h"
#include "manager/device/device_process.h"

/* The process that has it, or 0. */
static int32_t machine_of(const struct vgpu_instance *instance)
{
	return instance->device && instance->phase == VGPU_PHASE_ATTACHED
		       ? instance->status.peer_pid
		       : 0;
}

static uint32_t count_vgpus(const struct vgpu_manager *manager, int32_t machine)
{
	const struct vgpu_instance *instance;
	uint32_t n = 0;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	n += machine_of(instance) == machine;
	return n;
}

void vgpu_machine_tell(struct vgpu_manager *manager)
{
	struct vgpu_instance *instance;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	{
		int32_t machine = machine_of(instance);
		uint32_t n = machine > 0 ? count_vgpus(manager, machine) : 1;
		struct vgpu_control_msg msg = {
			.type = VGPU_CONTROL_SET_VGPUS,
			.vgpus = n,
		};

		if (machine <= 0 || instance->machine_vgpus == n)
			continue;
		instance->machine_vgpus = n;
		vgpu_device_request(instance->device, &msg, -1,
				    vgpu_device_ignore_reply, NULL, NULL);
	}
}
