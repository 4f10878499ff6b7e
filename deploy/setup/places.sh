# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# Places of all files: for the whole machine (root) or for one user; with systemd or without it.

decide_places() {
	if [ -n "$user_mode" ] || [ "$(id -u)" -ne 0 ]; then
		scope=user
		: "${HOME:?HOME is not set}"
		choose_prefix "$HOME/.local/share/robust-sync" "$HOME/.local/lib/robust-sync"
		links=$HOME/.local/bin
		share=$HOME/.local/share
		unit_dir=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
		if systemctl --user show-environment >/dev/null 2>&1; then manager=systemd; else manager=none; fi
	else
		scope=system
		choose_prefix /opt/robust-sync /usr/local/lib/robust-sync
		links=/usr/local/bin
		share=/usr/local/share
		unit_dir=/etc/systemd/system
		if [ -d /run/systemd/system ]; then manager=systemd; else manager=none; fi
	fi
	# A --prefix that was chosen once: upgrade and uninstall use it, too.
	if [ -z "$link_prefix" ] && [ -r "$prefix/link-prefix" ]; then link_prefix=$(cat "$prefix/link-prefix"); fi
	if [ -n "$link_prefix" ]; then links=$link_prefix/bin share=$link_prefix/share; fi
	node=$(command -v node || true)
	# A version manager's link may change; the services need the program itself.
	if [ -n "$node" ]; then node=$(readlink -f "$node"); fi
}

# choose_prefix USUAL OTHER: the place of the programs. A clone at the usual place (or a read-only mount there) is
# not ours to write to or to remove. An existing installation keeps its place.
choose_prefix() {
	prefix=$1
	if [ -e "$2/current" ]; then
		prefix=$2
	elif [ -e "$1" ] && { [ ! -w "$1" ] || [ -e "$1/.git" ] || [ -e "$1/package.json" ]; }; then
		prefix=$2
	fi
}

# ctl ARGUMENTS...: systemctl of the system or of the user.
ctl() {
	if [ "$scope" = user ]; then systemctl --user "$@"; else systemctl "$@"; fi
}

services=(sync heartbeat health-server monitor)
executables=(robust-sync heartbeat health-server monitor conflict-resolver)
# executable_of SERVICE
executable_of() {
	if [ "$1" = sync ]; then printf robust-sync; else printf '%s' "$1"; fi
}

# find_workspace: --workspace, else the git working tree of the current directory.
find_workspace() {
	workspace=''
	local from=${workspace_asked:-.}
	if [ ! -d "$from" ]; then
		missing "$from is not a directory: name the git working tree that is to be synced"
		return
	fi
	if ! command -v git >/dev/null; then return; fi
	# Without git: root's git does not read the settings of a repository that may be another user's.
	workspace=$(cd -P "$from" && top_by_hand)
	if [ -z "$workspace" ]; then
		from=$(cd -P "$from" && pwd)
		missing "$from is not in a git working tree: cd to the directory that is to be synced, or 'git clone <hub> <dir>' first, or name it with --workspace DIR"
		return
	fi
	if [ -n "$workspace_asked" ] && [ "$workspace" != "$(cd -P "$workspace_asked" && pwd)" ]; then
		missing "$workspace_asked is inside the git working tree $workspace, not its top: name $workspace, or make $workspace_asked a repository of its own (git init, git remote add origin <hub>)"
	fi
	case $workspace in
		*[[:cntrl:]]* | *'"'* | *"'"* | *[\\]*) missing "the path $workspace has quotes, backslashes or control characters, which service files cannot name: move it" ;;
	esac
	owner=$(stat -c %U "$workspace")
	owner_id=$(stat -c %u "$workspace")
	owner_group=$(stat -c %G "$workspace")
	owner_home=$(getent passwd "$owner" | cut -d: -f6)
	if [ "$owner" = UNKNOWN ]; then
		missing "$workspace belongs to user id $owner_id, which has no name on this machine: chown it"
		stop_on_problems
	fi
	check_parents_of_workspace
	if [ "$scope" = user ] && [ "$owner" != "$(id -un)" ]; then missing "$workspace belongs to $owner: run this as $owner, or as root"; fi
}

# check_parents_of_workspace: a user who can write to a directory above root's workspace could replace it, and have root work there.
check_parents_of_workspace() {
	[ "$owner_id" = 0 ] || return 0
	local at=$workspace holder mode group
	while [ "$at" != / ]; do
		at=$(dirname "$at")
		read -r holder group mode <<<"$(stat -c '%u %g %a' "$at")"
		# 65534: an id without a mapping in this user namespace.
		case $holder in 0 | 65534) ;; *) missing "$workspace belongs to root, and $at to $(stat -c %U "$at"), who could put anything in its place: give the workspace to that user (chown -R), whose services it then gets, or move it" ;; esac
		mode=$((8#$mode))
		if [ $((mode & 8#1000)) -ne 0 ]; then continue; fi
		if [ $((mode & 8#002)) -ne 0 ] || { [ $((mode & 8#020)) -ne 0 ] && [ "$group" != 0 ] && [ "$group" != 65534 ]; }; then
			missing "$workspace belongs to root, and others may write to $at: chmod go-w $at, or move the workspace"
		fi
	done
}

# The nearest directory, from the current one upwards, with a .git.
top_by_hand() {
	local at=$PWD
	while [ "$at" != / ]; do
		if [ -e "$at/.git" ]; then
			printf '%s' "$at"
			return
		fi
		at=$(dirname "$at")
	done
}

# as_owner COMMAND...: runs it as the owner of the workspace, as whom the services run. Root works below the workspace only in this way, because
# its owner can replace any file there with a link at any time. The command gets nothing of root's environment, no
# directory that only root may enter, and no terminal (into which it could type input for root's shell).
as_owner() {
	if [ "$(id -u)" = "$owner_id" ]; then
		"$@"
		return
	fi
	local own=() clean=(env -i HOME="$owner_home" USER="$owner" LOGNAME="$owner" PATH="$PATH" LANG="${LANG:-C.UTF-8}" "$@")
	if command -v setsid >/dev/null; then own=(setsid -w); fi
	if command -v setpriv >/dev/null; then
		own+=(setpriv --reuid "$owner_id" --regid "$(id -g "$owner")" --init-groups --inh-caps=-all)
	elif command -v runuser >/dev/null; then
		own+=(runuser -u "$owner" --)
	else
		# shellcheck disable=SC2016 # expanded by that shell
		own+=(su -s /bin/sh "$owner" -c 'exec "$0" "$@"' --)
	fi
	(cd / && "${own[@]}" "${clean[@]}")
}

# read_as_owner FILE: the content of a regular file, with its owner's rights.
# shellcheck disable=SC2016 # expanded by that shell
read_as_owner() { as_owner timeout 5 sh -c '[ -f "$1" ] && [ ! -L "$1" ] && head -c 1048576 "$1"' sh "$1" 2>/dev/null; }

# registry: the directory of the nodes of this machine, one file each: its name is the node's, its content the workspace.
registry() { printf '%s/nodes' "$prefix"; }
