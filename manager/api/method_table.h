/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of io.openvgpu.Manager, each once. */
#ifndef VGPU_MANAGER_API_METHOD_TABLE_H
#define VGPU_MANAGER_API_METHOD_TABLE_H

/*
 * row(name, function, right, about)
 *
 *   function  an sd_varlink_method_t
 *   right     who may call it: VGPU_RIGHT_... An owner looks after his vGPU and
 *             may give it back. What takes of others' share, or of the GPU, is
 *             for managers alone. What ANYONE is told is about his own vGPUs.
 *   about     the comment in the interface
 *
 * Made of this: the functions' prototypes, the check of the right before each,
 * what the server binds (methods.c), and the interface's list of methods. A
 * method's parameters are a SD_VARLINK_DEFINE_METHOD() in interface.c.
 */
// clang-format off
#define VGPU_METHODS(row)                                                      \
	row(GetInfo, vgpu_method_get_info, ANYONE,                             \
	    "About the manager itself")                                        \
	row(ListGpus, vgpu_method_list_gpus, ANYONE,                           \
	    "The GPUs of this machine")                                        \
	row(ListTypes, vgpu_method_list_types, ANYONE,                         \
	    "The types, once for each GPU they can be made on")                \
	row(ListVgpus, vgpu_method_list_vgpus, ANYONE,                         \
	    "Every vGPU there is")                                             \
	row(GetVgpu, vgpu_method_get_vgpu, SEE,                                \
	    "One vGPU")                                                        \
	row(Create, vgpu_method_create, MANAGE,                                \
	    "Make a vGPU; it is active and saved when this returns")           \
	row(Define, vgpu_method_define, MANAGE,                                \
	    "Save the definition of a vGPU, which holds nothing until it is started") \
	row(CheckDefinition, vgpu_method_check_definition, MANAGE,             \
	    "Whether Define would define this, whoever has the name or the uuid now; nothing is changed") \
	row(Start, vgpu_method_start, OWNER,                                   \
	    "Start a vGPU that is defined, or failed; it is active when this returns") \
	row(Stop, vgpu_method_stop, OWNER,                                     \
	    "End a vGPU's process and let go of its framebuffer; it stays defined") \
	row(Undefine, vgpu_method_undefine, OWNER,                             \
	    "Forget a vGPU that is not started")                               \
	row(Destroy, vgpu_method_destroy, OWNER,                               \
	    "Stop a vGPU, if it is started, and forget it")                    \
	row(GetQemuArguments, vgpu_method_get_qemu_arguments, OWNER,           \
	    "How QEMU is started with this vGPU")                              \
	row(Capture, vgpu_method_capture, OWNER,                               \
	    "What a head shows now, cursor included; the caller must allow file descriptors") \
	row(SetMode, vgpu_method_set_mode, OWNER,                              \
	    "Change the mode that a head prefers, while the guest runs")       \
	row(SetVnc, vgpu_method_set_vnc, OWNER,                                \
	    "Start or end a VNC server for a head: view only, no password, this machine only") \
	row(SetScheduler, vgpu_method_set_scheduler, MANAGE,                   \
	    "Change how the time of a GPU is shared, at once and for good")    \
	row(Modify, vgpu_method_modify, MANAGE,                                \
	    "Change a vGPU's definition, at once and for good")                \
	row(Subscribe, vgpu_method_subscribe, ANYONE,                          \
	    "Events as they happen, one reply each; a first reply without an event says that the subscription stands")
// clang-format on

#endif
