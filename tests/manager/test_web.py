# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-web on a real vgpud: who logs in, who sees what, and what people type."""

import fcntl
import json
import os
import re
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
from users import ALICE, BOB, CAROL, SERVICE, WATCHERS, Service, may_connect
from web import BINARY, CLOSE, TEXT, Refused, WebVnc

sys.path.insert(0, os.path.join(HERE, '../device/vhost'))
import gpu_vnc  # pylint: disable=wrong-import-position
import test_input as seat  # pylint: disable=wrong-import-position

DESKTOP_SIZE = -308
NOVNC = '/usr/share/novnc'
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; "
          "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'")


@unittest.skipIf(os.getuid() != 0, 'only root can be several users')
class WebTest(ManagerTest):
    def setUp(self):
        self.m = Service(mib=512)
        self.addCleanup(self.m.finish)
        self.m.start()
        self.web = web.Web(self.m.folder)
        self.addCleanup(self.web.finish)
        self.web.start()

    def link(self, *words, user=None, groups=()):
        return self.web.link(self.m.socket, *words, user=user, groups=groups)

    def log_in(self, *words, **who):
        browser = self.web.browser()
        answer = browser.log_in(self.link(*words, **who).token)
        self.assertEqual(answer.status, 200, answer.text())
        return browser

    def names(self, browser):
        answer = browser.get('/vgpus')
        self.assertEqual(answer.status, 200, answer.text())
        return sorted(vgpu['name'] for vgpu in json.loads(answer.body)['vgpus'])

    def assert_no_console(self, status, browser, uuid, *arguments, **more):
        with self.assertRaises(Refused) as caught:
            browser.vnc(uuid, *arguments, **more).close()
        self.assertEqual(caught.exception.args[0], status, caught.exception)
        return caught.exception.args[1]


class Login(WebTest):
    def test_link_is_used_once(self):
        uuid = self.m.create(type='128MB', name='a')
        link = self.link('a')
        self.assertRegex(link.url, r'^http://localhost:9847/login#[0-9a-f]{64}$')
        browser = self.web.browser()
        self.assertEqual(browser.get('/vgpus').status, 401)
        for wrong in '', 'x', '0' * 64, link.token[:-1], link.token + '0':
            self.assertEqual(browser.log_in(wrong).status, 403)
        answer = browser.log_in(link.token)
        self.assertEqual((answer.status, answer.text()),
                         (200, f'/console?vgpu={uuid}&head=0'))
        self.assertRegex(answer.headers['set-cookie'], r'^vgpu-web=[0-9a-f]{64}; Path=/; '
                         'HttpOnly; SameSite=Strict$')
        self.assertNotIn(link.token, answer.headers['set-cookie'])
        self.assertEqual(self.names(browser), ['a'])
        other = self.web.browser()
        self.assertEqual(other.log_in(link.token).status, 403)
        self.assertEqual(other.get('/vgpus').status, 401)
        # The cookie is no link, and the link no cookie.
        self.assertEqual(other.log_in(browser.cookie).status, 403)
        other.cookie = link.token
        self.assertEqual(other.get('/vgpus').status, 401)

    def test_session_ends_with_its_agent(self):
        uuid = self.m.create(type='128MB', name='a')
        link = self.link('a')
        browser = self.web.browser()
        browser.log_in(link.token)
        console = browser.vnc(uuid)
        self.addCleanup(console.close)
        link.end()
        self.assertTrue(console.has_ended())
        wait_for(lambda: browser.get('/vgpus').status == 401, 'its end')

    def test_logout(self):
        self.m.create(type='128MB', name='a')
        link = self.link()
        browser = self.web.browser()
        self.assertEqual(browser.log_in(link.token).text(), '/')
        self.assertEqual(browser.ask('POST', '/logout').status, 200)
        self.assertEqual(browser.get('/vgpus').status, 401)
        self.assertEqual(link.process.wait(harness.TIMEOUT), 1)
        self.assertIn('ended the session', link.process.stderr.read())

    def test_who_sees_what(self):
        """As much as whoever made the link, and no more than it is bound to."""
        a = self.m.create(type='128MB', name='a', ownerUid=ALICE)
        b = self.m.create(type='128MB', name='b', ownerUid=BOB)
        alice, both = self.log_in(user=ALICE), self.log_in(user=CAROL, groups=[SERVICE])
        self.assertEqual(self.names(alice), ['a'])
        self.assertEqual(self.names(both), ['a', 'b'])
        self.assertEqual(self.names(self.log_in('b', user=CAROL, groups=[SERVICE])), ['b'])
        answer = json.loads(alice.get('/vgpus').body)
        self.assertEqual([head['head'] for head in answer['vgpus'][0]['heads']], [0, 1])
        self.assertNotIn('socket', answer['vgpus'][0])
        alice.vnc(a).close()
        both.vnc(b).close()
        for browser in alice, self.log_in('a', user=CAROL, groups=[SERVICE]):
            self.assertIn('vGPU', self.assert_no_console(502, browser, b))
            self.assertEqual(browser.get(f'/picture?vgpu={b}&head=0').status, 502)
        # Who watches is shown figures, and neither pictures nor consoles.
        watcher = self.log_in(user=CAROL, groups=[WATCHERS])
        self.assertEqual(self.names(watcher), ['a', 'b'])
        self.assertEqual(watcher.get(f'/picture?vgpu={a}&head=0').status, 502)
        self.assert_no_console(502, watcher, a)
        # Others' vGPUs make no link.
        self.assertIn('no vGPU', self.link('b', user=ALICE).errors)
        # vgpu-web itself may not even connect.
        self.assertFalse(may_connect(self.m.socket, web.NOBODY))

    def test_requests_of_other_pages(self):
        uuid = self.m.create(type='128MB', name='a')
        link = self.link('a')
        browser = self.web.browser()
        for origin in None, 'http://evil.example', 'null', 'http://localhost.evil', \
                'https://localhost', 'http://localhost:1':
            self.assertEqual(browser.log_in(link.token, Origin=origin).status, 403)
        self.assertEqual(browser.log_in(link.token).status, 200)
        for origin in None, 'http://evil.example':
            self.assert_no_console(403, browser, uuid, Origin=origin)
            self.assertEqual(browser.ask('POST', '/logout', Origin=origin).status, 403)
        # Names that lead here by somebody's DNS.
        for host in 'evil.example', 'localhost.evil.example', '127.0.0.1.evil', '':
            self.assertEqual(browser.get('/vgpus', Host=host).status, 421)
            self.assertEqual(browser.get('/', Host=host).status, 421)
        for host in 'localhost:9847', '127.0.0.1:1', '[::1]:80', 'LOCALHOST':
            self.assertEqual(browser.get('/vgpus', Host=host).status, 200)

    def test_too_many_links(self):
        self.m.create(type='128MB', name='a')
        links = [self.link('a', user=CAROL, groups=[SERVICE]) for _ in range(16)]
        self.assertTrue(all(link.token for link in links))
        self.assertIn('too many', self.link('a', user=CAROL, groups=[SERVICE]).errors)
        self.assertTrue(self.link('a').token)
        links[0].end()
        wait_for(lambda: self.link('a', user=CAROL, groups=[SERVICE]).token, 'room')


class Console(WebTest):
    def setUp(self):
        super().setUp()
        self.uuid = self.m.create(type='128MB', name='a')

    def open(self, browser, *arguments):
        client = WebVnc(browser.vnc(self.uuid, *arguments))
        self.addCleanup(client.close)
        return client

    def guest(self, name):
        guest = seat.Guest(os.path.join(self.m.folder_of(self.uuid), name + '.sock'))
        self.addCleanup(guest.close)
        return guest.start()

    def assert_types(self, client, guest, symbol=0x61, code=seat.KEY_A):
        client.key(symbol, 1)
        client.key(symbol, 0)
        self.assertEqual(guest.events.get(4), [
            (seat.EV_KEY, code, 1), seat.SYN, (seat.EV_KEY, code, 0), seat.SYN])

    def test_keys_and_pictures(self):
        browser = self.log_in('a')
        client = self.open(browser)
        self.assertEqual(client.name.decode(), 'a head 0')
        client.full()
        self.assert_types(client, self.guest('keyboard'))
        tablet = self.guest('tablet')
        client.socket.sendall(struct.pack('>BBHH', 5, 1, 10, 20))
        self.assertIn((seat.EV_KEY, seat.BTN_LEFT, 1), tablet.events.get(4))
        # A thumbnail.
        answer = browser.get(f'/picture?vgpu={self.uuid}&head=0')
        self.assertEqual((answer.status, answer.headers['content-type']),
                         (200, 'image/png'))
        self.assertEqual(answer.body[:8], b'\x89PNG\r\n\x1a\n')
        width, height = struct.unpack('>II', answer.body[16:24])
        self.assertLessEqual(max(width, height), 320)
        self.assertGreaterEqual(max(width, height), 160)

    def test_two_viewers_and_two_heads(self):
        self.m.call('SetMode', vgpu='a', head=1, width=640, height=480)
        browser = self.log_in('a')
        first, second = self.open(browser), self.open(self.log_in())
        other = self.open(browser, 1)
        keyboard = self.guest('keyboard')
        self.assert_types(first, keyboard)
        self.assert_types(second, keyboard)
        self.assert_types(other, keyboard)
        self.assertEqual(other.name.decode(), 'a head 1')
        first.close()
        self.assert_types(second, keyboard)

    def test_resize(self):
        """The head's mode follows the window, if the page asks for it."""
        client = WebVnc(self.log_in('a').vnc(self.uuid), (gpu_vnc.RAW, DESKTOP_SIZE))
        self.addCleanup(client.close)
        client.request(0)
        # SetDesktopSize, with one screen.
        client.socket.sendall(struct.pack('>BxHHBxIHHHHI', 251, 1024, 768, 1,
                                          0, 0, 0, 1024, 768, 0))

        def mode():
            head = self.m.show('a')['heads'][0]
            return head['preferredWidth'], head['preferredHeight']
        wait_for(lambda: mode() == (1024, 768), 'the mode')

    def test_vgpud_is_started_again(self):
        browser = self.log_in('a')
        client = self.open(browser)
        self.m.restart()
        self.assertTrue(client.socket.has_ended())

        def names():
            answer = browser.get('/vgpus')
            return answer.status == 200 and json.loads(answer.body)['vgpus']
        wait_for(names, 'the list')

        def again():
            try:
                return self.open(browser)
            except (Refused, EOFError):
                return None
        client = wait_for(again, 'another console')
        self.assert_types(client, self.guest('keyboard'))

    def test_vgpud_is_down(self):
        browser = self.log_in('a')
        self.m.kill()
        answer = browser.get('/vgpus')
        self.assertEqual(answer.status, 502)
        self.assertIn('no manager listens', answer.text())
        self.assert_no_console(502, browser, self.uuid)
        self.m.start()
        self.assertEqual(self.names(browser), ['a'])

    def test_wrong_requests(self):
        browser = self.log_in('a')
        for query in ('', '?vgpu=a&head=0', f'?vgpu={self.uuid}', '?head=0',
                      f'?vgpu={self.uuid}&head=64', f'?vgpu={self.uuid}&head=-1',
                      f'?vgpu={self.uuid}x&head=0', f'?vgpu={self.uuid}&head=4294967296'):
            self.assertEqual(browser.get('/picture' + query).status, 400, query)
        self.assertEqual(browser.get(f'/picture?vgpu={self.uuid}&head=5').status, 502)
        self.assertEqual(browser.get(f'/vnc?vgpu={self.uuid}&head=0').status, 426)
        for more in ({'Sec_WebSocket_Version': '8'}, {'Sec_WebSocket_Key': 'x'},
                     {'Upgrade': 'h2c'}, {'Connection': 'close'}):
            self.assert_no_console(426, browser, self.uuid, **more)
        self.assertEqual(browser.ask('PUT', '/vgpus', b'x').status, 405)
        self.assertEqual(browser.ask('POST', '/vgpus').status, 405)

    def test_wrong_messages(self):
        """What breaks WebSocket's rules ends its console, and no other."""
        browser = self.log_in('a')
        other = self.open(browser)
        for opcode, data, more in ((BINARY, b'x', {'masked': False}), (3, b'', {}),
                                   (TEXT, b'x', {}), (TEXT, b'\xff', {}),
                                   (BINARY, bytes(65537), {}),
                                   (CLOSE, b'\x03\xe8', {}), (CLOSE, b'x', {}),
                                   (9, bytes(126), {}), (0, b'x', {})):
            with self.subTest(opcode=opcode, bytes=len(data), more=more):
                console = browser.vnc(self.uuid)
                self.addCleanup(console.close)
                console.send_frame(opcode, data, **more)
                self.assertTrue(console.has_ended())
        other.full()
        # A message in parts, and many at once: more than is taken at a time.
        console = browser.vnc(self.uuid)
        self.addCleanup(console.close)
        console.send_frame(BINARY, b'RFB 003', last=False)
        console.send_frame(0, b'.008\n')
        console.recv(12)
        console.close()
        # What answers them has room in sockets: a server cuts off who reads nothing.
        for _ in range(8):
            other.socket.sendall(struct.pack('>BBHHHH', 3, 0, 0, 0, 1, 1) * 500)
        other.socket.sendall(struct.pack('>BBHHHH', 3, 0, 0, 0, 2, 2))
        other.update()

    def test_more_after_a_wrong_message(self):
        """Nobody reads it, and nobody is kept busy by it."""
        console = self.open(self.log_in('a')).socket
        before = self.processor_seconds()
        console.socket.sendall(b'\x82\x01x' + bytes(20000))
        self.assertTrue(console.has_ended())
        self.assertLess(self.processor_seconds() - before, 2)

    def processor_seconds(self):
        with open(f'/proc/{self.web.process.pid}/stat', encoding='utf-8') as file:
            fields = file.read().rpartition(') ')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def test_too_many_consoles(self):
        browser = self.log_in('a')
        consoles = [browser.vnc(self.uuid) for _ in range(8)]
        for console in consoles:
            self.addCleanup(console.close)
        self.assert_no_console(503, browser, self.uuid)
        consoles[0].close()

        def has_room():
            try:
                browser.vnc(self.uuid).close()
                return True
            except Refused:
                return False
        wait_for(has_room, 'room')


class Page(WebTest):
    def test_headers(self):
        browser = self.web.browser()
        for target, status in (('/', 200), ('/console', 200), ('/login', 200),
                               ('/page.css', 200), ('/vgpus', 401), ('/x', 404),
                               ('/novnc/core/rfb.js', 200)):
            answer = browser.get(target)
            if status == 200 and target.startswith('/novnc') and \
                    not os.path.exists(NOVNC):
                continue
            with self.subTest(target=target):
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.headers['content-security-policy'], POLICY)
                self.assertEqual(answer.headers['x-content-type-options'], 'nosniff')
                self.assertEqual(answer.headers['referrer-policy'], 'no-referrer')
                self.assertEqual(answer.headers['cache-control'], 'no-store')
        self.assertEqual(browser.ask('HEAD', '/').status, 200)

    def test_page_has_nothing_inline(self):
        """The policy would have it ignored; and texts never become markup."""
        for name in os.listdir(web.PAGE):
            with open(os.path.join(web.PAGE, name), encoding='utf-8') as f:
                text = f.read()
            with self.subTest(name=name):
                if name.endswith('.html'):
                    self.assertFalse(re.search(r'<script(?! src=")|<style| style=| on\w+=',
                                               text))
                if name.endswith('.js'):
                    self.assertFalse(re.search(
                        r'innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|'
                        r'new Function|\.cssText|srcdoc', text))

    def test_files(self):
        """Only those of the page, and noVNC's modules."""
        secret = os.path.join(self.m.folder, 'secret.js')
        harness.Manager.write(secret, 'x')
        os.chmod(secret, 0o644)
        browser = self.web.browser()
        for target in ('/index.html', '/../secret.js', '/%2e%2e/secret.js', '//etc/passwd',
                       '/novnc/../../../etc/passwd', '/novnc/core/../../secret.js',
                       '/novnc/core/%2e%2e/%2e%2e/secret.js', '/novnc/vnc.html',
                       '/novnc/core/', '/novnc/core', '/novnc/core//etc/passwd.js',
                       '/novnc/app/ui.js', '/novnc/'):
            self.assertEqual(browser.get(target).status, 404, target)

    def test_without_novnc(self):
        os.mkdir(os.path.join(self.m.folder, 'none'))
        other = web.Web(os.path.join(self.m.folder, 'none'), novnc='/nowhere')
        self.addCleanup(other.finish)
        other.start()
        self.assertEqual(other.browser().get('/novnc/core/rfb.js').status, 404)
        self.assertEqual(other.browser().get('/console').status, 200)

    def test_slow_clients(self):
        """Nobody keeps others out by saying nothing, or too much."""
        clients = [self.web.connect() for _ in range(140)]
        for client in clients:
            self.addCleanup(client.close)
            try:
                client.sendall(b'GET / HTTP/1.1\r\nHost:')
            except OSError:
                pass
        self.assertEqual(self.web.browser().get('/').status, 200)
        with self.web.connect() as client:
            try:
                client.sendall(b'GET / HTTP/1.1\r\nX: ' + bytes([120]) * 40000 + b'\r\n\r\n')
            except OSError:
                pass
            self.assertNotIn(b' 200 ', client.recv(100))
        browser = self.web.browser()
        try:
            answer = browser.ask('POST', '/login', bytes([48]) * 10000)
            self.assertNotEqual(answer.status, 200)
        except (EOFError, OSError):
            pass
        self.assertEqual(browser.get('/').status, 200)


HELLO, LINK, OPENED, LIST, PICTURE, VNC, ANSWER = range(1, 8)
MESSAGE = struct.Struct('=IIII496s')


class Agents(unittest.TestCase):
    """What they send that is not vgpuctl: any user of the host can."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        self.web = web.Web(self.folder)
        self.addCleanup(self.web.finish)
        self.web.start()

    def agent(self):
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(agent.close)
        agent.settimeout(harness.TIMEOUT)
        agent.connect(self.web.agents)
        return agent

    def invite(self, uuid=b''):
        agent = self.agent()
        agent.send(MESSAGE.pack(HELLO, 1, 0, 0, uuid))
        kind, _, _, _, text = MESSAGE.unpack(agent.recv(1000))
        self.assertEqual(kind, LINK)
        browser = self.web.browser()
        answer = browser.log_in(text.partition(b'#')[2].rstrip(b'\0').decode())
        self.assertEqual(answer.status, 200)
        self.assertEqual(MESSAGE.unpack(agent.recv(1000))[0], OPENED)
        return agent, browser

    def ask(self, target='/vgpus'):
        """A request of a browser, and what its agent is asked."""
        agent, browser = self.invite()
        client = self.web.connect()
        self.addCleanup(client.close)
        client.sendall(browser.head('GET', target))
        kind, number, head, _, text = MESSAGE.unpack(agent.recv(1000))
        return agent, client, (kind, number, head, text.rstrip(b'\0'))

    def answer(self, client):
        status, headers = web.read_head(client)
        return status, web.read_bytes(client, int(headers['content-length']))

    def memfd(self, data, seals=fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE):
        fd = os.memfd_create('x', os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, fd)
        os.write(fd, data)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd

    def test_wrong_greetings(self):
        for packet in (b'', b'x', MESSAGE.pack(HELLO, 2, 0, 0, b''),
                       MESSAGE.pack(LIST, 1, 0, 0, b''),
                       MESSAGE.pack(HELLO, 1, 0, 0, b'x'),
                       MESSAGE.pack(HELLO, 1, 0, 0, b'x' * 496),
                       MESSAGE.pack(HELLO, 1, 0, 0, b'') + b'x'):
            agent = self.agent()
            agent.send(packet)
            self.assertEqual(agent.recv(1000), b'', packet[:20])
        self.invite()

    def test_answers(self):
        agent, client, (kind, number, _, _) = self.ask()
        self.assertEqual(kind, LIST)
        socket.send_fds(agent, [MESSAGE.pack(ANSWER, number, 0, 0, b'')],
                        [self.memfd(b'{"vgpus": []}')])
        self.assertEqual(self.answer(client), (200, b'{"vgpus": []}'))
        # Why it cannot is plain text, whatever it says.
        agent, client, (_, number, _, _) = self.ask()
        agent.send(MESSAGE.pack(ANSWER, number, 0, 0, b'<script>'))
        self.assertEqual(self.answer(client), (502, b'<script>'))

    def test_files_that_are_none(self):
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        self.addCleanup(os.close, write_end)
        with open(__file__, 'rb') as plain, open('/dev/zero', 'rb') as zero:
            for fd in (self.memfd(b'x', 0), self.memfd(b'x', 2), self.memfd(b'x', 8),
                       self.memfd(b''), self.memfd(bytes((4 << 20) + 1)), read_end,
                       plain.fileno(), zero.fileno()):
                agent, client, (_, number, _, _) = self.ask()
                socket.send_fds(agent, [MESSAGE.pack(ANSWER, number, 0, 0, b'')], [fd])
                self.assertEqual(self.answer(client)[0], 502)

    def test_sockets_that_are_none(self):
        uuid = '6f2d1f3c-0001-4222-8333-abcdefabcdef'
        packets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
        for one in (*packets, netlink):
            self.addCleanup(one.close)
        for fd in packets[0].fileno(), netlink.fileno(), self.memfd(b'x'):
            agent, browser = self.invite()
            with self.web.connect() as client:
                client.sendall(browser.head(
                    'GET', f'/vnc?vgpu={uuid}&head=3', Upgrade='websocket',
                    Connection='Upgrade', Sec_WebSocket_Version='13',
                    Sec_WebSocket_Key='x' * 24))
                kind, number, head, _, text = MESSAGE.unpack(agent.recv(1000))
                self.assertEqual((kind, head, text.rstrip(b'\0').decode()), (VNC, 3, uuid))
                socket.send_fds(agent, [MESSAGE.pack(ANSWER, number, 0, 0, b'')], [fd])
                self.assertEqual(self.answer(client), (502, b'its agent sent no socket'))

    def test_agents_that_leave(self):
        """Whoever waits for them is answered."""
        agent, client, _ = self.ask()
        agent.close()
        self.assertEqual(self.answer(client), (502, b'the session has ended'))
        # One that speaks out of turn is none.
        agent, client, _ = self.ask()
        agent.send(MESSAGE.pack(HELLO, 1, 0, 0, b''))
        self.assertEqual(self.answer(client)[0], 502)
        # Answers to what was not asked are nothing.
        agent, client, (_, number, _, _) = self.ask()
        agent.send(MESSAGE.pack(ANSWER, number + 1, 0, 0, b'other'))
        agent.send(MESSAGE.pack(ANSWER, number, 0, 0, b'this'))
        self.assertEqual(self.answer(client), (502, b'this'))
        # A browser that leaves is not waited for.
        agent, client, (_, number, _, _) = self.ask()
        client.close()
        agent.send(MESSAGE.pack(ANSWER, number, 0, 0, b'x'))
        self.assertEqual(self.web.browser().get('/').status, 200)

    def test_too_many_questions(self):
        agent, browser = self.invite()
        clients = [self.web.connect() for _ in range(33)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(browser.head('GET', '/vgpus'))
        self.assertEqual(self.answer(clients[-1]), (503, b'busy\n'))
        agent.close()
        for client in clients[:-1]:
            self.assertEqual(self.answer(client)[0], 502)

    def test_ends_with_requests_and_consoles(self):
        agent, client, _ = self.ask()
        self.web.process.terminate()
        self.assertEqual(self.web.process.wait(harness.TIMEOUT), 0)
        self.assertEqual(agent.recv(1000), b'')
        client.close()


class Captured(ManagerTest):
    """vgpu-web in the hands of a browser: what its agents do for it."""

    class Web:
        """As much of a web.Web as a link needs."""

        def __init__(self, folder):
            self.folder = os.path.join(folder, 'web')
            self.agents = os.path.join(folder, 'agents')

    def setUp(self):
        self.m = self.manager(mib=512)
        self.a, self.b = (self.m.create(type='128MB', name=name) for name in 'ab')
        server = self.Web(self.m.folder)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(server.agents)
        listener.listen()
        listener.settimeout(harness.TIMEOUT)
        # It waits for a link, which comes when it has said hello.
        threading.Thread(target=self.greet, args=(listener,)).start()
        self.link = web.Link(server, self.m.socket, ['a', '--head', '1'], None, ())
        self.addCleanup(self.link.end)

    def greet(self, listener):
        self.agent = listener.accept()[0]
        self.addCleanup(self.agent.close)
        self.agent.settimeout(harness.TIMEOUT)
        self.hello = MESSAGE.unpack(self.agent.recv(1000))
        self.agent.send(MESSAGE.pack(LINK, 0, 0, 0, b'x\x1b[2J#token'))

    def ask(self, kind, head, text):
        self.agent.send(MESSAGE.pack(kind, 7, head, 0, text.encode()))
        data, fds, _, _ = socket.recv_fds(self.agent, 1000, 2)
        for fd in fds:
            self.addCleanup(os.close, fd)
        answer = MESSAGE.unpack(data)
        self.assertEqual(answer[:2], (ANSWER, 7))
        return fds, answer[4].rstrip(b'\0').decode()

    def test_only_what_it_is_for(self):
        self.assertEqual(self.hello[:3], (HELLO, 1, 1))
        self.assertEqual(self.hello[4].rstrip(b'\0').decode(), self.a)
        self.assertEqual(self.link.url, 'x\\x1b[2J#token')
        fds, _ = self.ask(LIST, 0, '')
        listed = json.loads(os.pread(fds[0], 1 << 20, 0))['vgpus']
        self.assertEqual([vgpu['uuid'] for vgpu in listed], [self.a])
        for kind in PICTURE, VNC:
            self.assertEqual(len(self.ask(kind, 0, self.a)[0]), 1)
            for text in self.b, 'a', 'b', '', self.a.upper(), 'x' * 495:
                fds, why = self.ask(kind, 0, text)
                self.assertEqual(fds, [], text)
                self.assertIn('not for that vGPU', why)
            for head in 2, 2**32 - 1:
                fds, why = self.ask(kind, head, self.a)
                self.assertEqual(fds, [])
                self.assertTrue(why)
        # Nothing else is done; what is no message ends it.
        self.agent.send(MESSAGE.pack(99, 7, 0, 0, self.a.encode()))
        self.assertEqual(len(self.ask(LIST, 0, '')[0]), 1)
        self.assertEqual(len(self.m.call('ListVgpus')['vgpus']), 2)
        self.agent.send(b'x')
        self.assertEqual(self.link.process.wait(harness.TIMEOUT), 1)


if __name__ == '__main__':
    harness.main()
