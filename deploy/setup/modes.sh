# shellcheck shell=bash
# Above 400 lines: one function a mode, in the order of their help.
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The modes of setup.sh, each from its first step to its last.

do_demo() {
	decide_places
	check_programs >/dev/null
	stop_on_problems
	build
	exec "$node" "$clone/deploy/demo.mjs" ${keep:+--keep}
}

do_install() {
	decide_places
	trap 'abort_setup 130' INT
	trap 'abort_setup 143' TERM HUP
	take_key
	check_requirements
	prepare_programs
	if [ -n "$workspace" ] && [ -z "$yes" ] && [ ! -e "$workspace/.sync_env" ]; then
		# Questions come only after all other checks have passed.
		config[SYNC_REMOTE]=${SYNC_REMOTE:-origin}
		config[SYNC_BRANCH]=${SYNC_BRANCH:-}
		check_remote
		stop_on_problems
		configure
	else
		if [ -n "$workspace" ] && usable_node; then configure; fi
		check_remote
	fi
	check_node_name
	check_ports
	stop_on_problems
	# Signals are ignored until the services run, so that no installation is left incomplete; later steps only read.
	trap '' INT TERM HUP

	section "The programs"
	local before
	before=$(readlink "$prefix/current" 2>/dev/null || true)
	copy_payload
	link_programs
	programs_changed=''
	if [ "$before" != "$(basename "$version_dir")" ]; then programs_changed=1; fi
	change "note ${config[NODE_NAME]} in $(registry)" register_node

	section "The workspace $workspace"
	local is_new=''
	[ -e "$workspace/.sync_env" ] || is_new=1
	make_directories
	configure_git
	make_env_file

	if [ "$manager" = systemd ]; then
		section "The services"
		install_units
		install_maintenance
		start_units
	fi
	if [ -n "$dry" ]; then
		printf '\nNothing was changed (--dry-run).\n'
		return 0
	fi
	if [ -n "$before" ]; then remove_old_versions "$before"; fi
	trap 'restore_terminal; printf "\nsetup.sh: everything is installed; the rest of its test was left out.\n" >&2; exit 1' INT TERM HUP
	test_all || fail "installed, but not everything answered: $(printf '%s; ' "${failures[@]}")"
	if [ -n "$is_new" ]; then send_test_message; fi
	wait_for_peers
	show_doctor_findings
	summary
}

# send_test_message: shows whether the token that was just entered works.
send_test_message() {
	local output
	if [ -n "$yes" ] || [ -z "${answers[TELEGRAM_BOT_TOKEN]:-}" ] || [ -z "${answers[CALEB_TELEGRAM_ID]:-}" ]; then return 0; fi
	section "A test message by Telegram"
	if output=$(program monitor --test-alert 2>&1); then ok "sent: look into the chat"; else warn "it did not arrive: $(sed -n '$p' <<<"$output"). Correct .sync_env, then: monitor --test-alert"; fi
}

peers_configured() { [ -n "${config[PEERS]:-}${config[CHAD_HOST]:-}${config[HELIOS_HOST]:-}" ]; }

# silent_peers: "name: reason", one a line, of the peers that are not heard.
# shellcheck disable=SC2016 # JavaScript
silent_peers() {
	program heartbeat --status --json 2>/dev/null | json '
		const peers = Array.isArray(d.peers) ? d.peers : Object.entries(d.peers ?? {}).map(([peer, state]) => ({ peer, ...state }));
		peers.filter((p) => p.status !== "alive").map((p) => `${p.peer ?? p.name}: ${p.reason ?? (p.status && p.status !== "unknown" ? p.status : "no heartbeat from it yet")}`).join("\n")' || printf 'heartbeat: no answer\n'
}

# peers_with KIND: names of peers. `key`: their HEARTBEAT_KEY differs from ours; `waiting`: silent for an unknown reason.
peers_with() {
	local test='p.cause === "key"'
	if [ "$1" = waiting ]; then test='p.status !== "alive" && !p.cause'; fi
	program heartbeat --status --json 2>/dev/null | json "(d.peers ?? []).filter((p) => $test).map((p) => p.peer).join(' ')" || true
}
none_waiting() { [ -z "$(peers_with waiting)" ]; }

# wait_for_peers: reports whether they answer. At a terminal it waits for up to a minute.
wait_for_peers() {
	if [ "$manager" != systemd ] || ! peers_configured; then return 0; fi
	section "The peers"
	local end=$((SECONDS + 60)) silent
	silent=$(silent_peers)
	# A wrong key is detected with the first answer, within seconds.
	if [ -n "$silent" ] && ! is_interactive; then
		within 5 none_waiting || true
		silent=$(silent_peers)
	fi
	if [ -n "$silent" ] && is_interactive; then
		info "Waiting for up to a minute for $(cut -d: -f1 <<<"$silent" | paste -sd ' '). Press Enter to skip."
		while [ -n "$silent" ] && [ "$SECONDS" -lt "$end" ]; do
			if IFS= read -rs -t 1; then break; fi
			silent=$(silent_peers)
		done
	fi
	peers_silent=$silent
	peers_of_another_key=$(peers_with key)
	if [ -z "$silent" ]; then
		ok "every peer is heard"
		return 0
	fi
	while IFS= read -r silent; do warn "not heard: $silent"; done <<<"$peers_silent"
}
peers_silent='' peers_of_another_key=''

# prepare_programs: builds them if necessary; a missing build is a problem like the others.
prepare_programs() {
	usable_node || return 0
	if is_built; then
		ok "built: $(payload_version)"
	elif [ -n "$dry" ]; then
		info "would build $clone"
	else
		# A build takes a while, and may download: only for a set-up that can continue.
		stop_on_problems
		build
		ok "built: $(payload_version)"
	fi
}

register_node() {
	mkdir -p "$(registry)"
	printf '%s\n' "$workspace" >"$(registry)/${config[NODE_NAME]}"
}

# is_set VARIABLE: whether the workspace's .sync_env sets it.
is_set() { read_as_owner "$workspace/.sync_env" | grep -Eq "^ *(export +)?$1=[^ #]"; }

# next_steps: the remaining steps for a person, on the other machines and on this one.
next_steps() {
	local n=${config[NODE_NAME]} here peers key='HEARTBEAT_KEY=<key>' keyless='' other
	here=$(hostname)
	if [ -n "$made_key" ]; then key="HEARTBEAT_KEY=$made_key"; fi
	if ! is_set HEARTBEAT_KEY; then key='' keyless=1; fi
	if is_set CALEB_TELEGRAM_ID && ! is_set TELEGRAM_BOT_TOKEN && ! command -v openclaw >/dev/null; then
		warn "CALEB_TELEGRAM_ID names a chat and there is no TELEGRAM_BOT_TOKEN (nor the program openclaw): no alerts are sent by Telegram. @BotFather's /newbot gives a token; put it into .sync_env, then: monitor --test-alert"
	fi
	case $n in helios | chad) peers="${n^^}_HOST=$here" ;; *) peers="PEERS=$n=$here" ;; esac
	if [ "${config[HEARTBEAT_PORT]}" != 8765 ]; then peers+=":${config[HEARTBEAT_PORT]}"; fi
	if peers_configured && [ -z "$peers_silent" ] && [ "$manager" = systemd ]; then
		other=''
	else
		other=1
	fi
	if [ -z "$other$keyless" ]; then return; fi
	section "Next"
	if [ -n "$other" ]; then
		info "On each other machine, in its clone of the workspace (replace $here if it reaches this machine by another name or address):"
		info "    ${key:+$key }$peers bash <clone of robust-sync>/deploy/setup.sh"
		if [ -n "$key" ] && [ -z "$made_key" ]; then info "  <key>: grep HEARTBEAT_KEY $(word "$workspace/.sync_env")"; fi
		info "Let UDP port ${config[HEARTBEAT_PORT]} through between the machines, both ways, for heartbeats. Files need the hub only."
		if [ -n "$peers_of_another_key" ]; then
			warn "key mismatch: $peers_of_another_key and this node have different HEARTBEAT_KEYs and refuse each other's heartbeats. Take the key from there:"
		elif [ -n "$made_key" ]; then
			info "If another machine has a key already, this new one differs from it. Use that key here:"
		fi
		if [ -n "$peers_of_another_key$made_key" ]; then
			info "    ssh <that machine> cat <its workspace>/.sync_env | bash $(word "$clone/deploy/setup.sh") --workspace $(word "$workspace") --yes --key-from -"
		fi
		if ! peers_configured; then info "Then name that machine here: PEERS=name=host in $workspace/.sync_env, and restart $n-heartbeat."; fi
	fi
	if [ -n "$keyless" ]; then warn "no HEARTBEAT_KEY: any program that can send to UDP port ${config[HEARTBEAT_PORT]} can pretend to be a peer. Put the same one, of 16 characters or more, into .sync_env on all nodes"; fi
}

summary() {
	local n=${config[NODE_NAME]} ctl=systemctl journal=journalctl at='' as=''
	if [ "$scope" = user ]; then ctl="systemctl --user" journal="journalctl --user"; fi
	if [ "$(id -u)" != "$owner_id" ]; then as="runuser -u $owner -- "; fi
	section "Done: $n syncs $workspace"
	if [ "$manager" = systemd ]; then
		info "$ctl status $n-sync $n-heartbeat $n-health-server $n-monitor"
		info "$ctl stop $n-robust-sync.target      all four at once; start, restart likewise"
		info "$journal -u $n-sync -n 50"
		info "curl http://$(health_address)/health"
	else
		case ":$PATH:" in *":$links:"*) ;; *) at=$links/ ;; esac
		info "There is no service manager here that could run the services. Run them under their own supervisor:"
		info "  nohup $as$(word "${at}robust-sync")   --workspace $(word "$workspace") >/dev/null 2>&1 &"
		info "  nohup $as$(word "${at}heartbeat")     --workspace $(word "$workspace") >/dev/null 2>&1 &"
		info "  nohup $as$(word "${at}health-server") --workspace $(word "$workspace") >/dev/null 2>&1 &"
		info "  nohup $as$(word "${at}monitor") --daemon --workspace $(word "$workspace") >/dev/null 2>&1 &"
		info "and at boot by the same lines after @reboot in a crontab. $as$(word "${at}robust-sync") --stop ends the first, kill ends the others."
	fi
	info "$as$(word "${at}robust-sync") --status; tail -f $(word "$workspace/logs/sync.log"); $as$(word "${at}monitor") --test-alert"
	if [ "$scope" = user ] && [ "$manager" = systemd ]; then
		if [ "$(loginctl show-user "$owner" -p Linger --value 2>/dev/null)" != yes ]; then
			warn "these services end with your last login; 'loginctl enable-linger $owner' keeps them running and starts them at boot"
		fi
	fi
	next_steps
}

# find_installed: the installed node of this workspace, or exit 2.
find_installed() {
	decide_places
	find_workspace
	stop_on_problems
	local file
	config[NODE_NAME]=''
	for file in "$(registry)"/*; do
		if [ -f "$file" ] && [ "$(cat "$file")" = "$workspace" ]; then config[NODE_NAME]=$(basename "$file"); fi
	done
}

do_upgrade() {
	section "Upgrade"
	find_installed
	local name=${config[NODE_NAME]} previous unit service saved
	[ -n "$name" ] || missing "nothing is installed for $workspace: run setup.sh without --upgrade"
	usable_node || missing "Node.js $least_node or newer is needed"
	is_installed_copy && missing "this is the installed copy itself: call deploy/setup.sh of the new clone"
	stop_on_problems
	if [ -z "$dry" ]; then build; fi
	read_env_file || missing_lines "$config_problem"
	stop_on_problems
	if [ "${config[NODE_NAME]}" != "$name" ]; then
		missing "$workspace was installed as $name and .sync_env has ${config[NODE_NAME]}: uninstall first, then install it again under its new name"
		stop_on_problems
	fi
	previous=$(readlink "$prefix/current")
	copy_payload
	if [ "$previous" = "$(basename "$version_dir")" ]; then info "$(basename "$version_dir") runs already"; fi
	saved=$(mktemp -d)
	for unit in $(unit_names "$name"); do cp -a "$unit_dir/$unit" "$saved/" 2>/dev/null || true; done
	programs_changed=1
	link_programs
	if [ "$manager" = systemd ]; then
		install_units
		install_maintenance
		section "One service after the other"
		failures=()
		# Sync last: a fault of the new version should show first in services that change nothing.
		for service in health-server heartbeat monitor sync; do
			change "restart $name-$service" ctl restart "$name-$service" || true
			if [ -z "$dry" ] && ! test_service "$service"; then
				roll_back "$previous" "$saved"
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
		test_all || {
			roll_back "$previous" "$saved"
			fail "the upgrade failed (${failures[0]}); $previous is back"
		}
		none_unmanaged || warn "the running services are still $previous: stop and start them (robust-sync --stop, then robust-sync; the others likewise)"
	fi
	remove_old_versions "$previous"
	local now
	now=$(basename "$version_dir")
	if [ "$previous" = "$now" ]; then
		section "$now runs, as before"
	elif older "${now%%+*}" "${previous%%+*}"; then
		section "Back from $previous to the older $now"
	else
		section "Upgraded from $previous to $now"
	fi
}

# roll_back VERSION SAVED-UNITS: restores the former version and unit files, and restarts all services.
roll_back() {
	warn "going back to $1"
	point_current "$prefix/$1"
	[ "$manager" = systemd ] || return 0
	cp -a "$2"/. "$unit_dir/"
	rm -rf "$2"
	ctl daemon-reload
	local service why=("${failures[@]}")
	for service in "${services[@]}"; do ctl restart "${config[NODE_NAME]}-$service" || true; done
	for service in "${services[@]}"; do test_service "$service" || true; done
	failures=("${why[@]}")
}

# Other workspaces of this machine run the same programs.
restart_other_nodes() {
	local file other service
	for file in "$(registry)"/*; do
		other=$(basename "$file")
		if [ "$other" = "$1" ] || [ ! -f "$file" ]; then continue; fi
		for service in "${services[@]}"; do change "restart $other-$service" ctl try-restart "$other-$service" || warn "$other-$service did not come back: systemctl status $other-$service"; done
	done
}

# remove_old_versions PREVIOUS: removes all but the running version and the one before it.
remove_old_versions() {
	local directory
	for directory in "$prefix"/*/; do
		directory=${directory%/}
		case $(basename "$directory") in nodes | current | "$1" | "$(readlink "$prefix/current")") ;; *) if [ -e "$directory/.content" ]; then change "remove $directory" rm -rf "$directory"; fi ;; esac
	done
}

do_uninstall() {
	section "Uninstall"
	find_installed
	local name=${config[NODE_NAME]} unit place
	if [ -z "$name" ]; then
		info "nothing is installed for $workspace"
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
		stop_unmanaged || warn "services still run on $workspace, with these pids: $(unmanaged | tr '\n' ' ')"
	fi
	if [ "$scope" = system ]; then
		for place in /etc/{cron,logrotate}.d/"$name"-robust-sync{,.new}; do
			if [ -e "$place" ]; then change "remove $place" rm -f "$place"; fi
		done
	fi
	if [ "$(as_owner git -C "$workspace" config --local robust-sync.workspace || true)" = true ]; then
		change "remove the mark of a workspace from this repository's git settings" as_owner git -C "$workspace" config --local --unset-all robust-sync.workspace
	fi
	choose_merge_driver
	case $(as_owner git -C "$workspace" config --local merge.robust-sync.driver || true) in
	"conflict-resolver $merge_driver_arguments" | "$merge_driver") change "remove the merge driver from this repository's git settings" as_owner git -C "$workspace" config --remove-section merge.robust-sync ;;
	esac
	change "remove $name from $(registry)" rm -f "$(registry)/$name"
	if [ -n "$(find "$(registry)" -type f ! -name "$name" -print -quit 2>/dev/null)" ]; then
		info "the programs stay: other workspaces of this machine use them"
	else
		unlink_programs
		change "remove $prefix" remove_programs
	fi
	info "$workspace is unchanged, with .sync_env, logs/, sync/ and messages/"
}

# Removes only files that setup installed; other files there stay, and the directory with them.
remove_programs() {
	local directory
	rm -f "$prefix/current" "$prefix/current.new" "$prefix/link-prefix"
	rm -rf "$(registry)"
	for directory in "$prefix"/*/; do
		case $directory in *.part/) rm -rf "$directory" ;; *) if [ -e "$directory/.content" ]; then rm -rf "$directory"; fi ;; esac
	done
	rmdir "$prefix" 2>/dev/null || warn "$prefix is left: it has files that setup did not install"
}

# unmanaged [SIGNAL]: pids of the services that run on the workspace without a service manager, by its locks (docs/contract.md, section 11);
# with a signal, sends it to them. A supervisor passes it on to its worker.
unmanaged() {
	# As the owner, who wrote the locks: root would send signals to any process that they name.
	# shellcheck disable=SC2016 # JavaScript
	as_owner "$node" -e '
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
	info "stop the services that run without a service manager"
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
