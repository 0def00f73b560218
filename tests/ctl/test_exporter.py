# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-exporter: what it shows, and whom it lets wait."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

import exposition
import fake_manager as fake
from fake_manager import BUILD, SOURCE, CtlTest, TIMEOUT

EXPORTER = os.path.join(BUILD, 'vgpu-exporter')
LIMITS = dict(re.findall(r'#define (EXPORTER_\w+) (\d+)', open(
    os.path.join(SOURCE, 'ctl/exporter/server.h'), encoding='utf-8').read()))
UUID = fake.cad()['uuid']


class Exporter(CtlTest):
    def start(self, **replies):
        replies.setdefault('GetInfo', {'version': '1.2', 'pid': 1})
        replies.setdefault('ListGpus', fake.gpus())
        replies.setdefault('ListVgpus', {'vgpus': [fake.counted(), fake.nameless()]})
        self.fake = self.manager(**replies)
        self.begin()

    def begin(self, **options):
        self.path = os.path.join(self.folder, 'http')
        self.log = open(os.path.join(self.folder, 'log'), 'w+', encoding='utf-8')
        self.addCleanup(self.log.close)
        self.exporter = subprocess.Popen(
            [EXPORTER, '--listen', f'unix:{self.path}'], env=self.environment,
            stderr=self.log, **options)
        self.addCleanup(self.exporter.wait)
        self.addCleanup(self.exporter.kill)
        deadline = time.monotonic() + TIMEOUT
        while not self.listens():
            self.assertIsNone(self.exporter.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def listens(self):
        """Its file is there a moment before it does."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.path)
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(TIMEOUT)
        client.connect(self.path)
        return client

    def read(self, client):
        data = b''
        while True:
            try:
                got = client.recv(65536)
            except ConnectionResetError:
                got = b''
            if not got:
                return data.decode()
            data += got

    def send(self, request):
        client = self.connect()
        try:
            client.sendall(request)
        except BrokenPipeError:
            pass  # it has answered already
        return self.read(client)

    def get(self, target='/metrics'):
        head, _, body = self.send(
            f'GET {target} HTTP/1.1\r\nHost: x\r\n\r\n'.encode()).partition('\r\n\r\n')
        status = head.split(' ', 2)[1]
        length = int(re.search(r'Content-Length: (\d+)', head)[1])
        self.assertEqual(length, len(body.encode()))
        return int(status), body

    def metrics(self):
        status, body = self.get()
        self.assertEqual(status, 200)
        return exposition.parse(body)

    def fresh(self, condition):
        """Metrics that are so, once the last ones are a second old."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            families = self.metrics()
            if condition(families):
                return families
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)


class Metrics(Exporter):
    def test_values(self):
        self.start()
        families = self.metrics()
        for name, value, labels in (
                ('vgpu_up', 1, {}),
                ('vgpu_gpu_memory_bytes', 8192 * 2**20, {'gpu': 'embedded'}),
                ('vgpu_memory_used_bytes', 33554433, {}),
                ('vgpu_memory_limit_bytes', 4096 * 2**20, {}),
                ('vgpu_cpu_seconds_total', 1.234567, {}),
                ('vgpu_busy_seconds_total', 1.5, {'engine': 'graphics'}),
                ('vgpu_busy_seconds_total', 7e-9, {'engine': 'decoder'}),
                ('vgpu_gpu_share_ratio', 0.25, {}),
                ('vgpu_frames_total', 600, {}),
                ('vgpu_frame_interval_seconds_bucket', 510, {'le': '0.018'}),
                ('vgpu_frame_interval_seconds_count', 511, {}),
                ('vgpu_frame_interval_seconds_sum', 9, {}),
                ('vgpu_contexts', 2, {}),
                ('vgpu_contexts_lost_total', 1, {'reason': 'time'}),
                ('vgpu_decode_errors_total', 4, {'class': 'resource'}),
                ('vgpu_submits_total', 99, {}),
                ('vgpu_device_restarts_total', 1, {}),
                ('vgpu_vnc_clients', 2, {}),
                ('vgpu_state', 1, {'state': 'attached'}),
                ('vgpu_state', 0, {'state': 'failed'}),
                ('vgpu_info', 1, {'name': 'cad', 'type': '4Q'})):
            with self.subTest(name=name, labels=labels):
                if name.startswith('vgpu_gpu_mem') or name == 'vgpu_up':
                    uuid = {}
                else:
                    uuid = {'uuid': UUID}
                self.assertEqual(exposition.value_of(families, name, **labels, **uuid),
                                 value)
        # One that counts nothing shows no zeros for it.
        other = fake.nameless()['uuid']
        names = {sample[0] for family in families.values()
                 for sample in family['samples'] if sample[1].get('uuid') == other}
        self.assertIn('vgpu_memory_limit_bytes', names)
        self.assertNotIn('vgpu_contexts', names)

    def test_page_names_every_metric(self):
        """docs/monitoring.md has a row for each, and for no other."""
        self.start()
        with open(os.path.join(SOURCE, 'docs/monitoring.md'), encoding='utf-8') as f:
            rows = re.findall(r'^\| `(vgpu_\w+)', f.read(), re.M)
        self.assertEqual(sorted(rows), sorted(self.metrics()))

    def test_dashboard(self):
        """Its queries name metrics and labels that there are, and all parse."""
        self.start()
        families = self.metrics()
        labels = {label for family in families.values()
                  for _, there, _ in family['samples'] for label in there}
        samples = {sample for family in families.values()
                   for sample, _, _ in family['samples']}
        with open(os.path.join(SOURCE, 'packaging/grafana.json'),
                  encoding='utf-8') as f:
            dashboard = json.load(f)
        queries = [target['expr'] for panel in dashboard['panels']
                   for target in panel.get('targets', [])]
        queries += [v['query']['query'] for v in dashboard['templating']['list']
                    if v['type'] == 'query']
        self.assertGreater(len(queries), 10)
        for query in queries:
            with self.subTest(query=query):
                named = set(re.findall(r'\bvgpu_\w+', query))
                self.assertTrue(named)
                self.assertLessEqual(named, samples)
                used = set(re.findall(r'(\w+)\s*(?:=~|!=|=)\s*"', query))
                for some in re.findall(r'(?:by|on|group_left)\s*\(([^)]*)\)', query):
                    used |= set(re.findall(r'\w+', some))
                self.assertLessEqual(used, labels | {'job', 'instance'})
                self.assertEqual(query.count('('), query.count(')'))

    def test_hostile_names(self):
        """What a name holds stays within its quotes."""
        vgpu = fake.counted()
        vgpu['name'] = 'a"} 1\nvgpu_up 7\\\x1b[2J\u2028é'
        gpus = fake.gpus()
        gpus['gpus'][0]['name'] = '\\" \n# TYPE'
        self.start(ListVgpus={'vgpus': [vgpu]}, ListGpus=gpus)
        families = self.metrics()
        self.assertEqual(exposition.value_of(families, 'vgpu_up'), 1)
        info, = families['vgpu_info']['samples']
        self.assertTrue(info[1]['name'].startswith('a"} 1'))
        self.assertTrue(info[1]['name'].isprintable())
        self.assertIn('é', info[1]['name'])

    def test_hostile_values(self):
        vgpu = fake.counted()
        vgpu.update(usedBytes=-1, frames='many', contexts=2**63 - 1, submits=None,
                    framebufferMib=2**63 - 1, heads=[None, {'vncClients': 2**63 - 1}],
                    contextsLost=[1, {}, {'count': 3}], frameIntervals={'x': 1},
                    refusals='none')
        self.start(ListVgpus={'vgpus': [vgpu, {}, {'uuid': 7}]})
        families = self.metrics()
        self.assertEqual(exposition.value_of(families, 'vgpu_contexts'), 2.0**63)
        self.assertEqual(families['vgpu_memory_used_bytes']['samples'], [])
        self.assertEqual(families['vgpu_memory_limit_bytes']['samples'], [])

    def test_many_vgpus(self):
        """No more series than the bound, and the others are counted."""
        vgpus = []
        for i in range(1500):
            vgpu = fake.nameless()
            vgpu['uuid'] = f'{i:08x}' + vgpu['uuid'][8:]
            vgpus.append(vgpu)
        self.start(ListVgpus={'vgpus': vgpus})
        families = self.metrics()
        self.assertEqual(len(families['vgpu_info']['samples']), 1024)
        self.assertEqual(exposition.value_of(families, 'vgpu_left_out'), 476)

    def test_vm(self):
        """The virtual machine's name and uuid are on its command line."""
        uuid = '6f2d1f3c-0001-4222-8333-abcdefabcdef'
        vm = subprocess.Popen(['/bin/sh', '-c', 'read x', 'qemu', '-name',
                               'guest=a,,b"c,debug-threads=on', '-uuid', uuid],
                              stdin=subprocess.PIPE)
        self.addCleanup(vm.wait)
        self.addCleanup(vm.stdin.close)
        vgpu = fake.counted()
        vgpu['vmPid'] = vm.pid
        self.start(ListVgpus={'vgpus': [vgpu]})
        info, = self.metrics()['vgpu_info']['samples']
        self.assertEqual((info[1]['vm'], info[1]['vm_uuid']), ('a,b"c', uuid))

    def test_manager_that_goes(self):
        self.start()
        self.metrics()
        self.fake.close()
        os.unlink(self.socket)
        families = self.fresh(lambda f: exposition.value_of(f, 'vgpu_up') == 0)
        self.assertEqual(list(families), ['vgpu_up'])
        self.fake = self.manager(GetInfo={'version': '2'}, ListGpus=fake.gpus(),
                                 ListVgpus=fake.vgpus())
        self.fresh(lambda f: exposition.value_of(f, 'vgpu_up') == 1)
        self.log.seek(0)
        self.assert_line(self.log.read())

    def test_manager_that_answers_nonsense(self):
        self.start(ListVgpus={'vgpus': 7})
        families = self.metrics()
        self.assertEqual(exposition.value_of(families, 'vgpu_up'), 0)

    @unittest.skipUnless(shutil.which('promtool'), 'no promtool')
    def test_promtool(self):
        """Prometheus' own checker, where it is installed."""
        self.start()
        done = subprocess.run(['promtool', 'check', 'metrics'], text=True,
                              input=self.get()[1], capture_output=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))


class Http(Exporter):
    def test_answers(self):
        self.start()
        for request, status in (
                (b'GET /metrics HTTP/1.0\r\n\r\n', 200),
                (b'GET /metrics?x=1 HTTP/1.1\nHost: x\n\n', 200),
                (b'GET / HTTP/1.1\r\n\r\n', 200),
                (b'HEAD /metrics HTTP/1.1\r\n\r\n', 200),
                (b'GET /etc/passwd HTTP/1.1\r\n\r\n', 404),
                (b'GET /metrics/../x HTTP/1.1\r\n\r\n', 404),
                (b'POST /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd', 405),
                (b'get /metrics HTTP/1.1\r\n\r\n', 405),
                (b'GET /metrics\r\n\r\n', 400),
                (b'GET /metrics HTTP/9\r\n\r\n', 400),
                (b'\r\n\r\n', 400),
                (b'GET /\0 HTTP/1.1\r\n\r\n', 400),
                (b'\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400),
                (b'GET /metrics HTTP/1.1\r\nX: ' + b'a' * 9000, 431)):
            with self.subTest(request=request[:40]):
                answer = self.send(request)
                self.assertRegex(answer, f'^HTTP/1.1 {status} [A-Z][A-Za-z ]+\r\n')
                self.assertIn('Connection: close\r\n', answer)
                if request.startswith(b'HEAD'):
                    self.assertTrue(answer.endswith('\r\n\r\n'))
                    self.assertNotIn('Content-Length: 0\r', answer)

    def test_byte_by_byte(self):
        self.start()
        client = self.connect()
        for byte in b'GET /metrics HTTP/1.1\r\n\r\n':
            client.send(bytes([byte]))
            time.sleep(0.005)
        exposition.parse(self.read(client).partition('\r\n\r\n')[2])

    def test_many_ask_once(self):
        """However many scrape, the manager is asked about once a second."""
        self.start()
        begin = time.monotonic()
        for _ in range(100):
            self.get()
        seconds = time.monotonic() - begin
        asked = sum(method == 'ListVgpus' for method, _ in self.fake.calls)
        self.assertLessEqual(asked, seconds + 2)

    def test_slow_clients_keep_nobody_out(self):
        """More connections than there is room for, which ask for nothing."""
        self.start()
        most = int(LIMITS['EXPORTER_CLIENTS_MAX'])
        slow = [self.connect() for _ in range(3 * most)]
        for client in slow:
            try:
                client.send(b'GET /metr')
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.metrics()
        # Those that made room were told.
        self.assertIn('408', self.read(slow[0]))
        fds = len(os.listdir(f'/proc/{self.exporter.pid}/fd'))
        self.assertLessEqual(fds, most + 20)

    def test_clients_that_do_not_read(self):
        """They are given up in time, and others are served meanwhile."""
        vgpus = []
        for i in range(1024):
            vgpu = fake.counted()
            vgpu['uuid'] = f'{i:08x}' + vgpu['uuid'][8:]
            vgpus.append(vgpu)
        self.start(ListVgpus={'vgpus': vgpus})
        most = int(LIMITS['EXPORTER_CLIENTS_MAX'])
        greedy = []
        for _ in range(most):
            client = self.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.send(b'GET /metrics HTTP/1.1\r\n\r\n')
            greedy.append(client)
        deadline = time.monotonic() + TIMEOUT
        # While all hold an answer, one more is told to come again; then it is served.
        seen = set()
        while True:
            answer = self.send(b'GET / HTTP/1.1\r\n\r\n')
            seen.add(answer.split(' ')[1] if answer else None)
            if '200' in seen:
                break
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        self.assertLessEqual(seen, {'200', '503', None})

    def test_sockets_of_systemd(self):
        """It serves what it is passed, and ends on SIGTERM."""
        self.manager(GetInfo={'version': '1'}, ListGpus=fake.gpus(),
                     ListVgpus=fake.vgpus())
        listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(listener.close)

        def pass_on():
            os.dup2(listener.fileno(), 3)
            os.environ['LISTEN_PID'] = str(os.getpid())
        exporter = subprocess.Popen(
            ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$0"', EXPORTER], pass_fds=[3],
            preexec_fn=pass_on, env=dict(self.environment, LISTEN_FDS='1'))
        self.addCleanup(exporter.kill)
        with socket.create_connection(listener.getsockname(), TIMEOUT) as client:
            client.sendall(b'GET /metrics HTTP/1.1\r\n\r\n')
            body = self.read(client).partition('\r\n\r\n')[2]
        self.assertEqual(exposition.value_of(exposition.parse(body), 'vgpu_up'), 1)
        exporter.send_signal(signal.SIGTERM)
        self.assertEqual(exporter.wait(TIMEOUT), 0)

    def test_wrong_use(self):
        for arguments, status in (
                ([], 2), (['--listen', '0.0.0.0:9000'], 1),
                (['--listen', '127.0.0.1:0'], 1), (['--listen', 'x:80'], 1),
                (['--listen', '127.0.0.1:99999'], 1), (['--nothing'], 2),
                (['--listen', 'unix:/nowhere/s'], 1), (['word'], 2)):
            with self.subTest(arguments=arguments):
                done = subprocess.run([EXPORTER, *arguments], capture_output=True,
                                      timeout=TIMEOUT, check=False, text=True)
                self.assertEqual((done.returncode, done.stdout), (status, ''))
                self.assert_line(done.stderr)


@unittest.skipUnless(shutil.which('prometheus'), 'no prometheus')
class Prometheus(Exporter):
    """A real one, where it is installed."""

    def free_port(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            return server.getsockname()[1]

    def ask(self, path, **parameters):
        url = f'http://127.0.0.1:{self.port}/{path}?' + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=TIMEOUT) as reply:
            return json.load(reply)['data']

    def wait(self, condition):
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                result = condition()
            except (OSError, KeyError):
                result = None
            if result:
                return result
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)

    def test_dashboard(self):
        """It scrapes without complaint, and answers every query of the dashboard."""
        counter = iter(range(1, 10**6))

        def vgpus(_):
            vgpu, n = fake.counted(), next(counter)
            for key in 'cpuUsec', 'graphicsNs', 'frames', 'submits':
                vgpu[key] += 1000 * n
            vgpu['frameIntervals'][1]['frames'] += 60 * n
            return {'vgpus': [vgpu, fake.nameless()]}
        self.manager(GetInfo={'version': '1'}, ListGpus=fake.gpus(), ListVgpus=vgpus)
        exporter_port, self.port = self.free_port(), self.free_port()
        exporter = subprocess.Popen(
            [EXPORTER, '--listen', f'127.0.0.1:{exporter_port}'], env=self.environment)
        self.addCleanup(exporter.wait)
        self.addCleanup(exporter.kill)
        config = os.path.join(self.folder, 'prometheus.yml')
        with open(config, 'w', encoding='utf-8') as f:
            f.write('global: {scrape_interval: 1s}\nscrape_configs:\n'
                    "  - {job_name: vgpu, static_configs: [{targets: ['127.0.0.1:%d']}]}\n"
                    % exporter_port)
        server = subprocess.Popen(
            ['prometheus', f'--config.file={config}',
             f'--storage.tsdb.path={self.folder}/data',
             f'--web.listen-address=127.0.0.1:{self.port}'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        target, = self.wait(lambda: [t for t in self.ask('api/v1/targets')['activeTargets']
                                     if t['health'] == 'up'])
        self.assertEqual(target['lastError'], '')
        # Enough samples for rate().
        self.wait(lambda: self.ask('api/v1/query',
                                   query='rate(vgpu_frames_total[10s]) > 0')['result'])
        with open(os.path.join(SOURCE, 'packaging/grafana.json'), encoding='utf-8') as f:
            panels = json.load(f)['panels']
        for panel in panels:
            for target in panel['targets']:
                query = target['expr'].replace('$uuid', '.*').replace(
                    '$__rate_interval', '10s')
                with self.subTest(query=query):
                    self.assertTrue(self.ask('api/v1/query', query=query)['result'])
        metadata = self.ask('api/v1/metadata')
        families = exposition.parse(urllib.request.urlopen(
            f'http://127.0.0.1:{exporter_port}/metrics', timeout=TIMEOUT).read().decode())
        for name, family in families.items():
            self.assertEqual(metadata[name][0]['type'], family['type'], name)


if __name__ == '__main__':
    unittest.main()
