# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpuctl top on a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import fake_manager as fake
from fake_manager import CtlTest, TIMEOUT, VGPUCTL


class Top(CtlTest):
    def start(self, change=lambda vgpu, counted: None, columns=200, rows=8,
              vgpus=None):
        self.counted = 0

        def count(_):
            self.counted += 1
            vgpu = fake.cad()
            vgpu['commands'] += 1000 * self.counted
            change(vgpu, self.counted)
            return {'vgpus': vgpus(self.counted) if vgpus else
                    [vgpu, fake.nameless()]}
        manager = self.manager(ListGpus=fake.gpus(), ListVgpus=count)
        self.terminal, end = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
        self.before = termios.tcgetattr(end)
        self.end = end
        self.addCleanup(os.close, end)
        self.top = subprocess.Popen(
            [VGPUCTL, 'top'], stdin=end, stdout=end, stderr=end,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(
                0, termios.TIOCSCTTY, 0),
            env=dict(self.environment, TERM='xterm'))
        self.addCleanup(self.top.wait)
        self.addCleanup(self.top.kill)
        self.seen = ''
        return manager

    def wait_for(self, text, times=1):
        deadline = time.monotonic() + TIMEOUT
        while self.seen.count(text) < times:
            self.assertLess(time.monotonic(), deadline, self.seen)
            if select.select([self.terminal], [], [], 1)[0]:
                self.seen += os.read(self.terminal, 65536).decode()

    def assert_ended(self, status):
        self.wait_for('\x1b[?1049l')
        self.assertEqual(self.top.wait(TIMEOUT), status)
        self.assertEqual(termios.tcgetattr(self.end), self.before)

    def test_redraws_and_q_ends(self):
        self.start()
        self.wait_for('\x1b[H', 3)
        self.assertGreaterEqual(self.counted, 3)
        self.assertIn('\x1b[?1049h', self.seen)
        self.assertIn('COMMANDS/S', self.seen)
        self.assertNotIn('GRAPHICS', self.seen)
        self.assertIn('\x1b[32mattached', self.seen)
        os.write(self.terminal, b'xq')
        self.assert_ended(0)

    def test_engines(self):
        def work(vgpu, counted):
            # More than there is time for, nothing, and closed in between.
            vgpu.update(graphicsNs=counted * 10**15, encoderNs=10**9,
                        decoderNs=10**9 - counted)
        self.start(work)
        self.wait_for('\x1b[H', 3)
        os.write(self.terminal, b'q')
        self.assert_ended(0)
        plain = re.sub(r'\x1b\[\d*m', '', self.seen)
        self.assertRegex(plain, ' GRAPHICS +ENCODER +DECODER ')
        looks = plain.split('\x1b[H')[1:]
        self.assertRegex(looks[0], 'cad .* 4096 MiB +- +- +- {22,}- +2500 ')
        self.assertRegex(looks[1], 'cad .* 4096 MiB +100% +0% +- +█ +[0-9]')
        self.assertRegex(looks[1], '9f1d5c1e.* 4096 MiB +- +- +- +0 +0 ')

    def test_narrow_terminal(self):
        """What matters most fits into 80 columns, and more into more."""
        def work(vgpu, counted):
            vgpu.update(name='a' * 20, graphicsNs=counted, encoderNs=counted,
                        decoderNs=counted, frames=counted, grantedPpm=10 ** 5,
                        cpuUsec=counted, memoryBytes=2 ** 30,
                        memoryMaxBytes=2 ** 31)
        self.start(work, columns=80)
        self.wait_for('1920x1080')
        plain = re.sub(r'\x1b\[\??\d*\w', '', self.seen)
        lines = plain[plain.index('VGPU  '):].splitlines()[:2]
        self.assertLessEqual(max(map(len, lines)), 80)
        for title in 'STATE', 'USED', 'CPU', 'HEADS':
            self.assertIn(title, lines[0])
        self.assertNotIn('COMMANDS', lines[0])
        self.assertIn('1920x1080', lines[1])
        self.seen = ''
        fcntl.ioctl(self.end, termios.TIOCSWINSZ,
                    struct.pack('HHHH', 8, 250, 0, 0))
        self.wait_for('RESTARTS')
        os.write(self.terminal, b'q')
        self.assert_ended(0)

    def many(self, counted):
        """Thirty vGPUs, the one with the highest number the busiest and smallest."""
        vgpus = []
        for i in range(30):
            vgpu = fake.counted()
            del vgpu['graphicsNs']
            vgpu.update(name=f'vgpu-{i:02}' + '-with-a-long-name' * 3,
                        uuid=f'{i:08x}' + vgpu['uuid'][8:], cpuUsec=10**4 * i * counted,
                        usedBytes=(100 - i) << 20, framesPerSecond=i % 7)
            vgpus.append(vgpu)
        return vgpus

    def screen(self, last):
        """Its lines, once the last one is @last and nothing comes for a while."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            self.assertLess(time.monotonic(), deadline, self.seen[-3000:])
            while select.select([self.terminal], [], [], 0.05)[0]:
                self.seen += os.read(self.terminal, 65536).decode()
            text = re.sub(r'\x1b\[\??\d*[A-GI-Za-z]', '', self.seen.split('\x1b[H')[-1])
            lines = text.replace('\r', '').splitlines()
            if lines and re.search(last, lines[-1]):
                return lines

    def rows(self, lines):
        return [int(line[5:7]) for line in lines if line.startswith('vgpu-')]

    def test_scroll(self):
        self.start(columns=80, rows=24, vgpus=self.many)
        lines = self.screen(r'arrows scroll \(1-18 of 30\)')
        self.assertEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80, lines)
        self.assertEqual(self.rows(lines), list(range(18)))
        for keys, first in ((b'\x1b[B', 1), (b'\x1b[B\x1bOB', 3), (b'\x1b[A', 2),
                            (b'\x1b[6~', 12), (b'\x1b[B', 12), (b'\x1b[5~', 0),
                            (b'\x1b[F', 12), (b'\x1b[H', 0), (b'\x1b[1;5Zx', 0)):
            with self.subTest(keys=keys):
                os.write(self.terminal, keys)
                lines = self.screen(rf'\({first + 1}-{first + 18} of 30\)')
                self.assertEqual(self.rows(lines), list(range(first, first + 18)))
                self.assertTrue(lines[4].startswith('VGPU '), lines)
        # A larger terminal has them all, and says nothing of scrolling.
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 80, 0, 0))
        lines = self.screen(r'^q ends, s sorts \(by name\), r reverses\.$')
        self.assertEqual(self.rows(lines), list(range(30)))
        os.write(self.terminal, b'q')
        self.assert_ended(0)

    def test_sort(self):
        self.start(columns=80, rows=50, vgpus=self.many)
        self.wait_for('\x1b[H', 3)
        up, down = list(range(30)), list(range(29, -1, -1))
        frames = sorted(up, key=lambda i: (-(i % 7), i))
        for key, by, order in ((b's', 'load', down), (b'r', 'load', up),
                               (b'r', 'load', down), (b's', 'frames', frames),
                               (b's', 'use', up), (b's', 'share', up),
                               (b's', 'name', up), (b'r', 'name', down)):
            os.write(self.terminal, key)
            # The key has been taken when it says so and has drawn that.
            deadline = time.monotonic() + TIMEOUT
            while self.rows(self.screen(rf'\(by {by}\)')) != order:
                self.assertLess(time.monotonic(), deadline, (key, by))
        os.write(self.terminal, b'q')
        self.assert_ended(0)

    def test_bars(self):
        """One for each second there was, as high as the load."""
        def load(vgpu, counted):
            vgpu.update(graphicsNs=counted * 10**15 if counted % 2 else
                        (counted - 1) * 10**15)
        self.start(load, columns=120, rows=24)
        self.wait_for('▁█▁')
        line = [line for line in self.screen('q ends') if line.startswith('cad')][0]
        self.assertRegex(line, ' [▁█]{3,10} ')
        os.write(self.terminal, b'q')
        self.assert_ended(0)

    def test_bars_without_utf8(self):
        self.environment['LANG'] = 'C'
        self.start(lambda vgpu, counted: vgpu.update(graphicsNs=counted * 10**15))
        self.wait_for('  ###')
        self.assertTrue(self.seen.isascii())
        os.write(self.terminal, b'q')
        self.assert_ended(0)

    def test_control_c_ends(self):
        self.start()
        self.wait_for('\x1b[H')
        os.write(self.terminal, b'\x03')
        self.assert_ended(0)

    def test_signal_gives_the_terminal_back(self):
        self.start()
        self.wait_for('\x1b[H')
        self.top.send_signal(signal.SIGTERM)
        self.assert_ended(0)

    def test_new_size_is_drawn_at_once(self):
        self.start()
        self.wait_for('\x1b[H')
        fcntl.ioctl(self.end, termios.TIOCSWINSZ,
                    struct.pack('HHHH', 3, 60, 0, 0))
        self.wait_for('\x1b[H', 2)
        os.write(self.terminal, b'q')
        self.assert_ended(0)
        # No more lines than there are rows.
        last = self.seen.split('\x1b[H')[-1]
        self.assertLessEqual(last.count('\n'), 7)

    def test_manager_that_goes(self):
        manager = self.start()
        self.wait_for('\x1b[H')
        manager.close()
        self.assert_ended(1)
        self.wait_for('vgpuctl: ')
        # What went wrong stays on the screen that the person has then.
        self.assertGreater(self.seen.index('vgpuctl: '),
                           self.seen.index('\x1b[?1049l'))


if __name__ == '__main__':
    unittest.main()
