# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The services: templates of deploy/ with the names of this node put in, and the files for cron and logrotate.

# What a user's own manager cannot do without privileges, or does not have.
user_manager_lacks='^(User|Group|ProtectSystem|ProtectHome|ReadWritePaths|BindPaths|BindReadOnlyPaths|InaccessiblePaths|TemporaryFileSystem|PrivateTmp|PrivateDevices|PrivateMounts|PrivateUsers|PrivateIPC|ProtectKernel[A-Za-z]*|ProtectControlGroups|ProtectClock|ProtectHostname|ProtectProc|ProcSubset|CapabilityBoundingSet|AmbientCapabilities|IPAddressDeny|IPAddressAllow|DevicePolicy|RemoveIPC|RequiresMountsFor|(After|Wants)=(network-online|time-sync))'

# unit_word TEXT: one word of a unit file (systemd.syntax(7)); % begins a specifier there, $ a variable in ExecStart.
unit_word() {
	local text=${1//%/%%}
	printf '"%s"' "${text//\$/\$\$}"
}

# What lies outside of the workspace and a cycle writes: the common directory of a linked work tree, a hub on this machine.
outside_paths() {
	local common url
	common=$(as_owner git -C "$workspace" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || true)
	case $common in "$workspace"/* | '') ;; *) printf ' %s' "$(unit_path "$common")" ;; esac
	url=$(as_owner git -C "$workspace" remote get-url --push "${config[SYNC_REMOTE]}" 2>/dev/null || true)
	url=${url#file://}
	case $url in /*) if [ -d "$url" ]; then printf ' %s' "$(unit_path "$(cd -P "$url" && pwd)")"; fi ;; esac
}

unit_path() { printf '"%s"' "${1//%/%%}"; }

# Directories in homes that a service with its own empty /home must still see: Node itself when a version manager put it there.
home_paths() {
	case $node in /home/* | /root/* | /run/user/*) printf ' %s' "$(unit_path "$(dirname "$(dirname "$node")")")" ;; esac
	case $prefix in /home/* | /root/* | /run/user/*) printf ' %s' "$(unit_path "$prefix")" ;; esac
}

# The alert channel `openclaw` is a program that keeps files of its own.
openclaw_paths() {
	if command -v openclaw >/dev/null && [ -d "$owner_home/.openclaw" ]; then printf ' %s' "$(unit_path "-$owner_home/.openclaw")"; fi
}

# render TEMPLATE: the template on standard output, with this node's names.
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
	text=${text//@HOME_PATHS@/"$(home_paths)"}
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

# install_unit TEMPLATE NAME: says nothing when it is there and the same. Sets units_changed.
install_unit() {
	local rendered
	rendered=$(render "$clone/deploy/$1")
	if [ "$rendered" = "$(cat "$unit_dir/$2" 2>/dev/null)" ]; then return; fi
	units_changed=1
	change "write $unit_dir/$2" write_text "$unit_dir/$2" "$rendered"
}

write_text() { printf '%s\n' "$2" | write_file "$1" 644; }

install_units() {
	local service
	units_changed=''
	for service in "${services[@]}"; do install_unit "$service.service" "${config[NODE_NAME]}-$service.service"; done
	install_unit robust-sync.target "${config[NODE_NAME]}-robust-sync.target"
	if [ -n "$units_changed" ]; then change "make systemd read them" ctl daemon-reload; fi
}

start_units() {
	local unit names=()
	mapfile -t names < <(unit_names "${config[NODE_NAME]}")
	change "enable them at boot" ctl enable -q "${names[@]}"
	for unit in "${names[@]}"; do
		case $unit in
			*.target) change "start $unit" ctl start "$unit" || true ;;
			# One that runs with an older program or unit file is started again; the others are left at work.
			*) if [ -n "$units_changed$programs_changed" ]; then change "start ${unit%.service}" ctl restart "$unit" || true; else change "start ${unit%.service}, if it does not run" ctl start "$unit" || true; fi ;;
		esac
	done
}

# The weekly cleanup of the user's document, and rotation of what the services print. System-wide installations only.
install_housekeeping() {
	[ "$scope" = system ] || {
		say "weekly cleanup: put the two lines of deploy/robust-sync.cron into your crontab (crontab -e), without the user's name"
		return 0
	}
	local name=${config[NODE_NAME]}-robust-sync place
	for place in cron.d/$name:robust-sync.cron logrotate.d/$name:robust-sync.logrotate; do
		if [ ! -d "/etc/${place%%/*}" ]; then
			note "/etc/${place%%/*} is not there: ${place#*:} is not installed"
			continue
		fi
		if [ "$(render_housekeeping "${place#*:}")" != "$(cat "/etc/${place%:*}" 2>/dev/null)" ]; then
			change "write /etc/${place%:*}" write_text "/etc/${place%:*}" "$(render_housekeeping "${place#*:}")"
		fi
	done
}

render_housekeeping() {
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
