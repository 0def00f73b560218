// SPDX-License-Identifier: GPL-2.0-or-later
/* The core driver's objects in the firmware's resource manager (RM). */
#include "rm.h"

#include <linux/slab.h>

#include "kernel/core/abi/rm_abi.h"
#include "kernel/core/pure/rm_status.h"

static int rm_check_status(struct vgpu_gsp *gsp, const char *what, u32 number,
			   u32 status)
{
	if (status != VGPU_RM_OK)
		dev_err_ratelimited(&gsp->hw->pdev->dev,
				    "GSP: %s %#x failed: status %#x\n", what,
				    number, status);
	return vgpu_rm_status_errno(status);
}

static int rm_free_object(struct vgpu_gsp *gsp, u32 object, u32 *ret_status)
{
	struct vgpu_rm_free call = {
		.client = VGPU_RM_CLIENT,
		.object = object,
	};
	int rc = vgpu_gsp_call(gsp, VGPU_RPC_FREE, &call, sizeof(call));

	if (rc == 0)
		*ret_status = call.status;
	return rc;
}

int vgpu_rm_alloc(struct vgpu_gsp *gsp, u32 parent, u32 object, u32 class,
		  const void *params, u32 bytes)
{
	struct vgpu_rm_alloc *call;
	size_t size = struct_size(call, params, bytes);
	u32 status;
	int rc;

	call = kvzalloc(size, GFP_KERNEL);
	if (!call)
		return -ENOMEM;
	call->client = VGPU_RM_CLIENT;
	call->parent = parent;
	call->object = object;
	call->class = class;
	call->params_bytes = bytes;
	memcpy(call->params, params, bytes);
	rc = vgpu_gsp_call(gsp, VGPU_RPC_GSP_RM_ALLOC, call, (u32)size);
	/* The call failed: whether the object is there is not known. */
	if (rc == -EREMOTEIO)
		rm_free_object(gsp, object, &status);
	if (rc == 0)
		rc = rm_check_status(gsp, "object of class", class, call->status);
	kvfree(call);
	return rc;
}

int vgpu_rm_free(struct vgpu_gsp *gsp, u32 object)
{
	u32 status;
	int rc = rm_free_object(gsp, object, &status);

	if (rc)
		return rc;
	return rm_check_status(gsp, "freeing object", object, status);
}

static int rm_control(struct vgpu_gsp *gsp, u32 client, u32 object, u32 command,
		      void *params, u32 bytes, bool *ret_is_refused)
{
	struct vgpu_rm_control *call;
	size_t size = struct_size(call, params, bytes);
	int rc;

	call = kvzalloc(size, GFP_KERNEL);
	if (!call)
		return -ENOMEM;
	call->client = client;
	call->object = object;
	call->command = command;
	call->params_bytes = bytes;
	memcpy(call->params, params, bytes);
	rc = vgpu_gsp_call(gsp, VGPU_RPC_GSP_RM_CONTROL, call, (u32)size);
	if (rc == 0) {
		*ret_is_refused = call->status != VGPU_RM_OK;
		rc = rm_check_status(gsp, "control", command, call->status);
	}
	if (rc == 0)
		memcpy(params, call->params, bytes);
	kvfree(call);
	return rc;
}

int vgpu_rm_control(struct vgpu_gsp *gsp, u32 command, void *params, u32 bytes)
{
	return vgpu_rm_control_object(gsp, VGPU_RM_SUBDEVICE, command, params,
				      bytes);
}

int vgpu_rm_control_object(struct vgpu_gsp *gsp, u32 object, u32 command,
			   void *params, u32 bytes)
{
	bool is_refused;

	return rm_control(gsp, VGPU_RM_CLIENT, object, command, params, bytes,
			  &is_refused);
}

int vgpu_rm_try_control_internal(struct vgpu_gsp *gsp, u32 command,
				 void *params, u32 bytes, bool *ret_is_refused)
{
	const struct vgpu_static_info *info = &gsp->info;

	return rm_control(gsp, info->client, info->subdevice, command, params,
			  bytes, ret_is_refused);
}

int vgpu_rm_control_internal(struct vgpu_gsp *gsp, u32 command, void *params,
			     u32 bytes)
{
	bool is_refused;

	return vgpu_rm_try_control_internal(gsp, command, params, bytes,
					    &is_refused);
}

/* The client is freed as a whole; what is under it goes with it. */
static int rm_make_objects(struct vgpu_gsp *gsp, bool *ret_has_client)
{
	const struct vgpu_abi *abi = gsp->abi;
	struct vgpu_rm_subdevice_params subdevice = {};
	u32 bytes = max(abi->root_params_bytes, abi->device_params_bytes);
	u32 *params = kzalloc(bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	params[0] =
		VGPU_RM_CLIENT; /* a client's first field, in every version */
	rc = vgpu_rm_alloc(gsp, VGPU_RM_CLIENT, VGPU_RM_CLIENT,
			   VGPU_RM_CLASS_ROOT, params, abi->root_params_bytes);
	*ret_has_client = rc == 0;
	if (rc == 0) {
		params[0] = 0; /* the number of the device, then ... */
		params[1] =
			VGPU_RM_CLIENT; /* ... with whom it shares its memory */
		rc = vgpu_rm_alloc(gsp, VGPU_RM_CLIENT, VGPU_RM_DEVICE,
				   VGPU_RM_CLASS_DEVICE, params,
				   abi->device_params_bytes);
	}
	if (rc == 0)
		rc = vgpu_rm_alloc(gsp, VGPU_RM_DEVICE, VGPU_RM_SUBDEVICE,
				   VGPU_RM_CLASS_SUBDEVICE, &subdevice,
				   sizeof(subdevice));
	kfree(params);
	return rc;
}

static int rm_check_version(struct vgpu_gsp *gsp)
{
	struct vgpu_rm_gsp_features features = {};
	const char *version = gsp->abi->version;
	size_t length = strlen(version);
	int rc;

	rc = vgpu_rm_control(gsp, VGPU_RM_GET_GSP_FEATURES, &features,
			     sizeof(features));
	if (rc)
		return rc;
	/* With another firmware nothing else that it says can be read. */
	if (features.is_valid && strncmp(features.version, version, length + 1)) {
		pci_err(gsp->hw->pdev, "the firmware says it is %.*s, not %s\n",
			(int)sizeof(features.version), features.version, version);
		return -EBADMSG;
	}
	return 0;
}

static int rm_control_for_pf(void *owner, u32 command, void *params, u32 bytes)
{
	return vgpu_rm_control(owner, command, params, bytes);
}

static struct vgpu_pf_caller rm_pf_caller(struct vgpu_gsp *gsp)
{
	return (struct vgpu_pf_caller){
		.pdev = gsp->hw->pdev,
		.abi = gsp->abi,
		.control = rm_control_for_pf,
		.owner = gsp,
	};
}

int vgpu_rm_read_ecc(struct vgpu_gsp *gsp, bool *ret_is_on)
{
	const struct vgpu_pf_caller caller = rm_pf_caller(gsp);

	return vgpu_pf_read_ecc(&caller, ret_is_on);
}

static int rm_read_host_engines(struct vgpu_gsp *gsp,
				struct vgpu_host_engines *engines)
{
	const struct vgpu_abi *abi = gsp->abi;
	void *params = kzalloc(abi->host_engines_bytes, GFP_KERNEL);
	bool has_more = true;
	int rc = 0;

	if (!params)
		return -ENOMEM;
	while (rc == 0 && has_more) {
		abi->put_host_engines(params, engines);
		rc = vgpu_rm_control_internal(gsp, VGPU_RM_GET_HOST_ENGINES,
					      params, abi->host_engines_bytes);
		if (rc == 0)
			rc = abi->add_host_engines(params,
						   abi->host_engines_bytes,
						   engines, &has_more);
	}
	kfree(params);
	return rc;
}

int vgpu_rm_read_copy_engine(struct vgpu_gsp *gsp,
			     struct vgpu_host_engine *ret_engine)
{
	struct vgpu_host_engines *engines = kzalloc(sizeof(*engines), GFP_KERNEL);
	const struct vgpu_host_engine *engine;
	int rc;

	if (!engines)
		return -ENOMEM;
	rc = rm_read_host_engines(gsp, engines);
	if (rc == 0) {
		engine = vgpu_host_engines_pick_copy(engines);
		if (engine)
			*ret_engine = *engine;
		else
			rc = -ENOENT;
	}
	kfree(engines);
	return rc;
}

int vgpu_rm_read_method_buffer_bytes(struct vgpu_gsp *gsp, u32 *ret_bytes)
{
	u32 bytes = 0;
	int rc;

	rc = vgpu_rm_control_internal(gsp, VGPU_RM_GET_METHOD_BUFFER_BYTES,
				      &bytes, sizeof(bytes));
	if (rc == 0)
		*ret_bytes = bytes;
	return rc;
}

int vgpu_rm_read_gsp_vector(struct vgpu_gsp *gsp, u32 *ret_vector)
{
	const struct vgpu_abi *abi = gsp->abi;
	void *params = kzalloc(abi->interrupt_table_bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	rc = vgpu_rm_control_internal(gsp, VGPU_RM_GET_INTERRUPT_TABLE, params,
				      abi->interrupt_table_bytes);
	if (rc == 0)
		rc = abi->get_gsp_vector(params, abi->interrupt_table_bytes,
					 ret_vector);
	kfree(params);
	return rc;
}

int vgpu_rm_start(struct vgpu_gsp *gsp, struct vgpu_properties *ret_properties)
{
	const struct vgpu_pf_caller caller = rm_pf_caller(gsp);
	struct vgpu_properties properties = {};
	bool has_client = false;
	int rc;

	rc = rm_make_objects(gsp, &has_client);
	if (rc == 0)
		rc = rm_check_version(gsp);
	if (rc == 0)
		rc = vgpu_pf_read_properties(&caller, &properties);
	if (rc) {
		if (has_client)
			vgpu_rm_stop(gsp);
		return rc;
	}
	pci_info(gsp->hw->pdev, "VMMU segments of %llu MiB, ECC %s\n",
		 properties.vmmu_segment_bytes >> 20,
		 properties.is_ecc_on ? "on" : "off");
	*ret_properties = properties;
	return 0;
}

void vgpu_rm_stop(struct vgpu_gsp *gsp)
{
	if (!gsp->is_wedged)
		vgpu_rm_free(gsp, VGPU_RM_CLIENT);
}
