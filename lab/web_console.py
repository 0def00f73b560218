# SPDX-License-Identifier: GPL-2.0-or-later
"""The web console of a private vgpud, and links to it."""

import os
import socket
import subprocess
import time

import vm

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../ctl/web/page")
NOVNC = "/usr/share/novnc"
# The viewer's picture has the head's own pixels.
CANVAS = "document.querySelector('#screen canvas')"


class WebConsoleError(Exception):
    """It does not start, or makes no link."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class WebConsole:
    def __init__(self, manager, folder):
        self.manager = manager
        self.agents = os.path.join(folder, "agents.sock")
        self.log_path = os.path.join(folder, "web.log")
        self.processes = []
        with open(self.log_path, "ab") as log:
            self.server = vm.spawn(
                ["vgpu-web", "--listen", f"127.0.0.1:{free_port()}", "--agents",
                 self.agents, "--page", PAGE, "--novnc", NOVNC], log)
        self.processes.append(self.server)
        end = time.monotonic() + vm.COMMAND_SECONDS
        while not self.is_serving():
            if self.server.poll() is not None or time.monotonic() > end:
                self.stop()
                raise WebConsoleError(
                    f"vgpu-web does not start: {vm.last_line(self.log_path)}")
            time.sleep(0.02)

    def is_serving(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent:
            try:
                agent.connect(self.agents)
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True

    def link(self, *words):
        """What 'vgpuctl console' prints; it serves the link's session until stop()."""
        process = subprocess.Popen(
            ["vgpuctl", "--socket", self.manager.socket, "console", "--web", *words],
            env={**os.environ, "VGPU_WEB_SOCKET": self.agents}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        url = process.stdout.readline().strip()
        if not url:
            raise WebConsoleError("vgpuctl console prints no link")
        return url

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        self.processes = []
