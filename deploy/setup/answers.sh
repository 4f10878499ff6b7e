# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The configuration: what is asked, what is written to .sync_env, and what a .sync_env that is there says.

# The variables of docs/contract.md, section 2. A test compares the two lists.
variables=(
	NODE_NAME PEERS CHAD_HOST HELIOS_HOST SYNC_REMOTE SYNC_BRANCH SYNC_INTERVAL SYNC_WATCH SYNC_NESTED SYNC_HOOKS MAX_FILE_MB
	GIT_TIMEOUT HEARTBEAT_PORT HEARTBEAT_BIND HEARTBEAT_INTERVAL HEARTBEAT_KEY PEER_TIMEOUT HEALTH_PORT HEALTH_HOST
	MONITOR_INTERVAL MAX_SYNC_FAILURES ALERT_COOLDOWN CALEB_TELEGRAM_ID TELEGRAM_BOT_TOKEN TELEGRAM_API_URL
	ALERT_WEBHOOK_URL MEMORY_LIMIT_MB LOG_LEVEL LOG_FORMAT
)
declare -A answers=()

# ask VARIABLE QUESTION DEFAULT [secret]: the environment, else the person, else the default.
ask() {
	local name=$1 question=$2 default=$3 secret=${4:-} reply=''
	if [ -n "${!name:-}" ]; then
		answers[$name]=${!name}
		return
	fi
	if [ -z "$yes" ]; then
		printf '  %s%s: ' "$question" "${default:+ [$default]}"
		if [ -n "$secret" ] && [ -t 0 ]; then
			read -rs reply || true
			printf '\n'
		else
			read -r reply || true
			[ -t 0 ] || printf '\n'
		fi
	fi
	reply=${reply:-$default}
	[ -z "$reply" ] || answers[$name]=$reply
}

default_node_name() {
	local name
	name=$(hostname -s 2>/dev/null || hostname)
	name=$(printf '%s' "${name%%.*}" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9-' '-' | sed 's/^-*//' | cut -c1-63)
	printf '%s' "${name:-node}"
}

resolves() { getent hosts "$1" >/dev/null 2>&1; }

# The two nodes that have a variable of their own are each other's default peer, if that name means a machine here.
ask_peers() {
	local peer variable default=''
	case ${answers[NODE_NAME]} in
		helios) peer=chad variable=CHAD_HOST ;;
		chad) peer=helios variable=HELIOS_HOST ;;
		*) peer='' ;;
	esac
	if [ -n "${PEERS:-}" ]; then
		answers[PEERS]=$PEERS
	elif [ -n "$peer" ]; then
		if resolves "$peer"; then default=$peer; fi
		ask "$variable" "Host name or address of $peer, for heartbeats${default:+}" "$default"
	elif [ -z "${CHAD_HOST:-}${HELIOS_HOST:-}" ]; then
		ask PEERS "Peers for heartbeats, as name=host, comma separated (empty: none)" ""
	fi
}

# gather_answers: fills `answers` for a new .sync_env.
gather_answers() {
	chapter "Configuration of $workspace"
	[ -n "$yes" ] || say "Enter takes what stands in brackets. Everything can be changed later in .sync_env."
	ask NODE_NAME "Name of this node" "$(default_node_name)"
	ask_peers
	ask SYNC_INTERVAL "Seconds between sync cycles when nothing changes" 60
	ask HEARTBEAT_PORT "UDP port for heartbeats" 8765
	ask HEALTH_PORT "Port of the health page on 127.0.0.1" 8080
	[ -n "$yes" ] || ask HEARTBEAT_KEY "Secret shared by all nodes that authenticates heartbeats, 16 characters or more (empty: none)" "" secret
	[ -n "$yes" ] || ask CALEB_TELEGRAM_ID "Telegram chat that is alerted (empty: none)" ""
	if [ -z "$yes" ] && [ -n "${answers[CALEB_TELEGRAM_ID]:-}" ]; then ask TELEGRAM_BOT_TOKEN "Telegram bot token (empty: none)" "" secret; fi
	local name
	for name in "${variables[@]}"; do
		if [ -n "${!name:-}" ]; then answers[$name]=${!name}; fi
	done
}

# env_file_text: the answers as .sync_env, in the order of the contract.
env_file_text() {
	printf '# Configuration of robust-sync for this node: flags and the environment go before it. Never committed.\n'
	printf '# After a change: systemctl reload %s-sync, or restart what it concerns.\n' "${answers[NODE_NAME]}"
	local name value
	for name in "${variables[@]}"; do
		[ -n "${answers[$name]:-}" ] || continue
		value=${answers[$name]}
		# Words that a shell reads as they stand need no quotes.
		if [[ $value =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then printf 'export %s=%s\n' "$name" "$value"; else printf "export %s='%s'\n" "$name" "$value"; fi
	done
}

declare -A config=()
# read_config FILE: the effective configuration that the services will see, into `config`. Non-zero with the reason in
# config_problem when a value is not accepted.
read_config() {
	local file=$1 name value output
	config_problem=''
	if [ -n "$dry" ] && [ ! -e "$clone/dist/print-config.mjs" ]; then
		assume_config "$file"
		return
	fi
	if ! output=$(env -i PATH="$PATH" HOME="${HOME:-/}" "$node" "$clone/dist/print-config.mjs" "$file" 2>&1); then
		config_problem=$output
		return 1
	fi
	while IFS=$'\t' read -r name value; do config[$name]=$value; done <<<"$output"
}

# assume_config FILE: for --dry-run on a clone that was never built: what the rest needs, taken as it stands.
assume_config() {
	local line assignment='^(export[[:space:]]+)?([A-Z_]+)=["'\'']?([^"'\''#[:space:]]*)'
	config=([NODE_NAME]=$(default_node_name) [SYNC_REMOTE]=origin [HEARTBEAT_PORT]=8765 [HEALTH_PORT]=8080 [HEALTH_HOST]=127.0.0.1 [MEMORY_LIMIT_MB]=500)
	while IFS= read -r line; do
		if [[ $line =~ $assignment ]]; then config[${BASH_REMATCH[2]}]=${BASH_REMATCH[3]}; fi
	done <"$file"
	note "the clone is not built: the configuration is taken as it stands, its values are not checked"
}

# check_quotes: a value with a single quote or a line break cannot be written in a way that shell and parser read alike.
check_quotes() {
	local name
	for name in "${!answers[@]}"; do
		case ${answers[$name]} in
			*"'"* | *$'\n'*) missing "$name: a value with a single quote or a line break is not accepted" ;;
		esac
	done
}

# settle_configuration: asks, or reads what is there; every value that is not accepted becomes a problem.
settle_configuration() {
	local file=$workspace/.sync_env draft name said
	if [ -e "$file" ]; then
		chapter "Configuration of $workspace"
		say "kept as it is: $file"
		if ! read_config "$file"; then
			missing "$config_problem"
			return
		fi
		for name in "${variables[@]}"; do
			said=${config[$name]:-}
			if [ -n "${!name:-}" ] && [ "${!name}" != "$said" ] && [[ ! $name =~ KEY|TOKEN|WEBHOOK ]]; then
				note "$name=${!name} in the environment is not what .sync_env says ('$said'): the file decides, edit it"
			fi
		done
		return
	fi
	gather_answers
	check_quotes
	draft=$(mktemp)
	env_file_text >"$draft"
	read_config "$draft" || missing "$config_problem"
	rm -f "$draft"
}
