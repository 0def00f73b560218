# SPDX-License-Identifier: GPL-2.0-or-later
"""What `meson install` puts where, and the service as systemd judges it."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
TIMEOUT = 180
# systemd-analyze security: tenths; docs/security.md says what it is.
EXPOSURE_MAX = 20

PROGRAMS = {'vgpu-device', 'vgpu-exporter', 'vgpu-launch', 'vgpu-own', 'vgpu-probe', 'vgpu-vnc',
            'vgpu-web', 'vgpud'}
OTHERS = {
    'bin/vgpuctl',
    'lib/systemd/system/vgpu-exporter.service',
    'lib/systemd/system/vgpu-exporter.socket',
    'lib/systemd/system/vgpu-web.service',
    'lib/systemd/system/vgpu-web.socket',
    'lib/systemd/system/vgpud.service',
    'lib/sysusers.d/openvgpu.conf',
    'lib/tmpfiles.d/openvgpu.conf',
    'lib/udev/rules.d/60-vgpu.rules',
    'share/bash-completion/completions/vgpuctl',
    'share/fish/vendor_completions.d/vgpuctl.fish',
    'share/man/man1/vgpu-device.1',
    'share/man/man1/vgpuctl.1',
    'share/man/man5/vgpu-types.5',
    'share/man/man8/vgpu-exporter.8',
    'share/man/man8/vgpu-web.8',
    'share/man/man8/vgpud.8',
    'share/openvgpu/grafana.json',
    'share/openvgpu/types.ini',
    'share/openvgpu/web/console.html',
    'share/openvgpu/web/console.js',
    'share/openvgpu/web/index.html',
    'share/openvgpu/web/index.js',
    'share/openvgpu/web/login.html',
    'share/openvgpu/web/login.js',
    'share/openvgpu/web/page.css',
    'src/openvgpu-0.1.0/dkms.conf',
}


def option(name):
    with open(os.path.join(BUILD, 'meson-info/intro-buildoptions.json'),
              encoding='utf-8') as file:
        return next(o['value'] for o in json.load(file) if o['name'] == name)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix='install.')
        subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild',
                        '--destdir', cls.top], check=True, timeout=TIMEOUT,
                       stdout=subprocess.DEVNULL)
        cls.prefix = option('prefix')
        cls.libexec = os.path.join(cls.prefix, option('libexecdir'),
                                   'openvgpu')

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    def installed(self, path):
        """Where what will be at PATH is now."""
        return self.top + os.path.join(self.prefix, path)

    def read(self, path):
        with open(self.installed(path), encoding='utf-8') as file:
            return file.read()

    def test_everything_is_there(self):
        have = {os.path.relpath(os.path.join(folder, name),
                                self.installed(''))
                for folder, _, names in os.walk(self.top) for name in names}
        libexec = os.path.relpath(self.libexec, self.prefix)
        wanted = OTHERS | {f'{libexec}/{name}' for name in PROGRAMS}
        self.assertEqual(wanted - have, set())

    def test_people_find_programs(self):
        """What manual pages run by its name is in PATH."""
        for link, name in (('sbin/vgpud', 'vgpud'),
                           ('bin/vgpu-device', 'vgpu-device')):
            self.assertEqual(
                os.path.realpath(self.top + os.readlink(self.installed(link))),
                os.path.realpath(self.installed(f'{self.libexec}/{name}')))

    def test_programs_run(self):
        for path in [self.installed('bin/vgpuctl')] + [
                self.installed(f'{self.libexec}/{name}')
                for name in ('vgpud', 'vgpu-device')]:
            text = subprocess.run([path, '--version'], check=True, text=True,
                                  timeout=TIMEOUT, capture_output=True).stdout
            self.assertRegex(text, r'\d+\.\d+')

    def test_paths_in_files(self):
        """Installed files name our programs by their installed paths."""
        named = re.findall(r'^Exec\w+=(\S+)',
                           self.read('lib/systemd/system/vgpud.service'), re.M)
        self.assertEqual(len(named), 2)
        for path in named:
            self.assertTrue(os.access(self.top + path, os.X_OK), path)
        # The others are found by the folder that is compiled in.
        with open(self.top + named[0], 'rb') as file:
            vgpud = file.read()
        for path in (self.libexec,
                     os.path.join(self.prefix, 'share/openvgpu')):
            self.assertIn(path.encode() + b'/', vgpud.replace(b'\0', b'/'))

    def test_dkms(self):
        """DKMS gets all that Kbuild names, in folders as the sources expect."""
        source = 'src/openvgpu-0.1.0/kernel'
        kbuild = self.read(f'{source}/Kbuild')
        objects = re.findall(r'(\w+/[\w/]+)\.o\b', kbuild)
        self.assertIn('core/abi/r570_144', objects)
        for name in objects:
            self.assertTrue(os.path.exists(
                self.installed(f'{source}/{name}.c')), name)
        self.assertIn('BUILT_MODULE_LOCATION[0]="kernel"',
                      self.read('src/openvgpu-0.1.0/dkms.conf'))

    def test_service_survives(self):
        """vgpud is always started again, with all that systemd keeps for it."""
        words = dict(re.findall(r'^(\w+)=(.*)$', self.read(
            'lib/systemd/system/vgpud.service'), re.M))
        self.assertEqual(words['FileDescriptorStorePreserve'], 'yes')
        self.assertEqual(words['KillMode'], 'process')
        self.assertEqual(words['StartLimitIntervalSec'], '0')
        self.assertEqual(words['WatchdogSec'], '5')
        # Their names come in one variable, which has 128 KiB at most.
        with open(os.path.join(HERE, '../../manager/device/deposit.c'),
                  encoding='utf-8') as file:
            most = int(re.search(r'define ENTRIES_MAX (\d+)', file.read())[1])
        self.assertEqual(int(words['FileDescriptorStoreMax']), most)
        self.assertLess(len('LISTEN_FDNAMES=') + most * len('fffff:'),
                        128 << 10)

    @unittest.skipUnless(shutil.which('systemd-analyze'), 'no systemd-analyze')
    def test_service(self):
        """systemd finds no fault, and little that it leaves open."""
        text = self.read('lib/systemd/system/vgpud.service')
        path = os.path.join(self.top, 'vgpud.service')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(re.sub('^(Exec(?:Start|Reload)=)', r'\1' + self.top,
                              text, flags=re.M))
        analyze = ['systemd-analyze', '--man=no']
        done = subprocess.run(analyze + ['verify', path], text=True,
                              timeout=TIMEOUT, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        done = subprocess.run(
            analyze + ['security', '--offline=true', '--no-pager',
                       f'--threshold={EXPOSURE_MAX}', path], text=True,
            timeout=TIMEOUT, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which('systemd-analyze'), 'no systemd-analyze')
    def test_who_speaks_with_strangers(self):
        """Next to nothing is open, and it is off."""
        for name in 'vgpu-exporter', 'vgpu-web':
            with self.subTest(name=name):
                self.check_service(name)

    def check_service(self, name):
        paths = []
        for kind in 'service', 'socket':
            text = self.read(f'lib/systemd/system/{name}.{kind}')
            paths.append(os.path.join(self.top, f'{name}.{kind}'))
            with open(paths[-1], 'w', encoding='utf-8') as file:
                file.write(re.sub('^(ExecStart=)', r'\1' + self.top, text, flags=re.M))
        analyze = ['systemd-analyze', '--man=no']
        done = subprocess.run(analyze + ['verify', *paths], text=True,
                              timeout=TIMEOUT, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        done = subprocess.run(
            analyze + ['security', '--offline=true', '--no-pager', '--threshold=10',
                       paths[0]], text=True, timeout=TIMEOUT, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(SOURCE, 'debian/rules'), encoding='utf-8') as file:
            self.assertIn(f'--no-enable --no-start {name}.socket', file.read())

    def test_users_are_removed(self):
        """A package that is purged takes the users away that it made."""
        made = set(re.findall('^[ug] (vgpu[^ ]*)', self.read('lib/sysusers.d/openvgpu.conf'),
                              re.M))
        self.assertIn('vgpu', made)
        with open(os.path.join(SOURCE, 'debian/openvgpu.postrm'), encoding='utf-8') as file:
            groups = re.search('for group in (.*);', file.read())[1]
        self.assertEqual(made - set(groups.split()), set())


class WithoutEmbedded(unittest.TestCase):
    """-Dembedded=false: installed files name no program that is not installed.
    """

    def test_nothing_dangles(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(['meson', 'setup', folder, SOURCE, '-Dembedded=false',
                            '--prefix=/usr'], check=True, timeout=TIMEOUT,
                           stdout=subprocess.DEVNULL)
            with open(f'{folder}/meson-info/intro-installed.json',
                      encoding='utf-8') as file:
                paths = json.load(file)
            self.assertIn('/usr/libexec/openvgpu/vgpud', paths.values())
            self.assertEqual([path for path in paths.values() if re.search(
                'vgpu-(device|launch|render|vnc|probe)', path)], [])
            for made in paths:
                if not made.startswith(folder) or not os.path.exists(made):
                    continue
                with open(made, encoding='utf-8') as file:
                    named = set(re.findall('/usr/libexec/openvgpu/[a-z-]+', file.read()))
                self.assertEqual(named - set(paths.values()), set(), made)


if __name__ == '__main__':
    unittest.main()
