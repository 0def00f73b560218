# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages, installed on a Debian 13 that runs its own systemd.

Each test is a step of one system's life, in the order of their names.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import domain
import system
from system import PACKAGES, SOURCE

# Long: as often as the promise is for.
IS_LONG = '--long' in sys.argv
CREATES = 1000 if IS_LONG else 100
RESTARTS = 100 if IS_LONG else 5
AT_ONCE = 10
# Of a guest's console, whose cursor blinks: some seconds' worth.
COMMANDS = 60

CONFIG = '[embedded]\nframebuffer_mib = 1536\n'
TYPES = ('[128MQ]\nframebuffer_mib = 128\nheads = 1\nmax_width = 1280\n'
         'max_height = 720\nframe_rate_limit = 0\nweight = 100\n')
# Of a guest that takes over its render process, and what that then calls.
TAKE_OVER = ('VGPU_SOURCE=/mnt/source VGPU_BUILD=/mnt/source/build '
             'VGPU_INTRUDER=/mnt/source/{shader} PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='
             + ':'.join(f'/mnt/source/tests/{name}' for name in
                        ('sandbox', 'device', 'device/vhost', 'device/vtest',
                         'render/hostile')) +
             ' python3 /mnt/source/tests/sandbox/take_over.py {socket} {call}')
SHADER = os.path.relpath(os.environ.get('VGPU_INTRUDER', 'none'), SOURCE)
SIGKILL, F_SETOWN, COMMAND = 9, 8, 3
FRONT = '/mnt/source/tests/cgroup/front_end.py'
# What is recommended is not in the lab: novnc, with a JavaScript runtime.
APT = 'apt-get install --yes --quiet --no-install-recommends'
# DKMS makes a compiler, too, be installed.
BINARIES = ('openvgpu', 'openvgpu-device', 'openvgpu-web', 'openvgpu-doc') + \
           ('openvgpu-dkms',) * IS_LONG
# What is of OpenVGPU by its name, but for what apt and journald write of it.
FIND = ("find / -xdev \\( -path /mnt -o -path /proc -o -path /var/log -o -path /tmp "
        "-o -path /var/cache/apt \\) -prune -o -iname '*vgpu*' -print; "
        "find /run -iname '*vgpu*'; cat /etc/passwd /etc/group | grep -i vgpu; "
        "pgrep -a '^vgpu'")
# Shared memory of vGPUs, in whoever has it open or mapped.
MEMORY = "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -i 'memfd:.*vgpu'; " \
         "grep -i 'memfd:.*vgpu' /proc/[0-9]*/maps"


def package(name, folder=PACKAGES):
    found = glob.glob(f'{folder}/{name}_*.deb')
    assert len(found) == 1, found
    return found[0]


def rebuild(folder, version):
    """The packages with another version, as the next release would have."""
    made = []
    for name in BINARIES:
        tree = f'{folder}/{name}'
        subprocess.run(['dpkg-deb', '-R', package(name), tree], check=True)
        with open(f'{tree}/DEBIAN/control', encoding='utf-8') as file:
            control = file.read()
        old = re.search('^Version: (.*)$', control, re.M)[1]
        with open(f'{tree}/DEBIAN/control', 'w', encoding='utf-8') as file:
            file.write(control.replace(old, version))
        made.append(f'{folder}/{name}_{version}.deb')
        subprocess.run(['dpkg-deb', '--root-owner-group', '-Znone', '-b', tree, made[-1]],
                       check=True, stdout=subprocess.DEVNULL)
    return made


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = cls.enterClassContext(system.System())
        cls.names = cls.system.run(FIND)[1] # the lab's own, if any
        cls.system.write('/etc/vgpu/vgpud.conf', CONFIG)
        cls.system.write('/etc/vgpu/types.ini', TYPES)

    def setUp(self):
        self.began = time.monotonic()

    def tearDown(self):
        print(f'[{time.monotonic() - self.began:.1f} s] ', end='', flush=True)
        if not self._outcome.success:
            print(self.system.journal(150))

    def show(self, name):
        return json.loads(self.system.check(f'vgpuctl show {name} --json=short'))

    def wait_for_state(self, name, *states):
        return self.system.wait_for(
            lambda: self.show(name)['state'] in states and self.show(name),
            f'{name} to be {states}')

    def create(self, name):
        return self.system.check(f'vgpuctl create --type 128MQ --name {name}').strip()

    def main_pid(self):
        return self.system.check('systemctl show -P MainPID vgpud').strip()

    def start_front(self, uuid, name):
        """A VM's front end; it ends at once if an answer fails."""
        self.system.check(
            f'systemd-run --quiet --unit={name} --property=StandardError=journal '
            f'python3 {FRONT} /run/vgpu/{uuid}/vhost.sock /run/{name}.answers')
        self.wait_for_answers(name)

    def wait_for_answers(self, name):
        """More than there are now."""
        def answers():
            text = self.system.run(f'cat /run/{name}.answers')[1]
            return int(text) if text.strip().isdigit() else 0
        self.system.check(f'systemctl is-active {name}')
        now = answers()
        self.system.wait_for(
            lambda: answers() > now + 3 or
            self.system.run(f'systemctl is-active {name}')[0], f'answers to {name}')
        self.system.check(f'systemctl is-active {name}')

    def test_1_install(self):
        """One command, with no network: what it depends on is what it says."""
        packages = ' '.join(package(name).replace(SOURCE, '/mnt/source')
                            for name in BINARIES)
        self.system.check(f'{APT} {packages}')
        self.assertEqual(self.system.check('systemctl is-active vgpud').strip(), 'active')
        self.assertEqual(self.system.check('systemctl is-enabled vgpud').strip(), 'enabled')
        self.assertIn('embedded', self.system.check('vgpuctl gpus'))
        # AppArmor reads what libvirt's profiles include.
        self.system.check(
            "printf '#include <tunables/global>\\nprofile x {\\n#include "
            "<abstractions/libvirt-qemu>\\n}\\n' | apparmor_parser --skip-kernel-load "
            '--skip-cache --preprocess | grep -F /run/vgpu/')

    def test_2_create(self):
        """Every one succeeds, also many at once, and leaves nothing behind."""
        for _ in range(CREATES // AT_ONCE):
            self.system.check(
                f'for j in $(seq {AT_ONCE}); do\n'
                '  vgpuctl create --type 128MQ --name v$j >/run/made.$j & pids="$pids $!"\n'
                'done\n'
                'for pid in $pids; do wait $pid || exit 1; done; pids=\n'
                f'for j in $(seq {AT_ONCE}); do\n'
                '  vgpuctl destroy v$j & pids="$pids $!"\n'
                'done\n'
                'for pid in $pids; do wait $pid || exit 1; done')
        self.assertEqual(json.loads(self.system.check('vgpuctl list --json=short')), [])

    def test_2_namespaces(self):
        """A device has a user and a network namespace of its own, and in them no
        capability."""
        def of(pid, file):
            return self.system.check(f'cat /proc/{pid}/status | grep ^Cap'
                                     if file == 'status' else
                                     f'readlink /proc/{pid}/ns/{file}')

        self.create('apart')
        device = self.show('apart')['devicePid']
        for kind in 'user', 'net':
            self.assertNotEqual(of(device, kind), of(self.main_pid(), kind))
        for line in of(device, 'status').splitlines():
            self.assertEqual(int(line.split()[1], 16), 0, line)
        self.system.check('vgpuctl destroy apart')

    def test_3_autopkgtest(self):
        self.system.check('/mnt/source/debian/tests/installed')

    def test_3_restart(self):
        """vgpud comes back, and a VM's front end does not notice."""
        uuid = self.create('kept')
        device = self.show('kept')['devicePid']
        self.start_front(uuid, 'front')
        for _ in range(RESTARTS):
            main = self.main_pid()
            self.system.check('systemctl restart vgpud')
            self.assertNotEqual(self.main_pid(), main)
            self.assertEqual(self.show('kept')['devicePid'], device)
            self.assertEqual(self.show('kept')['state'], 'attached')
            self.wait_for_answers('front')

    def test_4_permissions(self):
        """Others may neither command nor connect."""
        socket = self.show('kept')['socket']
        connect = ('import socket, sys; s = socket.socket(socket.AF_UNIX); '
                   's.connect(sys.argv[1])')
        status, output = self.system.run('vgpuctl list', user='nobody')
        self.assertEqual(status, 1, output)
        for path in socket, '/run/vgpu/io.openvgpu.Manager':
            status, output = self.system.run(f"python3 -c '{connect}' {path}", user='nobody')
            self.assertIn('PermissionError', output)
        # Whoever runs virtual machines may connect them, and nothing else.
        self.system.check('useradd --groups vgpu-vm runner')
        self.system.check(f"python3 -c '{connect}' {socket}", user='runner')
        status, output = self.system.run('vgpuctl list', user='runner')
        self.assertEqual(status, 1, output)
        status, output = self.system.run(
            f"python3 -c '{connect}' /run/vgpu/io.openvgpu.Manager", user='runner')
        self.assertIn('PermissionError', output)
        self.system.check('useradd --groups vgpu member')
        self.assertIn('kept', self.system.check('vgpuctl list', user='member'))

    @unittest.skipUnless(os.path.exists(os.path.join(SOURCE, SHADER)),
                         'there is no build with the shader')
    def test_4_taken_over(self):
        """A guest that owns its render process harms neither the service nor the
        machine beside it, and an event names the call. (What the unit denies itself,
        as ptrace, just fails.)"""
        self.create('intruder')
        before = {name: self.show(name) for name in ('kept', 'intruder')}
        main, victim = self.main_pid(), before['kept']['devicePid']
        for name, call in {'kill': (62, main, SIGKILL),
                           'fcntl': (72, COMMAND, F_SETOWN, victim),
                           'socket': (41, 1, 1, 0)}.items():
            self.system.check(TAKE_OVER.format(
                shader=SHADER, socket=before['intruder']['socket'],
                call=' '.join(map(str, call))))
            told = f'for a forbidden system call: {name}\n'
            self.system.wait_for(
                lambda told=told: told in self.system.check('vgpuctl events'), told)
            self.wait_for_answers('front')
        for name, was in before.items():
            now = self.wait_for_state(name, was['state'])
            self.assertEqual(now['devicePid'], was['devicePid'])
            self.assertEqual(now['restarts'], was['restarts'])
        self.assertEqual(self.main_pid(), main)
        self.system.check('vgpuctl destroy intruder')

    def test_5_libvirt(self):
        """A domain is defined, started, reset, destroyed, and started by itself."""
        groups = self.system.check('cat /etc/group')
        group = 'vgpu-vm' if 'vgpu-vm:' in groups else 'vgpu'
        self.system.check(f'usermod --append --groups {group} libvirt-qemu')
        self.create('cad')
        printed = self.system.check('vgpuctl qemu-args cad --libvirt 2>/dev/null')
        self.system.write('/root/cad.xml', domain.xml('cad', printed))
        self.system.check('virsh define /root/cad.xml')
        self.system.check('virsh start cad')
        self.wait_for_driver()
        # Its driver takes the head and shows the same again at once, which may be no
        # event; but the commands of each life of the guest are counted anew.
        self.system.wait_for(lambda: self.show('cad')['commands'] > COMMANDS, 'commands')
        self.system.check('virsh reset cad')
        self.system.wait_for(lambda: 0 < self.show('cad')['commands'] < COMMANDS,
                             "the guest's next life")
        self.assertEqual(self.domain_state(), 'running')
        self.system.check('virsh destroy cad')
        self.wait_for_state('cad', 'active')
        self.system.check('virsh autostart cad')

    def wait_for_driver(self):
        """It has come up, and shown a console, since vgpud was started."""
        self.system.wait_for(
            lambda: 'head 0 shows 1280 x 720' in self.system.check('vgpuctl events') or
            self.domain_state() != 'running', "the guest's driver")
        self.assertEqual(self.domain_state(), 'running')

    def domain_state(self):
        return self.system.check('virsh domstate cad').strip()

    def test_6_reboot(self):
        """libvirt's machine is started by itself, when its vGPU serves."""
        self.system.reboot()
        self.assertEqual(self.system.check('systemctl is-active vgpud').strip(), 'active')
        self.wait_for_driver()
        self.assertEqual(self.show('cad')['state'], 'attached')

    def scrape(self):
        get = ("import urllib.request; print(urllib.request.urlopen("
               "'http://127.0.0.1:9846/metrics').read().decode())")
        return self.system.check(f'python3 -c "{get}"')

    def test_6_scraped(self):
        """The exporter is off, and when it is on sees all there is, with no rights."""
        self.assertIn('disabled', self.system.run(
            'systemctl is-enabled vgpu-exporter.socket')[1])
        self.assertIn('inactive', self.system.run(
            'systemctl is-active vgpu-exporter.socket vgpu-exporter')[1])
        self.system.check('systemctl enable --now vgpu-exporter.socket')
        self.assertIn('inactive', self.system.run('systemctl is-active vgpu-exporter')[1])
        metrics = self.scrape()
        self.assertIn('\nvgpu_up 1\n', metrics)
        # Of the machine's process it reads the command line.
        uuid = self.system.check('virsh domuuid cad').strip()
        self.assertRegex(metrics, rf'vgpu_info{{.*vm="cad",vm_uuid="{uuid}",name="cad"')
        pid = self.system.check('systemctl show -P MainPID vgpu-exporter').strip()
        status = self.system.check(f'cat /proc/{pid}/status')
        self.assertNotRegex(status, r'(?m)^Uid:.*\t0\b')
        self.assertRegex(status, r'(?m)^CapEff:\t0+$')
        self.assertRegex(status, r'(?m)^Seccomp:\t2$')
        watch = self.system.check('getent group vgpu-watch').split(':')[2]
        self.assertIn(watch, status.split('Groups:')[1].splitlines()[0].split())
        # It sees vgpud's next one, too, and what it may not do is refused.
        self.system.check('systemctl restart vgpud')
        self.system.wait_for(lambda: '\nvgpu_up 1\n' in self.scrape(), 'vgpud again')
        self.assertEqual(self.system.run(
            'systemd-run --quiet --pipe --wait --property=DynamicUser=yes '
            '--property=SupplementaryGroups=vgpu-watch vgpuctl destroy cad --force')[0], 1)
        self.assertIn('cad', self.system.check(
            'systemd-run --quiet --pipe --wait --property=DynamicUser=yes '
            '--property=SupplementaryGroups=vgpu-watch vgpuctl list'))

    def browse(self, link, user=None):
        """What a browser sees that opens the link which 'vgpuctl console' prints."""
        self.system.check('rm -f /run/link; systemd-run --quiet --collect --unit=link '
                          f'{f"--uid={user} " if user else ""}'
                          '--property=StandardOutput=file:/run/link '
                          f'vgpuctl console --web {link}')
        token = self.system.wait_for(
            lambda: self.system.run(
                "sed -n 's/^http.*#//p' /run/link 2>/dev/null")[1].strip(), 'the link')
        try:
            return json.loads(self.system.check(
                'VGPU_BUILD=/mnt/source/build PYTHONDONTWRITEBYTECODE=1 '
                f'python3 /mnt/source/tests/system/browse.py {token}'))
        finally:
            self.system.check('systemctl stop link')

    def test_6_web(self):
        """The web console is off; when it is on, whoever may use a vGPU has a link to
        it, and the service itself has no rights."""
        units = 'vgpu-web.socket vgpu-web.service'
        self.assertEqual(self.system.run(f'systemctl is-active {units}')[1].split(),
                         ['inactive', 'inactive'])
        status, said = self.system.run('vgpuctl console --web')
        self.assertEqual(status, 1)
        self.assertIn('vgpu-web.socket', said)
        self.system.check('systemctl enable --now vgpu-web.socket')
        self.create('watched')
        self.system.check('useradd guest; vgpuctl create --type 128MQ --name own --owner guest')
        seen = self.browse('')
        self.assertEqual((seen['page'], seen['before'], seen['login'], seen['again']),
                         (200, 401, 200, 403))
        self.assertLessEqual({'cad', 'watched', 'own'}, set(seen['vgpus']))
        for name, vgpu in seen['vgpus'].items():
            self.assertEqual(vgpu['console'], f'{name} head 0')
            self.assertGreater(min(vgpu['picture']), 60)
        # Not more than the maker of the link may see.
        self.assertEqual(list(self.browse('', user='guest')['vgpus']), ['own'])
        self.assertEqual(list(self.browse('watched')['vgpus']), ['watched'])
        pid = self.system.check('systemctl show -P MainPID vgpu-web').strip()
        status = self.system.check(f'cat /proc/{pid}/status')
        self.assertNotRegex(status, r'(?m)^Uid:.*\t0\b')
        self.assertRegex(status, r'(?m)^CapEff:\t0+$')
        self.assertRegex(status, r'(?m)^Seccomp:\t2$')
        # Another vgpud is no other link.
        self.system.check('systemctl restart vgpud')
        self.assertIn('cad', self.browse('cad')['vgpus'])
        self.system.check('vgpuctl destroy watched; vgpuctl destroy own; userdel guest')

    def test_7_upgrade(self):
        """Nothing changes for machines that run."""
        before = {name: self.show(name) for name in ('cad', 'kept')}
        self.start_front(before['kept']['uuid'], 'front')
        main = self.main_pid()
        with tempfile.TemporaryDirectory() as folder:
            made = rebuild(folder, '99')
            for path in made:
                shutil.copy(path, f'{self.system.tree}/var/tmp')
        made = ' '.join(f'/var/tmp/{os.path.basename(path)}' for path in made)
        self.system.check(f'{APT} {made} && rm {made}')
        self.assertEqual(self.system.check(
            "dpkg-query -W -f '${Version}' openvgpu"), '99')
        self.assertNotEqual(self.main_pid(), main)
        self.wait_for_answers('front')
        for name, was in before.items():
            now = self.wait_for_state(name, 'attached')
            self.assertEqual(now['devicePid'], was['devicePid'])
            self.assertEqual(now['restarts'], was['restarts'])
        self.assertEqual(self.domain_state(), 'running')
        commands = self.show('cad')['commands']
        self.system.wait_for(lambda: self.show('cad')['commands'] > commands,
                             'the guest to go on')

    @unittest.skipUnless(IS_LONG, 'it takes long')
    def test_8_podman(self):
        """docs/containers.md: a container has a GPU, and no device node of one."""
        self.system.check(f'{APT} vulkan-tools')
        # With one id in a container of its, for which no other program is needed.
        self.system.check('useradd --create-home porter && '
                          'sed -i /porter/d /etc/subuid /etc/subgid && '
                          'install -d -o porter /run/porter')
        for name, owner in ('c1', 'root'), ('c2', 'porter'):
            self.system.check(
                f'vgpuctl create --type 128MQ --name {name} --container --owner {owner}')
        self.system.check('mkdir -p /etc/cdi && vgpuctl cdi >/etc/cdi/openvgpu.json')
        # Its image: this system, without what is mounted on it.
        self.system.check('mkdir /srv/image && mount --bind / /srv/image')
        # This system's own root is an overlay, and holds files of ids that are not
        # in a container without root.
        run = ('podman --storage-driver vfs run --rm --network none --cgroups=disabled '
               '--read-only --read-only-tmpfs=false --tmpfs /run:notmpcopyup '
               '--tmpfs /tmp:notmpcopyup '
               '--device openvgpu.org/vgpu={} --rootfs /srv/image vulkaninfo --summary')
        alone = 'export HOME=/home/porter XDG_RUNTIME_DIR=/run/porter; cd && '
        said = self.system.check(run.format('c1'))
        self.assertRegex(said, 'deviceName += Virtio-GPU Venus')
        # Without root, and not with a vGPU that is not that user's.
        said = self.system.check(alone + run.format('c2'), user='porter')
        self.assertRegex(said, 'deviceName += Virtio-GPU Venus')
        status, said = self.system.run(alone + run.format('c1'), user='porter')
        self.assertNotEqual(status, 0, said)
        self.system.check('umount /srv/image && rmdir /srv/image && rm -r /etc/cdi && '
                          'vgpuctl destroy c1 && vgpuctl destroy c2')

    def test_9_purge(self):
        """Processes, files, users and memory go, also those of vGPUs in use."""
        self.system.check('virsh destroy cad')
        self.assertIn('/var/lib/vgpu', self.system.run(FIND)[1])
        self.system.check('apt-get purge --yes --quiet ' + ' '.join(BINARIES))
        self.system.check('systemctl kill --signal=KILL front')
        self.assertEqual(self.system.run(FIND)[1], self.names)
        self.assertEqual(self.system.run(MEMORY)[1], '')
        self.assertEqual(self.system.check("systemctl list-units --all --plain --no-legend "
                                           "'vgpu*'"), '')


if __name__ == '__main__':
    WHY = system.why_not()
    if WHY:
        print(f'skipped: {WHY}')
        sys.exit(77)
    unittest.main(argv=[a for a in sys.argv if a != '--long'], verbosity=2, failfast=True)
