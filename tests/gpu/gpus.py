# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand-ins for hardware GPUs: the software driver behind a layer (layer.c)."""

import json
import os
import re
import shutil
import struct
import subprocess

from vtest import NATIVE, Vtest, native_env

BUILD = os.environ["VGPU_BUILD"]
HERE = os.path.join(BUILD, "tests", "gpu")

# (layer, how it takes memory, the types' flags that a guest sees)
KINDS = {
    "refuses-files": ("udmabuf", [1, 1, 14, 14, 14]),
    "no-pointers": ("udmabuf", [1, 14]),
    "takes-files": ("host-pointer", [1, 14, 15]),
}


def write_layer(folder, kind):
    """The layer's manifest, and the library where any user finds it."""
    library = shutil.copy(os.path.join(HERE, f"libgpu-{kind}.so"), folder)
    name = "VK_LAYER_OPENVGPU_" + kind.replace("-", "_")
    with open(os.path.join(folder, f"{kind}.json"), "w", encoding="ascii") as file:
        json.dump({"file_format_version": "1.2.0", "layer": {
            "name": name, "type": "GLOBAL", "library_path": library,
            "api_version": "1.3.0", "implementation_version": "1",
            "description": "a GPU for tests"}}, file)
    return name


# What a GPU can be: the driver fails, or knows no such GPU.
UNPLUGGED = 2


class Fate:
    """What happens to a GPU whose layer is in a folder, as layer.c has it. It is
    there before the first process is."""

    def __init__(self, folder, kind):
        self.path = os.path.join(folder, f"libgpu-{kind}.so.fate")
        self.generation = 0
        with open(self.path, "wb") as file:
            file.write(bytes(8))

    def become(self, is_gone):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=II", self.generation, is_gone))

    def reset(self):
        """All devices are lost; others can be made."""
        self.generation += 1
        self.become(False)


def write_render(folder, program, preloaded):
    """vgpu-render with a library preloaded: the path of a script."""
    shim = shutil.copy(preloaded, folder)
    program = shutil.copy(program, folder)
    path = os.path.join(folder, "render.sh")
    with open(path, "w", encoding="ascii") as script:
        script.write(f"#!/bin/sh\nLD_PRELOAD={shim} exec {program} \"$@\"\n")
    os.chmod(path, 0o755)
    return path


def layer_environment(folder, kind):
    return {"VK_INSTANCE_LAYERS": write_layer(folder, kind),
            "VK_LAYER_PATH": folder}


def launch_script(environment):
    """A vgpu-launch whose render processes have an environment: vgpud's own
    processes do not get that of vgpud."""
    exports = "".join(f"export {name}={value}\n"
                      for name, value in environment.items())
    return f'#!/bin/sh\n{exports}exec {BUILD}/vgpu-launch "$@"\n'


def shim():
    return os.path.join(HERE, "libudmabuf.so")


def device_uuid():
    said = subprocess.run(["vulkaninfo"], env=native_env(), capture_output=True,
                          text=True, timeout=60, check=True).stdout
    return re.search(r"deviceUUID *= *([0-9a-f-]{36})", said)[1]


def serve(folder, kind, framebuffer_mib, has_udmabuf=True, options=()):
    """A vgpu-device for programs on such a GPU, as a context manager."""
    os.chmod(folder, 0o755)
    environment = layer_environment(folder, kind)
    if has_udmabuf and not os.path.exists("/dev/udmabuf"):
        environment["VGPU_RENDER"] = write_render(
            folder, os.path.join(BUILD, "vgpu-render"), shim())
        environment["LD_PRELOAD"] = shim()
    return Vtest(command=[
        os.path.join(BUILD, "vgpu-device"), "--vtest", "{socket}",
        "--framebuffer-mib", str(framebuffer_mib), "--gpu-uuid", device_uuid(),
        *options],
        environment=environment)
