# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# How a Debian root is made from packages; part of what a piece's hash is of.

# lab_packages FILE: the package names in FILE, comma separated.
lab_packages() {
	sed 's/#.*//; /^ *$/d' "$1" | paste -s -d ,
}

# lab_bootstrap DIR PACKAGES-FILE LABEL [mmdebstrap option...]: a Debian 13 root.
lab_bootstrap() {
	local dir=$1 list=$2 label=$3 mirror log proxy=
	local pins=${lab_dir:?}/root.preferences
	shift 3
	mirror=$(lab_mirror)
	# mmdebstrap's apt does not look at the host's configuration.
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "$proxy" ] ||
		set -- "$@" --aptopt="Acquire::http::Proxy \"$proxy\""
	log=$dir.log
	cp "$pins" "$dir.preferences"
	mmdebstrap --verbose --mode=root --variant=apt \
		--include="$(lab_packages "$list")" \
		--aptopt='APT::Install-Recommends "false"' \
		--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"" \
		--setup-hook="cp '$dir.preferences' \"\$1/etc/apt/preferences.d/openvgpu\"" \
		"$@" trixie "$dir" \
		"deb $mirror trixie main" \
		"deb $mirror trixie-backports main" >"$log" 2>&1 &
	if ! lab_tick $! "$label"; then
		tail -n 15 "$log" >&2
		lab_die "$label failed; the whole log: $log"
	fi
	rm -f "$log" "$dir.preferences"
}
