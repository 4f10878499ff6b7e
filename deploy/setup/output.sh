# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The output of setup.sh, and the list of problems.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' green=$'\e[32m' yellow=$'\e[33m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' green='' yellow='' red='' plain=''
fi

# printable TEXT: escapes control characters, which a terminal would obey, in text of git, a remote, a file name or a service.
printable() {
	local text=${1//[[:cntrl:]]/?}
	printf '%s' "$text" | sed 's/\xe2\x80[\xaa-\xae]/?/g; s/\xe2\x81[\xa6-\xa9]/?/g; s/\xc2[\x80-\x9f]/?/g'
}

section() { printf '\n%s%s%s\n' "$bold" "$(printable "$*")" "$plain"; }
# word TEXT: as one word of a shell, for commands that people copy.
word() {
	case $1 in
		'' | *[!A-Za-z0-9_./:@%+=,-]*) printf "'%s'" "${1//\'/"'\\''"}" ;;
		*) printf %s "$1" ;;
	esac
}
info() { printf '  %s\n' "$(printable "$*")"; }
ok() { printf '  %sok%s  %s\n' "$green" "$plain" "$(printable "$*")"; }
warn() { printf '  %s!%s   %s\n' "$yellow" "$plain" "$(printable "$*")"; }
error() { printf '  %sno%s  %s\n' "$red" "$plain" "$(printable "$*")" >&2; }

wrong_usage() {
	printf 'setup.sh: %s; see setup.sh --help\n' "$(printable "$*")" >&2
	exit 2
}

# fail MESSAGE: ends after a step that failed.
fail() {
	printf '\n%ssetup.sh: %s%s\n' "$red" "$(printable "$*")" "$plain" >&2
	exit 1
}

problems=()
# missing MESSAGE: records a problem, to be reported together with all others.
missing() {
	problems+=("$(printable "$*")")
	error "$*"
}

# missing_lines TEXT: records each line as a problem.
missing_lines() {
	local line
	while IFS= read -r line; do [ -z "$line" ] || missing "$line"; done <<<"$1"
}

# stop_on_problems: exit 2 with the whole list.
stop_on_problems() {
	[ "${#problems[@]}" -gt 0 ] || return 0
	printf '\n%ssetup.sh: nothing was changed; this is missing:%s\n' "$red" "$plain" >&2
	printf '  - %s\n' "${problems[@]}" >&2
	exit 2
}

# change DESCRIPTION COMMAND...: prints the description and runs the command; with --dry-run only prints it.
change() {
	local what=$1
	shift
	if [ -n "${dry:-}" ]; then
		info "would $what"
		return 0
	fi
	info "$what"
	"$@"
}

# write_file FILE MODE: writes standard input to FILE, whole or not at all.
write_file() {
	local file=$1 mode=$2 part
	mkdir -p "$(dirname "$file")"
	part=$(mktemp "$(dirname "$file")/.robust-sync.XXXXXX")
	cat >"$part"
	chmod "$mode" "$part"
	mv -f "$part" "$file"
}
