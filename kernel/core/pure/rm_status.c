// SPDX-License-Identifier: GPL-2.0-or-later
/* What the firmware's resource manager says of a call, as an errno. */
#include "rm_status.h"

/* Numbers of nvstatuscodes.h, each beside the end of its name there. */
static const struct {
	u32 status;
	int rc;
} known[] = {
	{0x02, -ENOBUFS},    /* BUFFER_TOO_SMALL */
	{0x03, -EAGAIN},     /* BUSY_RETRY */
	{0x05, -ENODEV},     /* CARD_NOT_PRESENT */
	{0x0f, -ENODEV},     /* GPU_IS_LOST */
	{0x10, -EAGAIN},     /* GPU_IN_FULLCHIP_RESET */
	{0x17, -EBUSY},	     /* IN_USE */
	{0x19, -EEXIST},     /* INSERT_DUPLICATE_NAME */
	{0x1a, -ENOSPC},     /* INSUFFICIENT_RESOURCES */
	{0x1b, -EACCES},     /* INSUFFICIENT_PERMISSIONS */
	{0x1e, -EFAULT},     /* INVALID_ADDRESS */
	{0x1f, -EINVAL},     /* INVALID_ARGUMENT */
	{0x22, -EINVAL},     /* INVALID_CLASS */
	{0x23, -EINVAL},     /* INVALID_CLIENT */
	{0x24, -EINVAL},     /* INVALID_COMMAND */
	{0x26, -EINVAL},     /* INVALID_DEVICE */
	{0x2a, -EOPNOTSUPP}, /* INVALID_FUNCTION */
	{0x33, -EINVAL},     /* INVALID_OBJECT_HANDLE */
	{0x36, -EINVAL},     /* INVALID_OBJECT_PARENT */
	{0x3a, -EINVAL},     /* INVALID_PARAM_STRUCT */
	{0x3b, -EINVAL},     /* INVALID_PARAMETER */
	{0x40, -EBUSY},	     /* INVALID_STATE */
	{0x51, -ENOMEM},     /* NO_MEMORY */
	{0x55, -EAGAIN},     /* NOT_READY */
	{0x56, -EOPNOTSUPP}, /* NOT_SUPPORTED */
	{0x57, -ENOENT},     /* OBJECT_NOT_FOUND */
	{0x5b, -ERANGE},     /* OUT_OF_RANGE */
	{0x63, -EBUSY},	     /* STATE_IN_USE */
	{0x65, -ETIMEDOUT},  /* TIMEOUT */
	{0x66, -ETIMEDOUT},  /* TIMEOUT_RETRY */
};

int vgpu_rm_status_errno(u32 status)
{
	u32 i;

	if (status == VGPU_RM_OK)
		return 0;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].rc;
	return -EREMOTEIO;
}
VGPU_EXPORT(vgpu_rm_status_errno);
