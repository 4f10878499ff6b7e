# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# Changes inside the workspace: directories, permissions, .sync_env, git settings of this repository only.

# check_own_files: our files in the workspace must be ours: no symbolic links, and no files of a commit.
check_own_files() {
	[ -n "$workspace" ] && command -v git >/dev/null || return 0
	local name file tracked
	for name in sync logs .sync_env; do
		file=$workspace/$name
		if [ -L "$file" ]; then
			missing "$file is a symbolic link: remove it (rm $file); robust-sync does not follow links to its own files"
			continue
		fi
		if [ -e "$file" ]; then
			if [ "$name" = .sync_env ]; then
				[ -f "$file" ] || missing "$file is not a file: move it away"
			else
				[ -d "$file" ] || missing "$file is not a directory: move it away, robust-sync keeps its own files there"
			fi
			if [ "$(stat -c %u "$file")" != "$owner_id" ]; then missing "$file belongs to $(stat -c %U "$file") and not to $owner: chown it, or remove it"; fi
		fi
		tracked=$(tracked_below "$name")
		[ -z "$tracked" ] || missing "$file is committed in this repository (${tracked%%$'\n'*}), so any user who can push may have written it, and it is not used: git -C $workspace rm -r -q --cached $name && git -C $workspace commit -m 'robust-sync keeps $name itself'; then inspect the remaining files, and remove those that are not yours"
	done
}

# tracked_below NAME: the tracked files there, of the index and of the last commit. A .gitkeep is ignored.
tracked_below() {
	{
		as_owner git -C "$workspace" ls-files -- ":(literal)$1"
		as_owner git -C "$workspace" ls-tree -r --name-only HEAD -- "$1"
	} 2>/dev/null | grep -v '/\.gitkeep$' | sort -u || true
}

make_directories() {
	local directory
	for directory in logs sync sync/pending sync/conflicts sync/backups; do
		if [ ! -d "$workspace/$directory" ]; then change "make $workspace/$directory" as_owner mkdir -p -m 755 "$workspace/$directory" || fail "$workspace/$directory cannot be made: check what is there"; fi
	done
	# State and logs name peers, files and errors, and saved versions hold the user's files: for the owner only.
	for directory in logs sync; do
		if [ "$(stat -c %a "$workspace/$directory" 2>/dev/null)" != 700 ]; then
			change "let only $owner into $workspace/$directory" let_only_owner "$workspace/$directory" d 700
		fi
	done
}

# let_only_owner FILE TYPE MODE: changes the mode, unless the file has another type by now.
let_only_owner() { as_owner find "$1" -maxdepth 0 -type "$2" -exec chmod "$3" {} +; }

make_env_file() {
	local file=$workspace/.sync_env
	if [ -e "$file" ] || [ -L "$file" ]; then
		if [ "$(stat -c %a "$file")" != 600 ]; then change "let only $owner read $file" let_only_owner "$file" f 600; fi
		if [ -n "$new_key" ]; then
			change "put the given HEARTBEAT_KEY into $file" replace_key
			if [ "$manager" != systemd ] && ! none_unmanaged; then warn "the running services still have the former key: restart heartbeat"; fi
		fi
		return
	fi
	change "write $file (mode 600)" write_env_file
}

# replace_key: replaces the key in .sync_env and keeps all other lines.
replace_key() {
	{
		read_as_owner "$workspace/.sync_env" | awk '!/^[ \t]*(export[ \t]+)?HEARTBEAT_KEY=/'
		if [[ $HEARTBEAT_KEY =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then printf 'export HEARTBEAT_KEY=%s\n' "$HEARTBEAT_KEY"; else printf "export HEARTBEAT_KEY='%s'\n" "$HEARTBEAT_KEY"; fi
	} | put_env_file
}

write_env_file() { env_file_text | put_env_file; }

# put_env_file: writes standard input to .sync_env, whole or not at all; a link in its place is replaced, and not followed.
# shellcheck disable=SC2016 # expanded by that shell
put_env_file() {
	as_owner sh -c 'umask 077 && part=$(mktemp "$1/sync/.sync_env.XXXXXX") && cat >"$part" && mv -fT "$part" "$1/.sync_env"' sh "$workspace"
}

# configure_git: settings of this repository only, each printed; none of the user's own is replaced.
configure_git() {
	local exclude name
	exclude=$(as_owner git -C "$workspace" rev-parse --git-path info/exclude)
	case $exclude in /*) ;; *) exclude=$workspace/$exclude ;; esac
	for name in /.sync_env /logs/ /sync/; do
		if ! read_as_owner "$exclude" | grep -qxF -- "$name"; then change "never commit $name ($exclude)" exclude_line "$exclude" "$name"; fi
	done
	if ! as_owner git -C "$workspace" config user.email >/dev/null; then
		change "set user.name=${config[NODE_NAME]} and user.email=${config[NODE_NAME]}@robust-sync in this repository, as git knows no name for $owner" set_identity
	fi
	# The mark of robust-sync --init: it is the consent if .sync_env is lost. A linked working tree shares its settings with others.
	if [ "$(as_owner git -C "$workspace" rev-parse --path-format=absolute --git-dir)" = "$(as_owner git -C "$workspace" rev-parse --path-format=absolute --git-common-dir)" ] &&
		[ "$(as_owner git -C "$workspace" config --local robust-sync.workspace || true)" != true ]; then
		change "mark this repository as a workspace of robust-sync in its git settings" as_owner git -C "$workspace" config --local robust-sync.workspace true
	fi
	choose_merge_driver
	if [ "$(as_owner git -C "$workspace" config merge.robust-sync.driver || true)" != "$merge_driver" ]; then
		change "make conflict-resolver known to git in this repository as the merge driver 'robust-sync' (used only where attributes name it)" set_driver
	fi
}

exclude_line() {
	as_owner mkdir -p "$(dirname "$1")"
	# If the last line has no line feed, add one first.
	# shellcheck disable=SC2016 # expanded by that shell
	as_owner sh -c 'if [ -s "$1" ] && [ "$(tail -c1 "$1" | wc -l)" = 0 ]; then echo >>"$1"; fi; printf "%s\n" "$2" >>"$1"' sh "$1" "$2"
}

set_identity() {
	as_owner git -C "$workspace" config user.name "${config[NODE_NAME]}"
	as_owner git -C "$workspace" config user.email "${config[NODE_NAME]}@robust-sync"
}

# choose_merge_driver: its command, with our own path if the name is another program's.
merge_driver_arguments='--merge-driver %O %A %B %P'
choose_merge_driver() {
	merge_driver="conflict-resolver $merge_driver_arguments"
	if is_foreign "$links/conflict-resolver"; then merge_driver="'$prefix/current/bin/conflict-resolver' $merge_driver_arguments"; fi
}
set_driver() {
	as_owner git -C "$workspace" config merge.robust-sync.name "robust-sync: keeps both sides"
	as_owner git -C "$workspace" config merge.robust-sync.driver "$merge_driver"
}
