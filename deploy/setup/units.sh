# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The services: the templates of deploy/ with the names of this node, and the files for cron and logrotate.

# Settings that a user's own manager cannot apply without privileges, or does not have.
user_manager_lacks='^(User|Group|ProtectSystem|ProtectHome|ReadWritePaths|BindPaths|BindReadOnlyPaths|InaccessiblePaths|TemporaryFileSystem|PrivateTmp|PrivateDevices|PrivateMounts|PrivateUsers|PrivateIPC|ProtectKernel[A-Za-z]*|ProtectControlGroups|ProtectClock|ProtectHostname|ProtectProc|ProcSubset|CapabilityBoundingSet|AmbientCapabilities|IPAddressDeny|IPAddressAllow|DevicePolicy|RemoveIPC|RequiresMountsFor|(After|Wants)=(network-online|time-sync))'

# unit_word TEXT: one word of a unit file (systemd.syntax(7)); % begins a specifier there, $ a variable in ExecStart.
unit_word() {
	local text=${1//%/%%}
	printf '"%s"' "${text//\$/\$\$}"
}

# outside_paths: paths outside of the workspace to which a cycle writes: the common directory of a linked working tree, a hub on this machine.
outside_paths() {
	local common url
	common=$(as_owner git -C "$workspace" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || true)
	case $common in "$workspace"/* | '') ;; *) outside_path "$common" ;; esac
	url=$(as_owner git -C "$workspace" remote get-url --push "${config[SYNC_REMOTE]}" 2>/dev/null || true)
	url=${url#file://}
	# shellcheck disable=SC2016 # expanded by that shell
	case $url in /*) outside_path "$(as_owner sh -c 'cd -P "$1" && pwd' sh "$url" 2>/dev/null || true)" ;; esac
}

# outside_path PATH: a word of a unit file, unless it has characters that could end a word or line there: the path comes from the repository's settings.
outside_path() { case $1 in '' | *[[:cntrl:]\"\\]*) ;; /*) printf ' %s' "$(unit_path "$1")" ;; esac }

unit_path() { printf '"%s"' "${1//%/%%}"; }

# home_paths: directories in homes that a service with its own empty /home still needs: Node itself if a version manager installed it there.
home_paths() {
	case $node in /home/* | /root/* | /run/user/*) printf ' %s' "$(unit_path "$(dirname "$(dirname "$node")")")" ;; esac
	case $prefix in /home/* | /root/* | /run/user/*) printf ' %s' "$(unit_path "$prefix")" ;; esac
}

# openclaw_paths: the alert channel `openclaw` is a program with files of its own.
openclaw_paths() {
	if command -v openclaw >/dev/null && [ -d "$owner_home/.openclaw" ]; then printf ' %s' "$(unit_path "-$owner_home/.openclaw")"; fi
}

# render TEMPLATE: prints the template with this node's names.
render() {
	local text path limit=${config[MEMORY_LIMIT_MB]%%.*}
	text=$(cat "$1")
	path="$(dirname "$node"):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	text=${text//@NODE@/"${config[NODE_NAME]}"}
	text=${text//@WORKSPACE_WORD@/"$(unit_word "$workspace")"}
	text=${text//@WORKSPACE_PATH@/"$(unit_path "$workspace")"}
	text=${text//@STATE_PATHS@/"$(unit_path "$workspace/sync") $(unit_path "$workspace/logs")"}
	text=${text//@WORKSPACE@/"${workspace//%/%%}"}
	text=${text//@OUTSIDE_PATHS@/"$(outside_paths)"}
	# The service manager makes this bind mount, and can enter directories that the workspace's owner cannot: only if root is the owner.
	if [ "$owner_id" = 0 ]; then
		text=${text//@PROTECT_HOME@/"tmpfs"}
		text=${text//@HOME_BINDS@/"BindReadOnlyPaths=$(unit_path "$workspace")$(home_paths)"}
	else
		text=${text//@PROTECT_HOME@/"read-only"}
		text=$(grep -v '@HOME_BINDS@' <<<"$text")
	fi
	text=${text//@OPENCLAW_PATHS@/"$(openclaw_paths)"}
	text=${text//@NODEJS@/"$(unit_word "$node")"}
	text=${text//@PROGRAMS@/"$prefix/current/bin"}
	text=${text//@PATH@/"${path//%/%%}"}
	text=${text//@USER@/"$owner"}
	text=${text//@GROUP@/"$owner_group"}
	# Above the limit in the process, which restarts it in an orderly way: git's children need room of their own in sync.
	text=${text//@MEMORY_MAX@/"$((limit * 2))M"}
	text=${text//@MEMORY_MAX_SYNC@/"$((limit * 2 + 1024))M"}
	if [ "$(systemd_version)" -lt 254 ]; then text=$(grep -vE '^Restart(Steps|MaxDelaySec)=' <<<"$text"); fi
	if [ "$scope" = user ]; then text=$(grep -vE "$user_manager_lacks" <<<"$text" | sed 's/multi-user\.target/default.target/'); fi
	printf '%s\n' "$text"
}

systemd_version() { systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' | grep . || printf 0; }

unit_names() {
	local service
	for service in "${services[@]}"; do printf '%s-%s.service\n' "$1" "$service"; done
	printf '%s-robust-sync.target\n' "$1"
}

# The last line of a file that setup wrote has its checksum, which reveals changes by hand (systemctl edit --full).
seal='# Written by setup.sh, which keeps this file as it is once it was changed by hand: '
sealed() { printf '%s\n%s%s\n' "$1" "$seal" "$(seal_of "$1")"; }
seal_of() { sha256sum <<<"$1" | cut -c1-16; }
# changed_by_hand FILE: whether it was changed since setup wrote it.
changed_by_hand() {
	local line
	line=$(tail -n1 "$1" 2>/dev/null)
	case $line in "$seal"*) [ "${line#"$seal"}" != "$(seal_of "$(sed '$d' "$1")")" ] ;; *) grep -qsF "$seal" "$1" ;; esac
}

# install_file FILE TEXT: prints nothing if the file is up to date. Sets file_changed. A file that a person has changed is kept; ours
# is then written beside it as FILE.new.
install_file() {
	local file=$1 text
	text=$(sealed "$2")
	file_changed=''
	if [ "$text" = "$(cat "$file" 2>/dev/null)" ]; then
		if [ -e "$file.new" ]; then change "remove $file.new, which $file is now" rm -f "$file.new"; fi
	elif changed_by_hand "$file"; then
		warn "$file was changed by hand and is kept; this version's is $file.new (changes of a few lines are better made with systemctl edit)"
		if [ "$text" != "$(cat "$file.new" 2>/dev/null)" ]; then change "write $file.new" write_text "$file.new" "$text"; fi
	else
		# A file of the same name that setup did not write, such as an earlier system's.
		if [ -e "$file" ] && ! grep -qsF "$seal" "$file"; then change "keep the former $file as $file.old" cp -a "$file" "$file.old"; fi
		change "write $file" write_text "$file" "$text"
		file_changed=1
	fi
}

# install_unit TEMPLATE NAME: sets units_changed.
install_unit() {
	install_file "$unit_dir/$2" "$(render "$clone/deploy/$1")"
	if [ -n "$file_changed" ]; then units_changed=1; fi
}

write_text() { printf '%s\n' "$2" | write_file "$1" 644; }

install_units() {
	local service
	units_changed=''
	for service in "${services[@]}"; do install_unit "$service.service" "${config[NODE_NAME]}-$service.service"; done
	install_unit robust-sync.target "${config[NODE_NAME]}-robust-sync.target"
	if [ -n "$units_changed" ]; then change "make systemd read them" ctl daemon-reload; fi
}

# runs_older UNIT: whether it was started before its file or the programs were last changed, by a set-up that was interrupted.
runs_older() {
	local since newest
	since=$(date -d "$(ctl show -p ActiveEnterTimestamp --value "$1" 2>/dev/null)" +%s 2>/dev/null) || return 1
	newest=$(stat -c %Y "$prefix/current" "$unit_dir/$1" 2>/dev/null | sort -n | tail -n1)
	ctl is-active -q "$1" && [ "$since" -lt "${newest:-0}" ]
}

start_units() {
	local unit names=()
	mapfile -t names < <(unit_names "${config[NODE_NAME]}")
	change "enable them at boot" ctl enable -q "${names[@]}"
	for unit in "${names[@]}"; do
		case $unit in
			*.target) change "start $unit" ctl start "$unit" || true ;;
			# A service with an older program or unit file is restarted; the others keep running.
			*) if [ -n "$units_changed$programs_changed$new_key" ] || runs_older "$unit"; then change "start ${unit%.service}" ctl restart "$unit" || true; else change "start ${unit%.service}, if it does not run" ctl start "$unit" || true; fi ;;
		esac
	done
}

# The weekly cleanup, and rotation of the services' output. System-wide installations only.
install_maintenance() {
	[ "$scope" = system ] || {
		info "weekly cleanup of logs and saved versions, if you want it: these two lines in your crontab (crontab -e):"
		render_maintenance robust-sync.cron | sed -n "s/^\([0-9].* \* [0-9]\) $owner /\1 /p" | sed 's/^/    /'
		return 0
	}
	local name=${config[NODE_NAME]}-robust-sync place
	for place in cron.d/$name:robust-sync.cron logrotate.d/$name:robust-sync.logrotate; do
		if [ ! -d "/etc/${place%%/*}" ]; then
			warn "/etc/${place%%/*} is not there: ${place#*:} is not installed"
			continue
		fi
		install_file "/etc/${place%:*}" "$(render_maintenance "${place#*:}")"
	done
}

render_maintenance() {
	local text quoted="'$workspace'"
	text=$(cat "$clone/deploy/$1")
	# In a crontab % is a line break unless it is escaped.
	text=${text//@WORKSPACE_CRON@/"${quoted//%/\\%}"}
	text=${text//@WORKSPACE@/"$workspace"}
	text=${text//@NODE@/"${config[NODE_NAME]}"}
	text=${text//@USER@/"$owner"}
	text=${text//@GROUP@/"$owner_group"}
	printf '%s\n' "$text"
}
