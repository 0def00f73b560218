# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of vgpuctl for bash: commands, options, and what the manager knows.

# _vgpuctl_known KEY... -- COMMAND...: values of the KEYs in what COMMAND prints.
# Only plain ones: a word that would need quotes is not offered.
_vgpuctl_known() {
	local keys=$1
	shift
	while [ "$1" != -- ]; do
		keys+="|$1"
		shift
	done
	shift
	timeout 2 vgpuctl "${_vgpuctl_socket[@]}" "$@" --json=short 2>/dev/null |
		grep -oE "\"($keys)\":\"[A-Za-z0-9._:-]+\"" | cut -d '"' -f 4 | sort -u
}

# _vgpuctl_offer WORDS: those of WORDS that begin with what was typed.
_vgpuctl_offer() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	# The colons of a PCI address break words.
	declare -F __ltrim_colon_completions >/dev/null &&
		__ltrim_colon_completions "$cur"
}

_vgpuctl() {
	local cur prev words cword
	local commands='gpus types list show top create destroy define start stop
		undefine modify autostart apply check qemu-args scheduler screenshot mode vnc
		events doctor help version'
	local modes='1024x768 1280x720 1280x1024 1600x900 1920x1080 1920x1200
		2560x1440 3840x2160'
	local command='' options='' value='' word i count=0
	local -a _vgpuctl_socket=()

	_get_comp_words_by_ref -n '=:' cur prev words cword || return
	COMPREPLY=()

	for ((i = 1; i < cword; i++)); do
		word=${words[i]}
		case $word in
		--socket)
			_vgpuctl_socket=(--socket "${words[++i]}")
			;;
		--socket=*)
			_vgpuctl_socket=("$word")
			;;
		--gpu | --type | --name | --uuid | --head | --placement | \
			--weight | --frame-rate-limit | --time-slice | --memory | \
			--autostart | --mode | --file | --config)
			((++i))
			;;
		-*) ;;
		*)
			if [ -z "$command" ]; then
				command=$word
			else
				((++count))
			fi
			;;
		esac
	done

	# --option=VALUE is completed as --option VALUE is.
	if [[ $cur == --*=* ]]; then
		prev=${cur%%=*}
		cur=${cur#*=}
		value=yes
	fi
	case $prev in
	--socket)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--json)
		# Without '=' the next word is the command's.
		if [ -n "$value" ]; then
			_vgpuctl_offer 'pretty short'
			return
		fi
		;;
	--file)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--autostart)
		_vgpuctl_offer 'on off'
		return
		;;
	--mode)
		_vgpuctl_offer "$modes"
		return
		;;
	--gpu)
		_vgpuctl_offer "$(_vgpuctl_known gpu -- gpus)"
		return
		;;
	--type)
		_vgpuctl_offer "$(_vgpuctl_known type -- types)"
		return
		;;
	--head)
		_vgpuctl_offer "$(printf '%s ' {0..15})"
		return
		;;
	--memory)
		_vgpuctl_offer '1G 2G 4G 8G 16G'
		return
		;;
	--name | --uuid | --config | --placement | --weight | --frame-rate-limit | --time-slice)
		return
		;;
	esac

	case $command in
	'') options='--socket --help --version' ;;
	gpus | list | show | top | doctor) options='--json' ;;
	qemu-args) options='--memory --libvirt --json' ;;
	types) options='--gpu --json' ;;
	create | define)
		options='--type --file --new-ids --gpu --name --uuid --mode --head --autostart
			--weight --frame-rate-limit --placement'
		;;
	destroy) options='--force' ;;
	stop) options='--all --force' ;;
	apply) options='--config --dry-run --force --json' ;;
	check) options='--config --json' ;;
	modify)
		options='--name --type --mode --head --autostart --weight
			--frame-rate-limit'
		;;
	scheduler) options='--gpu --time-slice --json' ;;
	screenshot | mode | vnc) options='--head' ;;
	events) options='--follow --json' ;;
	esac
	if [[ $cur == -* ]]; then
		[ -z "$command" ] || options+=' --socket --help'
		_vgpuctl_offer "$options"
		return
	fi

	case $command:$count in
	:*)
		_vgpuctl_offer "$commands"
		;;
	help:0)
		_vgpuctl_offer "$commands"
		;;
	scheduler:0)
		_vgpuctl_offer 'best-effort equal-share fixed-share'
		;;
	show:0 | destroy:0 | start:0 | stop:0 | undefine:0 | modify:0 | \
		autostart:0 | qemu-args:0 | screenshot:0 | mode:0 | vnc:0)
		_vgpuctl_offer "$(_vgpuctl_known uuid name -- list)"
		;;
	screenshot:1 | apply:0 | check:0)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	mode:1)
		_vgpuctl_offer "$modes"
		;;
	autostart:1)
		_vgpuctl_offer 'on off'
		;;
	vnc:1)
		_vgpuctl_offer 'off unix: 127.0.0.1: [::1]:'
		;;
	esac
} &&
	complete -F _vgpuctl vgpuctl
