// SPDX-License-Identifier: GPL-2.0-or-later
// One point, at a pixel of an image of 64x64 and in a colour.
#version 450

layout(push_constant) uniform Push { uint index; };
layout(location = 0) out vec4 color;

void main()
{
	uvec2 pixel = uvec2(index, index / 64u) % 64u;

	gl_Position = vec4((vec2(pixel) + 0.5) / 32.0 - 1.0, 0.0, 1.0);
	gl_PointSize = 1.0;
	color = vec4(float(index & 0xffu), float(index >> 8 & 0xffu),
		     float(index >> 16 & 0xffu), 255.0) / 255.0;
}
