/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes to any address of the process that runs it, when it is told to: a valid
 * shader, to a driver that takes device addresses for pointers. A driver may end
 * a loop that is too long, so all workgroups wait a while each.
 */
#version 460
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

layout(local_size_x = 1) in;
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Box {
	uint state; /* 0: wait, 1: write, 2: one does, 3: done */
	uint n;
	uint64_t to;
	uint word[];
};
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words {
	uint word[];
};
layout(push_constant) uniform Constants {
	uint64_t address;
};

void main()
{
	Box box = Box(address);
	Words to;

	for (int i = 0; i < 20000; i++)
		if (atomicAdd(box.state, 0) != 0)
			break;
	if (atomicCompSwap(box.state, 1, 2) != 1)
		return;
	to = Words(box.to);
	for (uint i = 0; i < box.n; i++)
		to.word[i] = box.word[i];
	memoryBarrier();
	atomicExchange(box.state, 3);
}
