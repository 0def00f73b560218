/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The varlink interface io.openvgpu.Manager, as `varlinkctl introspect` shows it. */
#ifndef VGPU_MANAGER_API_INTERFACE_H
#define VGPU_MANAGER_API_INTERFACE_H

#include <systemd/sd-varlink-idl.h>

extern const sd_varlink_interface vl_interface_io_openvgpu_Manager;

#endif
