import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";

const container = path.resolve(import.meta.dirname, "container");
const mayRun = process.getuid?.() === 0 && fs.existsSync("/usr/sbin/sshd");
if (!mayRun) process.stderr.write("container-hub.slow.test.ts is skipped: it needs root and an ssh server\n");

/** Runs a script isolated from this machine, in the surroundings of the image: a user node, empty /keys and /srv, its own network. */
function inImage(script: string): string {
	const setUp = `
		set -eu
		scratch=$(mktemp -d /tmp/robust-sync-hub-XXXXXX); mount -t tmpfs none $scratch; mkdir $scratch/upper $scratch/work $scratch/root
		mount -t overlay overlay -o lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work $scratch/root
		for part in proc dev; do mount --rbind /$part $scratch/root/$part; done
		for part in srv home run tmp root; do mount -t tmpfs none $scratch/root/$part; done
		ip link set lo up
		exec chroot $scratch/root bash -c "$1"`;
	const inside = `
		set -eu
		mkdir /keys
		id node >/dev/null 2>&1 || echo 'node:x:54322:54322::/home/node:/bin/bash' >> /etc/passwd
		getent group node >/dev/null || echo 'node:x:54322:' >> /etc/group
		grep -q ^node: /etc/shadow || echo 'node:!:19000:0:99999:7:::' >> /etc/shadow
		install -d -o node -g node /home/node
		rm -f /etc/hosts; echo '127.0.0.1 localhost hub' > /etc/hosts
		echo "$HUB" > /root/hub.sh
		sh /root/hub.sh > /root/log 2>&1 & hub=$!
		for i in $(seq 100); do ssh-keyscan -T 1 hub 2>/dev/null | grep -q . && break; sleep 0.1; done
		export GIT_SSH_COMMAND="ssh -F none -i /keys/id_ed25519 -o UserKnownHostsFile=/keys/known_hosts -o BatchMode=yes"
		cd /root
		${script}
		kill $hub`;
	return execFileSync("unshare", ["--mount", "--net", "--propagation", "private", "bash", "-c", setUp, "bash", inside], {
		encoding: "utf8",
		env: {
			PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
			HOME: "/root",
			HUB: fs.readFileSync(path.join(container, "hub.sh"), "utf8"),
			...Object.fromEntries(
				["AUTHOR", "COMMITTER"].flatMap((who) => [
					[`GIT_${who}_NAME`, "x"],
					[`GIT_${who}_EMAIL`, "x@x"],
				]),
			),
		},
		timeout: 60_000,
	});
}

(mayRun ? test : test.skip)("the hub's key: git works, everything else is refused", () => {
	const said = inImage(`
		git init -q -b main w; git -C w commit -q --allow-empty -m 1
		git -C w push -q node@hub:/srv/workspace.git main && echo pushed
		git ls-remote node@hub:/srv/workspace.git main | cut -f2
		refused() { if $GIT_SSH_COMMAND "$@" >/root/out 2>&1 </dev/null; then echo "allowed: $*"; else echo refused; fi; }
		refused node@hub
		refused node@hub id
		refused -tt node@hub
		refused node@hub 'git-upload-pack /srv/workspace.git; id'
		refused node@hub "git upload-pack --upload-pack=id '/srv/workspace.git'"
		refused -s node@hub sftp
		refused -W 127.0.0.1:22 node@hub
		refused root@hub id
		stat -c '%a %U' /srv/ssh/host_ed25519 /keys/id_ed25519; ls /keys`);
	expect(said.split("\n").filter(Boolean)).toEqual([
		"pushed",
		"refs/heads/main",
		...Array.from({ length: 8 }, () => "refused"),
		"600 root",
		"600 node",
		"id_ed25519",
		"id_ed25519.pub",
		"known_hosts",
	]);
});
