# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The test of every component, after the start: exit code 0 only when all of them answered.

failures=()
proof_failed() {
	failures+=("$*")
	bad "$*"
}

# within SECONDS COMMAND...: true as soon as the command is.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# program NAME ARGUMENTS...: an installed executable, on this workspace, as the services run it.
program() {
	local name=$1
	shift
	# By .sync_env alone: what is in this environment was an answer, and is in there by now.
	as_owner env "${variables[@]/#/--unset=}" "$node" "$prefix/current/bin/$name" --workspace "$workspace" "$@"
}

# json EXPRESSION: a value of the JSON document on standard input, called d; empty for null.
json() { "$node" -e 'let d = JSON.parse(require("node:fs").readFileSync(0, "utf8")); const v = eval(process.argv[1]); console.log(v ?? "")' "$@" 2>/dev/null; }

# last_words UNIT: what a service that does not stay up said last, from its journal.
last_words() {
	local said
	said=$(journal -u "$1" -n 20 -o cat 2>/dev/null | grep -E "^${1#"${config[NODE_NAME]}"-}: |^robust-sync: " | tail -n1 || true)
	[ -z "$said" ] || printf '%s; ' "$said"
}
journal() { if [ "$scope" = user ]; then journalctl --user "$@"; else journalctl "$@"; fi; }

unit_is_up() { ctl is-active -q "${config[NODE_NAME]}-$1"; }
has_synced() { [ -n "$(program robust-sync --status --json 2>/dev/null | json 'd.last_sync && Date.parse(d.last_sync) >= Date.parse(d.started_at) ? d.last_sync : null')" ]; }
health_says() {
	"$node" -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(5000) }).then((r) => r.json()).then((b) => { if (b.node !== process.argv[2]) process.exit(1); console.log(b.status); }, () => process.exit(1))' \
		"http://$(health_address)/health" "${config[NODE_NAME]}" 2>/dev/null
}
health_address() { case ${config[HEALTH_HOST]} in *:*) printf '[%s]:%s' "${config[HEALTH_HOST]//[\[\]]/}" "${config[HEALTH_PORT]}" ;; *) printf '%s:%s' "${config[HEALTH_HOST]}" "${config[HEALTH_PORT]}" ;; esac }
health_answers() { health_says >/dev/null; }

# prove SERVICE: it runs, and answers what it is there for.
prove() {
	local service=$1 unit=${config[NODE_NAME]}-$1 said
	if ! within 30 unit_is_up "$service"; then
		proof_failed "$unit does not run: $(last_words "$unit")systemctl status $unit; journalctl -u $unit -n 50"
		return 1
	fi
	case $service in
		sync)
			if ! within 45 has_synced; then
				said=$(program robust-sync --status --json 2>/dev/null | json 'd.last_error ? d.last_error.code + ": " + d.last_error.message : "no cycle has ended yet"')
				proof_failed "$unit runs and does not sync: $said"
				return 1
			fi
			good "$unit runs and has synced"
			;;
		heartbeat)
			if ! within 10 program heartbeat --status >/dev/null 2>&1; then
				proof_failed "$unit runs and listens on no port: tail $workspace/logs/heartbeat.log"
				return 1
			fi
			good "$unit runs and listens on port ${config[HEARTBEAT_PORT]}"
			;;
		health-server)
			if ! within 10 health_answers; then
				proof_failed "$unit runs and http://$(health_address)/health does not answer"
				return 1
			fi
			good "$unit runs: http://$(health_address)/health says $(health_says || true)"
			;;
		monitor) prove_monitor "$unit" || return 1 ;;
	esac
}

prove_monitor() {
	local said
	said=$(program monitor --check --json 2>/dev/null || true)
	if [ -z "$(json d.status <<<"$said" || true)" ]; then
		proof_failed "$1 runs and monitor --check gives no answer"
		return 1
	fi
	good "$1 runs; its checks say $(json d.status <<<"$said")"
	json 'd.checks.filter((c) => c.status !== "ok").map((c) => c.name + ": " + c.message).join("\n")' <<<"$said" | while IFS= read -r said; do
		[ -z "$said" ] || note "$said"
	done
}

prove_resolver() {
	local code=0
	program conflict-resolver --check >/dev/null 2>&1 || code=$?
	case $code in
		0) good "conflict-resolver: no conflict is open" ;;
		1) note "conflict-resolver: there are conflicts already: conflict-resolver --report" ;;
		*) proof_failed "conflict-resolver --check failed with exit code $code" ;;
	esac
}

# Without a service manager there is nothing that runs yet: each program is started once.
prove_programs() {
	local name
	for name in "${executables[@]}"; do
		if program "$name" --version >/dev/null 2>&1; then good "$name starts"; else proof_failed "$name does not start: $prefix/current/bin/$name --version"; fi
	done
	local said
	if said=$(program robust-sync --once 2>&1); then good "robust-sync --once: $(sed -n '$p' <<<"$said")"; else proof_failed "robust-sync --once failed: $(sed -n '$p' <<<"$said")"; fi
	prove_resolver
}

# doctor_says: what else is not as it should be. It fails no set-up: every component has answered its own test.
doctor_says() {
	local found lines line
	chapter "robust-sync --doctor"
	found=$(program robust-sync --doctor --json 2>/dev/null || true)
	# Without a service manager nothing runs yet, which is said below.
	if ! lines=$(json 'd.findings.filter((f) => f.status !== "ok" && (process.argv[2] === "systemd" || !f.check.startsWith("process:"))).map((f) => f.check + ": " + f.message + (f.fix ? " (" + f.fix + ")" : "")).map((text) => text.replaceAll("\n", " ")).join("\n")' "$manager" <<<"$found"); then
		note "it gave no answer: robust-sync --doctor"
		return 0
	fi
	if [ -z "$lines" ]; then good "nothing is wrong"; fi
	while IFS= read -r line; do
		[ -z "$line" ] || note "$line"
	done <<<"$lines"
}

prove_all() {
	local service
	failures=()
	chapter "Test of every component"
	if [ "$manager" = systemd ]; then
		for service in "${services[@]}"; do prove "$service" || true; done
		prove_resolver
	else
		prove_programs
	fi
	[ "${#failures[@]}" -eq 0 ]
}
