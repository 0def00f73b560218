/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The varlink interface io.openvgpu.Manager: its types, methods and errors. */
#include "interface.h"

#include "lib/name.h"
#include "lib/type.h"
#include "manager/api/error_table.h"
#include "manager/api/method_table.h"

#define FIELD	       SD_VARLINK_DEFINE_FIELD
#define FIELD_BY_TYPE  SD_VARLINK_DEFINE_FIELD_BY_TYPE
#define INPUT	       SD_VARLINK_DEFINE_INPUT
#define OUTPUT	       SD_VARLINK_DEFINE_OUTPUT
#define OUTPUT_BY_TYPE SD_VARLINK_DEFINE_OUTPUT_BY_TYPE
#define ABOUT	       SD_VARLINK_FIELD_COMMENT
#define NULLABLE       SD_VARLINK_NULLABLE

static SD_VARLINK_DEFINE_ENUM_TYPE(
	State,
	ABOUT("It is known and not started, or its framebuffer is not ready yet"),
	SD_VARLINK_DEFINE_ENUM_VALUE(defined),
	ABOUT("Its framebuffer is held and its device waits for a virtual machine, or programs"),
	SD_VARLINK_DEFINE_ENUM_VALUE(active),
	ABOUT("A virtual machine has it, or a program of a container"),
	SD_VARLINK_DEFINE_ENUM_VALUE(attached),
	ABOUT("It cannot be used; the field failure says why"),
	SD_VARLINK_DEFINE_ENUM_VALUE(failed));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Gpu,
	ABOUT("What other calls take to name this GPU: its PCI address, or 'embedded'"),
	FIELD(gpu, SD_VARLINK_STRING, 0),
	ABOUT("The name that its driver gives it"),
	FIELD(name, SD_VARLINK_STRING, 0), ABOUT("The Vulkan driver"),
	FIELD(driver, SD_VARLINK_STRING, 0),
	ABOUT("How vGPUs are made on it: 'mediated', 'sriov', or 'mdev' by a driver of others"),
	FIELD(provider, SD_VARLINK_STRING, 0), ABOUT("The Vulkan device UUID"),
	FIELD(deviceUuid, SD_VARLINK_STRING, 0),
	ABOUT("The PCI address, where it has one"),
	FIELD(pciAddress, SD_VARLINK_STRING, NULLABLE),
	ABOUT("The NUMA node that its slot is at, where the machine has several"),
	FIELD(numaNode, SD_VARLINK_INT, NULLABLE),
	ABOUT("Why no vGPU can be made on it, where that is so"),
	FIELD(unusable, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Whether it is a software GPU"),
	FIELD(software, SD_VARLINK_BOOL, 0),
	ABOUT("How its driver takes the memory that a guest maps: 'host-pointer', 'udmabuf' or 'none'"),
	FIELD(memoryImport, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Device-local memory that the driver reports, in MiB"),
	FIELD(memoryMib, SD_VARLINK_INT, 0),
	ABOUT("Framebuffer there is for vGPUs, the host's reserve taken off, in MiB"),
	FIELD(framebufferMib, SD_VARLINK_INT, 0),
	ABOUT("Framebuffer that no vGPU has, in MiB"),
	FIELD(freeMib, SD_VARLINK_INT, 0),
	ABOUT("Of the free framebuffer what is populated and scrubbed, in MiB"),
	FIELD(readyMib, SD_VARLINK_INT, 0), ABOUT("Number of vGPUs on it"),
	FIELD(vgpus, SD_VARLINK_INT, 0),
	ABOUT("Of one that makes vGPUs of virtual functions: how many of those it can have, has, and has given a type"),
	FIELD(vfsTotal, SD_VARLINK_INT, NULLABLE),
	FIELD(vfsEnabled, SD_VARLINK_INT, NULLABLE),
	FIELD(vfsUsed, SD_VARLINK_INT, NULLABLE),
	ABOUT("The chip, and how vGPUs are placed and scheduled, as its driver says"),
	FIELD(chip, SD_VARLINK_STRING, NULLABLE),
	FIELD(placement, SD_VARLINK_STRING, NULLABLE),
	FIELD(scheduler, SD_VARLINK_STRING, NULLABLE),
	ABOUT("For how long one vGPU runs before others do, where the manager shares its time"),
	FIELD(timeSliceMs, SD_VARLINK_INT, NULLABLE));

#define TYPE_FIELD(member, json, stored, min, max, fallback, about)            \
	ABOUT(about), FIELD(json, SD_VARLINK_INT, (fallback) ? NULLABLE : 0)
static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Type, FIELD(type, SD_VARLINK_STRING, 0),
	ABOUT("Q workstation, B desktop, A applications, C compute"),
	FIELD(series, SD_VARLINK_STRING, 0),
	ABOUT("The GPU that the field available speaks of"),
	FIELD(gpu, SD_VARLINK_STRING, 0), VGPU_TYPE_FIELDS(TYPE_FIELD),
	ABOUT("How many more of this type fit now"),
	FIELD(available, SD_VARLINK_INT, 0),
	ABOUT("The driver's number of the type, and how many fit an empty GPU; of types that a driver has"),
	FIELD(typeId, SD_VARLINK_INT, NULLABLE),
	FIELD(maxInstances, SD_VARLINK_INT, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Head, FIELD(head, SD_VARLINK_INT, 0),
	ABOUT("What the guest shows, in pixels; 0 while it shows nothing"),
	FIELD(width, SD_VARLINK_INT, 0), FIELD(height, SD_VARLINK_INT, 0),
	ABOUT("The mode that the head's EDID prefers"),
	FIELD(preferredWidth, SD_VARLINK_INT, 0),
	FIELD(preferredHeight, SD_VARLINK_INT, 0),
	ABOUT("Where its VNC server listens, if one does: unix:PATH or ADDRESS:PORT"),
	FIELD(vnc, SD_VARLINK_STRING, NULLABLE),
	ABOUT("How many look at it by that server"),
	FIELD(vncClients, SD_VARLINK_INT, NULLABLE),
	ABOUT("Whether they may type, point and change the mode; unset: there is no server"),
	FIELD(vncInput, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("Whether that server asks for a password"),
	FIELD(vncPassword, SD_VARLINK_BOOL, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	HeadSetting, FIELD(head, SD_VARLINK_INT, 0),
	ABOUT("The mode to prefer, in pixels; 0 and 0: it is unplugged; unset: the first head has the type's largest, the others are unplugged"),
	FIELD(preferredWidth, SD_VARLINK_INT, NULLABLE),
	FIELD(preferredHeight, SD_VARLINK_INT, NULLABLE),
	ABOUT("As SetVnc's address; unset: it has no VNC server"),
	FIELD(vnc, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Whether its viewers may type and point; unset: they only look"),
	FIELD(vncInput, SD_VARLINK_BOOL, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(Count, ABOUT("What is counted"),
				     FIELD(what, SD_VARLINK_STRING, 0),
				     ABOUT("How often it was so"),
				     FIELD(count, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Interval,
	ABOUT("The longest time that counts here, in microseconds; shorter ones that count in another of these do not"),
	FIELD(upToUsec, SD_VARLINK_INT, 0),
	ABOUT("Frames that came so long after the one before on their head"),
	FIELD(frames, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Vgpu, FIELD(uuid, SD_VARLINK_STRING, 0),
	FIELD(name, SD_VARLINK_STRING, NULLABLE),
	FIELD(type, SD_VARLINK_STRING, 0), FIELD(gpu, SD_VARLINK_STRING, 0),
	FIELD(provider, SD_VARLINK_STRING, 0), FIELD_BY_TYPE(state, State, 0),
	ABOUT("Whether the manager starts it when it starts itself; not of foreign ones"),
	FIELD(autostart, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("Whether it is for programs in containers, or without any, and not for a virtual machine: it has no heads"),
	FIELD(container, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("How a virtual machine reaches it, where that is by a device process: 'vhost-user', or 'mdev' as a VFIO device"),
	FIELD(transport, SD_VARLINK_STRING, NULLABLE),
	ABOUT("That device in sysfs, while it is there"),
	FIELD(sysfsPath, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Why it failed; only with state failed"),
	FIELD(failure, SD_VARLINK_STRING, NULLABLE),
	ABOUT("The vhost-user socket that a virtual machine connects to, or the vtest socket that programs do"),
	FIELD(socket, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Its framebuffer, in MiB, and where that is, unless it is stopped"),
	FIELD(framebufferMib, SD_VARLINK_INT, 0),
	FIELD(framebufferOffsetMib, SD_VARLINK_INT, NULLABLE),
	ABOUT("Of its framebuffer what the guest uses, in bytes"),
	FIELD(usedBytes, SD_VARLINK_INT, 0),
	ABOUT("What its contexts may take of the host's memory beyond that"),
	FIELD(hostMemoryMib, SD_VARLINK_INT, NULLABLE),
	ABOUT("Process of its device, and of the virtual machine that has it"),
	FIELD(devicePid, SD_VARLINK_INT, NULLABLE),
	FIELD(vmPid, SD_VARLINK_INT, NULLABLE),
	ABOUT("Of one for containers: a process that has a Vulkan device on it, where it can be seen"),
	FIELD(clientPid, SD_VARLINK_INT, NULLABLE),
	ABOUT("The user who may use it and call for it, and the group whose members may connect virtual machines to it, 0 for none"),
	FIELD(ownerUid, SD_VARLINK_INT, 0), FIELD(ownerGid, SD_VARLINK_INT, 0),
	ABOUT("Device processes that were replaced since it was started"),
	FIELD(restarts, SD_VARLINK_INT, 0),
	ABOUT("Control commands of the guest since it was attached, and those refused"),
	FIELD(commands, SD_VARLINK_INT, 0), FIELD(errors, SD_VARLINK_INT, 0),
	FIELD_BY_TYPE(heads, Head, SD_VARLINK_ARRAY),
	ABOUT("Of one that is a virtual function: which one, counted from 1, and its PCI address"),
	FIELD(vf, SD_VARLINK_INT, NULLABLE),
	FIELD(pciAddress, SD_VARLINK_STRING, NULLABLE),
	ABOUT("The driver's number of its type, and where its framebuffer is as the driver counts"),
	FIELD(typeId, SD_VARLINK_INT, NULLABLE),
	FIELD(placement, SD_VARLINK_INT, NULLABLE),
	ABOUT("Whether its maker chose that placement; where it happens to be, if not"),
	FIELD(pinned, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("How many heads its guest has"),
	FIELD(maxHeads, SD_VARLINK_INT, NULLABLE),
	ABOUT("Of the guest's driver what the firmware knows: 'loaded' or 'none'"),
	FIELD(guestDriver, SD_VARLINK_STRING, NULLABLE),
	ABOUT("For how long the GPU's engines have worked for it since it was attached, in nanoseconds, where the driver says it; estimates"),
	FIELD(graphicsNs, SD_VARLINK_INT, NULLABLE),
	FIELD(encoderNs, SD_VARLINK_INT, NULLABLE),
	FIELD(decoderNs, SD_VARLINK_INT, NULLABLE),
	ABOUT("How much time it has at once, for how long others may be kept waiting, and its priority, where the driver says it of each"),
	FIELD(execQuantumMs, SD_VARLINK_INT, NULLABLE),
	FIELD(preemptTimeoutUs, SD_VARLINK_INT, NULLABLE),
	FIELD(schedulingPriority, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Of one with a device process: its weight, and the most frames a second of a head, 0 for no limit"),
	FIELD(weight, SD_VARLINK_INT, NULLABLE),
	FIELD(frameRateLimit, SD_VARLINK_INT, NULLABLE),
	ABOUT("Frames that its heads showed since it was attached, and commands that wait for their answers"),
	FIELD(frames, SD_VARLINK_INT, NULLABLE),
	FIELD(queueDepth, SD_VARLINK_INT, NULLABLE),
	ABOUT("Of a device process that counts, as of its last answer a second ago at most, each from the begin of that process: contexts that are alive now, and command streams that the guest's kernel submitted"),
	FIELD(contexts, SD_VARLINK_INT, NULLABLE),
	FIELD(submits, SD_VARLINK_INT, NULLABLE),
	ABOUT("Contexts that were lost, by the reason: other, stream (it could not be decoded), time (they worked or waited for too long), device (the host's driver lost it), signal, forbidden-call"),
	FIELD_BY_TYPE(contextsLost, Count, SD_VARLINK_ARRAY | NULLABLE),
	ABOUT("Commands that were refused, by virtio-gpu's error: unspecified, out-of-memory, scanout, resource, context, parameter"),
	FIELD_BY_TYPE(refusals, Count, SD_VARLINK_ARRAY | NULLABLE),
	ABOUT("Times from one frame to the next, by their length, and their sum; longer ones are pauses and are not counted"),
	FIELD_BY_TYPE(frameIntervals, Interval, SD_VARLINK_ARRAY | NULLABLE),
	FIELD(frameIntervalsUsec, SD_VARLINK_INT, NULLABLE),
	ABOUT("Frames that its heads showed between that answer and the one before, for each second"),
	FIELD(framesPerSecond, SD_VARLINK_INT, NULLABLE),
	ABOUT("Its part of the GPU's time if every active vGPU has work, in millionths"),
	FIELD(grantedPpm, SD_VARLINK_INT, NULLABLE),
	ABOUT("Of one that has a cgroup: for how long its processes used processors so far, in microseconds, memory that they have and may have, and their number, threads counted"),
	FIELD(cpuUsec, SD_VARLINK_INT, NULLABLE),
	FIELD(memoryBytes, SD_VARLINK_INT, NULLABLE),
	FIELD(memoryMaxBytes, SD_VARLINK_INT, NULLABLE),
	FIELD(threads, SD_VARLINK_INT, NULLABLE),
	ABOUT("Whether others gave the virtual function its type: it is shown here and not kept"),
	FIELD(foreign, SD_VARLINK_BOOL, NULLABLE));

static SD_VARLINK_DEFINE_STRUCT_TYPE(
	Event, ABOUT("Counts up by one from the manager's start"),
	FIELD(sequence, SD_VARLINK_INT, 0),
	ABOUT("Microseconds since the epoch"), FIELD(time, SD_VARLINK_INT, 0),
	ABOUT("created, defined, started, active, attached, detached, stopped, modified, destroyed, failed, restarted, resumed, refused, head, guest-fault, forbidden-call, gpu-lost, gpu-found, sandbox, frozen, types, manager"),
	FIELD(event, SD_VARLINK_STRING, 0),
	FIELD(uuid, SD_VARLINK_STRING, NULLABLE),
	FIELD(name, SD_VARLINK_STRING, NULLABLE),
	ABOUT("The user who asked for it, where somebody did"),
	FIELD(uid, SD_VARLINK_INT, NULLABLE), ABOUT("One line for a person"),
	FIELD(text, SD_VARLINK_STRING, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(
	GetInfo, OUTPUT(version, SD_VARLINK_STRING, 0),
	OUTPUT(stateDirectory, SD_VARLINK_STRING, 0),
	OUTPUT(runtimeDirectory, SD_VARLINK_STRING, 0),
	ABOUT("The types file in use"), OUTPUT(typesFile, SD_VARLINK_STRING, 0),
	ABOUT("Why an older catalogue is in use instead of that file, where one is"),
	OUTPUT(typesProblem, SD_VARLINK_STRING, NULLABLE),
	ABOUT("The cgroup that those of vGPUs are in, where they have some"),
	OUTPUT(cgroup, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Why vGPUs are not held by the kernel to all that their types promise, where that is so"),
	OUTPUT(cgroupProblem, SD_VARLINK_STRING, NULLABLE),
	ABOUT("What a process of a vGPU lacks of its sandbox: the last that said so since the manager began"),
	OUTPUT(sandboxProblem, SD_VARLINK_STRING, NULLABLE),
	OUTPUT(pid, SD_VARLINK_INT, 0),
	ABOUT("Processors of the machine that are online"),
	OUTPUT(processors, SD_VARLINK_INT, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(ListGpus,
				OUTPUT_BY_TYPE(gpus, Gpu, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(ListTypes,
				ABOUT("Only for this GPU; unset for every GPU"),
				INPUT(gpu, SD_VARLINK_STRING, NULLABLE),
				OUTPUT_BY_TYPE(types, Type, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(ListVgpus,
				OUTPUT_BY_TYPE(vgpus, Vgpu, SD_VARLINK_ARRAY));

static SD_VARLINK_DEFINE_METHOD(GetVgpu,
				ABOUT("A uuid or a name, here and below"),
				INPUT(vgpu, SD_VARLINK_STRING, 0),
				OUTPUT_BY_TYPE(vgpu, Vgpu, 0));

/* What a new vGPU is to be. */
#define DEFINITION_INPUTS(autostart_about)                                                                                                                                                             \
	INPUT(type, SD_VARLINK_STRING, 0),                                                                                                                                                             \
		ABOUT("The GPU to make it on; unset: the first one where it fits"),                                                                                                                    \
		INPUT(gpu, SD_VARLINK_STRING, NULLABLE),                                                                                                                                               \
		ABOUT("A name for it; unset: it has none"),                                                                                                                                            \
		INPUT(name, SD_VARLINK_STRING, NULLABLE),                                                                                                                                              \
		ABOUT("Its uuid; unset: a random one"),                                                                                                                                                \
		INPUT(uuid, SD_VARLINK_STRING, NULLABLE),                                                                                                                                              \
		ABOUT("Where in the framebuffer, as the GPU's driver counts; unset: where it suits best"),                                                                                             \
		INPUT(placement, SD_VARLINK_INT, NULLABLE),                                                                                                                                            \
		ABOUT("As of Modify; unset: the type's"),                                                                                                                                              \
		INPUT(weight, SD_VARLINK_INT, NULLABLE),                                                                                                                                               \
		INPUT(frameRateLimit, SD_VARLINK_INT, NULLABLE),                                                                                                                                       \
		ABOUT(autostart_about),                                                                                                                                                                \
		INPUT(autostart, SD_VARLINK_BOOL, NULLABLE),                                                                                                                                           \
		ABOUT("For programs in containers, or without any, and not for a virtual machine; unset: no"),                                                                                         \
		INPUT(container, SD_VARLINK_BOOL, NULLABLE),                                                                                                                                           \
		ABOUT("How a virtual machine reaches it: 'vhost-user', or 'mdev' as a VFIO device; unset: vhost-user"),                                                                                \
		INPUT(transport, SD_VARLINK_STRING, NULLABLE),                                                                                                                                         \
		ABOUT("The user who may use it and call for it, and the group whose members may connect virtual machines to it, 0 for none; both unset: the caller, and of root's the group vgpu-vm"), \
		INPUT(ownerUid, SD_VARLINK_INT, NULLABLE),                                                                                                                                             \
		INPUT(ownerGid, SD_VARLINK_INT, NULLABLE),                                                                                                                                             \
		SD_VARLINK_DEFINE_INPUT_BY_TYPE(heads, HeadSetting,                                                                                                                                    \
						SD_VARLINK_ARRAY | NULLABLE)

static SD_VARLINK_DEFINE_METHOD(
	Create, DEFINITION_INPUTS("Start it when the manager starts; unset: yes"),
	OUTPUT(uuid, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(
	Define, DEFINITION_INPUTS("Start it when the manager starts; unset: no"),
	OUTPUT(uuid, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(
	CheckDefinition,
	DEFINITION_INPUTS("As of Define: it changes nothing here"));

static SD_VARLINK_DEFINE_METHOD(Start, INPUT(vgpu, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(
	Stop, INPUT(vgpu, SD_VARLINK_STRING, 0),
	ABOUT("Take it away from a virtual machine that has it"),
	INPUT(force, SD_VARLINK_BOOL, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(Undefine, INPUT(vgpu, SD_VARLINK_STRING, 0));

static SD_VARLINK_DEFINE_METHOD(
	Destroy, INPUT(vgpu, SD_VARLINK_STRING, 0),
	ABOUT("Take it away from a virtual machine that has it"),
	INPUT(force, SD_VARLINK_BOOL, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(
	GetQemuArguments, INPUT(vgpu, SD_VARLINK_STRING, 0),
	ABOUT("Show the heads in QEMU's own display; the guest gets 2D only"),
	INPUT(display, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("Keyboard and pointer, too; unset: yes"),
	INPUT(input, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("Arguments for qemu-system-x86_64, each a word"),
	OUTPUT(arguments, SD_VARLINK_STRING, SD_VARLINK_ARRAY),
	ABOUT("Its -device alone, as the JSON that QEMU takes there too"),
	OUTPUT(device, SD_VARLINK_OBJECT, NULLABLE),
	ABOUT("The same of each -device in arguments, in their order: this one first"),
	OUTPUT(devices, SD_VARLINK_OBJECT, SD_VARLINK_ARRAY | NULLABLE),
	ABOUT("Whether all of the virtual machine's memory must be shared"),
	OUTPUT(sharedMemory, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("What else the virtual machine needs, for a person"),
	OUTPUT(note, SD_VARLINK_STRING, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(
	Capture, INPUT(vgpu, SD_VARLINK_STRING, 0),
	ABOUT("The head, counted from 0; unset: 0"),
	INPUT(head, SD_VARLINK_INT, NULLABLE), OUTPUT(width, SD_VARLINK_INT, 0),
	OUTPUT(height, SD_VARLINK_INT, 0),
	ABOUT("Bytes from one row to the next"),
	OUTPUT(stride, SD_VARLINK_INT, 0),
	ABOUT("Index of the passed file descriptor that holds the pixels: 32 bit little-endian x8r8g8b8"),
	OUTPUT(fileDescriptor, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD(
	SetMode, INPUT(vgpu, SD_VARLINK_STRING, 0),
	INPUT(head, SD_VARLINK_INT, NULLABLE),
	ABOUT("The mode to prefer, in pixels; 0 and 0 unplug the head"),
	INPUT(width, SD_VARLINK_INT, 0), INPUT(height, SD_VARLINK_INT, 0));

static SD_VARLINK_DEFINE_METHOD(
	SetVnc, INPUT(vgpu, SD_VARLINK_STRING, 0),
	INPUT(head, SD_VARLINK_INT, NULLABLE),
	ABOUT("127.0.0.1:PORT, or [::1]:PORT, or unix:PATH of a file NAME.vnc in the vGPU's folder or, for managers, in the runtime folder; unset: no VNC server any more"),
	INPUT(address, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Its viewers only look; unset: they may type and point, and change the mode"),
	INPUT(viewOnly, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("What viewers must say, of 1 to 8 characters; unset: nothing"),
	INPUT(password, SD_VARLINK_STRING, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(
	SetScheduler, ABOUT("Unset: the embedded one"),
	INPUT(gpu, SD_VARLINK_STRING, NULLABLE),
	ABOUT("best-effort, equal-share or fixed-share; unset: as it is, here and below"),
	INPUT(scheduler, SD_VARLINK_STRING, NULLABLE),
	INPUT(timeSliceMs, SD_VARLINK_INT, NULLABLE));

static SD_VARLINK_DEFINE_METHOD(
	Modify, INPUT(vgpu, SD_VARLINK_STRING, 0),
	ABOUT("Its new name, empty for none; unset: as it is, here and below"),
	INPUT(name, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Its new type, with that type's limits, while it is stopped"),
	INPUT(type, SD_VARLINK_STRING, NULLABLE),
	ABOUT("Whether the manager starts it when it starts itself"),
	INPUT(autostart, SD_VARLINK_BOOL, NULLABLE), ABOUT("1 to 10000"),
	INPUT(weight, SD_VARLINK_INT, NULLABLE),
	ABOUT("1 to 240, or 0 for no limit"),
	INPUT(frameRateLimit, SD_VARLINK_INT, NULLABLE),
	ABOUT("As of Create, 0 for none"),
	INPUT(ownerUid, SD_VARLINK_INT, NULLABLE),
	INPUT(ownerGid, SD_VARLINK_INT, NULLABLE));

static SD_VARLINK_DEFINE_METHOD_FULL(
	Subscribe, SD_VARLINK_REQUIRES_MORE,
	ABOUT("Send the last events first, as many as are kept; unset: no"),
	INPUT(history, SD_VARLINK_BOOL, NULLABLE),
	ABOUT("Go on with events as they happen; unset: yes"),
	INPUT(follow, SD_VARLINK_BOOL, NULLABLE),
	OUTPUT_BY_TYPE(event, Event, NULLABLE),
	ABOUT("In the first reply: the caller manages nothing, and is told of what is his own; the numbers of other events are left out"),
	OUTPUT(onlyOwn, SD_VARLINK_BOOL, NULLABLE));

#define DEFINE_ERROR(name, about)                                              \
	static SD_VARLINK_DEFINE_ERROR(                                        \
		name, FIELD(text, SD_VARLINK_STRING, NULLABLE));
#define DEFINE_NOTHING(name, about)
VGPU_ERRORS(DEFINE_ERROR, DEFINE_NOTHING)

static SD_VARLINK_DEFINE_ERROR(NoRoom, FIELD(text, SD_VARLINK_STRING, NULLABLE),
			       ABOUT("Free framebuffer of the GPU, in MiB"),
			       FIELD(freeMib, SD_VARLINK_INT, NULLABLE),
			       ABOUT("Types that still fit"),
			       FIELD(fits, SD_VARLINK_STRING,
				     SD_VARLINK_ARRAY | NULLABLE));

#define METHOD_SYMBOL(name, function, right, about)                            \
	, SD_VARLINK_SYMBOL_COMMENT(about), &vl_method_##name
#define ERROR_SYMBOL(name, about)                                              \
	, SD_VARLINK_SYMBOL_COMMENT(about), &vl_error_##name
SD_VARLINK_DEFINE_INTERFACE(
	io_openvgpu_Manager, VGPU_INTERFACE,
	SD_VARLINK_INTERFACE_COMMENT(
		"vGPUs: their GPUs, types and lives. Every error has a text, one line for a person."),
	SD_VARLINK_SYMBOL_COMMENT("Where a vGPU is in its life"), &vl_type_State,
	SD_VARLINK_SYMBOL_COMMENT("A physical GPU, or the embedded software one"),
	&vl_type_Gpu, SD_VARLINK_SYMBOL_COMMENT("What a vGPU can be, on one GPU"),
	&vl_type_Type, SD_VARLINK_SYMBOL_COMMENT("One virtual display"),
	&vl_type_Head, SD_VARLINK_SYMBOL_COMMENT("What is set of one"),
	&vl_type_HeadSetting,
	SD_VARLINK_SYMBOL_COMMENT("One of several counters"), &vl_type_Count,
	SD_VARLINK_SYMBOL_COMMENT("One class of times"), &vl_type_Interval,
	SD_VARLINK_SYMBOL_COMMENT("A virtual GPU"), &vl_type_Vgpu,
	SD_VARLINK_SYMBOL_COMMENT("Something that happened"),
	&vl_type_Event VGPU_METHODS(METHOD_SYMBOL)
		VGPU_ERRORS(ERROR_SYMBOL, ERROR_SYMBOL));
