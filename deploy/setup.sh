#!/usr/bin/env bash
# Installs robust-sync for one workspace and starts it; or shows what it does (--demo).
# sh and zsh, and bash called as sh, can run this part: the rest needs bash.
case "${BASH_VERSION:-}:${SHELLOPTS:-}:" in
:* | *:posix:*)
	if command -v bash >/dev/null 2>&1; then exec bash "$0" "$@"; fi
	echo "setup.sh: bash is not installed, and it is written for bash: install it" >&2
	exit 2
	;;
esac
set -euo pipefail

clone=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$clone/deploy/setup
# shellcheck source=setup/output.sh
. "$here/output.sh"
# shellcheck source=setup/answers.sh
. "$here/answers.sh"
# shellcheck source=setup/requirements.sh
. "$here/requirements.sh"
# shellcheck source=setup/places.sh
. "$here/places.sh"
# shellcheck source=setup/workspace.sh
. "$here/workspace.sh"
# shellcheck source=setup/payload.sh
. "$here/payload.sh"
# shellcheck source=setup/units.sh
. "$here/units.sh"
# shellcheck source=setup/smoke-test.sh
. "$here/smoke-test.sh"
# shellcheck source=setup/modes.sh
. "$here/modes.sh"

usage() {
	cat <<'USAGE'
Usage: bash deploy/setup.sh [--workspace DIR] [--yes] [--dry-run] [--user] [--upgrade] [--uninstall] [--prefix DIR] [--own-clone] [--key-from FILE] [--demo [--keep]]

Installs robust-sync for one workspace (the git working tree of the current directory) and starts its four services.
Asks a few questions; configuration variables that are set in the environment answer them
(HEARTBEAT_KEY=none: no key; without one a new key is generated).

  --workspace DIR  the directory that is synced, instead of the git working tree of the current directory
  --yes            ask nothing: use the defaults for all questions that the environment does not answer
  --dry-run        print the plan, and change nothing
  --user           services of this user (systemctl --user), in ~/.local, even when called by root
  --upgrade        replace the installed version with this clone's, service by service; roll back if one fails
  --uninstall      remove services, links and programs; the workspace's files stay unchanged
  --prefix DIR     link programs and manual pages into DIR/bin and DIR/share, instead of /usr/local (~/.local for one user)
  --own-clone      sync the clone of robust-sync itself, if that is intended
  --key-from FILE  take the HEARTBEAT_KEY from FILE (-: standard input): the key alone, or another node's .sync_env. Also replaces
                   the key of a node that is set up already
  --demo           show two nodes and a hub in a temporary directory: no root, nothing configured or installed
  --keep           with --demo: leave them running
  --help           this text

Exit code 0: every component passed its test. 1: a component failed, and its name is printed. 2: wrong usage, or missing requirements,
all listed at once. Nothing is changed before the last question is answered; Ctrl-C ends it (130).
USAGE
}

workspace_asked='' yes='' dry='' user_mode='' keep='' verb=install own_clone='' link_prefix='' key_from='' arguments=''
main() {
	local -A named=()
	if [ $# -gt 0 ]; then arguments=$(printf ' %q' "$@"); fi
	while [ $# -gt 0 ]; do
		case $1 in
			--workspace)
				workspace_asked=${2:-}
				[ -n "$workspace_asked" ] || wrong_usage "--workspace takes a directory"
				shift
				;;
			--workspace=?*) workspace_asked=${1#--workspace=} ;;
			--prefix)
				link_prefix=${2:-}
				[ -n "$link_prefix" ] || wrong_usage "--prefix takes a directory"
				shift
				;;
			--prefix=?*) link_prefix=${1#--prefix=} ;;
			--key-from)
				key_from=${2:-}
				[ -n "$key_from" ] || wrong_usage "--key-from takes a file, or - for standard input"
				shift
				;;
			--key-from=?*) key_from=${1#--key-from=} ;;
			--own-clone) own_clone=1 ;;
			--yes) yes=1 ;;
			--dry-run) dry=1 ;;
			--user) user_mode=1 ;;
			--keep) keep=1 ;;
			--upgrade | --uninstall | --demo)
				verb=${1#--}
				named[$verb]=1
				;;
			--help | -h)
				usage
				exit 0
				;;
			*) wrong_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	if [ -n "$link_prefix" ]; then
		case $link_prefix in /*) ;; *) link_prefix=$PWD/$link_prefix ;; esac
		case $link_prefix in *[[:cntrl:]]*) wrong_usage "--prefix takes a directory without control characters in its name" ;; esac
	fi
	[ "${#named[@]}" -le 1 ] || wrong_usage "$(printf -- '--%s ' "${!named[@]}")cannot be used together"
	[ -z "$keep" ] || [ "$verb" = demo ] || wrong_usage "--keep goes with --demo"
	[ "$verb" != demo ] || [ -z "$workspace_asked$yes$dry$user_mode$own_clone$link_prefix$key_from" ] || wrong_usage "--demo goes with --keep only: it installs nothing"
	[ -z "$key_from" ] || [ "$verb" = install ] || wrong_usage "--key-from goes with an installation, not with --$verb"
	"do_$verb"
}

main "$@"
