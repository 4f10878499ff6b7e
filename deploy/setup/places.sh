# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# Where things go: for the whole machine (root) or for one user; under systemd or without it.

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
	node=$(command -v node || true)
	# A version manager's link may move; the services need the program itself.
	if [ -n "$node" ]; then node=$(readlink -f "$node"); fi
}

# choose_prefix USUAL OTHER: where the programs go. A clone that lies at the usual place (or anything there that is mounted read-only) is
# not ours to write into, and even less to remove; where they are once, they stay.
choose_prefix() {
	prefix=$1
	if [ -e "$2/current" ]; then
		prefix=$2
	elif [ -e "$1" ] && { [ ! -w "$1" ] || [ -e "$1/.git" ] || [ -e "$1/package.json" ]; }; then
		prefix=$2
	fi
}

# ctl ARGUMENTS...: systemctl of the right manager.
ctl() {
	if [ "$scope" = user ]; then systemctl --user "$@"; else systemctl "$@"; fi
}

services=(sync heartbeat health-server monitor)
executables=(robust-sync heartbeat health-server monitor conflict-resolver)
# executable_of SERVICE
executable_of() {
	if [ "$1" = sync ]; then printf robust-sync; else printf '%s' "$1"; fi
}

# find_workspace: --workspace, else the git work tree of the current directory.
find_workspace() {
	workspace=''
	local from=${workspace_asked:-.}
	if [ ! -d "$from" ]; then
		missing "$from is not a directory: name the git work tree that is to be synced"
		return
	fi
	if ! command -v git >/dev/null; then return; fi
	# Reading one path needs no trust in the repository's configuration, whoever owns it.
	workspace=$(cd -P "$from" && git -c safe.directory='*' rev-parse --show-toplevel 2>/dev/null) || workspace=''
	if [ -z "$workspace" ]; then workspace=$(cd -P "$from" && top_by_hand); fi
	if [ -z "$workspace" ]; then
		from=$(cd -P "$from" && pwd)
		missing "$from is not in a git work tree: cd to the directory that is to be synced, or 'git clone <hub> <dir>' first, or name it with --workspace DIR"
		return
	fi
	if [ -n "$workspace_asked" ] && [ "$workspace" != "$(cd -P "$workspace_asked" && pwd)" ]; then
		missing "$workspace_asked is inside the git work tree $workspace, not its top: name $workspace, or make $workspace_asked a repository of its own (git init, git remote add origin <hub>)"
	fi
	case $workspace in
		*[[:cntrl:]]* | *'"'* | *"'"* | *[\\]*) missing "the path $workspace has quotes, backslashes or control characters, which service files cannot name: move it" ;;
	esac
	owner=$(stat -c %U "$workspace")
	owner_group=$(stat -c %G "$workspace")
	owner_home=$(getent passwd "$owner" | cut -d: -f6)
	[ "$owner" != UNKNOWN ] || missing "$workspace belongs to a user id that has no name on this machine: chown it"
	if [ "$scope" = user ] && [ "$owner" != "$(id -un)" ]; then missing "$workspace belongs to $owner: run this as $owner, or as root"; fi
}

# git refuses another owner's repository unless it is told in a protected place: then look for .git ourselves.
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

# as_owner COMMAND...: as the user the services run as, who owns the workspace.
as_owner() {
	if [ "$(id -un)" = "$owner" ]; then "$@"; else runuser -u "$owner" -- env HOME="$owner_home" USER="$owner" LOGNAME="$owner" "$@"; fi
}

# The names under which the nodes of this machine are known to setup.sh, one file each: node name, workspace in it.
registry() { printf '%s/nodes' "$prefix"; }
