# shellcheck shell=bash
# Above 400 lines: one part of the set-up: all of its questions and what becomes of the answers.
# shellcheck disable=SC2154,SC2034 # variables are shared with the other parts of setup.sh
# The configuration: questions, answers, and reading and writing .sync_env.

# The variables of docs/contract.md, section 2. A test compares the two lists.
variables=(
	NODE_NAME PEERS CHAD_HOST HELIOS_HOST SYNC_REMOTE SYNC_MIRRORS SYNC_BRANCH SYNC_INTERVAL SYNC_PUSH_INTERVAL SYNC_WATCH SYNC_NESTED SYNC_HOOKS SYNC_EXCLUDE SYNC_ATIME SYNC_SECRETS MAX_FILE_MB
	GUARD GUARD_FILES GUARD_PERCENT GIT_TIMEOUT HEARTBEAT_PORT HEARTBEAT_BIND HEARTBEAT_INTERVAL HEARTBEAT_KEY PEER_TIMEOUT HEALTH_PORT HEALTH_HOST
	MONITOR_INTERVAL MAX_SYNC_FAILURES ALERT_COOLDOWN CALEB_TELEGRAM_ID TELEGRAM_BOT_TOKEN TELEGRAM_API_URL
	ALERT_WEBHOOK_URL ALERT_APPRISE_URLS MEMORY_LIMIT_MB LOG_LEVEL LOG_FORMAT
)
declare -A answers=()
# A key that this run has generated; empty: it was given, or there is none.
made_key=''
# Set if --key-from replaces the key of an existing .sync_env.
new_key=''

is_secret() { case $1 in HEARTBEAT_KEY | TELEGRAM_BOT_TOKEN | ALERT_WEBHOOK_URL | ALERT_APPRISE_URLS) ;; *) return 1 ;; esac }

# is_interactive: standard input is a terminal, and --yes is not given.
is_interactive() { [ -t 0 ] && [ -z "$yes" ]; }

# prompt TEXT [secret]: prints a prompt. For a secret it switches the terminal's echo off first, so that pasted text is not shown.
prompt() {
	if [ -n "${2:-}" ] && [ -t 0 ]; then stty -echo 2>/dev/null || true; fi
	printf '%s' "$1"
}

# read_reply [secret]: reads one line of standard input into `reply`, without blanks around it. The end of input at a terminal
# aborts the set-up; otherwise the defaults answer the remaining questions.
read_reply() {
	local ended=''
	reply=''
	if [ -n "${1:-}" ] && [ -t 0 ]; then
		# Not read -s: it would restore its own settings after restore_terminal.
		IFS= read -r reply || ended=1
		restore_terminal
		printf '\n'
	else
		IFS= read -r reply || ended=1
		[ -t 0 ] || printf '\n'
	fi
	reply=${reply#"${reply%%[![:space:]]*}"}
	reply=${reply%"${reply##*[![:space:]]}"}
	if [ -n "$ended" ] && [ -z "$reply" ]; then
		input_ended=1
		! [ -t 0 ] || abort_setup 2
	fi
}
input_ended=''

# A question for a secret switches the terminal's echo off; every way out switches it on again.
terminal=$(stty -g 2>/dev/null) || terminal=''
restore_terminal() { [ -z "$terminal" ] || stty "$terminal" 2>/dev/null || true; }

# abort_setup EXIT-CODE: ends before anything was changed. Prints a command with the answers so far, without secrets.
abort_setup() {
	local name line=''
	trap - INT TERM HUP
	restore_terminal
	printf '\nsetup.sh: stopped; nothing was changed.\n' >&2
	for name in "${variables[@]}"; do
		if [ -n "${answers[$name]:-}" ] && [ -z "${!name:-}" ] && ! is_secret "$name"; then line+="$name='${answers[$name]}' "; fi
	done
	if [ -n "$line" ]; then printf 'To continue with the answers so far: %sbash %s%s\n' "$line" "$clone/deploy/setup.sh" "$arguments" >&2; fi
	exit "$1"
}

# is_rejected NAME VALUE: true if the value is invalid; `reason` has the explanation.
is_rejected() {
	local name=$1 value=$2 draft service
	reason=''
	case $value in
		*"'"* | *[[:cntrl:]]*)
			reason="$name: a value with a single quote or a control character is not accepted"
			return
			;;
	esac
	if [ -e "$clone/dist/print-config.mjs" ]; then
		draft=$(mktemp)
		printf "%s='%s'\n" "$name" "$value" >"$draft"
		reason=$(env -i PATH="$PATH" HOME=/ "$node" "$clone/dist/print-config.mjs" "$draft" 2>&1 >/dev/null) || true
		rm -f "$draft"
		[ -z "$reason" ] || return 0
	fi
	case $name in
		NODE_NAME) reason=$(node_name_problem "$value") ;;
		HEARTBEAT_PORT | HEALTH_PORT)
			if [ "$name" = HEALTH_PORT ]; then service=health-server; else service=heartbeat; fi
			reason=$(port_problem "$name" "$value" "${answers[NODE_NAME]:-$(default_node_name)}-$service")
			;;
	esac
	[ -n "$reason" ]
}

# ask VARIABLE QUESTION DEFAULT [secret]: the environment, else the reply, else the default. An invalid reply is reported, and asked for again.
ask() {
	local name=$1 question=$2 default=$3 secret=${4:-} reply=''
	if [ -n "${!name:-}" ]; then
		answers[$name]=${!name}
		return
	fi
	while :; do
		reply=''
		if [ -z "$yes$input_ended" ]; then
			prompt "  $question${default:+ [$default]}: " "$secret"
			read_reply "$secret"
		fi
		if [ -z "$reply" ]; then
			# An unusable default becomes a question without one.
			if [ -z "$default" ] || ! is_rejected "$name" "$default"; then break; fi
			report_or_retry "$reason" || return 0
			default=''
			continue
		fi
		if ! is_rejected "$name" "$reply"; then
			if ! is_peer "$name" || resolve_or_confirm "$reply"; then break; fi
			continue
		fi
		report_or_retry "$reason" || return 0
	done
	reply=${reply:-$default}
	[ -z "$reply" ] || answers[$name]=$reply
}

# report_or_retry REASON: reports it. True if a person can answer again.
report_or_retry() {
	if [ -n "$yes$input_ended" ]; then
		missing_lines "$1"
		return 1
	fi
	error "$1"
}

is_peer() { case $1 in PEERS | CHAD_HOST | HELIOS_HOST) ;; *) return 1 ;; esac }

# hosts_of PEERS-OR-HOST: each host name, one a line.
hosts_of() {
	local entry
	for entry in ${1//,/ }; do
		entry=${entry#*=}
		if [[ $entry =~ ^\[(.*)\] ]]; then entry=${BASH_REMATCH[1]}; elif [[ $entry =~ ^([^:]*):[0-9]+$ ]]; then entry=${BASH_REMATCH[1]}; fi
		printf '%s\n' "$entry"
	done
}

# resolve_or_confirm PEERS-OR-HOST: every name resolves here, or the person confirms it.
resolve_or_confirm() {
	local host reply
	while IFS= read -r host; do
		resolves "$host" && continue
		warn "'$host' does not resolve here (getent hosts $host): heartbeats reach it once it does"
		[ -z "$input_ended" ] || continue
		printf '  Use it nevertheless? [no]: '
		read_reply <&3
		case $reply in [yY]*) ;; *) return 1 ;; esac
	done 3<&0 < <(hosts_of "$1")
}

default_node_name() {
	local name
	name=$(hostname -s 2>/dev/null || hostname)
	name=$(printf '%s' "${name%%.*}" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9-' '-' | sed 's/^-*//' | cut -c1-63)
	printf '%s' "${name:-node}"
}

resolves() { getent hosts "$1" >/dev/null 2>&1; }

# helios and chad are each other's default peer, if that name resolves here.
ask_peers() {
	local peer variable default=''
	case ${answers[NODE_NAME]:-} in
		helios) peer=chad variable=CHAD_HOST ;;
		chad) peer=helios variable=HELIOS_HOST ;;
		*) peer='' ;;
	esac
	if [ -n "${PEERS:-}" ]; then
		answers[PEERS]=$PEERS
	elif [ -n "$peer" ]; then
		if resolves "$peer"; then default=$peer; fi
		ask "$variable" "Host name or address of $peer, for heartbeats" "$default"
	elif [ -z "${CHAD_HOST:-}${HELIOS_HOST:-}" ]; then
		ask PEERS "Peers for heartbeats, as name=host, comma separated (Enter: none)" ""
	fi
}

# key_assigned: the last value of HEARTBEAT_KEY in a .sync_env on standard input, if there is one.
key_assigned() {
	local line key='' assignment="^[[:space:]]*(export[[:space:]]+)?HEARTBEAT_KEY=('([^']*)'|\"([^\"]*)\"|([^'\"[:space:]]*))"
	while IFS= read -r line; do
		if [[ $line =~ $assignment ]]; then key=${BASH_REMATCH[3]}${BASH_REMATCH[4]}${BASH_REMATCH[5]}; fi
	done
	printf '%s' "$key"
}

# take_key: reads --key-from into HEARTBEAT_KEY, as if it had come in the environment.
take_key() {
	local text key
	[ -n "$key_from" ] || return 0
	if [ "$key_from" = - ]; then
		if [ -t 0 ]; then info "Paste the key, or another node's .sync_env, and end with Ctrl-D:"; fi
		text=$(head -c 65536 | tr -d '\0\r')
		# Standard input was the key: questions use the terminal.
		if [ -z "$yes" ] && (: </dev/tty) 2>/dev/null; then exec </dev/tty; fi
	elif [ -f "$key_from" ] || [ -p "$key_from" ]; then
		text=$(head -c 65536 -- "$key_from" | tr -d '\0\r') || text=''
	else
		missing "--key-from $key_from: there is no such file"
		return 0
	fi
	key=$(key_assigned <<<"$text")
	# Otherwise a single word.
	[ -n "$key" ] || key=$(awk '{ for (i = 1; i <= NF; i++) word[++n] = $i } END { if (n == 1) print word[1] }' <<<"$text")
	if [ -z "$key" ]; then
		missing "--key-from $key_from: neither a key alone nor a .sync_env with a line HEARTBEAT_KEY=…"
		return 0
	fi
	HEARTBEAT_KEY=$key
}

# ask_key: the key of all nodes; generated here unless another node has one already.
ask_key() {
	case ${HEARTBEAT_KEY:-} in
		none) return 0 ;;
		?*)
			answers[HEARTBEAT_KEY]=$HEARTBEAT_KEY
			return 0
			;;
	esac
	if [ -z "$yes$input_ended" ]; then
		info "Heartbeats are authenticated with a key that all nodes share. Enter generates one (the end of this set-up prints the command for the"
		info "other machines). Where another node has a key already, paste that: 'grep HEARTBEAT_KEY .sync_env' there shows it. 'none': no key."
		while :; do
			prompt '  Key [a new one]: ' secret
			read_reply secret
			if [ -z "$reply" ]; then break; fi
			if [ "$reply" = none ]; then
				warn "without a key any program that can send to this port can pretend to be a peer"
				return 0
			fi
			if ! is_rejected HEARTBEAT_KEY "$reply"; then
				answers[HEARTBEAT_KEY]=$reply
				return 0
			fi
			report_or_retry "$reason" || return 0
		done
	fi
	made_key=$(od -An -vtx1 -N24 /dev/urandom | tr -d ' \n')
	answers[HEARTBEAT_KEY]=$made_key
}

# ask_telegram: a chat is of no use without a bot, so the question for the bot comes first.
ask_telegram() {
	if [ -n "$yes$input_ended" ]; then return; fi
	if [ -z "${TELEGRAM_BOT_TOKEN:-}${CALEB_TELEGRAM_ID:-}" ]; then
		info "Alerts by Telegram need a bot: write /newbot to @BotFather there, it answers with the bot's token (123456:ABC…)."
	fi
	ask TELEGRAM_BOT_TOKEN "Telegram bot token (Enter: no alerts by Telegram)" "" secret
	if [ -z "${answers[TELEGRAM_BOT_TOKEN]:-}" ]; then return; fi
	if [ -z "${CALEB_TELEGRAM_ID:-}" ]; then
		info "The chat: write a message to your bot (or add it to a group), then open https://api.telegram.org/bot<token>/getUpdates:"
		info "the number after \"chat\":{\"id\": is the chat's id."
	fi
	while [ -z "${CALEB_TELEGRAM_ID:-}${answers[CALEB_TELEGRAM_ID]:-}" ]; do
		printf "  Telegram chat id ('-': no alerts by Telegram after all): "
		read_reply
		if [ "$reply" = - ] || [ -n "$input_ended" ]; then
			unset 'answers[TELEGRAM_BOT_TOKEN]'
			return 0
		elif [ -z "$reply" ]; then
			error "the bot needs a chat to write to"
		elif is_rejected CALEB_TELEGRAM_ID "$reply"; then
			error "$reason"
		else
			answers[CALEB_TELEGRAM_ID]=$reply
		fi
	done
}

# check_environment: validates every variable of the environment before the first question. All problems are reported at once.
check_environment() {
	local name reason
	for name in "${variables[@]}"; do
		if [ -z "${!name:-}" ] || [ "$name=${!name}" = HEARTBEAT_KEY=none ]; then continue; fi
		if is_rejected "$name" "${!name}"; then missing_lines "$reason"; fi
	done
}

# show_survey: lists the files that the first cycle publishes, before the first question. It runs robust-sync --init without consent, which changes nothing.
show_survey() {
	local line survey
	[ -e "$clone/dist/robust-sync.mjs" ] || return 0
	survey=$(as_owner env "${variables[@]/#/--unset=}" SYNC_REMOTE="${SYNC_REMOTE:-origin}" "$node" "$clone/bin/robust-sync" --init --workspace "$workspace" </dev/null 2>/dev/null) || true
	# The owner of the workspace may not be able to read root's clone.
	[ -n "$survey" ] || return 0
	section "What will be published, and kept in the hub's history"
	while IFS= read -r line; do info "$line"; done <<<"$survey"
	if [ -z "$yes" ]; then info "If any of it must not leave this machine: press Ctrl-C, add it to $workspace/.gitignore, and start again."; fi
}

# gather_answers: fills `answers` for a new .sync_env.
gather_answers() {
	show_survey
	section "Configuration of $workspace"
	if [ -z "$yes" ]; then
		info "Press Enter to accept the value in brackets. All values can be changed later in .sync_env. Nothing is changed before the last question."
	fi
	ask NODE_NAME "Name of this node" "$(default_node_name)"
	ask_peers
	ask SYNC_INTERVAL "Seconds between sync cycles when nothing changes" 60
	ask HEARTBEAT_PORT "UDP port for heartbeats" 8765
	ask HEALTH_PORT "Port of the health page on 127.0.0.1" 8080
	ask_key
	ask_telegram
	local name
	for name in "${variables[@]}"; do
		if [ -n "${!name:-}" ] && [ "$name=${!name}" != HEARTBEAT_KEY=none ]; then answers[$name]=${!name}; fi
	done
}

# env_file_text: the answers as .sync_env, in the order of the contract.
env_file_text() {
	printf '# Configuration of robust-sync for this node: flags and the environment go before it. Never committed.\n'
	printf '# After a change: systemctl reload %s-sync, or restart the service.\n' "${answers[NODE_NAME]}"
	local name value
	for name in "${variables[@]}"; do
		[ -n "${answers[$name]:-}" ] || continue
		value=${answers[$name]}
		# Words without special characters for a shell need no quotes.
		if [[ $value =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then printf 'export %s=%s\n' "$name" "$value"; else printf "export %s='%s'\n" "$name" "$value"; fi
	done
}

declare -A config=()
# read_config FILE: the effective configuration of the services, into `config`. Non-zero if values are invalid, with the reasons, one a
# line, in config_problem. FILE must be a copy of ours: the workspace's own may change at any time.
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
	while IFS=$'\t' read -r name value; do
		if is_variable "$name"; then config[$name]=$value; fi
	done <<<"$output"
}

is_variable() { case " ${variables[*]} " in *" $1 "*) ;; *) return 1 ;; esac }

# read_env_file: read_config of the workspace's own .sync_env.
read_env_file() {
	local copy code=0
	copy=$(mktemp)
	if read_as_owner "$workspace/.sync_env" >"$copy"; then
		read_config "$copy" || code=1
		config_problem=${config_problem//"$copy"/"$workspace/.sync_env"}
	else
		config_problem="$workspace/.sync_env is no file that $owner can read"
		code=1
	fi
	rm -f "$copy"
	return "$code"
}

# assume_config FILE: for --dry-run on a clone without a build: reads the needed values without checking them.
assume_config() {
	local line assignment='^(export[[:space:]]+)?([A-Z_]+)=["'\'']?([^"'\''#[:space:]]*)'
	config=([NODE_NAME]=$(default_node_name) [SYNC_REMOTE]=origin [HEARTBEAT_PORT]=8765 [HEALTH_PORT]=8080 [HEALTH_HOST]=127.0.0.1 [MEMORY_LIMIT_MB]=500)
	while IFS= read -r line; do
		if [[ $line =~ $assignment ]] && is_variable "${BASH_REMATCH[2]}"; then config[${BASH_REMATCH[2]}]=${BASH_REMATCH[3]}; fi
	done <"$file"
	warn "the clone is not built: the values of the configuration are not checked"
}

# configure: asks the questions, or reads the existing .sync_env; every invalid value becomes a problem.
configure() {
	local file=$workspace/.sync_env draft name output
	if [ -e "$file" ]; then
		section "Configuration of $workspace"
		info "kept as it is: $file"
		if ! read_env_file; then
			missing_lines "$config_problem"
			return
		fi
		output=$(read_as_owner "$file" | key_assigned)
		if [ "${HEARTBEAT_KEY:-$output}" = "$output" ]; then
			:
		elif [ -n "$key_from" ]; then
			if is_rejected HEARTBEAT_KEY "$HEARTBEAT_KEY"; then missing_lines "$reason"; else new_key=1; fi
		elif [ "$HEARTBEAT_KEY" != none ]; then
			warn "HEARTBEAT_KEY in the environment is not the one in .sync_env: the file decides (--key-from FILE puts another key there)"
		fi
		for name in "${variables[@]}"; do
			output=${config[$name]:-}
			if [ -n "${!name:-}" ] && [ "${!name}" != "$output" ] && ! is_secret "$name"; then
				warn "$name=${!name} in the environment differs from .sync_env ('$output'): the file is used, edit it"
			fi
		done
		return
	fi
	check_environment
	if [ -z "$yes" ]; then stop_on_problems; fi
	gather_answers
	if [ "${#problems[@]}" -gt 0 ]; then return; fi
	draft=$(mktemp)
	env_file_text >"$draft"
	read_config "$draft" || missing_lines "$config_problem"
	rm -f "$draft"
}
