#!/bin/sh
# The hub: git over ssh, for whoever holds the key that is made on the first start and left in /keys for the nodes.
set -eu
if [ ! -e /keys/id_ed25519 ]; then
	ssh-keygen -q -t ed25519 -N '' -C nodes -f /keys/id_ed25519
	ssh-keygen -q -t ed25519 -N '' -C hub -f /keys/host_ed25519
	printf 'hub %s\n' "$(cut -d' ' -f1,2 /keys/host_ed25519.pub)" >/keys/known_hosts.new
	# The nodes run as the user node and read these two.
	chown node: /keys/id_ed25519
	mv /keys/known_hosts.new /keys/known_hosts
fi
install -d -o node -g node -m 700 /home/node/.ssh
install -o node -g node -m 600 /keys/id_ed25519.pub /home/node/.ssh/authorized_keys
[ -e /srv/workspace.git ] || {
	install -d -o node -g node /srv/workspace.git
	su node -s /bin/sh -c 'git init -q --bare -b main /srv/workspace.git'
}
# sshd lets nobody in whose password is locked, unless it checks keys only through its own list.
usermod -p '*' node
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -h /keys/host_ed25519 -o PasswordAuthentication=no -o AllowUsers=node -o PermitRootLogin=no
