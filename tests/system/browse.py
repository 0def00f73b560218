# SPDX-License-Identifier: GPL-2.0-or-later
"""browse.py TOKEN: log in to vgpu-web of this machine, and look at everything that the
link shows; prints it as JSON."""

import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../manager'))

# pylint: disable=wrong-import-position
from web import Browser, WebVnc

ADDRESS = ('127.0.0.1', 9847)


class Server:
    """vgpu-web, as a browser reaches it."""

    @staticmethod
    def connect():
        return socket.create_connection(ADDRESS, 60)


class Here(Browser):
    host = '%s:%d' % ADDRESS


def look(browser, uuid):
    picture = browser.get(f'/picture?vgpu={uuid}&head=0')
    console = WebVnc(browser.vnc(uuid))
    console.full()
    name = console.name.decode()
    console.close()
    return {'picture': struct.unpack('>II', picture.body[16:24]) if picture.status == 200
            else picture.status, 'console': name}


def main(token):
    browser = Here(Server())
    pages = [browser.get(path).status for path in
             ('/', '/index.js', '/login', '/login.js', '/console', '/console.js', '/page.css')]
    answers = {'page': max(pages), 'before': browser.get('/vgpus').status,
               'login': browser.log_in(token).status,
               'again': Here(Server()).log_in(token).status}
    vgpus = json.loads(browser.get('/vgpus').body)['vgpus']
    answers['vgpus'] = {each['name']: look(browser, each['uuid']) for each in vgpus}
    print(json.dumps(answers))


main(sys.argv[1])
