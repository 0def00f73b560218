/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The errors of io.openvgpu.Manager, each once. */
#ifndef VGPU_MANAGER_API_ERROR_TABLE_H
#define VGPU_MANAGER_API_ERROR_TABLE_H

/*
 * row(name, about), or own(name, about) where an error has fields besides its
 * text, which interface.c defines.
 *
 *   name   as vgpu_err_set() is given it
 *   about  the comment in the interface
 */
// clang-format off
#define VGPU_ERRORS(row, own)                                                  \
	row(NoSuchVgpu, "No vGPU has this uuid or name")                       \
	row(NoSuchType, "No type has this name")                               \
	row(NoSuchGpu, "No GPU has this name")                                 \
	row(NoSuchHead, "The vGPU has no such head")                           \
	row(BadName, "Not a name for a vGPU")                                  \
	row(BadUuid, "Not a uuid")                                             \
	row(BadMode, "A mode beyond what the type allows")                     \
	row(BadAddress, "Not an address that a VNC server may listen on")      \
	row(BadPlacement, "Not a place that a vGPU of the type can have")      \
	row(BadShare,                                                          \
	    "Not a scheduler, time slice, weight or frame rate limit")         \
	row(BadTransport, "Not a transport that the vGPU can have")            \
	row(NotPlugged, "The head is unplugged: it shows nothing")             \
	row(BadOwner, "Not an owner that a vGPU can have here")                \
	row(NotAllowed,                                                        \
	    "The caller may not: he neither manages vGPUs nor owns this one")  \
	row(Foreign,                                                           \
	    "Others gave the virtual function its type: they take it back")    \
	row(NameInUse, "Another vGPU has this name")                           \
	row(UuidInUse, "Another vGPU has this uuid")                           \
	own(NoRoom, "The type does not fit into what is free")                 \
	row(InUse, "A virtual machine has it")                                 \
	row(NotActive, "It has no device that runs")                           \
	row(BadState, "What the vGPU is in now does not allow that")           \
	row(GpuUnusable, "No vGPU can be made on this GPU")                    \
	row(PathTooLong,                                                       \
	    "A socket's path would be longer than a socket's path can be")     \
	row(CannotSave, "The vGPU's definition cannot be written to disk")     \
	row(TryAgain,                                                          \
	    "Not now: the vGPU or the manager is busy with the last change")   \
	row(Internal, "The manager failed")
// clang-format on

#endif
