# SPDX-License-Identifier: GPL-2.0-or-later
"""A private vgpud for the demo and the tests, and calls to it."""

import array
import collections
import json
import mmap
import os
import signal
import socket
import subprocess
import time

import vm

SEGMENT_MIB = 128
# Limits end what hangs: emulated machines on a busy host take long.
CALL_SECONDS = 120
READY_SECONDS = 600
WAIT_SECONDS = 300
FDS_MAX = 4


class ManagerError(Exception):
    """vgpud, or a vgpuctl command, failed."""


class Frame:
    """What a head shows at one moment: rows of x8r8g8b8 pixels."""

    def __init__(self, width, height, stride, fd):
        self.width = width
        self.height = height
        self.stride = stride
        try:
            with mmap.mmap(fd, stride * height, prot=mmap.PROT_READ) as pixels:
                self.data = pixels[:]
        finally:
            os.close(fd)

    def pixel(self, x, y):
        at = y * self.stride + x * 4
        return int.from_bytes(self.data[at:at + 3], "little")

    def colors(self):
        """How often each colour is met on a grid of samples, by 'rrggbb'."""
        return collections.Counter(
            f"{self.pixel(x * self.width // 64, y * self.height // 36):06x}"
            for x in range(64) for y in range(36))

    def main_color(self):
        return self.colors().most_common(1)[0][0]

    def shows(self, color, window=True):
        """Whether this is a desktop of this colour, with the black window of
        its terminal or only with its panel."""
        colors = self.colors()
        if colors[color] * 5 < colors.total():
            return False
        if window:
            return colors["000000"] * 50 >= colors.total()
        return self.pixel(self.width // 2, 8) != int(color, 16)


class Manager:
    """vgpud in folders of its own, ended with all its vGPUs."""

    def __init__(self, folder, framebuffer_mib):
        self.folder = folder
        self.runtime = os.path.join(folder, "run")
        self.state = os.path.join(folder, "state")
        self.log_path = os.path.join(folder, "vgpud.log")
        self.socket = os.path.join(self.runtime, "io.openvgpu.Manager")
        self.process = None
        os.makedirs(folder, exist_ok=True)
        self.config = os.path.join(folder, "vgpud.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"[embedded]\nframebuffer_mib = {framebuffer_mib}\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, timeout=WAIT_SECONDS):
        """Start vgpud and wait until it answers."""
        types = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "..", "lib", "types.ini")
        with open(self.log_path, "ab") as log:
            self.process = vm.spawn(
                ["vgpud", "--state-dir", self.state, "--runtime-dir",
                 self.runtime, "--config", self.config, "--types", types], log)
        end = time.monotonic() + timeout
        while True:
            try:
                return self.call("GetInfo")
            except (OSError, ManagerError) as error:
                if self.process.poll() is not None:
                    raise ManagerError(
                        f"vgpud ended with {self.process.returncode}: "
                        f"{vm.last_line(self.log_path)}; log: {self.log_path}"
                    ) from error
                if time.monotonic() > end:
                    raise ManagerError(
                        f"vgpud does not answer after {timeout} s: {error}; "
                        f"log: {self.log_path}") from error
            time.sleep(0.02)

    def kill(self):
        """kill -9 of vgpud alone: its devices go on."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Destroy all vGPUs and end vgpud; kill processes that remain."""
        if not self.process:
            return
        devices = []
        try:
            if self.process.poll() is not None:
                self.start()
            devices = [v["devicePid"] for v in self.vgpus()
                       if v.get("devicePid")]
            for vgpu in self.vgpus():
                self.call("Destroy", vgpu=vgpu["uuid"], force=True)
            self.process.terminate()
            self.process.wait(CALL_SECONDS)
        except (OSError, ManagerError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
            for pid in devices:
                _kill_device(pid)
        self.process = None

    def call(self, method, timeout=CALL_SECONDS, **parameters):
        """One varlink call; the reply's parameters, without descriptors."""
        reply, fds = self._call(method, timeout, parameters)
        for fd in fds:
            os.close(fd)
        return reply

    def _call(self, method, timeout, parameters):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(timeout)
            sock.connect(self.socket)
            sock.sendall(json.dumps({
                "method": f"io.openvgpu.Manager.{method}",
                "parameters": parameters}).encode() + b"\0")
            data, fds = b"", array.array("i")
            while not data.endswith(b"\0"):
                part, ancillary, _, _ = sock.recvmsg(
                    1 << 16, socket.CMSG_SPACE(FDS_MAX * fds.itemsize),
                    socket.MSG_CMSG_CLOEXEC)
                for level, kind, content in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET,
                                         socket.SCM_RIGHTS):
                        fds.frombytes(
                            content[:len(content) // fds.itemsize
                                    * fds.itemsize])
                if not part:
                    raise ManagerError(f"{method}: vgpud closed the connection")
                data += part
        reply = json.loads(data[:-1])
        if "error" in reply:
            for fd in fds:
                os.close(fd)
            text = reply.get("parameters", {}).get("text", "")
            raise ManagerError(f"{method}: {reply['error']}: {text}")
        return reply.get("parameters", {}), fds

    def vgpus(self):
        return self.call("ListVgpus")["vgpus"]

    def vgpu(self, name):
        return self.call("GetVgpu", vgpu=name)["vgpu"]

    def wait_vgpu(self, name, condition, timeout=WAIT_SECONDS):
        """Wait until condition(vgpu) holds; returns that vGPU."""
        end = time.monotonic() + timeout
        while True:
            vgpu = self.vgpu(name)
            if condition(vgpu):
                return vgpu
            if time.monotonic() > end:
                raise ManagerError(f"{name} is still {vgpu}")
            time.sleep(0.02)

    def wait_ready(self, timeout=READY_SECONDS):
        """Wait until all of the framebuffer is populated, which is quick where the
        host is no machine that is emulated."""
        end = time.monotonic() + timeout
        while any(gpu["readyMib"] < gpu["freeMib"]
                  for gpu in self.call("ListGpus")["gpus"]):
            if time.monotonic() > end:
                raise ManagerError(f"the framebuffer is not ready after {timeout} s")
            time.sleep(0.2)

    def capture(self, name, head=0, timeout=CALL_SECONDS):
        """What a head shows now, as a Frame."""
        reply, fds = self._call("Capture", timeout,
                                {"vgpu": name, "head": head})
        fd = fds[reply["fileDescriptor"]]
        return Frame(reply["width"], reply["height"], reply["stride"], fd)

    def wait_desktop(self, name, color, head=0, timeout=WAIT_SECONDS):
        """Wait until a head shows a desktop of this colour; the guest puts its
        only window on head 0."""
        end = time.monotonic() + timeout
        while True:
            frame = self.capture(name, head)
            if frame.shows(color, window=head == 0):
                return frame
            if time.monotonic() > end:
                raise ManagerError(
                    f"{name} head {head} shows no desktop after {timeout} s, "
                    f"but {frame.width}x{frame.height} of mostly "
                    f"#{frame.main_color()}")
            time.sleep(0.2)

    def wait_change(self, name, frame, head=0, timeout=WAIT_SECONDS):
        """Wait until a head shows something else than @frame."""
        end = time.monotonic() + timeout
        while True:
            now = self.capture(name, head)
            if now.data != frame.data:
                return now
            if time.monotonic() > end:
                raise ManagerError(
                    f"{name} head {head}: no change within {timeout} s")
            time.sleep(0.1)

    def run(self, *words, timeout=CALL_SECONDS):
        """vgpuctl as it is: a completed process with its two outputs."""
        return subprocess.run(
            ["vgpuctl", "--socket", self.socket, *words], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
            check=False)

    def ctl(self, *words, timeout=CALL_SECONDS):
        """Run a vgpuctl command, which must succeed; return its output."""
        done = self.run(*words, timeout=timeout)
        if done.returncode:
            raise ManagerError(f"vgpuctl {' '.join(words)} ended with "
                               f"{done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def qemu_args(self, name):
        return json.loads(
            self.ctl("qemu-args", name, "--json=short"))["arguments"]


def _kill_device(pid):
    """Kill a device process, if @pid still is one."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            if file.read().strip() == "vgpu-device":
                os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        pass
