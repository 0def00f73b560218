#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scrape costs: its time, and processor time of vgpud, the exporter and the
devices. `lab/run bench/scrape.py [SCRAPES]`"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../tests/manager'))
from harness import BUILD, Manager, wait_for  # noqa: E402

# The exporter asks once a second at most: each scrape here is one that asks.
APART_S = 1.05


def cpu_ms(pid):
    """What all threads of a process have used."""
    total = 0
    for thread in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{thread}/schedstat', encoding='utf-8') as file:
            total += int(file.read().split()[0])
    return total / 1e6


def scrape(path):
    """Seconds, and bytes of the answer."""
    begin, size = time.monotonic(), 0
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b'GET /metrics HTTP/1.1\r\n\r\n')
        while data := client.recv(65536):
            size += len(data)
    return time.monotonic() - begin, size


def measure(vgpus, scrapes):
    manager = Manager(mib=vgpus * 128).start()
    folder = tempfile.mkdtemp(prefix='scrape.')
    path = os.path.join(folder, 's')
    exporter = subprocess.Popen([f'{BUILD}/vgpu-exporter', '--socket', manager.socket,
                                 '--listen', f'unix:{path}'])
    try:
        wait_for(lambda: os.path.exists(path), 'the exporter')
        wait_for(lambda: manager.gpu()['readyMib'] == vgpus * 128, 'the pool')
        for i in range(vgpus):
            manager.create(type='128MB', name=f'v{i}')
        wait_for(lambda: all('submits' in v for v in manager.call('ListVgpus')['vgpus']),
                 'counters')
        devices = [v['devicePid'] for v in manager.call('ListVgpus')['vgpus']]
        pids = {'vgpud': [manager.process.pid], 'exporter': [exporter.pid],
                'devices': devices}

        def used():
            return {name: sum(map(cpu_ms, some)) for name, some in pids.items()}

        def spend(action):
            before, begin = used(), time.monotonic()
            results = []
            for _ in range(scrapes):
                wake = time.monotonic() + APART_S
                results.append(action())
                time.sleep(max(wake - time.monotonic(), 0))
            after, seconds = used(), time.monotonic() - begin
            return results, {name: (after[name] - before[name]) / seconds
                             for name in pids}
        scrape(path)
        # In turns, so that the machine's other load is in both.
        idle, busy, results = [], [], []
        for _ in range(3):
            idle.append(spend(lambda: None)[1])
            got, cost = spend(lambda: scrape(path))
            busy.append(cost)
            results += got
        times = sorted(seconds * 1000 for seconds, _ in results)
        print(f'{vgpus} vGPUs: {results[-1][1]} bytes; '
              f'time p50 {statistics.median(times):.1f} ms, max {times[-1]:.1f} ms '
              f'of {len(times)}')
        for name in pids:
            rest = statistics.median(one[name] for one in idle)
            cost = statistics.median(one[name] for one in busy)
            print(f'    {name}: {(cost - rest) * APART_S:.2f} ms of processor time a '
                  f'scrape; {rest:.2f} ms a second without')
    finally:
        exporter.terminate()
        exporter.wait()
        os.rmdir(folder)
        manager.finish()


def main():
    scrapes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    for vgpus in 1, 16:
        measure(vgpus, scrapes)


if __name__ == '__main__':
    main()
