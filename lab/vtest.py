# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-device for Vulkan programs on this host, for the tests and benchmarks."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import vm

ICD = "/usr/share/vulkan/icd.d"
VENUS = f"{ICD}/virtio_icd.json"
GFXSTREAM = f"{ICD}/gfxstream_vk_icd.json"
NATIVE = f"{ICD}/lvp_icd.json"
# OpenGL by Zink, on whatever Vulkan driver is chosen. Without
# LIBGL_ALWAYS_SOFTWARE Zink looks for a GPU with a node of the kernel's.
ZINK = {"GALLIUM_DRIVER": "zink", "MESA_LOADER_DRIVER_OVERRIDE": "zink",
        "LIBGL_ALWAYS_SOFTWARE": "1"}


class VtestError(Exception):
    """The server did not do what was expected in time."""


def native_env(driver=NATIVE):
    """The environment of a program that uses a driver itself."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("VN_", "VTEST_", "VK_"))}
    return {**env, "VK_DRIVER_FILES": driver}


class Vtest:
    """A server of venus on a socket: by default vgpu-device --vtest."""

    def __init__(self, framebuffer_mib=1024, command=None,
                 environment=None):
        self.folder = tempfile.mkdtemp(prefix="vtest.")
        self.socket = os.path.join(self.folder, "socket")
        self.log_path = os.path.join(self.folder, "log")
        self.command = [
            word.format(socket=self.socket) for word in command or
            ["vgpu-device", "--vtest", "{socket}", "--framebuffer-mib",
             str(framebuffer_mib)]]
        self.environment = {**native_env(), **(environment or {})}
        self.process = None

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment)
        end = time.monotonic() + vm.COMMAND_SECONDS
        try:
            while not self._answers():
                if self.process.poll() is not None or time.monotonic() > end:
                    raise VtestError(f"{self.command[0]} does not answer: "
                                     f"{vm.last_line(self.log_path)}")
                time.sleep(0.02)
        except VtestError:
            self.__exit__()
            raise
        return self

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def env(self, **more):
        """The environment of a program that uses this server. Without
        no_async_mem_alloc Mesa says that memory was allocated before it is;
        without linear it copies each frame that it presents, which lavapipe,
        used natively, does not."""
        return {**native_env(VENUS), "VN_DEBUG": "vtest",
                "VTEST_SOCKET_NAME": self.socket,
                "VN_PERF": "no_async_mem_alloc",
                "MESA_VK_WSI_DEBUG": "linear", **more}

    def virtgpu_env(self, driver=VENUS, **more):
        """The same of a program that sees this server as a node of the kernel's
        virtio-gpu driver (tests/render/virtgpu)."""
        library = os.path.join(os.environ["VGPU_BUILD"], "tests", "render",
                               "virtgpu", "libvirtgpu-preload.so")
        return {**native_env(driver), "LD_PRELOAD": library,
                "VGPU_VIRTGPU_SOCKET": self.socket, **more}


def vulkaninfo(env):
    """What vulkaninfo says of the first GPU."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "info.json")
        subprocess.run(["vulkaninfo", "--json=0", "-o", path], env=env,
                       timeout=120, check=True, capture_output=True)
        with open(path, encoding="utf-8") as file:
            text = file.read()
    # It writes arrays of structs as if they were objects.
    text = re.sub(r'"\d+": \{', "{", text)
    return json.loads(text)["capabilities"]["device"]


def has_vtest():
    """Whether this build of vgpu-device serves programs without a VM."""
    try:
        done = subprocess.run(["vgpu-device", "--help"], capture_output=True,
                              text=True, timeout=vm.COMMAND_SECONDS,
                              check=False)
    except FileNotFoundError:
        return False
    return "--vtest" in done.stdout
