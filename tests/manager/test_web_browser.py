# SPDX-License-Identifier: GPL-2.0-or-later
"""The web console in Chromium: its page, and consoles by Debian's noVNC."""

import fcntl
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading
import unittest

import harness
import web
from harness import HERE, ManagerTest, wait_for
from painter import Painter

sys.path[:0] = [os.path.join(HERE, path) for path in ('../device/vhost', '../../lab')]
# pylint: disable=wrong-import-position
import chromium  # noqa: E402
import test_input as seat  # noqa: E402
from web_console import CANVAS, free_port  # noqa: E402

NOVNC = '/usr/share/novnc/core/rfb.js'
# A folder for pictures of the pages, if one wants them.
PICTURES = os.environ.get('VGPU_PICTURES')


def pixel(x, y):
    return f"""(() => {{ const c = {CANVAS}; return c && c.width ?
        [c.width, c.height, ...c.getContext('2d').getImageData({x}, {y}, 1, 1).data] :
        null }})()"""


@unittest.skipUnless(shutil.which(chromium.PROGRAM), 'no ' + chromium.PROGRAM)
@unittest.skipUnless(os.path.exists(NOVNC), 'no noVNC')
class Console(ManagerTest):
    def setUp(self):
        self.m = self.manager(mib=256)
        self.uuid = self.m.create(type='128MB', name='a')
        self.web = web.Web(self.m.folder, listen=f'127.0.0.1:{free_port()}',
                           user=os.getuid())
        self.addCleanup(self.web.finish)
        self.web.start()
        self.browser = chromium.Chromium()
        self.addCleanup(self.browser.close)

    def paint(self, color, width=800, height=600):
        painter = Painter(os.path.join(self.m.folder_of(self.uuid), 'vhost.sock'),
                          width, height)
        self.addCleanup(painter.close)
        painter.paint(color)
        return painter

    def keyboard(self):
        guest = seat.Guest(os.path.join(self.m.folder_of(self.uuid), 'keyboard.sock'))
        self.addCleanup(guest.close)
        return guest.start()

    def open(self, *words):
        return self.browser.page(self.web.link(self.m.socket, *words).url)

    def wait_for_pixel(self, page, width, height, red, green, blue):
        """The viewer scales its canvas by style: it has the head's own pixels."""
        try:
            page.wait(f'{pixel(10, 20)}?.join() === "{width},{height},{red},{green},{blue},255"',
                      'the picture')
        except AssertionError as error:
            raise AssertionError(page.run(pixel(10, 20))) from error

    def assert_types(self, page, guest):
        page.run(f'{CANVAS}.focus()')
        page.type('a', 'KeyA', 65)
        self.assertEqual(guest.events.get(4), [
            (seat.EV_KEY, seat.KEY_A, 1), seat.SYN, (seat.EV_KEY, seat.KEY_A, 0), seat.SYN])

    def picture(self, page, name):
        if PICTURES:
            page.picture(os.path.join(PICTURES, name + '.png'))

    def test_console(self):
        """Two viewers see what the guest shows, and type; it comes back by itself."""
        painter, guest = self.paint(0x204060), self.keyboard()
        first, second = self.open('a'), self.open('a')
        for page in first, second:
            self.wait_for_pixel(page, 800, 600, 0x20, 0x40, 0x60)
            self.assertNotIn('login', page.run('location.href'))
            self.assertIn('a, head 0', page.text())
        painter.paint(0xff8000)
        for page in first, second:
            self.wait_for_pixel(page, 800, 600, 0xff, 0x80, 0)
            self.assert_types(page, guest)
        self.picture(first, 'console')
        # vgpud and its VNC server end.
        self.m.restart()
        painter.paint(0x008000)
        self.wait_for_pixel(first, 800, 600, 0, 0x80, 0)
        self.assert_types(first, guest)
        # A file of the page was not refused, nor had it anything inline.
        self.assertEqual([c for c in first.complaints()
                          if c.get('source') == 'security'], [])
        # The link is used up.
        again = self.browser.page(first.run('location.origin') + '/login#' + '0' * 64)
        again.wait('document.body?.innerText.includes("used before")', 'the refusal')

    def test_resize(self):
        """The head's mode follows the window, if that is asked for."""
        self.paint(0x204060)
        page = self.open('a')
        self.wait_for_pixel(page, 800, 600, 0x20, 0x40, 0x60)
        before = self.mode()
        page.click('#fit')
        wait_for(lambda: self.mode() != before, 'another mode')
        width, height = page.run(
            "(() => { const r = document.getElementById('screen').getBoundingClientRect();"
            " return [r.width, r.height] })()")
        self.assertLess(abs(self.mode()[0] - width), 16)
        self.assertLess(abs(self.mode()[1] - height), 16)

    def mode(self):
        head = self.m.show('a')['heads'][0]
        return head['preferredWidth'], head['preferredHeight']

    def test_list(self):
        painter = self.paint(0x204060)
        page = self.open()
        page.wait("document.querySelector('article img')?.naturalWidth === 267", 'a picture')
        self.assertEqual(page.run("document.querySelector('h2').textContent"), 'a')
        self.assertIn('128MB', page.text())
        page.wait("document.querySelector('polyline').getAttribute('points')"
                  ".split(' ').length > 1", 'figures')
        painter.paint(0x208060)
        self.picture(page, 'list')
        page.click('#logout')
        page.wait('document.body?.innerText.includes("not logged in")', 'the end')


HELLO, LINK, OPENED, LIST, PICTURE, VNC, ANSWER = range(1, 8)
MESSAGE = struct.Struct('=IIII496s')
UUID = '6f2d1f3c-0001-4222-8333-abcdefabcdef'
EVIL = ('<img src=x onerror=alert(1)>', '"><script>alert(2)</script>',
        "javascript:alert(3)", '</h2><style>*{display:none}</style>', '${alert(4)}',
        '\u202e\u0000\x1b[2J', '<a href="https://evil.example">x</a>')


@unittest.skipUnless(shutil.which(chromium.PROGRAM), 'no ' + chromium.PROGRAM)
class Hostile(unittest.TestCase):
    """Names and pictures that somebody made for the browser."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        self.web = web.Web(self.folder, listen=f'127.0.0.1:{free_port()}')
        self.addCleanup(self.web.finish)
        self.web.start()
        self.agent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.agent.close)
        self.agent.connect(self.web.agents)
        self.agent.send(MESSAGE.pack(HELLO, 1, 0, 0, b''))
        self.link = MESSAGE.unpack(self.agent.recv(1000))[4].rstrip(b'\0').decode()
        self.asked = []
        self.vgpus = []
        self.image = b'x'
        # It ends with its connection.
        threading.Thread(target=self.serve, daemon=True).start()
        self.browser = chromium.Chromium()
        self.addCleanup(self.browser.close)

    def serve(self):
        try:
            while packet := self.agent.recv(1000):
                kind, number = struct.unpack_from('=II', packet)
                self.asked.append(kind)
                if kind in (LIST, PICTURE):
                    self.answer(number, self.image if kind == PICTURE else json.dumps(
                        {'host': EVIL[0], 'user': EVIL[1],
                         'vgpus': self.vgpus}).encode())
        except OSError:
            pass

    def answer(self, number, data):
        fd = os.memfd_create('x', os.MFD_ALLOW_SEALING)
        try:
            os.write(fd, data)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE)
            socket.send_fds(self.agent, [MESSAGE.pack(ANSWER, number, 0, 0, b'')], [fd])
        finally:
            os.close(fd)

    def test_names(self):
        for evil in EVIL:
            self.vgpus.append({
                'uuid': evil, 'name': evil, 'type': evil, 'state': evil, 'failure': evil,
                'vm': evil, 'gpu': evil, 'framebufferMib': evil, 'usedBytes': evil,
                'frames': evil, 'heads': [{'head': evil, 'width': evil},
                                          {'head': 0, 'width': 1, 'height': 1}]})
        self.vgpus += [{'uuid': UUID, 'name': None, 'frames': -1e308,
                        'heads': [{'head': 0, 'width': 1, 'height': 1}]},
                       {'uuid': UUID[:-1] + '0', 'heads': 7}, None, 7,
                       {'uuid': 7}, {'uuid': '__proto__', 'name': 'constructor'}]
        self.image = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(5)"/>'
        page = self.browser.page(self.link)
        page.wait("document.querySelectorAll('article').length >= 10", 'the list')
        wait_for(lambda: self.asked.count(LIST) > 2 and PICTURE in self.asked, 'more')
        names = page.run("[...document.querySelectorAll('h2')].map((e) => e.textContent)")
        self.assertEqual(names[:len(EVIL)], list(EVIL))
        self.assertEqual(page.run("document.querySelectorAll('script').length"), 1)
        self.assertEqual(page.run("document.querySelectorAll('style, iframe').length"), 0)
        self.assertEqual(page.run(
            "[...document.querySelectorAll('a, img')].filter((e) => (e.href || e.src) && "
            "!(e.href || e.src).startsWith(location.origin + '/')).length"), 0)
        self.assertEqual(page.run("document.querySelectorAll('img:not([hidden])').length"), 0)
        self.assertEqual([c for c in page.complaints() if c.get('source') != 'network'], [])

    def test_policy(self):
        """Script that got into the page after all is not run, and calls nobody."""
        page = self.browser.page(self.link)
        page.wait("location.pathname === '/'", 'the list')
        page.run("""(() => {
            const script = document.createElement('script');
            script.textContent = 'window.evil = 1';
            document.head.append(script);
            document.body.setAttribute('onclick', 'window.evil = 2');
            document.body.click();
            const frame = document.createElement('iframe');
            frame.src = 'javascript:parent.evil = 3';
            document.body.append(frame);
        })()""")
        self.assertIsNone(page.run('window.evil'))
        for script in ("fetch('http://127.0.0.1:1/')", "eval('1')",
                       "import('data:text/javascript,1')"):
            self.assertEqual(page.run(
                f'(async () => {{ try {{ await {script}; return "done" }} '
                'catch (e) { return "refused" } })()'), 'refused', script)
        self.assertEqual(page.run('document.cookie'), '')


if __name__ == '__main__':
    harness.main()
