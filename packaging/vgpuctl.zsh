#compdef vgpuctl
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of vgpuctl for zsh. What can follow vgpuctl itself knows.

_vgpuctl() {
	local line
	local -a plain described

	for line in "${(@f)$(timeout 2 vgpuctl __complete \
		"${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		case $line in
		'') ;;
		:files)
			[[ $PREFIX == --*=* ]] && compset -P '*='
			_files
			return
			;;
		# What follows a colon is told of what stands before it.
		*$'\t'*) described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
		*) plain+=("$line") ;;
		esac
	done
	# --option=VALUE is completed as --option VALUE is.
	[[ $PREFIX == --*=* ]] && compset -P '*='
	(( $#described )) && _describe vgpuctl described
	(( $#plain )) && compadd -- "${plain[@]}"
}

_vgpuctl "$@"
