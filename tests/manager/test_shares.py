# SPDX-License-Identifier: GPL-2.0-or-later
"""Schedulers of GPUs and weights of vGPUs: setting, saving, refusing."""

import json
import os
import unittest

import harness
from harness import ManagerTest


class Shares(ManagerTest):
    def scheduler(self, m):
        gpu = m.gpu()
        return gpu['scheduler'], gpu['timeSliceMs']

    def granted(self, m):
        return {vgpu['name']: vgpu['grantedPpm']
                for vgpu in m.call('ListVgpus')['vgpus']}

    def test_scheduler_is_set_and_kept(self):
        m = self.manager()
        self.assertEqual(self.scheduler(m), ('best-effort', 5))
        m.call('SetScheduler', scheduler='fixed-share', timeSliceMs=2)
        self.assertEqual(self.scheduler(m), ('fixed-share', 2))
        m.call('SetScheduler', gpu='embedded', scheduler='equal-share')
        self.assertEqual(self.scheduler(m), ('equal-share', 2))
        m.call('SetScheduler', timeSliceMs=7)
        m.restart()
        self.assertEqual(self.scheduler(m), ('equal-share', 7))

    def test_configuration_says_what_it_is_at_first(self):
        m = harness.Manager()
        self.addCleanup(m.finish)
        with open(m.config, 'a', encoding='utf-8') as f:
            f.write('scheduler = fixed-share\ntime_slice_ms = 9\n')
        m.start()
        self.assertEqual(self.scheduler(m), ('fixed-share', 9))
        # What a client sets goes before.
        m.call('SetScheduler', scheduler='best-effort')
        m.restart()
        self.assertEqual(self.scheduler(m), ('best-effort', 9))

    def test_bad_configuration(self):
        for line, said in (('scheduler = fair', "not 'fair'"),
                           ('time_slice_ms = 0', "not '0'"),
                           ('time_slice_ms = 101', "not '101'"),
                           ('time_slice_ms = x', "not 'x'")):
            m = harness.Manager()
            self.addCleanup(m.kill)
            with open(m.config, 'a', encoding='utf-8') as f:
                f.write(line + '\n')
            process = m.spawn()
            self.assertEqual(process.wait(harness.TIMEOUT), 1)
            self.assertIn(said, m.log())

    def test_damaged_file_is_not_used(self):
        for text in '', '{', '{"embedded":{}}', \
                '{"embedded":{"scheduler":"x","timeSliceMs":1}}':
            m = self.manager()
            m.kill()
            m.write(os.path.join(m.state, 'schedulers.json'), text)
            m.start()
            self.assertEqual(self.scheduler(m), ('best-effort', 5))
            self.assertIn('schedulers.json is not used', m.log())
            self.doCleanups()

    def test_bad_schedulers_are_refused(self):
        m = self.manager()
        for parameters in ({'scheduler': 'fair'}, {'scheduler': ''},
                           {'timeSliceMs': 0}, {'timeSliceMs': 101},
                           {'timeSliceMs': -1}, {'timeSliceMs': '5'}):
            self.assert_refused('BadShare', m.call, 'SetScheduler',
                                **parameters)
        self.assert_refused('NoSuchGpu', m.call, 'SetScheduler', gpu='x',
                            scheduler='best-effort')
        self.assert_refused('GpuUnusable', m.call, 'SetScheduler',
                            gpu='0000:01:00.0', scheduler='best-effort')
        self.assertEqual(self.scheduler(m), ('best-effort', 5))

    def test_weight_is_set_and_kept(self):
        m = self.manager()
        uuid = m.create(type='128MB', name='a')
        pid = m.show('a')['devicePid']
        self.assertEqual((m.show('a')['weight'], m.show('a')['frameRateLimit']),
                         (100, 0))
        m.call('Modify', vgpu='a', weight=700)
        m.call('Modify', vgpu='a', frameRateLimit=30)
        for _ in range(2):
            self.assertEqual((m.show('a')['weight'],
                              m.show('a')['frameRateLimit']), (700, 30))
            m.restart()
        self.assertEqual(m.show('a')['devicePid'], pid)
        with open(m.definition(uuid), encoding='utf-8') as f:
            self.assertEqual(json.load(f)['weight'], 700)

    def test_bad_weights_are_refused(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        for parameters in ({'weight': 0}, {'weight': 10001}, {'weight': -1},
                           {'weight': 'x'}, {'frameRateLimit': 241},
                           {'frameRateLimit': -1},
                           {'weight': 5, 'frameRateLimit': 2 ** 40}):
            self.assert_refused('BadShare', m.call, 'Modify', vgpu='a',
                                **parameters)
        self.assert_refused('NoSuchVgpu', m.call, 'Modify', vgpu='b', weight=1)
        self.assertEqual(m.show('a')['weight'], 100)

    def test_granted_share(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        self.assertEqual(self.granted(m), {'a': 1000000})
        m.create(type='256MQ', name='b')
        m.call('Modify', vgpu='b', weight=300)
        self.assertEqual(self.granted(m), {'a': 250000, 'b': 750000})
        m.call('SetScheduler', scheduler='equal-share')
        self.assertEqual(self.granted(m), {'a': 500000, 'b': 500000})
        # b has a quarter of 1 GiB, and three times its type's weight.
        m.call('SetScheduler', scheduler='fixed-share')
        self.assertEqual(self.granted(m), {'a': 125000, 'b': 750000})

    def test_fixed_shares_are_no_more_than_the_gpu(self):
        m = self.manager()
        m.call('SetScheduler', scheduler='fixed-share')
        m.create(type='256MQ', name='a')
        m.create(type='256MQ', name='b')
        m.call('Modify', vgpu='a', weight=300)
        self.assert_refused('NoRoom', m.call, 'Modify', vgpu='b', weight=101)
        # There is framebuffer for it, and no time.
        refused = self.assert_refused('NoRoom', m.call, 'Create', type='128MB')
        self.assertIn('112 %', refused.parameters['text'])
        m.call('SetScheduler', scheduler='best-effort')
        m.create(type='128MB', name='c')
        self.assert_refused('NoRoom', m.call, 'SetScheduler',
                            scheduler='fixed-share')
        self.assertEqual(self.scheduler(m)[0], 'best-effort')
        m.call('Modify', vgpu='a', weight=100)
        m.call('SetScheduler', scheduler='fixed-share')


if __name__ == '__main__':
    harness.main()
