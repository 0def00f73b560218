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
    def start(self, change=lambda vgpu, counted: None, columns=200):
        self.counted = 0

        def count(_):
            self.counted += 1
            vgpu = fake.cad()
            vgpu['commands'] += 1000 * self.counted
            change(vgpu, self.counted)
            return {'vgpus': [vgpu, fake.nameless()]}
        manager = self.manager(ListGpus=fake.gpus(), ListVgpus=count)
        self.terminal, end = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack('HHHH', 8, columns, 0, 0))
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
        self.assertRegex(looks[0], 'cad .* 4096 MiB +- +- +- +- +2500 ')
        self.assertRegex(looks[1], 'cad .* 4096 MiB +100% +0% +- +[0-9]')
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
