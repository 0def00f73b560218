# SPDX-License-Identifier: GPL-2.0-or-later
"""Device processes that die, hang, or break the control protocol."""

import contextlib
import os
import select
import signal
import socket
import sys
import time

import harness
from harness import ManagerTest, wait_for, wait_for_rest

FAKE = os.path.join(harness.HERE, 'fake_device.py')


def fake(how):
    return (f'#!/bin/sh\nexec {sys.executable} {FAKE} {how} "$@"\n')


class Deaths(ManagerTest):
    def test_successor(self):
        m = self.manager()
        uuid = m.create(type='128MB', name='a')
        vmm = socket.socket(socket.AF_UNIX)
        self.addCleanup(vmm.close)
        vmm.connect(m.show('a')['socket'])
        wait_for(lambda: m.show('a')['state'] == 'attached', 'attach')
        first = harness.replace_device(m, 'a')
        vgpu = m.show('a')
        self.assertEqual((vgpu['state'], vgpu['restarts']), ('attached', 1))
        vmm.setblocking(False)
        with self.assertRaises(BlockingIOError):
            vmm.recv(1)
        wait_for(lambda: m.events()[-1]['event'] == 'resumed', 'the event')
        texts = [e['text'] for e in m.events() if e.get('uuid') == uuid and
                 e['event'] in ('restarted', 'resumed')]
        self.assertEqual(texts,
                         [f'the device process {first} was killed by SIGKILL',
                          'successor 1 of its device process goes on'])

    def test_ten_deaths(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        path = m.show('a')['socket']
        vmm = socket.socket(socket.AF_UNIX)
        self.addCleanup(vmm.close)
        vmm.connect(path)
        wait_for(lambda: m.show('a')['state'] == 'attached', 'attach')
        _, fds = wait_for_rest(m)
        begin, last, deaths = time.monotonic(), 0, 0

        def successor_or_end():
            vgpu = m.show('a')
            has_successor = (vgpu.get('devicePid', last) != last and
                             'socket' in vgpu)
            return (has_successor or vgpu['state'] == 'failed') and vgpu
        while True:
            vgpu = wait_for(successor_or_end, 'a successor')
            if vgpu['state'] == 'failed':
                break
            self.assertEqual(vgpu['restarts'], deaths)
            last = vgpu['devicePid']
            os.kill(last, signal.SIGKILL)
            deaths += 1
        # One that served for 5 s, on a busy machine, would have ended the row.
        if time.monotonic() - begin < 5:
            self.assertEqual(deaths, 10)
        self.assertGreaterEqual(deaths, 10)
        self.assertIn('10 device processes in a row', vgpu['failure'])
        self.assertIn(f'{last} was killed by SIGKILL', vgpu['failure'])
        self.assertNotIn('socket', vgpu)
        # The VM goes on with nothing behind it (test_retire.py) until it lets go;
        # the framebuffer is held until destruction.
        self.assertEqual(select.select([vmm], [], [], 0)[0], [])
        self.assertEqual(m.gpu()['freeMib'], 1024 - 128)
        vmm.close()
        self.assertLess(wait_for_rest(m)[1], fds)
        self.assert_refused('NotActive', m.call, 'Capture', vgpu='a')
        m.call('Destroy', vgpu='a')
        self.assert_clean(m)

    def test_long_service_ends_a_row(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        for i in range(12):
            pid = wait_for(lambda: 'socket' in m.show('a') and
                           m.show('a')['devicePid'], 'a device')
            if i == 8:
                time.sleep(5.5)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: m.show('a').get('devicePid') != pid,
                     'its end')
        wait_for(lambda: m.show('a')['state'] == 'active', 'active')

    def test_forbidden_call(self):
        """What its list of calls ends it by has an event of its own."""
        m = self.manager()
        m.create(type='128MB', name='a')
        first = m.show('a')['devicePid']
        os.kill(first, signal.SIGSYS)
        wait_for(lambda: m.show('a').get('devicePid', first) != first,
                 'a successor')
        text = (f'the device process {first} was ended for a forbidden system'
                ' call (SIGSYS)')
        for event in 'forbidden-call', 'restarted':
            self.assertIn((event, text), [(e['event'], e['text'])
                                          for e in m.events()])

    def test_killed_while_destroyed(self):
        m = self.manager()
        for _ in range(5):
            m.create(type='128MB', name='a')
            pid = m.show('a')['devicePid']
            client = m.client()
            client.send('Destroy', {'vgpu': 'a'})
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            client.receive()
            client.close()
            self.assert_clean(m)


class Misfits(ManagerTest):
    """Fake device processes that misbehave."""

    def test_creation_fails(self):
        for script, part in (
                ('#!/bin/sh\nexit 3\n', 'ended with status 3'),
                ('#!/bin/sh\nkill -SEGV $$\n', 'was killed by SIGSEGV'),
                ('#!/nonexistent\n', 'cannot be started'),
                (fake('early'), 'did not answer'),
                (fake('silent'), 'did not answer')):
            with self.subTest(part=part):
                m = self.manager(mib=256, helpers={'vgpu-device': script})
                before = wait_for_rest(m)
                refused = self.assert_refused('Internal', m.create,
                                              type='128MB', name='a')
                self.assertIn(part, refused.parameters['text'])
                self.assert_clean(m)
                self.assertEqual(wait_for_rest(m), before)
                # And it can be made once there is a device.
                m.helper('vgpu-device')
                m.create(type='128MB', name='a')
                self.doCleanups()

    def test_no_device_after_creation(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.helper('vgpu-device', '#!/bin/sh\nexit 3\n')
        os.kill(m.show('a')['devicePid'], signal.SIGKILL)
        wait_for(lambda: m.show('a')['state'] == 'failed', 'failure')
        self.assertIn('ended with status 3', m.show('a')['failure'])
        # A restart of vgpud tries again.
        m.helper('vgpu-device')
        m.restart()
        wait_for(lambda: m.show('a')['state'] == 'active', 'active')

    def test_broken_protocol(self):
        for how in ('type0', 'start', 'slot', 'gap', 'given',
                    'segment', 'drop-given', 'no-fd', 'two-fds',
                    'fd-too-much', 'short', 'long', 'closes'):
            with self.subTest(how=how):
                m = self.manager(mib=256, helpers={'vgpu-device': fake(how)})
                m.create(type='128MB', name='a')
                wait_for(lambda m=m: m.show('a')['restarts'] > 0 or
                         m.show('a')['state'] == 'failed', 'a replacement')
                text = next(e['text'] for e in m.events()
                            if e['event'] == 'restarted')
                self.assertIn('closed its control socket and'
                              if how == 'closes' else
                              'broke the control protocol and', text)
                m.call('Destroy', vgpu='a')
                self.assert_clean(m)
                self.doCleanups()

    def test_bad_frames(self):
        m = self.manager(helpers={'vgpu-device': fake('bad-frames')})
        m.create(type='128MB', name='a')
        for _ in range(7):
            self.assert_refused('Internal', m.call, 'Capture', vgpu='a')
        self.assert_refused('TryAgain', m.call, 'Capture', vgpu='a')
        vgpu = m.show('a')
        self.assertEqual(vgpu['usedBytes'], 128 << 20)
        self.assertGreater(vgpu['commands'], 0)

    def test_no_answer(self):
        m = self.manager(helpers={'vgpu-device': fake('deaf')})
        m.create(type='128MB', name='a')
        client = m.client()
        self.addCleanup(client.close)
        # Nobody else waits meanwhile, and one that leaves harms nobody.
        leaver = m.client()
        leaver.send('Capture', {'vgpu': 'a'})
        leaver.close()

        def is_shown_meanwhile():
            begin = time.monotonic()
            client.send('Capture', {'vgpu': 'a'})
            self.assertEqual(m.show('a')['state'], 'active')
            was_soon = time.monotonic() - begin < 5
            refused = self.assert_refused('TryAgain', client.receive)
            self.assertIn('within 5 s', refused.parameters['text'])
            return was_soon
        # On a busy machine it may be late once, which tells nothing.
        wait_for(is_shown_meanwhile, 'an answer while another waits')
        # It ignores SIGTERM, too.
        m.call('Destroy', vgpu='a')
        self.assert_clean(m)

    def test_frozen(self):
        """A device that runs and does nothing, and one that is stopped, are
        replaced."""
        m = self.manager(helpers={'vgpu-device': fake('frozen')})
        m.create(type='128MB', name='a')
        m.helper('vgpu-device')
        begin = time.monotonic()
        for how in 'frozen', 'stopped':
            pid = m.show('a')['devicePid']
            if how == 'stopped':
                os.kill(pid, signal.SIGSTOP)
            wait_for(lambda pid=pid: m.show('a').get('devicePid', pid) != pid
                     and 'socket' in m.show('a'), 'a successor')
            print(f'{how}: noticed after {time.monotonic() - begin:.1f} s')
            begin = time.monotonic()
            self.assertIn(
                f'the device process {pid} did not answer for 5 s and was '
                'killed by SIGKILL', [e['text'] for e in m.events()
                                      if e['event'] == 'restarted'])
            m.call('Capture', vgpu='a')
        self.assertEqual(m.show('a')['restarts'], 2)

    def test_frozen_vgpud(self):
        """It was vgpud that did nothing, or the machine: no device's fault."""
        m = self.manager()
        m.create(type='128MB', name='a')
        for _ in range(2):
            m.process.send_signal(signal.SIGSTOP)
            time.sleep(7)  # longer than a device has for an answer
            m.process.send_signal(signal.SIGCONT)
            m.call('Capture', vgpu='a')
        # Stopped together, as on a machine that is.
        pid = m.show('a')['devicePid']
        for each in pid, m.process.pid:
            os.kill(each, signal.SIGSTOP)
        time.sleep(7)
        for each in pid, m.process.pid:
            os.kill(each, signal.SIGCONT)
        m.call('Capture', vgpu='a')
        time.sleep(2)  # it looks once a second
        self.assertEqual((m.show('a')['devicePid'], m.show('a')['restarts']),
                         (pid, 0))

    def test_death_answers_requests(self):
        m = self.manager(helpers={'vgpu-device': fake('deaf')})
        m.create(type='128MB', name='a')
        client = m.client()
        self.addCleanup(client.close)
        client.send('SetMode', {'vgpu': 'a', 'width': 640, 'height': 480})
        m.call('ListVgpus')
        os.kill(m.show('a')['devicePid'], signal.SIGKILL)
        self.assert_refused('TryAgain', client.receive)

    def test_many_requests(self):
        m = self.manager(helpers={'vgpu-device': fake('deaf')})
        m.create(type='128MB', name='a')
        clients = [m.client() for _ in range(70)]
        # All are there before the first is answered.
        m.process.send_signal(signal.SIGSTOP)
        for client in clients:
            self.addCleanup(client.close)
            client.send('Capture', {'vgpu': 'a'})
        m.process.send_signal(signal.SIGCONT)
        texts = []
        for client in clients:
            refused = self.assert_refused('TryAgain', client.receive)
            texts.append(refused.parameters['text'])
        self.assertEqual(sum('busy' in text for text in texts), 6)

    def test_counters(self):
        """What a device says that it counted may be anything, and makes sense."""
        m = self.manager(helpers={'vgpu-device': fake('counts')})
        m.create(type='128MB', name='a')
        vgpu = wait_for(lambda: 'submits' in m.show('a') and m.show('a'),
                        'its counters')
        most = 2**63 - 1
        self.assertEqual((vgpu['contexts'], vgpu['submits'], vgpu['frameIntervalsUsec']),
                         (2**32 - 1, most, most))
        self.assertEqual({c['count'] for c in vgpu['contextsLost']}, {2**32 - 1})
        self.assertEqual([c['what'] for c in vgpu['refusals']],
                         ['unspecified', 'out-of-memory', 'scanout', 'resource',
                          'context', 'parameter'])
        self.assertEqual({c['count'] for c in vgpu['refusals']}, {most})
        bounds = [i['upToUsec'] for i in vgpu['frameIntervals']]
        self.assertEqual(bounds, sorted(set(bounds)))
        self.assertEqual({i['frames'] for i in vgpu['frameIntervals']}, {most})

    def test_messages_of_a_later_version(self):
        m = self.manager(helpers={'vgpu-device': fake('later')})
        m.create(type='128MB', name='a')
        wait_for(lambda: m.show('a')['heads'][0].get('width') == 640, 'its status')
        time.sleep(1.5)  # it answers to the watchdog
        self.assertEqual((m.show('a')['state'], m.show('a')['restarts']),
                         ('active', 0))

    def test_sandbox_problem(self):
        """What a device lacks is said of the manager, too, for vgpuctl doctor."""
        m = self.manager(helpers={'vgpu-device': fake('lacks')})
        self.assertNotIn('sandboxProblem', m.call('GetInfo'))
        m.create(type='128MB')
        wait_for(lambda: m.call('GetInfo').get('sandboxProblem') ==
                 'it lacks? layers', 'what it lacks')

    def test_flood(self):
        m = self.manager(helpers={'vgpu-device': fake('flood')})
        begin = time.monotonic()
        m.create(type='128MB', name='a')
        for _ in range(20):
            m.show('a')
            time.sleep(0.05)
        events = m.events()
        # Besides the manager's own: 20 at once, and two each second.
        self.assertLess(len(events), 30 + 2 * (time.monotonic() - begin))
        self.assertTrue(all(e['text'].isprintable() for e in events))
        m.call('Destroy', vgpu='a', force=True)
        self.assert_clean(m)

    def test_slow_to_close(self):
        """Fds whose last close blocks for long delay nobody."""
        m = self.manager(helpers={'vgpu-device': fake('slow-closes')})
        m.create(type='128MB', name='a')
        wait_for(lambda: any(e['text'] == 'dropped' for e in m.events()),
                 'the fds to be dropped')
        self.assertEqual(len(m.call('ListVgpus')['vgpus']), 1)
        m.call('Destroy', vgpu='a', force=True)
        self.assert_clean(m)


if __name__ == '__main__':
    harness.main()
