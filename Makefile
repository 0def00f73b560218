# SPDX-License-Identifier: GPL-2.0-or-later
# The commands of the README, and what a developer needs. Everything runs
# in the lab, which is made on demand (see lab/).

.PHONY: all demo demo-sriov check check-long check-model bench fuzz build lab clean clean-lab

all: build

lab:
	@lab/setup >/dev/null

build: lab
	@lab/run scripts/build build

demo:
	@VGPU_KEEP=$(KEEP) lab/demo

# The host of SR-IOV GPUs, on the hardware model.
demo-sriov:
	@lab/demo-sriov

check:
	@scripts/check

check-long:
	@scripts/check --long

# The hardware model has a lab of its own: another QEMU, a kernel, firmware.
check-model:
	@scripts/check --model

bench: build
	@lab/run bench/run

fuzz: lab
	@lab/run scripts/fuzz

clean:
	rm -rf build build-asan build-clang

clean-lab:
	@lab/clean
