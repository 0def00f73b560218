# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual machines for the demo and the tests: boot, watch, command, end.

Every wait has a limit, every machine a hard one, and a machine ends with the
process that started it, however that ends.
"""

import base64
import json
import os
import re
import socket
import subprocess
import threading
import time

GUEST = "/lab/guest"
# Limits end what hangs: a machine that is emulated on a busy host takes long.
BOOT_SECONDS = 600
COMMAND_SECONDS = 120
LIMIT_SECONDS = 1800
QEMU = "qemu-system-x86_64"
ACCEL_CACHE = "/run/openvgpu-accel"
PROBE_SECONDS = 5.0


class VmError(Exception):
    """A machine did not do what was expected in time."""


def spawn(args, output):
    """Start a program that is killed when the calling thread ends."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *args], stdin=subprocess.DEVNULL,
        stdout=output, stderr=output)


def _kvm_boots():
    """Whether KVM runs a stock kernel: some hosts have a /dev/kvm that hangs."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    log = f"{ACCEL_CACHE}.log"
    with open(os.devnull, "wb") as null:
        probe = spawn(
            [QEMU, "-accel", "kvm", "-cpu", "max", "-m", "256", "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", f"file:{log}",
             "-kernel", f"{GUEST}/vmlinuz", "-append",
             "console=ttyS0 earlyprintk=serial,ttyS0 panic=-1"], null)
    end = time.monotonic() + PROBE_SECONDS
    boots = False
    # With no root to mount, a kernel that boots says so and panics.
    while not boots and probe.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
        try:
            with open(log, "rb") as file:
                boots = b"Unable to mount root fs" in file.read()
        except FileNotFoundError:
            pass
    probe.kill()
    probe.wait()
    return boots


def accel_args():
    """QEMU's arguments for KVM where it works, else for TCG; probed once."""
    try:
        with open(ACCEL_CACHE, encoding="ascii") as file:
            kind = file.read()
    except FileNotFoundError:
        kind = "kvm" if _kvm_boots() else "tcg"
        with open(ACCEL_CACHE, "w", encoding="ascii") as file:
            file.write(kind)
    if kind == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


class _LineSocket:
    """A unix socket that speaks in lines, with a deadline on each read."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(COMMAND_SECONDS)
        self.sock.connect(path)
        self.buffer = b""

    def send(self, data):
        self.sock.settimeout(COMMAND_SECONDS)
        self.sock.sendall(data)

    def line(self, end):
        """The next line, or None when @end (monotonic) has passed."""
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 16)
            except TimeoutError:
                return None
            if not data:
                raise VmError("the machine closed its connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def close(self):
        self.sock.close()


class Vm:
    """One virtual machine with the guest image, and @gpu_args as its GPU."""

    def __init__(self, name, folder, gpu_args, *, title=None, color="204060",
                 memory_mib=1024, time_limit=LIMIT_SECONDS):  # None: none
        self.name = name
        self.folder = os.path.join(folder, name)
        self.console_path = os.path.join(self.folder, "console.log")
        self.qemu_log_path = os.path.join(self.folder, "qemu.log")
        self.gpu_args = list(gpu_args)
        self.title = title or name
        self.color = color
        self.memory_mib = memory_mib
        self.time_limit = time_limit
        self.process = None
        self._timer = None
        self._timed_out = False
        self._agent = None
        self._qmp = None
        self._next_id = 0
        self._console_seen = 0
        self._booted_at = 0
        self._has_agent = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def _args(self):
        append = (
            "console=ttyS0 quiet loglevel=4 mitigations=off rootfstype=ext4 "
            "systemd.show_status=no panic=-1 "
            f"vgpu.title={self.title} vgpu.color={self.color}")
        return [
            QEMU, "-name", self.name, "-M", "q35,memory-backend=ram",
            *accel_args(), "-smp", "1", "-m", f"{self.memory_mib}M",
            "-object", f"memory-backend-memfd,id=ram,share=on,"
                       f"size={self.memory_mib}M",
            "-nodefaults", "-vga", "none", "-display", "none",
            "-kernel", f"{GUEST}/vmlinuz", "-initrd", f"{GUEST}/initrd",
            "-append", append,
            "-drive", f"file={GUEST}/root.ext4,format=raw,if=none,id=root,"
                      "readonly=on",
            "-device", "virtio-blk-pci,drive=root",
            "-serial", f"file:{self.console_path}",
            "-chardev", f"socket,id=agent,path={self.folder}/agent.sock,"
                        "server=on,wait=off",
            "-serial", "chardev:agent",
            "-qmp", f"unix:{self.folder}/qmp.sock,server=on,wait=off",
            *self.gpu_args]

    def start(self):
        """Start the machine; it is killed when its time limit, if any, has passed."""
        os.makedirs(self.folder, exist_ok=True)
        self._begins_to_boot(0)
        self._timed_out = False
        for stale in ("console.log", "agent.sock", "qmp.sock"):
            try:
                os.unlink(os.path.join(self.folder, stale))
            except FileNotFoundError:
                pass
        with open(self.qemu_log_path, "wb") as log:
            self.process = spawn(self._args(), log)
        if self.time_limit:
            self._timer = threading.Timer(self.time_limit, self._time_over)
            self._timer.daemon = True
            self._timer.start()

    def _begins_to_boot(self, console_at):
        self._console_seen = self._booted_at = console_at
        self._has_agent = False

    def reset(self):
        """Reset the machine. wait_for() ignores output from before."""
        self.qmp("system_reset")
        self._begins_to_boot(len(self.console()))

    def _time_over(self):
        self._timed_out = True
        self.process.kill()

    def kill(self):
        """Kill the machine. Does nothing if it has ended."""
        for line in (self._agent, self._qmp):
            if line:
                line.close()
        self._agent = self._qmp = None
        if self._timer:
            self._timer.cancel()
        if self.process:
            self.process.kill()
            self.process.wait()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def _fail(self, what):
        why = f"{self.name}: {what}"
        if self._timed_out:
            why += f" (its limit of {self.time_limit} s has passed)"
        elif not self.is_running():
            why += f" (QEMU ended with {self.process.returncode})"
        last = last_line(self.qemu_log_path) or last_line(self.console_path)
        if last:
            why += f": {last}"
        raise VmError(f"{why}; logs: {self.folder}")

    def console(self):
        """All that the machine has written to its console."""
        try:
            with open(self.console_path, encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_for(self, pattern, timeout):
        """Wait for @pattern in the console, from the last match on."""
        end = time.monotonic() + timeout
        expression = re.compile(pattern)
        while True:
            running = self.is_running()
            text = self.console()
            match = expression.search(text, self._console_seen)
            if match:
                self._console_seen = match.end()
                return match
            if not running:
                self._fail(f"ended before '{pattern}'")
            if time.monotonic() > end:
                self._fail(f"no '{pattern}' within {timeout} s")
            time.sleep(0.05)

    def wait_desktop(self, timeout=BOOT_SECONDS):
        """Wait for the desktop; returns its number of heads."""
        match = self.wait_for(r"OPENVGPU-GUEST desktop ready heads=(\d+) ",
                              timeout)
        return int(match[1])

    def _connect(self, name):
        end = time.monotonic() + COMMAND_SECONDS
        while True:
            try:
                return _LineSocket(os.path.join(self.folder, name))
            except (FileNotFoundError, ConnectionRefusedError):
                if not self.is_running() or time.monotonic() > end:
                    self._fail(f"cannot connect to {name}")
                time.sleep(0.05)

    def qmp(self, command, timeout=COMMAND_SECONDS, **arguments):
        """Run a QMP command; return its result."""
        end = time.monotonic() + timeout
        if not self._qmp:
            self._qmp = self._connect("qmp.sock")
            self._qmp.line(end)
            self.qmp("qmp_capabilities")
        request = {"execute": command}
        if arguments:
            request["arguments"] = {
                key.replace("_", "-"): value
                for key, value in arguments.items()}
        self._qmp.send(json.dumps(request).encode() + b"\n")
        while True:
            line = self._qmp.line(end)
            if line is None:
                self._fail(f"QMP {command}: no answer within {timeout} s")
            reply = json.loads(line)
            if "error" in reply:
                self._fail(f"QMP {command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]

    def _wait_agent(self, timeout):
        """Lines that come before the agent has its port would be lost."""
        end = time.monotonic() + timeout
        while "OPENVGPU-GUEST agent ready" not in \
                self.console()[self._booted_at:]:
            if not self.is_running() or time.monotonic() > end:
                self._fail("its agent is not ready")
            time.sleep(0.05)
        self._has_agent = True

    def run(self, command, timeout=COMMAND_SECONDS):
        """Run a shell command in the guest; returns (status, output)."""
        if not self._agent:
            self._agent = self._connect("agent.sock")
        if not self._has_agent:
            self._wait_agent(timeout)
        self._next_id += 1
        number = b"%d" % self._next_id
        self._agent.send(
            number + b" " + base64.b64encode(command.encode()) + b"\n")
        end = time.monotonic() + timeout
        while True:
            line = self._agent.line(end)
            if line is None:
                self._fail(f"'{command}' gave no answer within {timeout} s")
            words = line.split()
            if len(words) == 2 and words[0] == number:
                break
        output, status = base64.b64decode(words[1]).rsplit(b" ", 1)
        return int(status), output.decode(errors="replace")

    def check(self, command, timeout=COMMAND_SECONDS):
        """The output of a guest command that must succeed."""
        status, output = self.run(command, timeout)
        if status:
            self._fail(f"'{command}' ended with {status}: {output.strip()}")
        return output


def last_line(path, size=2000):
    """The last line of a log that says something, or ''."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - size))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
