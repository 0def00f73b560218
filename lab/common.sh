# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the lab's scripts: where its cached pieces lie and how one is made.
#
# A piece is a folder named KIND-HASH, HASH being that of every file it is made
# from. It is made under another name and renamed when it is whole, so that a
# piece which exists is complete, whoever was interrupted.

set -euo pipefail

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck disable=SC2034 # used by the scripts that source this file
lab_top=$(dirname "$lab_dir")
lab_cache=${VGPU_LAB_DIR:-/var/cache/openvgpu}

lab_say() { printf 'lab: %s\n' "$*" >&2; }
lab_die() { lab_say "$*"; exit 1; }

# lab_need_root: building a root and entering it takes root's rights.
lab_need_root() {
	[ "$(id -u)" = 0 ] && return
	command -v sudo >/dev/null ||
		lab_die "the lab needs root or sudo: run this as root"
	exec sudo --preserve-env=VGPU_LAB_DIR,CI,VGPU_KEEP -- "$0" "$@"
}

# lab_need_packages PACKAGE...: install what is missing on the host, saying so.
lab_need_packages() {
	local missing=() p
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null |
			grep -qx installed || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null ||
		lab_die "this host is no Debian; install: ${missing[*]}"
	lab_say "installing on this machine: ${missing[*]}"
	apt-get update -qq || true # what is cached may be enough
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		-o DPkg::Lock::Timeout=120 --no-install-recommends \
		"${missing[@]}" >/dev/null ||
		lab_die "cannot install ${missing[*]}: see apt's message above"
}

# lab_mirror: the Debian mirror this host uses.
lab_mirror() {
	local m
	m=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list \
		2>/dev/null |
		sed -n 's/^URIs: *//p
			s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' |
		grep '/debian/\{0,1\}$' | head -n 1) || true
	printf '%s\n' "${m:-http://deb.debian.org/debian}"
}

# lab_hash FILE...: a short hash over the names and contents of FILEs.
lab_hash() {
	(cd "$lab_dir" && sha256sum "$@") | sha256sum | cut -c 1-12
}

# lab_root_path, lab_guest_path, ...: where the pieces lie, or will.
lab_root_path() {
	printf '%s/root-%s\n' "$lab_cache" \
		"$(lab_hash setup root.packages root.preferences bootstrap.sh)"
}
lab_guest_path() {
	local files
	mapfile -t files < <(cd "$lab_dir" && find guest.d -type f | LC_ALL=C sort)
	printf '%s/guest-%s\n' "$lab_cache" \
		"$(lab_hash guest guest.packages root.preferences bootstrap.sh "${files[@]}")"
}
lab_model_path() {
	printf '%s/model-%s\n' "$lab_cache" \
		"$(lab_hash model model.packages bootstrap.sh)"
}
lab_kernels_path() {
	printf '%s/kernels-%s\n' "$lab_cache" \
		"$(lab_hash kernels kernels.packages root.preferences bootstrap.sh)"
}
lab_deb_path() {
	printf '%s/deb-%s\n' "$lab_cache" \
		"$(lab_hash deb deb.packages root.preferences bootstrap.sh)"
}
lab_system_path() {
	printf '%s/system-%s\n' "$lab_cache" \
		"$(lab_hash system system.packages root.preferences bootstrap.sh)"
}
lab_debug_kernel_path() {
	printf '%s/debug-kernel-%s\n' "$lab_cache" \
		"$(lab_hash debug-kernel debug-kernel.config kernels.packages)"
}

# lab_locked COMMAND...: run COMMAND while nobody else makes a piece. A script may
# set lab_lock: what takes long has a lock of its own, so that lab/run goes on.
lab_lock=.lock
lab_locked() {
	mkdir -p "$lab_cache"
	exec 9>"$lab_cache/$lab_lock"
	flock 9
	"$@"
	exec 9>&-
}

# lab_tick PID LABEL: show that PID goes on, until it ends; returns its status.
lab_tick() {
	local pid=$1 label=$2 start=$SECONDS rc=0
	# A shell starts its background jobs deaf to ctrl-C, so pass it on.
	trap 'kill -TERM "$pid" 2>/dev/null; wait "$pid"; exit 130' INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		if [ -t 2 ]; then
			printf '\rlab: %s … %d s ' "$label" $((SECONDS - start)) >&2
		elif [ $(((SECONDS - start) % 20)) = 0 ]; then
			lab_say "$label … $((SECONDS - start)) s"
		fi
	done
	wait "$pid" || rc=$?
	trap - INT TERM
	[ ! -t 2 ] || printf '\r\033[K' >&2
	[ $rc != 0 ] || lab_say "$label: done in $((SECONDS - start)) s"
	return $rc
}

# lab_remove DIR: delete a piece, never crossing into another file system and
# never while something is mounted below it.
lab_remove() {
	case $1 in "$lab_cache"/?*) ;; *) lab_die "not in the lab: $1" ;; esac
	[ -e "$1" ] || return 0
	if grep -q " $1/" /proc/self/mountinfo; then
		lab_die "something is mounted below $1: unmount it first"
	fi
	rm -rf --one-file-system -- "$1"
}
