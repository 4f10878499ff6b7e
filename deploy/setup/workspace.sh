# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# What setup does inside the workspace: directories, permissions, .sync_env, git settings of this repository only.

make_directories() {
	local directory
	for directory in logs sync sync/pending sync/conflicts sync/backups; do
		if [ ! -d "$workspace/$directory" ]; then change "make $workspace/$directory" as_owner mkdir -p -m 755 "$workspace/$directory"; fi
	done
	# State names peers and errors, and saved versions hold the user's files: for the owner only.
	if [ "$(stat -c %a "$workspace/sync" 2>/dev/null)" != 700 ]; then change "let only $owner into $workspace/sync" chmod 700 "$workspace/sync"; fi
}

make_env_file() {
	local file=$workspace/.sync_env
	if [ -e "$file" ]; then
		if [ "$(stat -c %a "$file")" != 600 ]; then change "let only $owner read $file" chmod 600 "$file"; fi
		return
	fi
	change "write $file (mode 600)" write_env_file "$file"
}

write_env_file() {
	env_file_text | write_file "$1" 600
	chown "$owner:$owner_group" "$1"
}

# git settings: local to this repository, each said aloud, none of the user's own replaced.
configure_git() {
	local exclude name
	exclude=$(as_owner git -C "$workspace" rev-parse --git-path info/exclude)
	case $exclude in /*) ;; *) exclude=$workspace/$exclude ;; esac
	for name in /.sync_env /logs/ /sync/; do
		if ! grep -qxF -- "$name" "$exclude" 2>/dev/null; then change "never commit $name ($exclude)" exclude_line "$exclude" "$name"; fi
	done
	if ! as_owner git -C "$workspace" config user.email >/dev/null; then
		change "set user.name=${config[NODE_NAME]} and user.email=${config[NODE_NAME]}@robust-sync in this repository, as git knows no name for $owner" set_identity
	fi
	if [ "$(as_owner git -C "$workspace" config merge.robust-sync.driver || true)" != "$merge_driver" ]; then
		change "make conflict-resolver known to git in this repository as the merge driver 'robust-sync' (used only where attributes name it)" set_driver
	fi
}

exclude_line() {
	as_owner mkdir -p "$(dirname "$1")"
	as_owner tee -a "$1" <<<"$2" >/dev/null
}

set_identity() {
	as_owner git -C "$workspace" config user.name "${config[NODE_NAME]}"
	as_owner git -C "$workspace" config user.email "${config[NODE_NAME]}@robust-sync"
}

merge_driver='conflict-resolver --merge-driver %O %A %B %P'
set_driver() {
	as_owner git -C "$workspace" config merge.robust-sync.name "robust-sync: keeps both sides"
	as_owner git -C "$workspace" config merge.robust-sync.driver "$merge_driver"
}
