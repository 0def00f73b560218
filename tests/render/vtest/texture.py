# SPDX-License-Identifier: GPL-2.0-or-later
"""texture.py EDGE: an OpenGL program that fills a texture of so many pixels' edge, and
reads its last pixel; prints the renderer and the pixel as JSON."""

import ctypes
import json
import sys

EGL_OPENGL_ES_API, EGL_NONE, EGL_CONTEXT_MAJOR_VERSION = 0x30a0, 0x3038, 0x3098
GL_TEXTURE_2D, GL_RGBA8, GL_RGBA, GL_UNSIGNED_BYTE = 0xde1, 0x8058, 0x1908, 0x1401
GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERER = 0x8d40, 0x8ce0, 0x1f01
PIXEL = 0x07

egl = ctypes.CDLL('libEGL.so.1')
for name in 'eglGetDisplay', 'eglCreateContext', 'eglGetProcAddress':
    getattr(egl, name).restype = ctypes.c_void_p


def gl(function, *arguments, result=ctypes.c_uint):
    address = egl.eglGetProcAddress(function.encode())
    return ctypes.CFUNCTYPE(result)(address)(*arguments)


def begin():
    display = ctypes.c_void_p(egl.eglGetDisplay(None))
    assert egl.eglInitialize(display, None, None)
    assert egl.eglBindAPI(EGL_OPENGL_ES_API)
    wanted = (ctypes.c_int * 3)(EGL_CONTEXT_MAJOR_VERSION, 3, EGL_NONE)
    context = ctypes.c_void_p(egl.eglCreateContext(display, None, None, wanted))
    assert egl.eglMakeCurrent(display, None, None, context)


def main(edge):
    texture, framebuffer, pixel = ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint()
    begin()
    gl('glGenTextures', 1, ctypes.byref(texture))
    gl('glBindTexture', GL_TEXTURE_2D, texture)
    gl('glTexStorage2D', GL_TEXTURE_2D, 1, GL_RGBA8, edge, edge)
    gl('glTexSubImage2D', GL_TEXTURE_2D, 0, 0, 0, edge, edge, GL_RGBA,
       GL_UNSIGNED_BYTE, bytes([PIXEL]) * (edge * edge * 4))
    gl('glGenFramebuffers', 1, ctypes.byref(framebuffer))
    gl('glBindFramebuffer', GL_FRAMEBUFFER, framebuffer)
    gl('glFramebufferTexture2D', GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D,
       texture, 0)
    gl('glReadPixels', edge - 1, edge - 1, 1, 1, GL_RGBA, GL_UNSIGNED_BYTE,
       ctypes.byref(pixel))
    assert gl('glGetError') == 0
    print(json.dumps({'renderer': gl('glGetString', GL_RENDERER,
                                     result=ctypes.c_char_p).decode(),
                      'pixel': f'{pixel.value:08x}'}))


main(int(sys.argv[1]))
