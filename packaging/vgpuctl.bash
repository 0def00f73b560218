# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of vgpuctl for bash. What can follow vgpuctl itself knows.

_vgpuctl() {
	local cur words cword
	local -a offered

	_get_comp_words_by_ref -n '=:' cur words cword || return
	COMPREPLY=()
	mapfile -t offered < <(timeout 2 vgpuctl __complete \
		"${words[@]:1:cword}" 2>/dev/null | cut -f 1)
	# --option=VALUE is completed as --option VALUE is.
	[[ $cur == --*=* ]] && cur=${cur#*=}
	if [ "${offered[*]}" = :files ]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	COMPREPLY=("${offered[@]}")
	# An address is not whole yet.
	[[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace 2>/dev/null
	# The colons of a PCI address break words.
	declare -F __ltrim_colon_completions >/dev/null &&
		__ltrim_colon_completions "$cur"
} &&
	complete -F _vgpuctl vgpuctl
