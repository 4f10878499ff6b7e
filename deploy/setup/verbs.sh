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
	trap 'stopped 130' INT
	trap 'stopped 143' TERM HUP
	take_key
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
	# From here to the services nobody stops us half-way; what is asked for after that is only looked at.
	trap '' INT TERM HUP

	chapter "The programs"
	local before
	before=$(readlink "$prefix/current" 2>/dev/null || true)
	copy_payload
	link_programs
	programs_changed=''
	if [ "$before" != "$(basename "$version_dir")" ]; then programs_changed=1; fi
	change "note ${config[NODE_NAME]} in $(registry)" register_node

	chapter "The workspace $workspace"
	local is_new=''
	[ -e "$workspace/.sync_env" ] || is_new=1
	make_directories
	configure_git
	make_env_file

	if [ "$manager" = systemd ]; then
		chapter "The services"
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
	prove_all || fail "installed, but not everything answered: $(printf '%s; ' "${failures[@]}")"
	if [ -n "$is_new" ]; then send_test_message; fi
	look_for_peers
	doctor_says
	farewell
}

# send_test_message: whoever has just typed a bot's token wants to see it work.
send_test_message() {
	local said
	if [ -n "$yes" ] || [ -z "${answers[TELEGRAM_BOT_TOKEN]:-}" ] || [ -z "${answers[CALEB_TELEGRAM_ID]:-}" ]; then return 0; fi
	chapter "A test message by Telegram"
	if said=$(program monitor --test-alert 2>&1); then good "sent: look into the chat"; else note "it did not arrive: $(sed -n '$p' <<<"$said"). Correct .sync_env, then: monitor --test-alert"; fi
}

peers_configured() { [ -n "${config[PEERS]:-}${config[CHAD_HOST]:-}${config[HELIOS_HOST]:-}" ]; }

# silent_peers: "name: why", one a line, of the peers that are not heard.
# shellcheck disable=SC2016 # JavaScript
silent_peers() {
	program heartbeat --status --json 2>/dev/null | json '
		const peers = Array.isArray(d.peers) ? d.peers : Object.entries(d.peers ?? {}).map(([peer, state]) => ({ peer, ...state }));
		peers.filter((p) => p.status !== "alive").map((p) => `${p.peer ?? p.name}: ${p.reason ?? (p.status && p.status !== "unknown" ? p.status : "no heartbeat from it yet")}`).join("\n")' || printf 'heartbeat: no answer\n'
}

# peers_with KIND: their names. `key`: their HEARTBEAT_KEY is another one than ours; `waiting`: neither heard, nor is it known why.
peers_with() {
	local test='p.cause === "key"'
	if [ "$1" = waiting ]; then test='p.status !== "alive" && !p.cause'; fi
	program heartbeat --status --json 2>/dev/null | json "(d.peers ?? []).filter((p) => $test).map((p) => p.peer).join(' ')" || true
}
none_waiting() { [ -z "$(peers_with waiting)" ]; }

# look_for_peers: whether they answer. A person may want to see it happen: then for up to a minute.
look_for_peers() {
	if [ "$manager" != systemd ] || ! peers_configured; then return 0; fi
	chapter "The peers"
	local end=$((SECONDS + 60)) silent
	silent=$(silent_peers)
	# A key that does not fit shows at the first answer: seconds.
	if [ -n "$silent" ] && ! is_person; then
		within 5 none_waiting || true
		silent=$(silent_peers)
	fi
	if [ -n "$silent" ] && is_person; then
		say "Waiting for up to a minute for $(cut -d: -f1 <<<"$silent" | paste -sd ' '). Enter goes on without."
		while [ -n "$silent" ] && [ "$SECONDS" -lt "$end" ]; do
			if IFS= read -rs -t 1; then break; fi
			silent=$(silent_peers)
		done
	fi
	peers_silent=$silent
	peers_of_another_key=$(peers_with key)
	if [ -z "$silent" ]; then
		good "every peer is heard"
		return 0
	fi
	while IFS= read -r silent; do note "not heard: $silent"; done <<<"$peers_silent"
}
peers_silent='' peers_of_another_key=''

# prepare_programs: the build; its absence is a problem like the others.
prepare_programs() {
	usable_node || return 0
	if is_built; then
		good "built: $(payload_version)"
	elif [ -n "$dry" ]; then
		say "would build $clone"
	else
		# A build takes a while, and may download: not for a set-up that cannot go on.
		stop_if_missing
		build
		good "built: $(payload_version)"
	fi
}

register_node() {
	mkdir -p "$(registry)"
	printf '%s\n' "$workspace" >"$(registry)/${config[NODE_NAME]}"
}

# is_set VARIABLE: in the workspace's .sync_env.
is_set() { read_as_owner "$workspace/.sync_env" | grep -Eq "^ *(export +)?$1=[^ #]"; }

# next_steps: what is left to do for a person, on the other machines and on this one.
next_steps() {
	local n=${config[NODE_NAME]} here peers key='HEARTBEAT_KEY=<key>' keyless='' other
	here=$(hostname)
	if [ -n "$made_key" ]; then key="HEARTBEAT_KEY=$made_key"; fi
	if ! is_set HEARTBEAT_KEY; then key='' keyless=1; fi
	if is_set CALEB_TELEGRAM_ID && ! is_set TELEGRAM_BOT_TOKEN && ! command -v openclaw >/dev/null; then
		note "CALEB_TELEGRAM_ID names a chat and there is no TELEGRAM_BOT_TOKEN (nor the program openclaw): nobody is alerted by Telegram. @BotFather's /newbot gives a token; put it into .sync_env, then: monitor --test-alert"
	fi
	case $n in helios | chad) peers="${n^^}_HOST=$here" ;; *) peers="PEERS=$n=$here" ;; esac
	if [ "${config[HEARTBEAT_PORT]}" != 8765 ]; then peers+=":${config[HEARTBEAT_PORT]}"; fi
	if peers_configured && [ -z "$peers_silent" ] && [ "$manager" = systemd ]; then
		other=''
	else
		other=1
	fi
	if [ -z "$other$keyless" ]; then return; fi
	chapter "Next"
	if [ -n "$other" ]; then
		say "On each other machine, in its clone of the workspace ($here stands for the name or address under which it reaches this machine):"
		say "    ${key:+$key }$peers bash <clone of robust-sync>/deploy/setup.sh"
		if [ -n "$key" ] && [ -z "$made_key" ]; then say "  <key>: grep HEARTBEAT_KEY $workspace/.sync_env"; fi
		say "Let UDP port ${config[HEARTBEAT_PORT]} through between the machines, both ways; the hub is all that files need."
		if [ -n "$peers_of_another_key" ]; then
			note "key mismatch: $peers_of_another_key and this node have different HEARTBEAT_KEYs and refuse each other's heartbeats. Take the key from there:"
		elif [ -n "$made_key" ]; then
			say "A machine that was set up before has a key already, and this new one does not fit it. Then take its key here:"
		fi
		if [ -n "$peers_of_another_key$made_key" ]; then
			say "    ssh <that machine> cat <its workspace>/.sync_env | bash $clone/deploy/setup.sh --workspace '$workspace' --yes --key-from -"
		fi
		if ! peers_configured; then say "Then name that machine here: PEERS=name=host in $workspace/.sync_env, and restart $n-heartbeat."; fi
	fi
	if [ -n "$keyless" ]; then note "no HEARTBEAT_KEY: whoever can send to UDP port ${config[HEARTBEAT_PORT]} can pretend to be a peer. Put the same one, of 16 characters or more, into .sync_env on all nodes"; fi
}

farewell() {
	local n=${config[NODE_NAME]} ctl=systemctl journal=journalctl at='' as=''
	if [ "$scope" = user ]; then ctl="systemctl --user" journal="journalctl --user"; fi
	if [ "$(id -u)" != "$owner_id" ]; then as="runuser -u $owner -- "; fi
	chapter "Done: $n syncs $workspace"
	if [ "$manager" = systemd ]; then
		say "$ctl status $n-sync $n-heartbeat $n-health-server $n-monitor"
		say "$ctl stop $n-robust-sync.target      all four at once; start, restart likewise"
		say "$journal -u $n-sync -n 50"
		say "curl http://$(health_address)/health"
	else
		case ":$PATH:" in *":$links:"*) ;; *) at=$links/ ;; esac
		at=$as$at
		say "There is no service manager here that could run the services. Run them under their own supervisor:"
		say "  nohup ${at}robust-sync   --workspace '$workspace' >/dev/null 2>&1 &"
		say "  nohup ${at}heartbeat     --workspace '$workspace' >/dev/null 2>&1 &"
		say "  nohup ${at}health-server --workspace '$workspace' >/dev/null 2>&1 &"
		say "  nohup ${at}monitor --daemon --workspace '$workspace' >/dev/null 2>&1 &"
		say "and at boot by the same lines after @reboot in a crontab. ${at}robust-sync --stop ends the first, kill ends the others."
	fi
	say "${at}robust-sync --status; tail -f $workspace/logs/sync.log; ${at}monitor --test-alert"
	if [ "$scope" = user ] && [ "$manager" = systemd ]; then
		if [ "$(loginctl show-user "$owner" -p Linger --value 2>/dev/null)" != yes ]; then
			note "these services end with your last login; 'loginctl enable-linger $owner' keeps them running and starts them at boot"
		fi
	fi
	next_steps
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
	read_env_file || missing_lines "$config_problem"
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
		install_maintenance
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
	local now
	now=$(basename "$version_dir")
	if [ "$previous" = "$now" ]; then
		chapter "$now runs, as before"
	elif older "${now%%+*}" "${previous%%+*}"; then
		chapter "Back from $previous to the older $now"
	else
		chapter "Upgraded from $previous to $now"
	fi
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
	if [ "$(as_owner git -C "$workspace" config --local robust-sync.workspace || true)" = true ]; then
		change "remove the mark of a workspace from this repository's git settings" as_owner git -C "$workspace" config --local --unset-all robust-sync.workspace
	fi
	choose_merge_driver
	case $(as_owner git -C "$workspace" config --local merge.robust-sync.driver || true) in
	"conflict-resolver $merge_driver_arguments" | "$merge_driver") change "remove the merge driver from this repository's git settings" as_owner git -C "$workspace" config --remove-section merge.robust-sync ;;
	esac
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
	rm -f "$prefix/current" "$prefix/current.new" "$prefix/link-prefix"
	rm -rf "$(registry)"
	for directory in "$prefix"/*/; do
		case $directory in *.part/) rm -rf "$directory" ;; *) if [ -e "$directory/.content" ]; then rm -rf "$directory"; fi ;; esac
	done
	rmdir "$prefix" 2>/dev/null || note "$prefix is left: it holds what setup did not put there"
}

# unmanaged [SIGNAL]: pids of what runs on the workspace without a service manager, by its locks (docs/contract.md, section 11);
# with a signal they get it. A supervisor passes it on to its worker.
unmanaged() {
	# As the owner, who wrote the locks: root would send signals to whatever process they name.
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
