# SPDX-License-Identifier: GPL-2.0-or-later
# The commands of the README, and what a developer needs. Everything runs
# in the lab, which is made on demand (see lab/).

.PHONY: all demo demo-sriov quick check check-long check-model bench fuzz build deb lab clean clean-lab

all: build

lab:
	@lab/setup >/dev/null

build: lab
	@lab/run scripts/build build

# Debian packages, in build-deb/. They have a lab of their own.
deb:
	@lab/deb >/dev/null
	@lab/run --deb scripts/build-deb

demo:
	@VGPU_KEEP=$(KEEP) lab/demo

# The host of SR-IOV GPUs, on the hardware model. CORE=nouveau: with nouveau as the
# GPU's driver, by which the host uses it meanwhile.
demo-sriov:
	@lab/demo-sriov $(CORE)

# What to run after each edit: unit tests, and the fast suites of the files that
# differ from the last commit, or that it changed where none do.
quick: build
	@files=$$(git diff --name-only HEAD; git ls-files -o --exclude-standard); \
	lab/run scripts/quick $${files:-$$(git diff --name-only HEAD~1)}

check:
	@scripts/check

# PART=...: only a part of it, for scripts/check knows which. PART=soak runs for
# SECONDS, from SEED on; PART=fuzz runs each target for SECONDS.
check-long:
	@scripts/check $(if $(PART),--part $(PART) $(SECONDS) $(SEED),--long)

# The hardware model has a lab of its own: another QEMU, a kernel, firmware.
check-model:
	@scripts/check --model

# GPU=KIND: only Vulkan, on a stand-in for a GPU of that kind (bench/run --help), or on
# all of them.
bench: build
	@lab/run bench/run $(if $(GPU),--gpu $(GPU))

fuzz: lab
	@lab/run scripts/fuzz

clean:
	rm -rf build build-asan build-clang build-deb

clean-lab:
	@lab/clean
