# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of vgpuctl for fish. What can follow vgpuctl itself knows.

function __vgpuctl_complete
    set -l current (commandline -ct)
    set -l before (commandline -opc)
    set -l prefix ''

    # --option=VALUE is completed as --option VALUE is.
    if string match -q -- '--*=*' $current
        set prefix (string replace -r -- '=.*' '=' $current)
    end
    for line in (timeout 2 vgpuctl __complete $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = ':files'
            __fish_complete_path (string replace -- "$prefix" '' $current)
        else
            echo $prefix$line
        end
    end
end

complete -c vgpuctl -f -a '(__vgpuctl_complete)'
