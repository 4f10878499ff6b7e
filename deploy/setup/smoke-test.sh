# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# Tests every component after the start: exit code 0 only when all of them answered.

failures=()
test_failed() {
	failures+=("$*")
	error "$*"
}

# within SECONDS COMMAND...: repeats the command until it succeeds or the time is over.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# program NAME ARGUMENTS...: runs an installed executable on this workspace, as the services do.
program() {
	local name=$1
	shift
	# By .sync_env alone: variables of this environment were answers, and are in the file by now.
	as_owner env "${variables[@]/#/--unset=}" "$node" "$prefix/current/bin/$name" --workspace "$workspace" "$@"
}

# json EXPRESSION: a value of the JSON document on standard input, called d; empty for null.
json() { "$node" -e 'let d = JSON.parse(require("node:fs").readFileSync(0, "utf8")); const v = eval(process.argv[1]); console.log(v ?? "")' "$@" 2>/dev/null; }

# last_message UNIT: the last message of a failed service, from its journal.
last_message() {
	local output
	output=$(journal -u "$1" -n 20 -o cat 2>/dev/null | grep -E "^${1#"${config[NODE_NAME]}"-}: |^robust-sync: " | tail -n1 || true)
	[ -z "$output" ] || printf '%s; ' "$output"
}
journal() { if [ "$scope" = user ]; then journalctl --user "$@"; else journalctl "$@"; fi; }

unit_is_up() { ctl is-active -q "${config[NODE_NAME]}-$1"; }
has_synced() { [ -n "$(program robust-sync --status --json 2>/dev/null | json 'd.last_sync && Date.parse(d.last_sync) >= Date.parse(d.started_at) ? d.last_sync : null')" ]; }
health_status() {
	"$node" -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(5000) }).then((r) => r.json()).then((b) => { if (b.node !== process.argv[2]) process.exit(1); console.log(b.status); }, () => process.exit(1))' \
		"http://$(health_address)/health" "${config[NODE_NAME]}" 2>/dev/null
}
health_address() { case ${config[HEALTH_HOST]} in *:*) printf '[%s]:%s' "${config[HEALTH_HOST]//[\[\]]/}" "${config[HEALTH_PORT]}" ;; *) printf '%s:%s' "${config[HEALTH_HOST]}" "${config[HEALTH_PORT]}" ;; esac }
health_answers() { health_status >/dev/null; }

# test_service SERVICE: whether it runs and does its work.
test_service() {
	local service=$1 unit=${config[NODE_NAME]}-$1 output
	if ! within 30 unit_is_up "$service"; then
		test_failed "$unit does not run: $(last_message "$unit")systemctl status $unit; journalctl -u $unit -n 50"
		return 1
	fi
	case $service in
		sync)
			if ! within 45 has_synced; then
				output=$(program robust-sync --status --json 2>/dev/null | json 'd.last_error ? d.last_error.code + ": " + d.last_error.message : "no cycle has ended yet"')
				test_failed "$unit runs and does not sync: $output"
				return 1
			fi
			ok "$unit runs and has synced"
			;;
		heartbeat)
			if ! within 10 program heartbeat --status >/dev/null 2>&1; then
				test_failed "$unit runs and listens on no port: tail $(word "$workspace/logs/heartbeat.log")"
				return 1
			fi
			ok "$unit runs and listens on port ${config[HEARTBEAT_PORT]}"
			;;
		health-server)
			if ! within 10 health_answers; then
				test_failed "$unit runs and http://$(health_address)/health does not answer"
				return 1
			fi
			ok "$unit runs: http://$(health_address)/health answers $(health_status || true)"
			;;
		monitor) test_monitor "$unit" || return 1 ;;
	esac
}

test_monitor() {
	local output
	output=$(program monitor --check --json 2>/dev/null || true)
	if [ -z "$(json d.status <<<"$output" || true)" ]; then
		test_failed "$1 runs and monitor --check gives no answer"
		return 1
	fi
	ok "$1 runs; its checks: $(json d.status <<<"$output")"
	json 'd.checks.filter((c) => c.status !== "ok").map((c) => c.name + ": " + c.message).join("\n")' <<<"$output" | while IFS= read -r output; do
		[ -z "$output" ] || warn "$output"
	done
}

test_resolver() {
	local code=0
	program conflict-resolver --check >/dev/null 2>&1 || code=$?
	case $code in
		0) ok "conflict-resolver: no conflict is open" ;;
		1) warn "conflict-resolver: there are conflicts: conflict-resolver --report" ;;
		*) test_failed "conflict-resolver --check failed with exit code $code" ;;
	esac
}

# Without a service manager no service runs yet: each program is started once.
test_programs() {
	local name
	for name in "${executables[@]}"; do
		if program "$name" --version >/dev/null 2>&1; then ok "$name starts"; else test_failed "$name does not start: $prefix/current/bin/$name --version"; fi
	done
	local output
	if output=$(program robust-sync --once 2>&1); then ok "robust-sync --once: $(sed -n '$p' <<<"$output")"; else test_failed "robust-sync --once failed: $(sed -n '$p' <<<"$output")"; fi
	test_resolver
}

# show_doctor_findings: prints further problems. They do not fail the set-up: every component has passed its own test.
show_doctor_findings() {
	local found lines line
	section "robust-sync --doctor"
	found=$(program robust-sync --doctor --json 2>/dev/null || true)
	# Without a service manager no service runs yet, which is reported below.
	if ! lines=$(json 'd.findings.filter((f) => f.status !== "ok" && (process.argv[2] === "systemd" || !f.check.startsWith("process:"))).map((f) => f.check + ": " + f.message + (f.fix ? " (" + f.fix + ")" : "")).map((text) => text.replaceAll("\n", " ")).join("\n")' "$manager" <<<"$found"); then
		warn "robust-sync --doctor gave no answer: run it to see why"
		return 0
	fi
	if [ -z "$lines" ]; then ok "nothing is wrong"; fi
	while IFS= read -r line; do
		[ -z "$line" ] || warn "$line"
	done <<<"$lines"
}

test_all() {
	local service
	failures=()
	section "Test of every component"
	if [ "$manager" = systemd ]; then
		for service in "${services[@]}"; do test_service "$service" || true; done
		test_resolver
	else
		test_programs
	fi
	[ "${#failures[@]}" -eq 0 ]
}
