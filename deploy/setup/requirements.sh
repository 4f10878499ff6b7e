# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# All requirements, checked before anything is changed. Each check calls `missing`, or reports success.

least_node=20.11 least_git=2.38 least_free_mb=200

# older VERSION LEAST: whether it is older.
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }

# packaged PACKAGE LEAST: the command that installs this distribution's own package, if that is new enough.
packaged() {
	local offered
	offered=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \(.*\)/\1/p' | sed 's/^[0-9]*://; s/[-+~].*//')
	case $offered in [0-9]*) if ! older "$offered" "$2"; then printf 'apt-get install %s' "$1"; fi ;; esac
}

node_advice() {
	local command
	command=$(packaged nodejs "$least_node")
	if [ -n "$command" ]; then
		printf '%s npm' "$command"
		return
	fi
	printf 'from https://nodejs.org/en/download, or as a package from https://github.com/nodesource/distributions; the packages of Debian 12 and Ubuntu 24.04 are older'
}

check_programs() {
	local version how
	if [ -z "$node" ]; then
		missing "Node.js $least_node or newer is not installed ($(node_advice))"
	else
		version=$("$node" --version 2>/dev/null | sed 's/^v//')
		if older "${version:-0}" "$least_node"; then missing "Node.js is ${version:-of no known version} ($node): $least_node or newer is needed ($(node_advice))"; else ok "Node.js $version"; fi
	fi
	if ! is_built && ! command -v npx >/dev/null; then
		missing "npm is not installed, and this clone is not built, or was changed since: npm comes with Node.js from nodejs.org and NodeSource; where nodejs is Debian's own, apt-get install npm. Or copy a clone that another machine has built"
	fi
	if ! command -v git >/dev/null; then
		how=$(packaged git "$least_git")
		missing "git $least_git or newer is not installed${how:+ ($how)}"
	else
		version=$(git --version | sed 's/^git version \([0-9.]*[0-9]\).*/\1/')
		if older "$version" "$least_git"; then missing "git is $version: $least_git or newer is needed"; else ok "git $version"; fi
	fi
}

# check_own_clone: refuses the clone of robust-sync itself as a workspace, which is hardly ever intended, unless --own-clone is given.
check_own_clone() {
	if [ -z "$workspace" ] || [ -n "$own_clone" ] || [ "$workspace" != "$clone" ] || [ -e "$workspace/.sync_env" ]; then return 0; fi
	as_owner git -C "$workspace" cat-file -e HEAD:packages/service/package.json 2>/dev/null || return 0
	missing "$workspace is the clone of robust-sync itself: cd to the directory that is to be synced, or name it with --workspace DIR (--own-clone if this clone is intended)"
}

# usable_node: Node is installed and new enough.
usable_node() { [ -n "$node" ] && ! older "$("$node" --version 2>/dev/null | sed 's/^v//')" "$least_node"; }

workspace_git() { as_owner env LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="$batch_ssh" GIT_ASKPASS= SSH_ASKPASS= git -C "$workspace" -c credential.interactive=false "$@"; }
batch_ssh='ssh -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=yes'

check_work_tree() {
	[ -n "$workspace" ] || return 0
	if ! as_owner test -w "$workspace"; then
		missing "$workspace cannot be written by $owner"
		return
	fi
	if ! as_owner git -C "$workspace" rev-parse --git-dir >/dev/null 2>&1; then
		missing "git of $owner does not accept $workspace: $(as_owner git -C "$workspace" rev-parse --git-dir 2>&1 | head -n1)"
		return
	fi
	if [ "$(as_owner git -C "$workspace" rev-parse --is-inside-work-tree 2>/dev/null)" != true ]; then
		missing "$workspace has a git repository and no working tree of its own: name the directory that is to be synced"
		return
	fi
	if [ -n "$node" ] && ! as_owner "$node" --version >/dev/null 2>&1; then
		missing "$owner, as whom the services run, cannot start $node: install Node.js where every user can"
	fi
	ok "$workspace is a git working tree of $owner"
}

# ssh_target URL: "user@host port" of an ssh address, or nothing.
ssh_target() {
	local rest host port=''
	case $1 in
		ssh://* | git+ssh://*)
			rest=${1#*://}
			host=${rest%%/*}
			if [[ $host =~ ^(.*[^:]):([0-9]+)$ ]]; then host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}; fi
			;;
		*://* | /* | ./* | ../*) return 0 ;;
		*:*)
			host=${1%%:*}
			case $host in */*) return 0 ;; esac
			;;
		*) return 0 ;;
	esac
	printf '%s %s' "$host" "$port"
}

# check_host_key URL: the key of an ssh hub must be known; an unknown one is shown, and accepted only when a person confirms it.
check_host_key() {
	local host port resolved name known file keys reply
	read -r host port <<<"$(ssh_target "$1")"
	[ -n "$host" ] || return 0
	if ! command -v ssh >/dev/null; then
		missing "the remote $1 needs ssh (apt-get install openssh-client)"
		return 1
	fi
	resolved=$(as_owner ssh -G ${port:+-p "$port"} "$host" 2>/dev/null) || return 0
	setting() { awk -v k="$1" '$1 == k { $1 = ""; sub(/^ /, ""); print; exit }' <<<"$resolved"; }
	port=$(setting port)
	name=$(setting hostkeyalias)
	[ -n "$name" ] || name=$(setting hostname)
	[ -n "$name" ] || return 0
	known=$name
	[ "$port" = 22 ] || known="[$name]:$port"
	# Jump hosts and proxies are left to ssh: ls-remote below shows whether it works.
	[ -z "$(setting proxycommand)$(setting proxyjump)" ] || return 0
	for file in $(setting userknownhostsfile) $(setting globalknownhostsfile); do
		# ssh -G does not expand the tilde.
		file=${file/#\~/$owner_home}
		if as_owner ssh-keygen -F "$known" -f "$file" >/dev/null 2>&1; then return 0; fi
	done
	keys=$(ssh-keyscan -T 10 -p "$port" "$(setting hostname)" 2>/dev/null | grep -v '^#' || true)
	if [ -z "$keys" ]; then
		missing "no ssh server answers at $name, port $port: check that it is up, and the address"
		return 1
	fi
	info "the ssh host key of $known is not known yet. Its fingerprints:"
	ssh-keygen -lf - <<<"$keys" | sed 's/^/      /'
	reply=no
	if [ -z "$yes$dry" ]; then
		printf '  Compare them with those on the hub itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). The same? [no]: '
		read_reply
	fi
	case $reply in
		y | yes | Y | Yes | YES)
			file=$owner_home/.ssh/known_hosts
			as_owner mkdir -p -m 700 "$owner_home/.ssh"
			as_owner tee -a "$file" <<<"$keys" >/dev/null
			ok "the host key of $known is in $file"
			;;
		*)
			missing "the ssh host key of $known is not known: compare the fingerprint above, then 'ssh-keyscan -p $port $(setting hostname) >> $owner_home/.ssh/known_hosts'"
			return 1
			;;
	esac
}

check_remote() {
	[ -n "$workspace" ] && command -v git >/dev/null || return 0
	local remote=${config[SYNC_REMOTE]:-origin} url branch output
	if ! url=$(workspace_git remote get-url --push "$remote" 2>/dev/null); then
		missing "$workspace has no remote '$remote': git -C $workspace remote add $remote <user@hub:path>"
		return
	fi
	check_host_key "$url" || return 0
	# The address may hold a password: it is not printed.
	if ! output=$(workspace_git_for 40 ls-remote --heads "$remote" 2>&1); then
		missing "the remote '$remote' does not answer $owner without asking anything: $(last_line "$output")"
		return
	fi
	ok "the remote '$remote' answers"
	branch=${config[SYNC_BRANCH]:-$(workspace_git symbolic-ref --short -q HEAD || true)}
	if [ -z "$branch" ] || ! workspace_git rev-parse -q --verify HEAD >/dev/null; then
		info "nothing is committed yet: whether pushing is allowed shows with the first cycle"
		return
	fi
	if output=$(workspace_git_for 40 push --dry-run --no-verify --porcelain "$remote" "HEAD:refs/heads/$branch" 2>&1) || grep -q 'rejected.*\(fetch first\|non-fast-forward\)' <<<"$output"; then
		ok "pushing to '$remote' is allowed"
	else
		missing "pushing to '$remote' is not allowed for $owner: $(last_line "$output")"
	fi
}

# workspace_git_for SECONDS ARGUMENTS...: workspace_git with a time limit.
workspace_git_for() {
	local seconds=$1
	shift
	as_owner timeout -k 2 "$seconds" env LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="$batch_ssh" GIT_ASKPASS= SSH_ASKPASS= git -C "$workspace" -c credential.interactive=false "$@"
}

# last_line TEXT: the most informative line, without a password in an address.
last_line() { sed -n '/^\(fatal\|error\|remote\|ssh\|Permission\|Host key\)/p' <<<"$1" | head -n1 | sed 's#//[^/@ ]*@#//***@#g' | grep . || sed -n '$p' <<<"${1:-no answer in time}"; }

# port_is_free tcp|udp PORT ADDRESS
port_is_free() {
	"$node" -e '
		const [kind, port, host] = process.argv.slice(1);
		const done = (error) => process.exit(error ? 1 : 0);
		if (kind === "udp") require("node:dgram").createSocket(host.includes(":") ? "udp6" : "udp4").once("error", done).bind(+port, host, () => done());
		else require("node:net").createServer().once("error", done).listen(+port, host, () => done());
	' "$1" "$2" "$3" 2>/dev/null
}

# port_problem VARIABLE PORT UNIT: why the port cannot be used; empty if it is free, or held by the service that will be replaced.
port_problem() {
	local kind=udp port=$2 address=${HEARTBEAT_BIND:-${config[HEARTBEAT_BIND]:-0.0.0.0}} holder=''
	if [ "$1" = HEALTH_PORT ]; then kind=tcp address=${HEALTH_HOST:-${config[HEALTH_HOST]:-127.0.0.1}}; fi
	if port_is_free "$kind" "$port" "$address"; then return; fi
	if [ "$manager" = systemd ] && ctl is-active -q "$3" 2>/dev/null; then return; fi
	if ! none_unmanaged; then
		printf '%s port %s is taken, and services of this workspace run outside of the service manager: stop them first (pid %s)' "$kind" "$port" "$(unmanaged | tr '\n' ' ')"
		return
	fi
	if command -v ss >/dev/null; then holder=$(ss -Hlnp --"$kind" "sport = :$port" 2>/dev/null | sed -n 's/.*users:((\("[^"]*",pid=[0-9]*\).*/ by \1/p' | head -n1); fi
	printf '%s port %s is taken%s: stop that, or set %s to another' "$kind" "$port" "$holder" "$1"
}

check_ports() {
	[ -n "${config[NODE_NAME]:-}" ] && usable_node || return 0
	local line name port service output
	for line in HEARTBEAT_PORT:heartbeat HEALTH_PORT:health-server; do
		name=${line%:*} service=${line#*:}
		port=${config[$name]}
		output=$(port_problem "$name" "$port" "${config[NODE_NAME]}-$service")
		if [ -n "$output" ]; then missing "$output"; else ok "port $port is free, or $service has it already"; fi
	done
}

check_clock() {
	if [ "$(date +%Y)" -lt 2024 ]; then
		missing "the clock shows $(date -u +%Y-%m-%d): set it (timedatectl set-ntp true); conflict resolution compares commit times"
	elif [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = no ]; then
		warn "the clock is not synchronized: timedatectl set-ntp true (heartbeats measure and report how far it is off)"
	else
		ok "the clock shows $(date -u +%Y-%m-%dT%H:%M:%SZ)"
	fi
}

# free_mb DIRECTORY: free space at the nearest directory that exists.
free_mb() {
	local at=$1
	while [ ! -d "$at" ]; do at=$(dirname "$at"); done
	df -Pk "$at" | awk 'NR == 2 { print int($4 / 1024) }'
}

check_disk() {
	local at free
	for at in "$prefix" ${workspace:+"$workspace"}; do
		free=$(free_mb "$at")
		if [ "$free" -lt "$least_free_mb" ]; then missing "only $free MB are free for $at: $least_free_mb MB are needed"; else ok "$free MB are free for $at"; fi
	done
}

check_watches() {
	[ -n "$workspace" ] && [ -r /proc/sys/fs/inotify/max_user_watches ] || return 0
	local limit directories
	limit=$(cat /proc/sys/fs/inotify/max_user_watches)
	directories=$(as_owner find "$workspace" -name .git -prune -o -type d -print 2>/dev/null | head -n "$((limit + 1))" | wc -l)
	if [ "$((directories * 2))" -gt "$limit" ]; then
		warn "$directories directories, and the kernel watches at most $limit for one user: changes may be seen late. 'echo fs.inotify.max_user_watches=$((directories * 8)) > /etc/sysctl.d/60-robust-sync.conf && sysctl --system' raises it"
	else
		ok "file watches: $directories of $limit are needed"
	fi
}

check_manager() {
	[ "$manager" = systemd ] || return 0
	command -v systemd-notify >/dev/null || missing "systemd-notify is not installed (it is part of systemd): services report with it that they are ready and alive"
}

# is_foreign FILE: a program, manual page or completion that setup did not install.
is_foreign() {
	[ -e "$1" ] || [ -L "$1" ] || return 1
	case $(readlink "$1" || true) in "$prefix"/*) return 1 ;; esac
}

# check_links: another program of the same name stays, and ours is called by its full path, as the services do anyway.
check_links() {
	local name
	for name in "${executables[@]}"; do
		if is_foreign "$links/$name"; then
			warn "$links/$name is another program and stays: ours is $prefix/current/bin/$name; --prefix DIR puts all links into DIR/bin instead"
		fi
	done
}

# node_name_problem NAME: two workspaces on one machine need two names, which the names of their services contain.
node_name_problem() {
	local known
	[ -r "$(registry)/$1" ] || return 0
	known=$(cat "$(registry)/$1")
	if [ -n "$workspace" ] && [ "$known" != "$workspace" ]; then
		printf 'the node %s on this machine is %s already: give this one another NODE_NAME, or uninstall that one (setup.sh --uninstall --workspace %s)' "$1" "$known" "$known"
	fi
}

check_node_name() {
	[ -n "${config[NODE_NAME]:-}" ] || return 0
	missing_lines "$(node_name_problem "${config[NODE_NAME]}")"
}

check_requirements() {
	section "Requirements"
	check_programs
	find_workspace
	check_work_tree
	check_own_clone
	check_own_files
	check_clock
	check_disk
	check_watches
	check_manager
	check_links
}
