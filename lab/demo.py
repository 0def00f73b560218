# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make demo` shows, inside the lab: two machines, two vGPUs."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import time

from chromium import Chromium
from gpu import DEVICE_NAME_MAX, check_vulkan, start_cube
from manager import Manager, ManagerError, SEGMENT_MIB
from vm import LIMIT_SECONDS, Vm, VmError, accel_args
from web_console import CANVAS, WebConsole, WebConsoleError

SCRATCH = "/tmp/demo"
OUT = "demo"
VM_MIB = 1024
SPARE_MIB = 1024  # for QEMU, the devices, and what runs here besides
# For what is only seen in a picture.
WINDOW_SECONDS = 5
SECOND_MONITOR = "1920x1080"

# Largest first: pairs of types and the framebuffer that each takes.
PAIRS = [(("4Q", 4096), ("2B", 2048)),
         (("2Q", 2048), ("1B", 1024)),
         (("1Q", 1024), ("1B", 1024))]
NAMES = ("cad", "office")
COLORS = ("204060", "602040")

start = time.monotonic()


def say(text):
    print(f"demo: {time.monotonic() - start:3.0f} s  {text}", flush=True)


def memory_mib():
    """The memory that can be had: the machine's, or a control group's."""
    with open("/proc/meminfo", encoding="ascii") as file:
        words = dict(line.split(":", 1) for line in file)
    available = int(words["MemAvailable"].split()[0]) // 1024
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = int(file.read())
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            limit -= int(file.read())
        available = min(available, limit >> 20)
    except (FileNotFoundError, ValueError):
        pass
    return available


def choose_pair():
    """The largest types that fit into memory, saying so if they are smaller."""
    have = memory_mib()
    for pair in PAIRS:
        need = sum(mib for _, mib in pair) + 2 * VM_MIB + SPARE_MIB
        if need <= have:
            if pair != PAIRS[0]:
                say(f"{have} MiB of memory are free: too few for "
                    f"{PAIRS[0][0][0]} and {PAIRS[0][1][0]}, so it is "
                    f"{pair[0][0]} and {pair[1][0]}")
            return pair
    raise ManagerError(f"the demo needs {need} MiB of free memory, and there "
                       f"are {have}: end something, or add memory")


def plugged_heads(manager, name):
    return [head for head in manager.vgpu(name)["heads"]
            if head["preferredWidth"]]


def create(manager, name, type_name):
    """A vGPU, with a second monitor plugged in where it is a workstation's."""
    manager.ctl("create", "--type", type_name, "--name", name)
    if type_name.endswith("Q"):
        manager.ctl("mode", name, SECOND_MONITOR, "--head", "1")


def save_pictures(manager, name, color):
    """A PNG of each head that is plugged in; returns their paths."""
    paths = []
    for head in plugged_heads(manager, name):
        number = head["head"]
        frame = manager.wait_desktop(name, color, number)
        preferred = (head["preferredWidth"], head["preferredHeight"])
        if (frame.width, frame.height) != preferred:
            raise ManagerError(
                f"{name} head {number} is {frame.width}x{frame.height}, not "
                f"{preferred[0]}x{preferred[1]}")
        path = f"{OUT}/{name}-head{number}.png"
        manager.ctl("screenshot", name, path, "--head", str(number))
        paths.append(path)
    return paths


def open_terminal(machine):
    """A shell for whoever types into the guest; a new window has the keyboard."""
    machine.check(
        "export XDG_RUNTIME_DIR=/run/desktop WAYLAND_DISPLAY=wayland-0 HOME=/root "
        "WESTON_CONFIG_FILE=/run/weston.ini; "
        "setsid weston-terminal --shell=/bin/bash >/dev/null 2>&1 </dev/null &")
    time.sleep(WINDOW_SECONDS)


def save_console(web, machine, width):
    """A picture of the page with a console, typed into; returns its path."""
    browser = Chromium()
    try:
        page = browser.page(web.link(machine.name))
        page.wait(f"{CANVAS}?.width === {width}", "the picture")
        page.run(f"{CANVAS}.focus()")
        open_terminal(machine)
        page.write("uname -srm; date\n")
        time.sleep(WINDOW_SECONDS)
        page.picture(f"{OUT}/console.png")
    except AssertionError as error:
        raise WebConsoleError(f"the web console: {error}") from error
    finally:
        browser.close()
    return f"{OUT}/console.png"


def show_vulkan(machine, framebuffer_mib):
    """Check the guest's Vulkan and show it on the desktop; None if the GPU
    does not render."""
    vulkan = check_vulkan(machine, framebuffer_mib)
    if vulkan:
        start_cube(machine)
        say(f"{machine.name} draws with Vulkan on {vulkan.device}")
    else:
        say(f"{machine.name}'s GPU does not render: no Vulkan")
    return vulkan


def vulkan_words(vulkan):
    """Device and heap, for the table."""
    if vulkan is None:
        return "none", "-"
    device = vulkan.device
    if len(device) > DEVICE_NAME_MAX:
        device = device[:DEVICE_NAME_MAX - 1] + "…"
    return device, f"{vulkan.heap_bytes >> 20} MiB"


def print_table(manager, pictures, vulkans):
    rows = [("VGPU", "TYPE", "FRAMEBUFFER", "HEADS", "RESOLUTION", "STATE",
             "VULKAN DEVICE", "HEAP", "SCREENSHOT")]
    for name, paths in pictures.items():
        vgpu = manager.vgpu(name)
        shown = [h for h in vgpu["heads"] if h["width"]]
        for row, (head, path) in enumerate(zip(shown, paths, strict=True)):
            size = f"{head['width']}x{head['height']}"
            rows.append((name, vgpu["type"], f"{vgpu['framebufferMib']} MiB",
                         f"{len(shown)} of {len(vgpu['heads'])}", size,
                         vgpu["state"], *vulkan_words(vulkans[name]), path)
                        if row == 0 else
                        ("", "", "", "", size, "", "", "", path))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width
                        in zip(row, widths)).rstrip())
    print(flush=True)


def keep(manager, web):
    print("A browser on this machine shows both consoles, and types into them:\n"
          f"  {web.link()}\n"
          "It is for one use; 'vgpuctl console NAME' prints others.\n")
    print("The machines run on until you leave this shell. Try:\n"
          "  vgpuctl list\n  vgpuctl top\n"
          f"  vgpuctl mode {NAMES[0]} 1920x1080 --head 2\n"
          f"  vgpuctl screenshot {NAMES[0]} demo/now.png\n"
          f"  vgpuctl vnc {NAMES[0]} unix:$PWD/demo/vnc.sock\n"
          "A viewer outside the lab reaches a socket in this checkout.\n", flush=True)
    subprocess.call(["bash", "--norc", "-i"],
                    env={**os.environ, "VGPU_SOCKET": manager.socket,
                         "VGPU_WEB_SOCKET": web.agents,
                         "PS1": "demo$ "})


def show(manager, pair):
    machines = []
    is_kept = bool(os.environ.get("VGPU_KEEP"))
    time_limit = None if is_kept else LIMIT_SECONDS
    web = WebConsole(manager, SCRATCH)
    try:
        for name, color, (type_name, _) in zip(NAMES, COLORS, pair):
            create(manager, name, type_name)
            machine = Vm(name, SCRATCH, manager.qemu_args(name), color=color,
                         title=f"{name}:_a_{type_name}_vGPU",
                         memory_mib=VM_MIB, time_limit=time_limit)
            machines.append(machine)
            machine.start()
            say(f"{name} has a {type_name} and boots")
        pictures = {}
        for machine in machines:
            heads = machine.wait_desktop()
            say(f"{machine.name} has started its desktop on "
                f"{heads} head{'s'[:heads != 1]}")
        # Both at the same time: each takes an emulated machine a while.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            mibs = (mib for _, mib in pair)
            vulkans = dict(zip(NAMES, pool.map(show_vulkan, machines, mibs)))
        for machine in machines:
            pictures[machine.name] = save_pictures(
                manager, machine.name, machine.color)
            say(f"{machine.name}: {', '.join(pictures[machine.name])}")
        width = manager.vgpu(NAMES[0])["heads"][0]["width"]
        say(f"the web console: {save_console(web, machines[0], width)}")
        print_table(manager, pictures, vulkans)
        if is_kept:
            keep(manager, web)
        else:
            print(f"{web.link()}\nshowed both machines in a browser; "
                  "with 'make demo KEEP=1' they run on, and it does.\n", flush=True)
    finally:
        web.stop()
        for machine in machines:
            machine.kill()


def save_logs():
    """The logs, before the lab's /tmp goes; returns where they are."""
    logs = f"{OUT}/logs"
    for folder, _, names in os.walk(SCRATCH):
        for name in names:
            if name.endswith(".log"):
                os.makedirs(logs, exist_ok=True)
                flat = os.path.relpath(os.path.join(folder, name), SCRATCH)
                shutil.copyfile(os.path.join(folder, name),
                                f"{logs}/{flat.replace('/', '-')}")
    return logs


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    try:
        pair = choose_pair()
        framebuffer_mib = sum(mib for _, mib in pair)
        assert framebuffer_mib % SEGMENT_MIB == 0
        with Manager(SCRATCH, framebuffer_mib) as manager:
            accel = accel_args()[1].split(",")[0]
            say(f"vgpud runs, with {framebuffer_mib} MiB of framebuffer; "
                f"the machines use {accel.upper()}")
            show(manager, pair)
    except (OSError, ManagerError, VmError, WebConsoleError,
            KeyboardInterrupt) as error:
        text = "interrupted" if isinstance(error, KeyboardInterrupt) else error
        say(f"failed: {text}; all logs: {save_logs()}/")
        return 1
    say("done, all taken down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
