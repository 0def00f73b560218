# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: owners of vGPUs, managers, and everybody else."""

import json
import os
import re
import unittest

import harness
from harness import INTERFACE, ManagerTest, Refused
from users import (ALICE, BOB, CAROL, QEMU, QEMU_GROUP, SERVICE, USERS,
                   WATCHERS, Service, may_connect)

ANYONE, SEE, OWNER, MANAGE = 'anyone', 'see', 'owner', 'manage'
# Every method, who may call it, and with what; 'a' is a vGPU of ALICE's.
METHODS = {
    'GetInfo': (ANYONE, {}),
    'ListGpus': (ANYONE, {}),
    'ListTypes': (ANYONE, {}),
    'ListVgpus': (ANYONE, {}),
    'GetVgpu': (SEE, {'vgpu': 'a'}),
    'Create': (MANAGE, {'type': 'none'}),
    'Destroy': (OWNER, {'vgpu': 'a'}),
    'Define': (MANAGE, {'type': 'none'}),
    'CheckDefinition': (MANAGE, {'type': 'none'}),
    'Start': (OWNER, {'vgpu': 'a'}),
    'Stop': (OWNER, {'vgpu': 'a'}),
    'Undefine': (OWNER, {'vgpu': 'a'}),
    'GetQemuArguments': (OWNER, {'vgpu': 'a'}),
    'Capture': (OWNER, {'vgpu': 'a'}),
    'SetMode': (OWNER, {'vgpu': 'a', 'width': 640, 'height': 480}),
    'SetVnc': (OWNER, {'vgpu': 'a', 'address': None}),
    'SetScheduler': (MANAGE, {'gpu': 'embedded'}),
    'Modify': (MANAGE, {'vgpu': 'a', 'weight': 100}),
    'Subscribe': (ANYONE, {'follow': False}),
}


@unittest.skipIf(os.getuid() != 0, 'only root can be several users')
class Rights(ManagerTest):
    def setUp(self):
        self.m = Service(mib=512)
        self.addCleanup(self.m.finish)
        self.m.start()
        self.uuid = self.m.create(type='128MB', name='a', ownerUid=ALICE,
                                  ownerGid=QEMU_GROUP)

    def client(self, uid, *groups):
        client = self.m.client_of(uid, *groups)
        self.addCleanup(client.close)
        return client

    def call(self, client, method, **parameters):
        client.send(method, parameters, more=method == 'Subscribe')
        while True:
            message = client.receive()
            if not message.get('continues'):
                return message.get('parameters', {})

    def error(self, client, method, parameters):
        """How a call was refused, '' if it was not."""
        try:
            self.call(client, method, **parameters)
            return ''
        except Refused as refused:
            return refused.error

    def methods(self):
        """All that the interface has."""
        client = self.m.client()
        self.addCleanup(client.close)
        client.socket.sendall(json.dumps({
            'method': 'org.varlink.service.GetInterfaceDescription',
            'parameters': {'interface': INTERFACE}}).encode() + b'\0')
        text = client.receive()['parameters']['description']
        return re.findall(r'^method (\w+)', text, re.MULTILINE)

    def prepare(self, method):
        """Have the vGPU as that method needs it."""
        try:
            state = self.m.show('a')['state']
        except Refused:
            self.m.create(type='128MB', name='a', ownerUid=ALICE)
            state = 'active'
        if method in ('Start', 'Undefine') and state != 'defined':
            self.m.call('Stop', vgpu='a')
        elif method not in ('Start', 'Undefine') and state == 'defined':
            self.m.call('Start', vgpu='a')

    def test_every_method(self):
        methods = self.methods()
        self.assertEqual(sorted(methods), sorted(METHODS),
                         'each method needs a row in the table above')
        self.m.create(type='128MB', name='b', ownerUid=BOB)
        for method in methods:
            right, parameters = METHODS[method]
            with self.subTest(method=method):
                self.prepare(method)
                stranger = self.error(self.client(BOB, USERS, QEMU_GROUP),
                                      method, parameters)
                owner = self.error(self.client(ALICE), method, parameters)
                self.prepare(method)
                watcher = self.error(self.client(BOB, WATCHERS), method,
                                     parameters)
                self.prepare(method)
                manager = self.error(self.client(CAROL, SERVICE), method,
                                     parameters)
                self.assertEqual(
                    stranger, {ANYONE: '', SEE: 'NoSuchVgpu', OWNER: 'NoSuchVgpu',
                               MANAGE: 'NotAllowed'}[right])
                self.assertEqual(
                    watcher, {ANYONE: '', SEE: '', OWNER: 'NoSuchVgpu',
                              MANAGE: 'NotAllowed'}[right])
                self.assertEqual(
                    owner, '' if right != MANAGE else 'NotAllowed')
                self.assertEqual(manager, 'NoSuchType' if parameters == {
                    'type': 'none'} else '')

    def test_watchers(self):
        """They see all that managers see, with no vGPU of their own."""
        self.m.create(type='128MB', name='b', ownerUid=BOB)
        manager, watcher = self.client(CAROL, SERVICE), self.client(CAROL, WATCHERS)
        for client in manager, watcher:
            vgpus = self.call(client, 'ListVgpus')['vgpus']
            self.assertEqual([v['name'] for v in vgpus], ['a', 'b'])
            client.send('Subscribe', {'history': True, 'follow': False}, more=True)
            first = client.receive()
            self.assertNotIn('onlyOwn', first.get('parameters', {}))
        self.assertFalse(may_connect(self.vhost(), CAROL, WATCHERS))

    def test_what_names_no_vgpu(self):
        """Calls of an owner that try to slip past the check."""
        self.m.create(type='128MB', name='b', ownerUid=BOB)
        for parameters in ('{}', '{"vgpu":null}', '{"vgpu":["a"]}',
                           '{"vgpu":"b","vgpu":"a"}', '{"vgpu":"a","vgpu":"b"}',
                           '{"vgpu":"a\\u0000"}', '{"Vgpu":"a"}', '[]'):
            for method in 'Destroy', 'Capture', 'GetVgpu':
                with self.subTest(method=method, parameters=parameters):
                    bob = self.client(BOB)
                    bob.socket.sendall(
                        f'{{"method":"{INTERFACE}.{method}","parameters":'
                        f'{parameters}}}'.encode() + b'\0')
                    with self.assertRaises((Refused, EOFError,
                                            ConnectionResetError)):
                        bob.receive()
        self.assertEqual(self.m.show('a')['uuid'], self.uuid)

    def test_many_groups(self):
        """A manager is known by the last of his groups, too."""
        others = range(10000, 10200)
        self.assertEqual(self.call(self.client(CAROL, *others, SERVICE),
                                   'ListVgpus')['vgpus'][0]['name'], 'a')
        self.assertEqual(self.error(self.client(ALICE, *others), 'Create',
                                    {'type': 'none'}), 'NotAllowed')

    def test_own_only(self):
        other = self.m.create(type='128MB', name='b', ownerUid=BOB)
        self.m.create(type='128MB', name='c')
        alice, bob = self.client(ALICE), self.client(BOB)
        for client, uuid in (alice, self.uuid), (bob, other):
            self.assertEqual(
                [vgpu['uuid'] for vgpu in
                 self.call(client, 'ListVgpus')['vgpus']], [uuid])
            client.send('Subscribe', {'history': True}, more=True)
            self.assertTrue(client.receive()['parameters']['onlyOwn'])
            for event in 'created', 'active':
                got = client.receive()['parameters']['event']
                self.assertEqual((got['event'], got['uuid']), (event, uuid))
        for name in 'c', 'b', 'a':
            self.m.call('Destroy', vgpu=name)
        for client, uuid in (alice, self.uuid), (bob, other):
            got = client.receive()['parameters']['event']
            self.assertEqual((got['event'], got['uuid']), ('destroyed', uuid))

    def vhost(self, uuid=None):
        return os.path.join(self.m.folder_of(uuid or self.uuid), 'vhost.sock')

    def who_may_connect(self, path):
        return {name for name, ids in {
            'root': (0,), 'service': (SERVICE,), 'alice': (ALICE,),
            'bob': (BOB,), 'manager': (CAROL, SERVICE),
            'qemu': (QEMU, QEMU_GROUP), 'user': (QEMU, USERS),
        }.items() if may_connect(path, *ids)}

    def test_sockets(self):
        expected = {'root', 'service', 'alice', 'qemu'}
        self.assertEqual(self.who_may_connect(self.vhost()), expected)
        # Whoever runs virtual machines commands no manager.
        self.assertEqual(self.who_may_connect(self.m.socket),
                         {'root', 'service', 'alice', 'manager'})
        for name in 'control.sock', 'control.key':
            path = os.path.join(self.m.folder_of(self.uuid), name)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertFalse(may_connect(path, ALICE))
        # Again after a restart, also if somebody opened it meanwhile.
        self.m.kill()
        os.chmod(self.vhost(), 0o666)
        self.m.start()
        self.assertEqual(self.who_may_connect(self.vhost()), expected)
        self.assertEqual(self.who_may_connect(self.m.socket),
                         {'root', 'service', 'alice', 'manager'})
        harness.replace_device(self.m, 'a')
        self.assertEqual(self.who_may_connect(self.vhost()), expected)
        # What connected there may still look like a virtual machine.
        self.m.call('Destroy', vgpu='a', force=True)
        self.assertEqual(self.who_may_connect(self.m.socket),
                         {'root', 'service', 'manager'})

    def test_vnc(self):
        """The owner and managers can connect to a VNC socket; the owner's
        group cannot."""
        own = os.path.join(self.m.folder_of(self.uuid), 'a.vnc')
        common = os.path.join(self.m.runtime, 'a.vnc')
        alice, manager = self.client(ALICE), self.client(CAROL, SERVICE)
        for client, path in (alice, own), (manager, own), (manager, common):
            self.call(client, 'SetVnc', vgpu='a', address='unix:' + path)
            self.assertEqual(self.who_may_connect(path),
                             {'root', 'service', 'alice', 'manager'})
        # Names that others look for are not an owner's to take.
        self.assertEqual(self.error(
            alice, 'SetVnc', {'vgpu': 'a', 'address': 'unix:' + common}),
            'BadAddress')
        # Again, when it was started again.
        self.m.restart()
        self.call(self.client(ALICE), 'SetVnc', vgpu='a',
                  address='unix:' + own)
        self.assertEqual(self.who_may_connect(own),
                         {'root', 'service', 'alice', 'manager'})

    def test_defaults(self):
        uuid = self.m.create(type='128MB', name='root')
        vgpu = self.m.show('root')
        self.assertEqual(vgpu['ownerUid'], 0)
        self.assertEqual(vgpu['ownerGid'], USERS)
        self.assertEqual(self.who_may_connect(self.vhost(uuid)),
                         {'root', 'service', 'user'})
        uuid = self.call(self.client(CAROL, SERVICE), 'Create', type='128MB',
                         name='carol')['uuid']
        vgpu = self.m.show('carol')
        self.assertEqual(vgpu['ownerUid'], CAROL)
        self.assertEqual(vgpu['ownerGid'], 0)
        self.assertEqual(self.who_may_connect(self.vhost(uuid)),
                         {'root', 'service', 'manager'})
        # Root's own are nobody's.
        uuid = self.m.create(type='128MB', name='none', ownerUid=0)
        self.assertEqual(self.who_may_connect(self.vhost(uuid)),
                         {'root', 'service'})
        # All are what they were in the next life.
        before = self.m.call('ListVgpus')
        self.m.restart()
        after = self.m.call('ListVgpus')
        for vgpus in before, after:
            vgpus['vgpus'].sort(key=lambda vgpu: vgpu['uuid'])
        self.assertEqual(
            [[vgpu[key] for key in ('uuid', 'ownerUid', 'ownerGid')]
             for vgpu in before['vgpus']],
            [[vgpu[key] for key in ('uuid', 'ownerUid', 'ownerGid')]
             for vgpu in after['vgpus']])

    def test_owners_that_cannot_be(self):
        for value in (-1, 2 ** 32 - 1, 2 ** 32 + ALICE, 65534, 1.5, 'alice',
                      True, [ALICE]):
            for field in 'ownerUid', 'ownerGid':
                with self.subTest(value=value, field=field):
                    with self.assertRaises(Refused) as caught:
                        self.m.create(type='128MB', **{field: value})
                    self.assertIn(caught.exception.error, (
                        'BadOwner', 'org.varlink.service.InvalidParameter'))

    def test_hostile_definitions(self):
        path = self.m.definition(self.uuid)
        with open(path, encoding='utf-8') as f:
            good = json.load(f)
        self.assertEqual((good['ownerUid'], good['ownerGid']),
                         (ALICE, QEMU_GROUP))
        for value in (-1, 2 ** 32 - 1, 2 ** 32, 65534, 0.5, '4101', None, [],
                      {}, 10 ** 30):
            with self.subTest(value=value):
                self.m.kill()
                self.m.write(path, json.dumps(dict(good, ownerUid=value)))
                self.m.start()
                vgpu = self.m.show('a')
                self.assertEqual(vgpu['state'], 'failed')
                self.assertEqual(vgpu['ownerUid'], 0)
                self.assertFalse(may_connect(self.m.socket, ALICE))
        # One of an earlier version is for whom root's are.
        self.m.kill()
        self.m.write(path, json.dumps(
            {key: value for key, value in good.items()
             if key not in ('ownerUid', 'ownerGid')} | {'version': 1}))
        self.m.start()
        self.assertEqual(self.m.show('a')['ownerGid'], USERS)
        self.assertEqual(self.who_may_connect(self.vhost()),
                         {'root', 'service', 'user'})

    def test_private_manager(self):
        """Without a managers group only its own user can use it, not members
        of the group."""
        m = Service(mib=128)
        self.addCleanup(m.finish)
        m.write(m.config, '[embedded]\nframebuffer_mib = 128\n')
        m.start()
        own = m.client_of(SERVICE)
        self.addCleanup(own.close)
        uuid = self.call(own, 'Create', type='128MB')['uuid']
        vhost = os.path.join(m.folder_of(uuid), 'vhost.sock')
        for path in m.socket, vhost:
            self.assertEqual(self.who_may_connect(path), {'root', 'service'})
            self.assertEqual(os.listxattr(path), [])


if __name__ == '__main__':
    harness.main()
