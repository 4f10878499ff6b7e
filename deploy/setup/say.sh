# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# What setup.sh says, and the list of what is missing.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' green=$'\e[32m' yellow=$'\e[33m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' green='' yellow='' red='' plain=''
fi

# printable TEXT: what git, a remote, a file name or a service says may hold control characters, which a terminal would obey.
printable() {
	local text=${1//[[:cntrl:]]/?}
	printf '%s' "$text" | sed 's/\xe2\x80[\xaa-\xae]/?/g; s/\xe2\x81[\xa6-\xa9]/?/g; s/\xc2[\x80-\x9f]/?/g'
}

chapter() { printf '\n%s%s%s\n' "$bold" "$(printable "$*")" "$plain"; }
say() { printf '  %s\n' "$(printable "$*")"; }
good() { printf '  %sok%s  %s\n' "$green" "$plain" "$(printable "$*")"; }
note() { printf '  %s!%s   %s\n' "$yellow" "$plain" "$(printable "$*")"; }
bad() { printf '  %sno%s  %s\n' "$red" "$plain" "$(printable "$*")" >&2; }

wrong_usage() {
	printf 'setup.sh: %s; see setup.sh --help\n' "$(printable "$*")" >&2
	exit 2
}

# fail MESSAGE: something was attempted and did not work.
fail() {
	printf '\n%ssetup.sh: %s%s\n' "$red" "$(printable "$*")" "$plain" >&2
	exit 1
}

problems=()
# missing MESSAGE: to be said together with everything else that is missing.
missing() {
	problems+=("$(printable "$*")")
	bad "$*"
}

# missing_lines TEXT: each line of it is missing.
missing_lines() {
	local line
	while IFS= read -r line; do [ -z "$line" ] || missing "$line"; done <<<"$1"
}

# stop_if_missing: exit 2 with the whole list.
stop_if_missing() {
	[ "${#problems[@]}" -gt 0 ] || return 0
	printf '\n%ssetup.sh: nothing was changed; this is missing:%s\n' "$red" "$plain" >&2
	printf '  - %s\n' "${problems[@]}" >&2
	exit 2
}

# change DESCRIPTION COMMAND...: says what it does and does it; with --dry-run only says it.
change() {
	local what=$1
	shift
	if [ -n "${dry:-}" ]; then
		say "would $what"
		return 0
	fi
	say "$what"
	"$@"
}

# write_file FILE MODE: the text on standard input becomes FILE, whole or not at all.
write_file() {
	local file=$1 mode=$2 part
	mkdir -p "$(dirname "$file")"
	part=$(mktemp "$(dirname "$file")/.robust-sync.XXXXXX")
	cat >"$part"
	chmod "$mode" "$part"
	mv -f "$part" "$file"
}
