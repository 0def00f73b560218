# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-probe: with the software GPU, with no driver, with a driver that fails."""

import glob
import json
import os
import re
import subprocess
import sys
import unittest

from fake_manager import BUILD, TIMEOUT

PROBE = os.path.join(BUILD, 'vgpu-probe')
LAVAPIPE = sorted(glob.glob('/usr/share/vulkan/icd.d/lvp_icd*.json'))


def probe(drivers, *arguments, **options):
    environment = dict(os.environ, VK_DRIVER_FILES=drivers)
    # What a driver leaks at its end is the driver's, and ends with it.
    environment['LSAN_OPTIONS'] = \
        f'suppressions={os.path.join(os.path.dirname(__file__), "lsan.supp")}'
    options.setdefault('stdout', subprocess.PIPE)
    done = subprocess.run([PROBE, *arguments], stderr=subprocess.PIPE,
                          env=environment, timeout=TIMEOUT, check=False,
                          **options)
    return done.returncode, (done.stdout or b'').decode(), done.stderr.decode()


class Probe(unittest.TestCase):
    def test_software_gpu(self):
        code, out, err = probe(LAVAPIPE[0])
        self.assertEqual((code, err), (0, ''))
        self.assertEqual(out.count('\n'), 1)
        self.assertNotIn('": ', out)
        gpu, = json.loads(out)['gpus']
        self.assertEqual(set(gpu), {'name', 'driver', 'deviceUuid', 'software',
                                    'memoryMib', 'memoryImport',
                                    'memoryImportFailure', 'memoryHeaps',
                                    'memoryTypes', 'vulkanVersion'})
        self.assertEqual(gpu['memoryTypes'], [[15, 0]])
        self.assertEqual(gpu['memoryHeaps'], [[gpu['memoryMib'], 1]])
        self.assertEqual(gpu['memoryImport'], 'host-pointer')
        self.assertEqual(gpu['memoryImportFailure'], '')
        self.assertIn('llvmpipe', gpu['name'])
        self.assertIn('llvmpipe', gpu['driver'])
        self.assertIs(gpu['software'], True)
        self.assertGreater(gpu['memoryMib'], 0)
        self.assertTrue(re.fullmatch('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                                     gpu['deviceUuid']))

    def test_no_driver(self):
        self.assertEqual(probe('/nonexistent'), (0, '{"gpus":[]}\n', ''))

    def test_output_that_cannot_be_written(self):
        with open('/dev/full', 'wb') as full:
            code, _, err = probe('/nonexistent', stdout=full)
        self.assertEqual(code, 1)
        self.assertEqual(err.count('\n'), 1)

    def test_arguments(self):
        self.assertEqual(probe('/nonexistent', 'x')[0], 2)


if __name__ == '__main__':
    if not LAVAPIPE:
        sys.exit(77)
    unittest.main()
