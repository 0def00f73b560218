#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own VFIO selftests, as they are, on VFs with vGPUs, on the kernel
that VGPU_KERNEL names. In the model's lab (lab/run --model), after
tests/vfio/take_selftests in that of kernels."""

import os
import re
import subprocess
import unittest

from vfio_case import TOP, VfioCase, build

# What tests skip who need more than there is: MSI beside MSI-X, larger pages.
SKIPPED = r'\.msi\.|hugetlb'
HUGE_PAGES = 8
KSFT_SKIP = 4
# Variants by what maps the memory.
IOMMUFD = [mode + memory
           for mode in ('iommufd', 'iommufd_compat_type1',
                        'iommufd_compat_type1v2')
           for memory in ('', '_anonymous', '_anonymous_hugetlb_2mb',
                          '_anonymous_hugetlb_1gb')]


class Selftests(VfioCase):
    MACHINE = os.path.join(TOP, 'build/selftests/machine.cpio')

    def setUp(self):
        super().setUp()
        # Debian's kernels have only VFIO's own containers.
        status, _ = self.host.do('run busybox test -e /dev/iommu')
        self.has_iommufd = status == 0

    def needs_iommufd(self):
        if not self.has_iommufd:
            self.skipTest('this kernel has no iommufd')

    def passes(self, program, *vfs):
        words = ['run vf selftest', program, *map(str, vfs), '--']
        if not self.has_iommufd:
            words += [f'-V {variant}' for variant in IOMMUFD]
        said = self.do(' '.join(words))
        results = re.findall(r'\] (not ok|ok) \d+ (\S+)( # SKIP)?', said)
        passed = [name for is_ok, name, skip in results
                  if is_ok == 'ok' and not skip]
        for is_ok, name, skip in results:
            if is_ok != 'ok' or (skip and not re.search(SKIPPED, name)):
                self.fail(said)
        self.assertGreater(len(passed), 0, said)
        print(f'{program}: {len(passed)} of {len(results)}, '
              f'{len(results) - len(passed)} skipped')

    def test_devices(self):
        self.needs_iommufd()
        self.passes('vfio_pci_device_test', 1)

    def test_mappings_of_bars(self):
        self.passes('vfio_dma_mapping_mmio_test', 1)

    def test_mappings(self):
        # The debug kernel has none.
        self.host.do(f'write /proc/sys/vm/nr_hugepages {HUGE_PAGES}')
        self.passes('vfio_dma_mapping_test', 1)
        self.host.do('write /proc/sys/vm/nr_hugepages 0')

    def test_two_at_once(self):
        self.passes('vfio_pci_device_init_perf_test', 1, 2)

    def test_iommufd(self):
        self.needs_iommufd()
        self.passes('vfio_iommufd_setup_test', 1)

    def test_it_is_none_of_those_with_a_driver(self):
        """Which the selftests have for two devices that copy memory."""
        self.needs_iommufd()
        status, said = self.host.do('run vf selftest vfio_pci_driver_test 1')
        self.assertEqual(status, KSFT_SKIP, said)


def prepare():
    build()
    built = subprocess.run([os.path.join(TOP, 'tests/vfio/build_selftests'),
                            VfioCase.MACHINE], check=False)
    if built.returncode:
        raise SystemExit(built.returncode)


if __name__ == '__main__':
    prepare()
    unittest.main()
