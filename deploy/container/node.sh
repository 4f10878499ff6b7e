#!/bin/sh
# One node: clones the workspace when it is empty, then runs the four services, each under its own supervisor.
# SYNC_HUB is the address of the hub's repository; other settings come from the environment or .sync_env, as everywhere.
# HEARTBEAT_KEY is required, here or in .sync_env. With PAGE_PORT the machine that runs the container can open the page.
set -eu
cd "${SYNC_WORKSPACE:=/workspace}"

if [ -z "${HEARTBEAT_KEY:-}" ] && ! grep -q '^ *\(export  *\)\{0,1\}HEARTBEAT_KEY=.' .sync_env 2>/dev/null; then
	echo "HEARTBEAT_KEY is not set: give all nodes the same secret of 16 characters or more" >&2
	exit 2
fi

if [ -r /keys/id_ed25519 ]; then
	ssh=$HOME/.ssh
	if [ ! -w "$HOME" ]; then
		# The root is read-only: ssh gets the path of the key, because it only searches the user's home.
		ssh=$(mktemp -d)
		export GIT_SSH_COMMAND="ssh -i $ssh/id_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=$ssh/known_hosts"
	fi
	install -d -m 700 "$ssh"
	install -m 600 /keys/id_ed25519 "$ssh/id_ed25519"
	install -m 644 /keys/known_hosts "$ssh/known_hosts"
fi
if [ ! -e .git ]; then
	git init -q -b "${SYNC_BRANCH:-main}"
	git remote add origin "${SYNC_HUB:?SYNC_HUB is the address of the hub, such as node@hub:/srv/workspace.git}"
fi

stop() {
	trap '' TERM INT
	# shellcheck disable=SC2086 # a list of numbers
	kill -TERM $services 2>/dev/null || true
	wait
	exit 0
}
robust-sync &
services=$!
heartbeat &
services="$services $!"
health-server &
services="$services $!"
monitor --daemon &
services="$services $!"
if [ -n "${PAGE_PORT:-}" ]; then
	node "$(dirname "$0")/page.mjs" &
	services="$services $!"
fi
trap stop TERM INT
# Each restarts its own worker; only a wrong configuration ends one for good, and then the container with it.
while :; do
	for service in $services; do
		if ! kill -0 "$service" 2>/dev/null; then
			echo "a service has ended: see $SYNC_WORKSPACE/logs" >&2
			# shellcheck disable=SC2086 # a list of numbers
			kill -TERM $services 2>/dev/null || true
			wait
			exit 1
		fi
	done
	sleep 1 &
	wait $! || true
done
