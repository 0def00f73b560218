#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu_core.ko on the hardware model, on the kernel that VGPU_KERNEL names. In the
model's lab (lab/run --model)."""

import os
import re
import sys
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import KERNEL, Host, build  # noqa: E402

RECOVERIES_MAX = 8  # as in kernel/core/pure/attempts.h
BOOTLOADER = '/lib/firmware/nvidia/ad102/gsp/bootloader-570.144.bin'


class Module(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Host()

    @classmethod
    def tearDownClass(cls):
        leaks = cls.machine.leaks()
        cls.machine.close()
        if leaks:
            raise AssertionError(leaks)

    def setUp(self):
        self.start = len(self.machine.log())
        self.refused = len(self.machine.refusals())
        self.allowed = '^$'

    def tearDown(self):
        self.machine.fault('none')
        self.machine.do('unload')
        found = self.machine.complaint(self.start)
        self.assertIsNone(found, found)
        self.assertEqual([line for line in self.machine.refusals()[self.refused:]
                          if not re.search(self.allowed, line)], [])

    def load(self):
        status, said = self.machine.do('load')
        self.assertEqual(status, 0)
        return said

    def unload(self):
        status, said = self.machine.do('unload')
        self.assertEqual(status, 0)
        self.assertNotIn('did not', said)
        return said

    def test_a_line_is_read_whole(self):
        """Log lines stay whole when their writer ends."""
        self.assertEqual(self.machine.do('write /orphan busybox sleep 1 &')[0], 0)
        self.assertEqual(self.machine.do('run busybox sh /orphan')[0], 0)
        start = len(self.machine.log())
        self.machine.lines.sendall(b'read /pro')
        time.sleep(2)
        self.machine.lines.sendall(b'c/version\n')
        self.machine.wait(r'test: value Linux version(?s:.*)test: done 0', start)
        self.assertEqual(self.machine.do('no such line')[0], 127)

    def test_boots_and_unloads(self):
        said = self.load()
        self.assertIn('AD102 revision a1, 32 VFs', said)
        self.assertRegex(said, r'GSP 570.144 is up: \d+ ms of ours, \d+ ms')
        self.assertIn('4096 MiB, 32 VFs', said)
        self.assertIn('VMMU segments of 128 MiB, ECC on', said)
        self.assertEqual(self.machine.do('bound')[0], 0)
        self.unload()
        self.assertNotEqual(self.machine.do('bound')[0], 0)

    def test_loads_again_and_again(self):
        slabs = []
        for _ in range(6):
            self.load()
            self.unload()
            said = self.machine.do('memory')[1]
            slabs.append(int(re.search(r'slab (\d+)', said).group(1)))
        # What the first ones leave are caches of the kernel's. KASAN keeps what was
        # freed for a while, and kmemleak's notes are there, too: it tells of leaks.
        if not self.machine.has_kmemleak:
            self.assertLess(slabs[-1] - slabs[1], 1024, slabs)

    def test_vfs_come_and_go(self):
        self.load()
        for _ in range(2):
            self.assertEqual(self.machine.do('vfs 32')[0], 0)
            self.assertEqual(self.machine.do('count 32')[0], 0)
            self.assertEqual(self.machine.do('vfs 0')[0], 0)
        self.assertEqual(self.machine.do('vfs 5')[0], 0)
        self.unload()
        self.assertNotEqual(self.machine.do('count 5')[0], 0)

    @unittest.skipUnless(KERNEL == '7.2', 'the other driver is of that kernel')
    def test_takes_vfs_that_are_there(self):
        self.assertEqual(self.machine.do('left 3')[0], 0)
        said = self.load()
        self.assertIn('3 VFs were there before', said)
        self.assertEqual(self.machine.do('count 3')[0], 0)
        self.assertNotEqual(self.machine.do('vfs 4')[0], 0)
        self.assertEqual(self.machine.do('vfs 0')[0], 0)
        self.assertEqual(self.machine.do('vfs 4')[0], 0)
        self.unload()

    def test_says_what_it_is(self):
        self.load()
        state = self.machine.state()
        self.assertEqual(state['chip'], 'AD102')
        self.assertEqual(state['firmware_version'], '570.144')
        self.assertEqual(state['state'], 'ready')
        self.assertEqual(int(state['framebuffer_total']), 4 << 30)
        self.assertLess(0, int(state['framebuffer_reserved']))
        self.assertLess(int(state['framebuffer_reserved']), 1 << 30)
        for name in ('boot_driver_ms', 'boot_firmware_ms', 'channels'):
            self.assertGreater(int(state[name]), 0)
        self.unload()
        self.assertEqual(self.machine.state(), {})

    def test_no_vgpus_are_wanted(self):
        status, said = self.machine.do('load vgpu=0')
        self.assertEqual(status, 0)
        self.assertIn('4096 MiB, 0 VFs', said)
        status, said = self.machine.do('vfs 32')
        self.assertNotEqual(status, 0)
        self.assertIn('no VFs: the module was loaded with vgpu=0', said)
        self.assertEqual(self.machine.do('vfs 0')[0], 0)
        self.unload()

    def strike(self, fault, line):
        """With the fault the GPU is refused, for a reason; without, not."""
        self.machine.fault(fault)
        _, said = self.machine.do('load')
        self.assertIn(line, said)
        self.assertNotEqual(self.machine.do('bound')[0], 0)
        self.machine.do('unload')
        self.machine.fault('none')
        self.load()
        self.assertEqual(self.machine.do('bound')[0], 0)

    def test_a_reply_is_missing(self):
        self.strike('no-reply:65', 'wedged: it does not answer')

    def test_a_reply_is_late(self):
        self.strike('late-reply:65', 'wedged: it does not answer')

    def test_a_sequence_is_wrong(self):
        self.strike('bad-sequence:65', 'wedged: its message is broken: -71')

    def test_a_checksum_is_wrong(self):
        self.strike('bad-checksum:65', 'wedged: its message is broken: -74')

    def test_a_reply_is_truncated(self):
        self.strike('truncated:65', 'wedged: its message is broken: -90')

    def test_a_reply_is_too_long(self):
        self.strike('overlong:65', 'wedged: its message is broken: -90')

    def test_a_call_fails(self):
        self.strike('error-status:65', 'call 65 failed')

    def test_no_client_is_given(self):
        self.strike('error-status:103', 'call 103 failed')

    def test_a_control_fails(self):
        self.strike('error-status:76', 'call 76 failed')

    def test_the_firmware_crashes(self):
        self.strike('crash:65', 'wedged: its firmware crashed')

    def test_the_first_event_is_broken(self):
        self.strike('bad-checksum:4097', 'wedged: its message is broken')

    def test_the_gpu_is_gone(self):
        self.strike('bus-lost', 'the GPU does not answer')

    def event(self, fault, pattern):
        """It is told while no call waits, and the GPU works on."""
        self.load()
        start = len(self.machine.log())
        self.machine.fault(fault)
        self.machine.wait(pattern, start)
        self.machine.fault('none')
        self.assertNotIn('wedged', self.machine.log()[start:])
        self.unload()

    def test_an_error_names_its_vf(self):
        self.event('rc-error:3:17', r'VF 3: error 31 of channel 17')

    def test_an_error_of_the_host(self):
        self.event('rc-error:0:5', r'PF: error 31 of channel 5')

    def test_a_page_is_retired(self):
        self.event('xid:63', r'GSP: Xid 63: Xid 63, on demand')

    def test_many_events_are_taken(self):
        """More than the queue holds, each one by an interrupt."""
        self.load()
        start = len(self.machine.log())
        for number in range(5):
            self.machine.fault(f'xid:{100 + number}')
        self.machine.wait(r'GSP: Xid 104:', start)
        for _ in range(100):
            self.machine.fault('xid:63')
            time.sleep(0.01)
        self.unload()

    def test_interrupts_are_messages(self):
        self.load()
        status, said = self.machine.do('interrupts')
        self.assertEqual(status, 0)
        self.assertRegex(said, r'MSI-?X.*vgpu_core')

    def blocks(self, what, *blocks):
        """Fill each block (size, which, byte), or check that it has its
        contents."""
        for size, which, byte in blocks:
            self.assertEqual(self.machine.do(f'{what} {size} {which} {byte}')[0],
                             0, (what, size, which, byte))

    def test_reaches_the_framebuffer(self):
        """By BAR1: in small pages and in huge ones, at either end of a table."""
        small = [('64k', 0, '377'), ('64k', 31, '001'), ('64k', 32, '002'),
                 ('64k', 8191, '003'), ('64k', 8192, '004'), ('64k', 40000, '5')]
        huge = [('2M', 7, '123'), ('2M', 1023, '321')]
        self.load()
        self.blocks('fill', *small, *huge)
        self.blocks('holds', *huge, *small)
        # One page as part of a huge one, and the other way round.
        self.blocks('holds', ('64k', 7 * 32 + 5, '123'))
        self.blocks('fill', *(('64k', 64 + i, '7') for i in range(32)))
        self.blocks('holds', ('2M', 2, '7'))
        # What is the firmware's is nobody else's, nor is what is not there.
        self.assertNotEqual(self.machine.do('holds 64k 65535 0')[0], 0)
        self.assertNotEqual(self.machine.do('holds 64k 65536 0')[0], 0)
        self.assertEqual(self.machine.do('reset')[0], 0)
        self.blocks('fill', *small)
        self.blocks('holds', *small)
        self.unload()

    def test_the_host_keeps_its_part(self):
        self.assertEqual(self.machine.do('load host=1024')[0], 0)
        self.blocks('fill', ('64k', 0, '1'), ('64k', 20000, '2'))
        # The last GiB that was free, and the segment that it begins in.
        self.assertNotEqual(self.machine.do('fill 64k 37000 3')[0], 0)
        self.blocks('holds', ('64k', 0, '1'), ('64k', 20000, '2'))
        self.assertEqual(self.scrub(0, 1 << 30)[0], 0)
        self.unload()

    def test_the_host_wants_too_much(self):
        _, said = self.machine.do('load host=4000')
        self.assertRegex(said, r'host=4000: the GPU has 3\d\d\d MiB')
        self.assertNotEqual(self.machine.do('bound')[0], 0)
        self.unload()
        _, said = self.machine.do('load host=18446744073709551615')
        self.assertIn('the GPU has', said)
        self.assertNotEqual(self.machine.do('bound')[0], 0)

    # What is filled before a scrub of 1 MiB to 17 MiB, and what is left of it.
    FULL = [('64k', 15, '377'), ('64k', 16, '377'), ('64k', 100, '377'),
            ('2M', 8, '377')]
    SCRUBBED = [('64k', 15, '377'), ('64k', 16, '0'), ('64k', 100, '0'),
                ('64k', 8 * 32 + 15, '0'), ('64k', 8 * 32 + 16, '377')]

    def scrub(self, offset, count):
        return self.machine.do(f'scrub {offset} {count}')

    def test_scrubs(self):
        self.load()
        self.blocks('fill', *self.FULL)
        self.assertEqual(self.scrub(1 << 20, 16 << 20)[0], 0)
        self.blocks('holds', *self.SCRUBBED)
        # More than one launch does.
        self.blocks('fill', ('64k', 16, '1'), ('64k', 40000, '1'))
        self.assertEqual(self.scrub(0, 0xa0000000)[0], 0)
        self.blocks('holds', ('64k', 16, '0'), ('64k', 40000, '0'))
        # What is the firmware's is not scrubbed, nor what there is not.
        self.assertNotEqual(self.scrub(0, 4 << 30)[0], 0)
        self.assertNotEqual(self.scrub(4 << 30, 4096)[0], 0)
        self.assertNotEqual(self.scrub(0, 4095)[0], 0)
        self.assertNotEqual(self.scrub(0, 0)[0], 0)
        # More than its ring has entries.
        self.assertEqual(self.machine.do('scrubs 600')[0], 0)
        self.assertEqual(self.machine.do('reset')[0], 0)
        self.blocks('fill', *self.FULL)
        self.assertEqual(self.scrub(1 << 20, 16 << 20)[0], 0)
        self.blocks('holds', *self.SCRUBBED)
        self.unload()

    def fail_scrub(self, fault, error, limit):
        """It fails in time, and the next one has a new channel."""
        self.load()
        self.blocks('fill', *self.FULL)
        self.machine.fault(fault)
        seconds = self.machine.stopwatch()
        status, said = self.scrub(1 << 20, 16 << 20)
        self.assertNotEqual(status, 0)
        self.assertLess(seconds(), limit)
        self.assertIn(f'0x100000 to 0x1100000 was not scrubbed: {error}', said)
        self.assertNotIn('wedged', said)
        self.machine.fault('none')
        self.assertEqual(self.scrub(1 << 20, 16 << 20)[0], 0)
        self.blocks('holds', *self.SCRUBBED)
        self.unload()

    def test_a_scrub_is_at_fault(self):
        # As far as the model knows, that is the driver's doing.
        self.allowed = 'is at fault'
        self.fail_scrub('copy:5', -5, 4)  # it is told, and not waited for

    def test_a_scrub_hangs(self):
        self.fail_scrub('copy-hang:5', -110, 20)

    def test_no_channel_is_given(self):
        self.load()
        self.machine.fault('error-status:103')
        status, said = self.scrub(0, 4096)
        self.assertNotEqual(status, 0)
        self.assertIn('no channel for a copy engine', said)
        self.machine.fault('none')
        self.assertEqual(self.scrub(0, 4096)[0], 0)
        self.unload()

    def test_a_crash_while_a_channel_is_made(self):
        self.load()
        self.machine.fault('crash:103')
        start = len(self.machine.log())
        self.assertNotEqual(self.scrub(0, 4096)[0], 0)
        self.machine.fault('none')
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertEqual(self.scrub(0, 4096)[0], 0)
        self.unload()

    def recover(self, fault, line):
        """A call is struck: it fails in time, and the GPU boots again."""
        self.load()
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.machine.fault(fault)
        start = len(self.machine.log())
        self.assertNotEqual(self.machine.do('ecc')[0], 0)
        self.machine.fault('none')
        self.machine.wait(line, start)
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertNotIn('did not', self.machine.log()[start:])
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.unload()

    def test_recovers_from_a_crash(self):
        self.recover('crash:76', 'wedged: its firmware crashed')

    def test_recovers_from_silence(self):
        self.recover('no-reply:76', 'wedged: it does not answer')

    def test_recovers_from_a_late_reply(self):
        self.recover('late-reply:76', 'wedged: it does not answer')

    def test_recovers_from_broken_messages(self):
        for fault in ('bad-sequence', 'bad-checksum', 'truncated', 'overlong'):
            with self.subTest(fault):
                self.recover(fault + ':76', 'wedged: its message is broken')

    def test_a_longer_reply_is_taken(self):
        """As of a firmware that has appended fields."""
        self.load()
        self.machine.fault('longer:76')
        status, said = self.machine.do('ecc')
        self.assertEqual(status, 0)
        self.assertNotIn('wedged', said)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.unload()

    def test_a_shorter_reply_fails_its_call_alone(self):
        self.load()
        self.machine.fault('shorter:76')
        status, said = self.machine.do('ecc')
        self.assertNotEqual(status, 0)
        self.assertNotIn('wedged', said)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.unload()

    def test_errors_do_not_fill_the_log(self):
        """Whoever can have a call fail cannot have a line for each."""
        self.load()
        self.machine.fault('error-status:76:1000')
        self.machine.do('write /errors for _ in $(busybox seq 300); do busybox cat '
                        '/sys/kernel/debug/vgpu-0000:01:00.0/ecc; done')
        said = self.machine.do('run busybox sh /errors')[1]
        self.machine.fault('none')
        self.assertIn('call 76 failed', said)
        self.assertLess(len(re.findall('call 76 failed', said)), 100)
        self.unload()

    def test_a_failed_control_does_no_harm(self):
        self.load()
        self.machine.fault('error-status:76')
        status, said = self.machine.do('ecc')
        self.assertNotEqual(status, 0)
        self.assertIn('call 76 failed', said)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.assertNotIn('wedged', said)
        self.unload()

    def test_calls_and_recoveries_are_traced(self):
        self.load()
        self.machine.trace()
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.machine.fault('no-reply:76')
        start = len(self.machine.log())
        self.assertNotEqual(self.machine.do('ecc')[0], 0)
        self.machine.fault('none')
        self.machine.wait(r'MiB, 32 VFs', start)
        # The recovery's last event comes after that line.
        self.assertEqual(self.machine.do('use 1')[0], 0)
        self.assertEqual(self.machine.do('use 0')[0], 0)
        lines = self.machine.traced()
        self.unload()
        call = r'vgpu_rpc_{}: 0000:01:00.0 function=76 sequence=\d+ {}'
        wanted = (call.format('sent', r'bytes=\d+'),
                  call.format('answered', r'result=0x0 us=\d+'),
                  call.format('timed_out', r'result=0x0 us=\d+'),
                  'vgpu_gsp_wedged: 0000:01:00.0 it does not answer',
                  'vgpu_recovery_reset: 0000:01:00.0 rc=0',
                  'vgpu_recovery_booted: 0000:01:00.0 rc=0')
        for line in wanted:
            self.assertTrue(any(re.fullmatch(line, one) for one in lines),
                            f'{line}: {lines}')

    def test_keeps_the_logs_of_a_crash(self):
        self.load()
        self.assertEqual(self.machine.do('logs')[0], 0)
        self.assertNotEqual(self.machine.do('logs .wedged')[0], 0)
        start = len(self.machine.log())
        self.machine.fault('crash:76')
        self.machine.do('ecc')
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertEqual(self.machine.do('logs .wedged')[0], 0)
        self.assertEqual(self.machine.do('crashed .wedged')[0], 0)
        self.assertNotEqual(self.machine.do('crashed')[0], 0)

    def test_keeps_the_logs_of_a_failed_boot(self):
        self.machine.fault('crash:65')
        self.assertIn('logs are in debugfs', self.machine.do('load')[1])
        self.assertNotEqual(self.machine.do('bound')[0], 0)
        self.assertEqual(self.machine.do('failed')[0], 0)
        self.machine.do('unload')
        self.assertNotEqual(self.machine.do('failed')[0], 0)

    def test_a_crash_that_nobody_waits_for(self):
        self.load()
        start = len(self.machine.log())
        self.machine.fault('crash-now')
        self.machine.wait('wedged: its firmware crashed', start)
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertEqual(self.machine.do('crashed .wedged')[0], 0)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.unload()

    def move(self, old, new):
        self.assertEqual(self.machine.do(f'run busybox mv {old} {new}')[0], 0)

    def test_is_reset_under_vfs(self):
        self.load()
        self.assertEqual(self.machine.do('vfs 2')[0], 0)
        start = len(self.machine.log())
        self.machine.fault('crash:76')
        self.assertNotEqual(self.machine.do('ecc')[0], 0)
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertEqual(self.machine.do('count 2')[0], 0)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.unload()

    def test_recovers_from_an_error_of_the_bus(self):
        """A fatal one, which AER's driver has the link reset for."""
        self.load()
        # QEMU reports no error but where SERR# is on, in both; Linux does not care.
        for device, at, byte in (('0000:01:00.0', 5, 5), ('0000:00:01.0', 0x3e, 2)):
            self.machine.do(rf'write /serr busybox printf \\00{byte} | busybox dd '
                            f'of=/sys/bus/pci/devices/{device}/config bs=1 '
                            f'seek={at} count=1 conv=notrunc')
            self.assertEqual(self.machine.do('run busybox sh /serr')[0], 0)
        start = len(self.machine.log())
        self.machine.monitor('pcie_aer_inject_error gpu DLP')
        self.machine.wait('wedged: the PCI bus reported an error', start)
        self.machine.wait(r'MiB, 32 VFs', start)
        self.machine.wait('AER: device recovery successful', start)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.assertEqual(self.machine.state()['state'], 'ready')
        self.unload()

    def test_does_not_boot_again(self):
        """It says so, and is reset once more until it does."""
        self.load()
        self.move(BOOTLOADER, '/bootloader')
        start = len(self.machine.log())
        self.machine.do('reset')
        self.machine.wait('it did not boot again: -2', start)
        self.assertEqual(self.machine.state()['state'],
                         'wedged: it did not boot again')
        self.move('/bootloader', BOOTLOADER)
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.assertEqual(self.machine.state()['state'], 'ready')
        self.unload()

    def test_is_wedged_again_and_again(self):
        """It is left alone for the rest of the hour, but for whoever asks."""
        self.load()
        for _ in range(RECOVERIES_MAX):
            start = len(self.machine.log())
            self.machine.fault('crash-now')
            self.machine.wait(r'MiB, 32 VFs', start)
        start = len(self.machine.log())
        self.machine.fault('crash-now')
        self.machine.wait(r'it is not reset for 3[0-9]{3} s: it was '
                          f'{RECOVERIES_MAX} times in an hour', start)
        self.assertEqual(self.machine.state()['state'],
                         'wedged: its firmware crashed')
        self.assertEqual(self.machine.do('reset')[0], 0)
        self.assertEqual(self.machine.state()['state'], 'ready')
        self.unload()

    def test_is_not_reset_under_a_vgpu(self):
        self.load()
        self.assertEqual(self.machine.do('use 1')[0], 0)
        start = len(self.machine.log())
        self.machine.fault('crash-now')
        self.machine.wait('wedged: its firmware crashed', start)
        time.sleep(2)
        self.assertNotIn('the GPU is reset', self.machine.log()[start:])
        self.assertNotEqual(self.machine.do('use 1')[0], 0)
        self.assertEqual(self.machine.do('use 0')[0], 0)
        self.machine.wait(r'MiB, 32 VFs', start)
        self.assertEqual(self.machine.do('ecc')[0], 0)
        self.unload()

    def test_a_gpu_that_is_gone_is_left_alone(self):
        self.load()
        self.machine.fault('bus-lost')
        start = len(self.machine.log())
        self.assertNotEqual(self.machine.do('ecc')[0], 0)
        self.machine.wait('wedged: the GPU does not answer', start)
        self.machine.wait('not reset: the GPU does not answer', start)
        self.assertEqual(self.machine.do('unload')[0], 0)
        self.machine.fault('none')
        # What it has left there is ended by the next one.
        said = self.load()
        self.assertIn("another driver's firmware is still there", said)
        self.unload()

    def test_the_unload_is_not_answered(self):
        self.load()
        self.machine.fault('no-reply:47')
        status, said = self.machine.do('unload')
        self.assertEqual(status, 0)
        self.assertIn('the firmware did not unload', said)
        self.machine.fault('none')
        self.load()


class Shutdown(unittest.TestCase):
    def test_leaves_no_firmware(self):
        """To the kernel that kexec starts next."""
        machine = Host()
        self.addCleanup(machine.close)
        self.assertEqual(machine.do('load')[0], 0)
        self.assertEqual(machine.power_off(), 0)
        self.assertIn('WPR2 is down', machine.model_log())


class Interrupts(unittest.TestCase):
    """Without MSI-X, and with neither that nor MSI."""

    def event(self, pattern, *properties):
        machine = Host(None, *properties)
        self.addCleanup(machine.close)
        began = len(machine.log())
        self.assertEqual(machine.do('load')[0], 0)
        self.assertRegex(machine.do('interrupts')[1], pattern)
        start = len(machine.log())
        if 'PCI-MSI-' in pattern:
            machine.fault('needless-msi')
        for number in range(3):  # each makes way for the next one
            machine.fault(f'xid:{63 + number}')
            machine.wait(f'GSP: Xid {63 + number}', start)
        self.assertEqual(machine.do('unload')[0], 0)
        self.assertIsNone(machine.complaint(began))
        self.assertEqual(machine.refusals(), [])

    def test_by_msi(self):
        self.event(r'PCI-MSI-.*vgpu_core', 'msix=off')

    def test_by_a_line(self):
        self.event(r'IO-APIC.*vgpu_core', 'msix=off',
                   'msi=off')


if __name__ == '__main__':
    build()
    unittest.main()
