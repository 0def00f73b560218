// SPDX-License-Identifier: GPL-2.0-or-later
// Each group of 256 adds up 65536 words, the groups' sums go to @sums.
#version 450

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer Words { uint words[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Sums { uint sums[]; };
layout(push_constant) uniform Push { uint factor; };

shared uint part[256];

void main()
{
	uint lane = gl_LocalInvocationIndex;
	uint first = gl_WorkGroupID.x * 65536u;
	uint sum = 0u;

	for (uint i = lane; i < 65536u; i += 256u)
		sum += words[first + i] * factor;
	part[lane] = sum;
	barrier();
	for (uint n = 128u; n > 0u; n /= 2u) {
		if (lane < n)
			part[lane] += part[lane + n];
		barrier();
	}
	if (lane == 0u)
		sums[gl_WorkGroupID.x] = part[0];
}
