# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium without a screen, by its protocol for developers over two pipes."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = 'chromium-headless-shell'
# Only a hang reaches it.
TIMEOUT = 120


class Chromium:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='chromium.')
        read_end, self.commands = os.pipe()
        self.answers, write_end = os.pipe()
        # Out of the way of 3 and 4, where it looks for them.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (read_end, write_end)]

        def pass_on():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)
        self.process = subprocess.Popen(
            [PROGRAM, '--no-sandbox', '--disable-gpu', '--no-first-run',
             '--remote-debugging-pipe', '--window-size=1280,800',
             f'--user-data-dir={self.folder}'],
            pass_fds=[3, 4], preexec_fn=pass_on, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.folder))
        for fd in (read_end, write_end, *ends):
            os.close(fd)
        self.buffer = b''
        self.number = 0
        self.events = []

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self):
        end = time.monotonic() + TIMEOUT
        while b'\0' not in self.buffer:
            assert select.select([self.answers], [], [], end - time.monotonic())[0], \
                'Chromium does not answer'
            got = os.read(self.answers, 1 << 20)
            assert got, 'Chromium has ended'
            self.buffer += got
        text, _, self.buffer = self.buffer.partition(b'\0')
        return json.loads(text)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': parameters}
        if session:
            message['sessionId'] = session
        os.write(self.commands, json.dumps(message).encode() + b'\0')
        while True:
            answer = self.receive()
            if answer.get('id') == self.number:
                assert 'error' not in answer, (method, answer['error'])
                return answer['result']
            self.events.append(answer)

    def page(self, url):
        """A page, with cookies of its own."""
        context = self.call('Target.createBrowserContext')['browserContextId']
        target = self.call('Target.createTarget', url='about:blank',
                           browserContextId=context)['targetId']
        session = self.call('Target.attachToTarget', targetId=target,
                            flatten=True)['sessionId']
        page = Page(self, session)
        for domain in 'Page', 'Runtime', 'Log':
            page.call(domain + '.enable')
        page.call('Page.navigate', url=url)
        return page


class Page:
    def __init__(self, browser, session):
        self.browser = browser
        self.session = session

    def call(self, method, **parameters):
        return self.browser.call(method, session=self.session, **parameters)

    def run(self, script):
        """What an expression is, or the promise of it."""
        result = self.call('Runtime.evaluate', expression=script, awaitPromise=True,
                           returnByValue=True, allowUnsafeEvalBlockedByCSP=False)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def wait(self, script, what):
        end = time.monotonic() + TIMEOUT
        while not (value := self.run(script)):
            assert time.monotonic() < end, f'in vain for {what}: {self.text()}'
            time.sleep(0.1)
        return value

    def text(self):
        return self.run('document.body?.innerText')

    def type(self, character, code, key_code):
        for kind in 'keyDown', 'keyUp':
            self.call('Input.dispatchKeyEvent', type=kind, key=character, code=code,
                      windowsVirtualKeyCode=key_code,
                      **({'text': character} if kind == 'keyDown' else {}))

    def write(self, text):
        """Type characters of an American keyboard; a guest that is slow drops keys of
        faster hands."""
        for character in text:
            if character == '\n':
                self.type('\r', 'Enter', 13)
            else:
                # Those of other characters are other keys' numbers.
                self.type(character, '', ord(character.upper())
                          if character.isalnum() or character == ' ' else 0)
            time.sleep(0.1)

    def click(self, selector):
        self.run(f'document.querySelector({json.dumps(selector)}).click()')

    def picture(self, path):
        data = self.call('Page.captureScreenshot', format='png')['data']
        with open(path, 'wb') as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """What it has logged as an error, and dialogs."""
        found = []
        for event in self.browser.events:
            if event.get('sessionId') != self.session:
                continue
            if event['method'] == 'Log.entryAdded' and \
                    event['params']['entry']['level'] == 'error':
                found.append(event['params']['entry'])
            if event['method'] in ('Page.javascriptDialogOpening',
                                   'Runtime.exceptionThrown'):
                found.append(event)
        return found
