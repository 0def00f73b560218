#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the web console costs: memory when it idles, and processor time for one viewer
of a moving 1920x1080 head. `lab/run bench/web.py [SECONDS]`"""

import contextlib
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, path) for path in ('../tests/manager', '../lab')]
# pylint: disable=wrong-import-position
import chromium  # noqa: E402
import web  # noqa: E402
from harness import Manager  # noqa: E402
from painter import Painter  # noqa: E402
from web_console import CANVAS  # noqa: E402

WIDTH, HEIGHT = 1920, 1080
PORT = 9847


def cpu_s(pid):
    """What all threads of a process have used."""
    total = 0
    for thread in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{thread}/schedstat', encoding='utf-8') as file:
            total += int(file.read().split()[0])
    return total / 1e9


def memory_kib(pid):
    with open(f'/proc/{pid}/smaps_rollup', encoding='utf-8') as file:
        words = dict(line.split(':') for line in file if ':' in line and ' kB' in line)
    return {name: int(words[name].split()[0]) for name in ('Rss', 'Pss')}


def measure(pids):
    """A function that prints what they have used since."""
    begin = time.monotonic()
    before = {name: sum(map(cpu_s, some)) for name, some in pids.items()}

    def used():
        took = time.monotonic() - begin
        for name, some in pids.items():
            print(f'{name}: {100 * (sum(map(cpu_s, some)) - before[name]) / took:.1f} % '
                  'of a processor')
    return used


def find(name):
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f'/proc/{pid}/comm', encoding='utf-8') as file:
                if file.read().strip() == name:
                    found.append(int(pid))
    return found


def move(painter, ended):
    """All of it changes, up to 60 times a second."""
    line = bytes(range(256)) * (WIDTH * 4 // 256)
    rows = [line[i:] + line[:i] for i in range(0, 256, 4)]
    pictures = [b''.join(rows[(y // 8 + n) % len(rows)] for y in range(HEIGHT))
                for n in range(8)]
    n = 0
    while not ended.is_set():
        painter.write(pictures[n % len(pictures)])
        painter.show()
        n += 1
        time.sleep(1 / 60)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    manager = Manager(mib=256).start()
    uuid = manager.create(type='128MB', name='a')
    server = web.Web(manager.folder, listen=f'127.0.0.1:{PORT}', user=os.getuid()).start()
    browser = painter = None
    try:
        print('idle:', memory_kib(server.process.pid), 'KiB')
        painter = Painter(os.path.join(manager.folder_of(uuid), 'vhost.sock'),
                          WIDTH, HEIGHT)
        painter.paint(0)
        link = server.link(manager.socket, 'a')
        browser = chromium.Chromium()
        page = browser.page(link.url)
        page.wait(f'{CANVAS}?.width === {WIDTH}', 'the picture')
        # Frames of the browser's in which noVNC has drawn something.
        page.run("""(() => {
            const ctx = CanvasRenderingContext2D.prototype;
            window.shown = 0;
            let asked = false;
            for (const name of ['drawImage', 'putImageData']) {
                const old = ctx[name];
                ctx[name] = function (...rest) {
                    if (!asked) {
                        asked = true;
                        requestAnimationFrame(() => { asked = false; window.shown++; });
                    }
                    return old.apply(this, rest);
                };
            }
        })()""")
        ended = threading.Event()
        thread = threading.Thread(target=move, args=(painter, ended))
        thread.start()
        time.sleep(2)
        pids = {'vgpu-web': [server.process.pid], 'vgpuctl': [link.process.pid],
                'vgpu-vnc': find('vgpu-vnc'),
                'vgpu-device': [manager.show('a')['devicePid']]}
        used = measure(pids)
        frames, first, begin = manager.show('a')['frames'], page.run('window.shown'), \
            time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - begin
        print(f"guest: {(manager.show('a')['frames'] - frames) / took:.1f} frames/s, "
              f"browser: {(page.run('window.shown') - first) / took:.1f} pictures/s")
        used()
        print('one viewer:', memory_kib(server.process.pid), 'KiB')
        page.call('Page.navigate', url='about:blank')
        link = server.link(manager.socket)
        browser.page(link.url).wait("document.querySelector('article img')?.naturalWidth",
                                    'the list')
        print('a list with one picture, each 2 s:')
        used = measure({'vgpu-web': [server.process.pid], 'vgpuctl': [link.process.pid],
                        'vgpud': [manager.process.pid]})
        time.sleep(seconds)
        used()
        ended.set()
        thread.join()
    finally:
        if browser:
            browser.close()
        if painter:
            painter.close()
        server.finish()
        manager.finish()


if __name__ == '__main__':
    main()
