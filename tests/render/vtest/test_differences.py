# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest sees all of the host's GPU, except for what is listed here."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import Vtest, has_vtest, native_env, vulkaninfo

# Who the driver is. Venus says this of itself, or of both.
IDENTITY = re.compile(
    r"VkPhysicalDeviceProperties\.(apiVersion|driverVersion|deviceName|"
    r"pipelineCacheUUID)|"
    r"VkPhysicalDeviceVulkan11Properties\.(deviceUUID|driverUUID|deviceLUID|"
    r"deviceLUIDValid|deviceNodeMask)|"
    r"VkPhysicalDeviceVulkan12Properties\.(driverID|driverName|driverInfo|"
    r"conformanceVersion\..*)|"
    r"VkPhysicalDeviceLayeredApiPropertiesListKHR\..*")
# What Mesa's guest driver itself leaves out, for another reason each: formats
# of a newer Vulkan than it has here, and one that it takes for YCbCr only.
FORMATS = {"VK_FORMAT_A1B5G5R5_UNORM_PACK16", "VK_FORMAT_A8_UNORM",
           "VK_FORMAT_R10X6G10X6B10X6A10X6_UNORM_4PACK16"}


def differences(path, host, guest):
    """The places in two trees where one has another value."""
    if isinstance(host, dict) and isinstance(guest, dict):
        for key in sorted(host.keys() | guest.keys()):
            yield from differences(f"{path}.{key}", host.get(key),
                                   guest.get(key))
    elif host != guest:
        yield path, host, guest


class Differences(unittest.TestCase):
    """The same GPU, looked at natively and through a vGPU."""

    @classmethod
    def setUpClass(cls):
        cls.host = vulkaninfo(native_env())
        with Vtest() as server:
            try:
                cls.guest = vulkaninfo(server.env())
            except subprocess.CalledProcessError as error:
                raise AssertionError(
                    f"vulkaninfo ended with {error.returncode}; the device "
                    f"says: {server.log()}") from error
        hidden = cls.host["extensions"].keys() - cls.guest["extensions"].keys()
        print("extensions that only the host has:", *sorted(hidden))

    def assert_same(self, section, allowed):
        host, guest = self.host[section], self.guest[section]
        only = {"host": host.keys() - guest.keys(),
                "guest": guest.keys() - host.keys()}
        for where, names in only.items():
            print(f"{section} that only the {where} has:", *sorted(names))
        wrong = [f"{path}: host {a}, guest {b}"
                 for name in sorted(host.keys() & guest.keys())
                 for path, a, b in differences(name, host[name], guest[name])
                 if not allowed(path)]
        self.assertEqual(wrong, [])

    def test_limits_and_properties(self):
        self.assert_same("properties", IDENTITY.fullmatch)
        limits = self.guest["properties"]["VkPhysicalDeviceProperties"]["limits"]
        self.assertGreater(len(limits), 100)

    def test_features(self):
        self.assert_same("features", lambda path: False)
        self.assertIn("VkPhysicalDeviceVulkan13Features",
                      self.guest["features"])

    def test_formats(self):
        self.assert_same("formats", lambda path: path.split(".")[0] in FORMATS)
        self.assertLessEqual(
            self.host["formats"].keys() - self.guest["formats"].keys(), FORMATS)
        self.assertGreater(len(self.guest["formats"]), 50)

    def test_queues(self):
        families = [[family["VkQueueFamilyProperties"]
                     for family in side["queueFamiliesProperties"]]
                    for side in (self.host, self.guest)]
        self.assertEqual(*families)


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
