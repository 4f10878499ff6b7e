#!/bin/sh
# The hub: git over ssh, for the nodes' key, which is made on the first start and stored in /keys for them. It opens git on the hub and
# nothing else: its user has git-shell for a shell, and the key no terminal and no forwarding. The hub's own key stays in its own volume.
set -eu
if [ ! -e /srv/ssh/host_ed25519 ]; then
	mkdir -p /srv/ssh
	chmod 700 /srv/ssh
	if [ -e /keys/host_ed25519 ]; then
		# Of a hub that was made by 0.1.
		mv /keys/host_ed25519 /keys/host_ed25519.pub /srv/ssh/
	else
		ssh-keygen -q -t ed25519 -N '' -C hub -f /srv/ssh/host_ed25519
	fi
fi
if [ ! -e /keys/id_ed25519 ]; then
	ssh-keygen -q -t ed25519 -N '' -C nodes -f /keys/id_ed25519
	# The nodes run as the user node and read it.
	chown node: /keys/id_ed25519
fi
printf 'hub %s\n' "$(cut -d' ' -f1,2 /srv/ssh/host_ed25519.pub)" >/keys/known_hosts.new
mv /keys/known_hosts.new /keys/known_hosts
install -d -o node -g node -m 700 /home/node/.ssh
printf 'restrict %s\n' "$(cat /keys/id_ed25519.pub)" >/home/node/.ssh/authorized_keys
chown node: /home/node/.ssh/authorized_keys
chmod 600 /home/node/.ssh/authorized_keys
[ -e /srv/workspace.git ] || {
	install -d -o node -g node /srv/workspace.git
	su node -s /bin/sh -c 'git init -q --bare -b main /srv/workspace.git'
}
# sshd refuses users with a locked password, unless it checks keys only through its own list.
usermod -p '*' -s "$(command -v git-shell)" node
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -h /srv/ssh/host_ed25519 -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no \
	-o AllowUsers=node -o PermitRootLogin=no -o AllowTcpForwarding=no -o X11Forwarding=no -o PermitTTY=no
