# SPDX-License-Identifier: GPL-2.0-or-later
"""The program's command line, and the conventions for back ends."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import frontend as fe
from frontend import command


def run(*args, **how):
    return subprocess.run([fe.DEVICE, *args], capture_output=True, text=True,
                          timeout=fe.TIMEOUT, check=False, **how)


class Program(unittest.TestCase):
    def test_print_capabilities(self):
        for args in (["--print-capabilities"],
                     ["--print-capabilities", "--fd", "nonsense", "more"],
                     ["--socket-path", "/x", "--print-capabilities"]):
            got = run(*args)
            self.assertEqual(got.returncode, 0)
            self.assertEqual(got.stderr, "")
            self.assertEqual(json.loads(got.stdout),
                             {"type": "gpu", "features": []})

    def test_help_and_version(self):
        for option in ("--help", "--version"):
            got = run(option)
            self.assertEqual(got.returncode, 0)
            self.assertIn("vgpu-device", got.stdout)
            self.assertEqual(got.stderr, "")

    def test_wrong_usage(self):
        for args in ([], ["--fd", "3", "--socket-path", "/tmp/x"],
                     ["--fd", "3", "--control-fd", "4"], ["--fd", "2"],
                     ["--fd", "-1"], ["--fd", "x"], ["--fd", "99999999999"],
                     ["--fd"], ["--nonsense"], ["--socket-path", ""],
                     ["--socket-path", "/tmp/x", "more"],
                     ["--socket-path", "/tmp/x", "--heads", "17"],
                     ["--socket-path", "/tmp/x", "--heads", "1x"],
                     ["--socket-path", "/tmp/x", "--max-resolution", "1920"],
                     ["--socket-path", "/tmp/x", "--max-resolution", "0x1"],
                     ["--socket-path", "/tmp/x", "--max-resolution",
                      "9000x9000"],
                     ["--socket-path", "/tmp/x", "--framebuffer-mib", "0"],
                     ["--socket-path", "/tmp/x", "--host-visible-mib", "3"],
                     ["--socket-path", "/tmp/x", "--uuid", "12"],
                     ["--socket-path", "/tmp/x", "--name", "a/b"]):
            with self.subTest(args=args):
                got = run(*args)
                self.assertEqual(got.returncode, 2)
                self.assertEqual(got.stdout, "")
                self.assertEqual(len(got.stderr.splitlines()), 1, got.stderr)
                self.assertFalse(os.path.exists("/tmp/x"))

    def test_fails_early(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "file")
            with open(file, "w", encoding="ascii"):
                pass
            taken = os.path.join(folder, "taken")
            other = socket.socket(socket.AF_UNIX)
            other.bind(taken)
            other.listen()
            memfd = os.memfd_create("x")
            for args, fds in ((["--socket-path", folder + "/no/s"], []),
                              (["--socket-path", file], []),
                              (["--socket-path", taken], []),
                              (["--socket-path", "/" + "x" * 200], []),
                              (["--fd", "77"], []),
                              (["--fd", str(memfd)], [memfd]),
                              (["--control-fd", "77"], []),
                              (["--control-fd", str(memfd)], [memfd])):
                with self.subTest(args=args):
                    got = run(*args, pass_fds=fds)
                    self.assertEqual(got.returncode, 1)
                    self.assertEqual(len(got.stderr.splitlines()), 1)
            self.assertTrue(os.path.exists(taken))
            self.assertTrue(os.path.exists(file))
            other.close()
            os.close(memfd)

    def test_ends_on_sigterm(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            device = fe.Device(program=fe.DEVICE)
            device.process.send_signal(how)
            self.assertEqual(device.process.wait(fe.TIMEOUT), 0)
            self.assertFalse(os.path.exists(device.path))
            self.assertEqual(device.messages(), "")
            device.close()

    def test_ends_on_sigterm_with_a_machine(self):
        device = fe.Device()
        with device.connect() as front:
            queue = front.bring_up()[0]
            queue.submit(command(fe.KEEP))
            front.ask_u64(fe.GET_FEATURES)
            device.process.terminate()
            self.assertEqual(device.process.wait(fe.TIMEOUT), 0)
            self.assertTrue(front.is_gone())
        self.assertFalse(os.path.exists(device.path))
        device.close()

    def test_removes_only_its_own_socket(self):
        device = fe.Device()
        with device.connect() as front:  # it knows by now which file is its
            front.ask_u64(fe.GET_FEATURES)
        os.unlink(device.path)
        with open(device.path, "w", encoding="ascii"):
            pass
        device.process.terminate()
        device.process.wait(fe.TIMEOUT)
        self.assertTrue(os.path.exists(device.path))
        device.close()

    def test_takes_over_a_stale_socket(self):
        device = fe.Device()
        with device.connect() as front:  # so that it listens
            front.ask_u64(fe.GET_FEATURES)
        device.process.kill()
        device.process.wait(fe.TIMEOUT)
        self.assertTrue(os.path.exists(device.path))
        again = subprocess.Popen([fe.TEST_DEVICE, "--socket-path",
                                  device.path])
        end = time.monotonic() + fe.TIMEOUT
        while True:
            try:
                with fe.FrontEnd(device.path) as front:
                    self.assertTrue(front.ask_u64(fe.GET_FEATURES))
                break
            except (ConnectionRefusedError, FileNotFoundError, fe.Gone):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.002)
        again.terminate()
        self.assertEqual(again.wait(fe.TIMEOUT), 0)
        device.close()

    def test_does_not_daemonise(self):
        with fe.Device() as device:
            with device.connect() as front:
                front.bring_up()
                children = subprocess.run(
                    ["ps", "--ppid", str(device.pid)], capture_output=True,
                    check=False, text=True).stdout.splitlines()
                self.assertEqual(len(children), 1)
                self.assertIsNone(device.process.poll())

    def test_listening_fd(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(path)
            listening.listen()
            process = subprocess.Popen(
                [fe.TEST_DEVICE, "--fd", str(listening.fileno())],
                pass_fds=[listening.fileno()])
            listening.close()
            for _ in range(3):
                while True:
                    with fe.FrontEnd(path) as front:
                        try:
                            queue = front.bring_up()[0]
                        except fe.Gone:
                            continue
                        queue.submit(command(fe.ECHO, 3))
                        queue.wait()
                        break
            process.terminate()
            self.assertEqual(process.wait(fe.TIMEOUT), 0)
            self.assertTrue(os.path.exists(path))

    def test_connected_fd(self):
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [fe.TEST_DEVICE, "--fd", str(theirs.fileno())],
            pass_fds=[theirs.fileno()])
        theirs.close()
        with fe.FrontEnd(ours) as front:
            queue = front.bring_up()[0]
            queue.submit(command(fe.ECHO, 3))
            queue.wait()
        # It has nothing to do any more.
        self.assertEqual(process.wait(fe.TIMEOUT), 0)

    def test_confined(self):
        read, write = os.pipe()
        with fe.Device(program=fe.DEVICE) as device, \
                device.connect() as front:  # it is shut in when it listens
            front.ask_u64(fe.GET_FEATURES)
            with open(f"/proc/{device.pid}/status", encoding="ascii") as file:
                status = dict(line.split(":", 1) for line in file)
            self.assertEqual(status["NoNewPrivs"].strip(), "1")
            self.assertNotIn("0", status["Uid"].split())
            for kind in ("Inh", "Prm", "Eff", "Amb"):
                self.assertEqual(int(status["Cap" + kind], 16), 0, kind)
            self.assertEqual(status["CoreDumping"].strip(), "0")
            with open(f"/proc/{device.pid}/limits", encoding="ascii") as file:
                core = next(line for line in file if "core" in line)
            self.assertEqual(core.split()[4:6], ["0", "0"])
            self.assertEqual(os.stat(device.path).st_mode & 0o77, 0)
        os.close(read)
        os.close(write)

    def test_foreign_fds_are_closed(self):
        fds = [os.memfd_create(f"foreign{i}", 0) for i in range(3)]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            process = subprocess.Popen([fe.DEVICE, "--socket-path", path],
                                       pass_fds=fds)
            while not os.path.exists(path):
                time.sleep(0.002)
            links = [os.readlink(f"/proc/{process.pid}/fd/{fd}")
                     for fd in os.listdir(f"/proc/{process.pid}/fd")]
            self.assertFalse([link for link in links if "foreign" in link])
            process.terminate()
            self.assertEqual(process.wait(fe.TIMEOUT), 0)
        for fd in fds:
            os.close(fd)

    @unittest.skipIf(fe.SANITIZED, "a sanitizer needs memory of its own")
    def test_idle_is_small(self):
        with fe.Device(program=fe.DEVICE) as device:
            with device.connect() as front:
                front.bring_up()
                with open(f"/proc/{device.pid}/smaps_rollup",
                          encoding="ascii") as file:
                    pss = next(int(line.split()[1]) for line in file
                               if line.startswith("Pss:"))
        self.assertLess(pss, 5 * 1024)


if __name__ == "__main__":
    unittest.main()
