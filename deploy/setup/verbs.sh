# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# What setup.sh can be asked to do, each from its first step to its last.

do_demo() {
	decide_places
	check_programs >/dev/null
	stop_if_missing
	build
	exec "$node" "$clone/deploy/demo.mjs" ${keep:+--keep}
}

do_install() {
	decide_places
	check_requirements
	prepare_programs
	if [ -n "$workspace" ] && [ -z "$yes" ] && [ ! -e "$workspace/.sync_env" ]; then
		# A person is asked only when nothing else stands in the way.
		config[SYNC_REMOTE]=${SYNC_REMOTE:-origin}
		config[SYNC_BRANCH]=${SYNC_BRANCH:-}
		check_remote
		stop_if_missing
		settle_configuration
	else
		if [ -n "$workspace" ] && usable_node; then settle_configuration; fi
		check_remote
	fi
	check_node_name
	check_ports
	stop_if_missing

	chapter "The workspace $workspace"
	make_directories
	make_env_file
	configure_git

	chapter "The programs"
	local before
	before=$(readlink "$prefix/current" 2>/dev/null || true)
	copy_payload
	link_programs
	programs_changed=''
	if [ "$before" != "$(basename "$version_dir")" ]; then programs_changed=1; fi
	change "note ${config[NODE_NAME]} in $(registry)" register_node

	if [ "$manager" = systemd ]; then
		chapter "The services"
		install_units
		install_housekeeping
		start_units
	fi
	if [ -n "$dry" ]; then
		printf '\nNothing was changed (--dry-run).\n'
		return 0
	fi
	if [ -n "$before" ]; then remove_old_versions "$before"; fi
	prove_all || fail "installed, but not everything answered: $(printf '%s; ' "${failures[@]}")"
	farewell
}

# prepare_programs: the build; its absence is a problem like the others.
prepare_programs() {
	usable_node || return 0
	if is_built; then
		good "built: $(payload_version)"
	elif [ -n "$dry" ]; then
		say "would build $clone"
	else
		build
		good "built: $(payload_version)"
	fi
}

register_node() {
	mkdir -p "$(registry)"
	printf '%s\n' "$workspace" >"$(registry)/${config[NODE_NAME]}"
}

farewell() {
	local n=${config[NODE_NAME]} ctl=systemctl journal=journalctl at=''
	if [ "$scope" = user ]; then ctl="systemctl --user" journal="journalctl --user"; fi
	chapter "Done: $n syncs $workspace"
	if [ "$manager" = systemd ]; then
		say "$ctl status $n-sync $n-heartbeat $n-health-server $n-monitor"
		say "$ctl stop $n-robust-sync.target      all four at once; start, restart likewise"
		say "$journal -u $n-sync -n 50"
		say "curl http://$(health_address)/health"
	else
		case ":$PATH:" in *":$links:"*) ;; *) at=$links/ ;; esac
		say "There is no service manager here that could run the services. Run them under their own supervisor:"
		say "  nohup ${at}robust-sync   --workspace '$workspace' >/dev/null 2>&1 &"
		say "  nohup ${at}heartbeat     --workspace '$workspace' >/dev/null 2>&1 &"
		say "  nohup ${at}health-server --workspace '$workspace' >/dev/null 2>&1 &"
		say "  nohup ${at}monitor --daemon --workspace '$workspace' >/dev/null 2>&1 &"
		say "and at boot by the same lines after @reboot in a crontab. ${at}robust-sync --stop ends the first, kill ends the others."
	fi
	say "${at}robust-sync --status; tail -f $workspace/logs/sync.log"
	if [ "$scope" = user ] && [ "$manager" = systemd ]; then
		if [ "$(loginctl show-user "$owner" -p Linger --value 2>/dev/null)" != yes ]; then
			note "these services end with your last login; 'loginctl enable-linger $owner' keeps them running and starts them at boot"
		fi
	fi
}

# The installed node of this workspace, or exit 2.
find_installed() {
	decide_places
	find_workspace
	stop_if_missing
	local file
	config[NODE_NAME]=''
	for file in "$(registry)"/*; do
		if [ -f "$file" ] && [ "$(cat "$file")" = "$workspace" ]; then config[NODE_NAME]=$(basename "$file"); fi
	done
}

do_upgrade() {
	chapter "Upgrade"
	find_installed
	local name=${config[NODE_NAME]} previous unit service saved
	[ -n "$name" ] || missing "nothing is installed for $workspace: run setup.sh without --upgrade"
	usable_node || missing "Node.js $least_node or newer is needed"
	is_installed_copy && missing "this is the installed copy itself: call deploy/setup.sh of the new clone"
	stop_if_missing
	if [ -z "$dry" ]; then build; fi
	read_config "$workspace/.sync_env" || missing "$config_problem"
	stop_if_missing
	if [ "${config[NODE_NAME]}" != "$name" ]; then
		missing "$workspace was installed as $name and .sync_env says ${config[NODE_NAME]}: uninstall first, then install it again under its new name"
		stop_if_missing
	fi
	previous=$(readlink "$prefix/current")
	copy_payload
	if [ "$previous" = "$(basename "$version_dir")" ]; then say "$(basename "$version_dir") is what runs already"; fi
	saved=$(mktemp -d)
	for unit in $(unit_names "$name"); do cp -a "$unit_dir/$unit" "$saved/" 2>/dev/null || true; done
	programs_changed=1
	link_programs
	if [ "$manager" = systemd ]; then
		install_units
		install_housekeeping
		chapter "One service after the other"
		failures=()
		# Sync last: whatever is wrong with the new version should show in those that change nothing.
		for service in health-server heartbeat monitor sync; do
			change "restart $name-$service" ctl restart "$name-$service" || true
			if [ -z "$dry" ] && ! prove "$service"; then
				go_back "$previous" "$saved"
				fail "the upgrade to $(basename "$version_dir") failed (${failures[0]}); $previous is back at work"
			fi
		done
		restart_other_nodes "$name"
	fi
	rm -rf "$saved"
	if [ -n "$dry" ]; then
		printf '\nNothing was changed (--dry-run).\n'
		return 0
	fi
	if [ "$manager" != systemd ]; then
		prove_all || {
			go_back "$previous" "$saved"
			fail "the upgrade failed (${failures[0]}); $previous is back"
		}
		none_unmanaged || note "what runs now is still $previous: stop and start it (robust-sync --stop, then robust-sync; the others likewise)"
	fi
	remove_old_versions "$previous"
	chapter "Upgraded from $previous to $(basename "$version_dir")"
}

# go_back VERSION SAVED-UNITS: the version and the unit files from before, and everything started again.
go_back() {
	note "going back to $1"
	point_current "$prefix/$1"
	[ "$manager" = systemd ] || return 0
	cp -a "$2"/. "$unit_dir/"
	rm -rf "$2"
	ctl daemon-reload
	local service why=("${failures[@]}")
	for service in "${services[@]}"; do ctl restart "${config[NODE_NAME]}-$service" || true; done
	for service in "${services[@]}"; do prove "$service" || true; done
	failures=("${why[@]}")
}

# Other workspaces of this machine run the same programs.
restart_other_nodes() {
	local file other service
	for file in "$(registry)"/*; do
		other=$(basename "$file")
		if [ "$other" = "$1" ] || [ ! -f "$file" ]; then continue; fi
		for service in "${services[@]}"; do change "restart $other-$service" ctl try-restart "$other-$service" || note "$other-$service did not come back: systemctl status $other-$service"; done
	done
}

# remove_old_versions PREVIOUS: all but what runs and what ran before it.
remove_old_versions() {
	local directory
	for directory in "$prefix"/*/; do
		directory=${directory%/}
		case $(basename "$directory") in nodes | current | "$1" | "$(readlink "$prefix/current")") ;; *) if [ -e "$directory/.content" ]; then change "remove $directory" rm -rf "$directory"; fi ;; esac
	done
}

do_uninstall() {
	chapter "Uninstall"
	find_installed
	local name=${config[NODE_NAME]} unit place
	if [ -z "$name" ]; then
		say "nothing is installed for $workspace"
		return 0
	fi
	if [ "$manager" = systemd ]; then
		change "stop the services of $name" stop_units "$name"
		for unit in $(unit_names "$name"); do
			for place in "$unit_dir/$unit" "$unit_dir/$unit.new"; do
				if [ -e "$place" ]; then change "remove $place" rm -f "$place"; fi
			done
			if [ -d "$unit_dir/$unit.d" ]; then change "remove $unit_dir/$unit.d" rm -rf "$unit_dir/$unit.d"; fi
		done
		change "make systemd forget them" forget_units "$name"
	fi
	if [ -z "$dry" ]; then
		program robust-sync --stop >/dev/null 2>&1 || true
		stop_unmanaged || note "something still runs on $workspace: $(unmanaged | tr '\n' ' ')"
	fi
	if [ "$scope" = system ]; then
		for place in /etc/{cron,logrotate}.d/"$name"-robust-sync{,.new}; do
			if [ -e "$place" ]; then change "remove $place" rm -f "$place"; fi
		done
	fi
	if [ "$(as_owner git -C "$workspace" config --local merge.robust-sync.driver || true)" = "$merge_driver" ]; then
		change "remove the merge driver from this repository's git settings" as_owner git -C "$workspace" config --remove-section merge.robust-sync
	fi
	change "remove $name from $(registry)" rm -f "$(registry)/$name"
	if [ -n "$(find "$(registry)" -type f ! -name "$name" -print -quit 2>/dev/null)" ]; then
		say "the programs stay: other workspaces of this machine use them"
	else
		unlink_programs
		change "remove $prefix" remove_programs
	fi
	say "$workspace is as it was, with .sync_env, logs/, sync/ and messages/"
}

# Only what setup put there goes; anything else that lies beside it stays, and the directory with it.
remove_programs() {
	local directory
	rm -f "$prefix/current" "$prefix/current.new"
	rm -rf "$(registry)"
	for directory in "$prefix"/*/; do
		case $directory in *.part/) rm -rf "$directory" ;; *) if [ -e "$directory/.content" ]; then rm -rf "$directory"; fi ;; esac
	done
	rmdir "$prefix" 2>/dev/null || note "$prefix is left: it holds what setup did not put there"
}

# unmanaged [SIGNAL]: pids of what runs on the workspace without a service manager, by its locks (docs/contract.md, section 11);
# with a signal they get it. A supervisor passes it on to its worker.
unmanaged() {
	# shellcheck disable=SC2016 # JavaScript
	"$node" -e '
		const { readFileSync } = require("node:fs");
		const [directory, signal, ...services] = process.argv.slice(1);
		const read = (file) => { try { return readFileSync(file, "utf8"); } catch { return ""; } };
		const bootId = read("/proc/sys/kernel/random/boot_id").trim();
		let supervised;
		for (const service of services) for (const kind of ["supervisor.lock", "lock"]) {
			let lock = {};
			try { lock = JSON.parse(read(`${directory}/${service}.${kind}`)); } catch {}
			const stat = read(`/proc/${lock.pid}/stat`);
			if (!stat || lock.boot_id !== bootId || stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] !== String(lock.start_ticks)) continue;
			if (signal && supervised !== service) process.kill(lock.pid, signal);
			supervised = service;
			console.log(lock.pid);
		}
	' "$workspace/sync" "${1:-}" "${services[@]}" 2>/dev/null
}

none_unmanaged() { [ -z "$(unmanaged)" ]; }

stop_unmanaged() {
	none_unmanaged && return
	say "stop what runs without a service manager"
	unmanaged SIGTERM >/dev/null || true
	within 40 none_unmanaged
}

stop_units() {
	local units=()
	mapfile -t units < <(unit_names "$1")
	ctl disable -q --now "${units[@]}" 2>/dev/null || true
}

forget_units() {
	local units=()
	mapfile -t units < <(unit_names "$1")
	ctl daemon-reload
	ctl reset-failed "${units[@]}" 2>/dev/null || true
}
