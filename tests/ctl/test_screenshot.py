# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpuctl screenshot: every pixel, and every frame that cannot be."""

import os
import pty
import stat
import struct
import subprocess
import unittest
import zlib

from fake_manager import CtlTest, Error, TIMEOUT, VGPUCTL, WithFds

WIDTH, HEIGHT, PADDING = 37, 23, 12


def decode_png(data):
    """Width, height and rows of (red, green, blue) of an 8-bit RGB PNG."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed, ended = 8, b'', False
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        crc, = struct.unpack('>I', data[at + 8 + size:at + 12 + size])
        assert crc == zlib.crc32(kind + body)
        at += 12 + size
        if kind == b'IHDR':
            width, height, *rest = struct.unpack('>IIBBBBB', body)
            assert rest == [8, 2, 0, 0, 0]
        elif kind == b'IDAT':
            packed += body
        ended = kind == b'IEND'
    assert ended
    raw, line, rows = zlib.decompress(packed), width * 3, []
    assert len(raw) == height * (line + 1)
    before = bytes(line)
    for y in range(height):
        kind = raw[y * (line + 1)]
        now = bytearray(raw[y * (line + 1) + 1:(y + 1) * (line + 1)])
        for x in range(line):
            left = now[x - 3] if x >= 3 else 0
            up = before[x]
            corner = before[x - 3] if x >= 3 else 0
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda v: abs(guess - v))
            now[x] = (now[x] + (0, left, up, (left + up) // 2, nearest)[kind]) \
                & 255
        before = bytes(now)
        rows.append([tuple(now[x:x + 3]) for x in range(0, line, 3)])
    return width, height, rows


def pixel(x, y):
    return (x * 7 & 255, y * 11 & 255, (x * y + 3) & 255)


class Screenshot(CtlTest):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.folder, 'shot.png')

    def frame(self, data, **changes):
        fd = os.memfd_create('frame')
        self.addCleanup(os.close, fd)
        os.write(fd, data)
        reply = {'width': WIDTH, 'height': HEIGHT,
                 'stride': WIDTH * 4 + PADDING, 'fileDescriptor': 0}
        reply.update(changes)
        return WithFds([fd], **{k: v for k, v in reply.items()
                                if v is not None})

    def picture(self):
        return b''.join(
            b''.join(struct.pack('BBBB', *reversed(pixel(x, y)), 0xee)
                     for x in range(WIDTH)) + b'\xdd' * PADDING
            for y in range(HEIGHT))

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.folder), ['s'])

    def test_every_pixel(self):
        manager = self.manager(Capture=self.frame(self.picture()))
        self.addCleanup(os.umask, os.umask(0o027))
        self.assertEqual(self.ctl('screenshot', 'cad', self.file, '--head=1'),
                         (0, '', ''))
        self.assertEqual(manager.calls, [('Capture', {'vgpu': 'cad',
                                                      'head': 1})])
        with open(self.file, 'rb') as f:
            width, height, rows = decode_png(f.read())
        self.assertEqual((width, height), (WIDTH, HEIGHT))
        for y in range(HEIGHT):
            self.assertEqual(rows[y], [pixel(x, y) for x in range(WIDTH)])
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o640)
        self.assertEqual(sorted(os.listdir(self.folder)), ['s', 'shot.png'])

    def test_standard_output(self):
        self.manager(Capture=self.frame(self.picture()))
        command = [VGPUCTL, 'screenshot', 'cad', '-']
        done = subprocess.run(command, env=self.environment, cwd=self.folder,
                              capture_output=True, timeout=TIMEOUT, check=True)
        self.assertEqual(decode_png(done.stdout)[:2], (WIDTH, HEIGHT))
        self.assert_nothing_left()
        with open('/dev/full', 'wb') as full:
            done = subprocess.run(command, env=self.environment,
                                  cwd=self.folder, stdout=full,
                                  stderr=subprocess.PIPE, timeout=TIMEOUT,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assert_line(done.stderr.decode())
        terminal, end = pty.openpty()
        self.addCleanup(os.close, terminal)
        done = subprocess.run(command, env=self.environment, cwd=self.folder,
                              stdout=end, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, check=False)
        os.close(end)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'nothing for a terminal', done.stderr)

    def test_replaces_a_file_and_takes_a_bare_name(self):
        self.manager(Capture=self.frame(self.picture()))
        with open(self.file, 'w', encoding='ascii') as f:
            f.write('old')
        self.assertEqual(self.ctl('screenshot', 'cad', 'shot.png',
                                  cwd=self.folder), (0, '', ''))
        with open(self.file, 'rb') as f:
            self.assertEqual(decode_png(f.read())[:2], (WIDTH, HEIGHT))

    def test_frames_that_cannot_be(self):
        cases = ({'width': 0}, {'height': 0}, {'width': 2 ** 31},
                 {'height': 8193}, {'height': 2 ** 32 + 1}, {'height': -1},
                 {'width': '37'}, {'stride': WIDTH * 4 - 1}, {'stride': 0},
                 {'stride': 2 ** 40}, {'height': HEIGHT + 1},
                 {'stride': WIDTH * 4 + PADDING + 1}, {'width': None},
                 {'height': None}, {'stride': None}, {'fileDescriptor': None},
                 {'fileDescriptor': 1}, {'fileDescriptor': 2 ** 60},
                 {'fileDescriptor': -1},
                 {'width': 8192, 'height': 8192, 'stride': 32768})
        for changes in cases:
            with self.subTest(changes=changes):
                self.setUp()
                self.manager(Capture=self.frame(self.picture(), **changes))
                err = self.assert_fails(1, 'screenshot', 'cad', self.file)
                self.assertIn('reply to Capture', err)
                self.assert_nothing_left()

    def test_no_frame_at_all(self):
        self.manager(Capture=WithFds([], width=1, height=1, stride=4,
                                     fileDescriptor=0))
        self.assertIn('without the frame',
                      self.assert_fails(1, 'screenshot', 'cad', self.file))
        self.assert_nothing_left()

    def test_frame_that_is_no_file(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        self.manager(Capture=WithFds([reader], width=1, height=1, stride=4,
                                     fileDescriptor=0))
        self.assertIn('reply to Capture',
                      self.assert_fails(1, 'screenshot', 'cad', self.file))
        self.assert_nothing_left()

    def test_refused(self):
        self.manager(Capture=Error('NotActive', text='it has no device'))
        self.assertEqual(self.assert_fails(1, 'screenshot', 'cad', self.file),
                         'vgpuctl: it has no device\n')
        self.assert_nothing_left()

    def test_where_it_cannot_be_written(self):
        self.manager(Capture=self.frame(self.picture()))
        folder = os.path.join(self.folder, 'd')
        os.mkdir(folder)
        os.symlink('shot.png', os.path.join(folder, 'link'))
        for path in ('/nonexistent/x.png', folder, '/dev/full', '',
                     os.path.join(folder, 'link')):
            with self.subTest(path=path):
                self.assert_fails(1, 'screenshot', 'cad', path)
        self.assertEqual(os.listdir(folder), ['link'])
        self.assertTrue(stat.S_ISCHR(os.stat('/dev/full').st_mode))

    def test_no_room_on_the_disk(self):
        def limit():
            import resource
            import signal
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        self.manager(Capture=self.frame(self.picture()))
        err = self.assert_fails(1, 'screenshot', 'cad', self.file,
                                preexec_fn=limit)
        self.assertIn('File too large', err)
        self.assert_nothing_left()


if __name__ == '__main__':
    unittest.main()
