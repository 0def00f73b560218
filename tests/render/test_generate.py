#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The generator writes where it is told, and touches nothing else."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

GENERATE, REGISTRY = sys.argv[1:3]


class Generate(unittest.TestCase):

    def test_leaves_devices_alone(self):
        before = os.stat(os.devnull).st_mode
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, '-B', GENERATE, REGISTRY, folder],
                           check=True)
            self.assertIn('venus.h', os.listdir(folder))
        after = os.stat(os.devnull).st_mode
        if after != before:
            os.chmod(os.devnull, before)
        self.assertEqual(oct(after), oct(before))

    def test_refuses_commands_without_a_number(self):
        """An extension that guests could see and not use is no extension."""
        for extension, command in (
                ('VK_EXT_shader_object', 'vkCreateShadersEXT'),
                ('VK_KHR_swapchain', 'vkCreateSwapchainKHR'),
                ('VK_EXT_debug_utils', 'vkSetDebugUtilsObjectNameEXT')):
            with self.subTest(extension=extension), \
                    tempfile.TemporaryDirectory() as folder:
                copy = os.path.join(folder, 'gen')
                shutil.copytree(os.path.dirname(GENERATE), copy)
                with open(f'{copy}/extensions.txt', 'a',
                          encoding='ascii') as file:
                    file.write(f'{extension}\n')
                done = subprocess.run(
                    [sys.executable, '-B', f'{copy}/generate.py', REGISTRY,
                     folder], stderr=subprocess.PIPE, text=True, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(command, done.stderr)
                self.assertNotIn('Traceback', done.stderr)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
