import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { attempt, must } from "./command.ts";

const cache = process.env.ROBUST_SYNC_TEST_CACHE ?? "/var/cache/robust-sync-test";

/** The packages of the tests' machines; another list makes another cached file system. */
const packages = [
	...["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd"],
	...["git", "openssh-client", "openssh-server", "cron", "logrotate", "iproute2", "iptables", "procps", "curl", "ca-certificates"],
	// Shared libraries of Node.
	...["libstdc++6", "libatomic1"],
];

const tools = [
	["debootstrap", "debootstrap"],
	["systemd-nspawn", "systemd-container"],
	["ip", "iproute2"],
	["nsenter", "util-linux"],
] as const;

/** Whether this process may make namespaces and containers. */
export const mayBootMachines = process.platform === "linux" && process.getuid?.() === 0;

async function installTools(): Promise<void> {
	const lacking: string[] = [];
	for (const [tool, name] of tools) if ((await attempt(["sh", "-c", `command -v ${tool}`])).code !== 0) lacking.push(name);
	if (lacking.length === 0) return;
	await must(["apt-get", "update", "-qq"], { timeoutMs: 300_000 });
	await must(["apt-get", "install", "-y", "-qq", ...lacking], { env: { DEBIAN_FRONTEND: "noninteractive" }, timeoutMs: 600_000 });
}

/** The Debian mirror that this host uses itself. */
function mirror(): string {
	const directory = "/etc/apt/sources.list.d";
	const files = [
		...(existsSync(directory) ? readdirSync(directory).map((name) => path.join(directory, name)) : []),
		"/etc/apt/sources.list",
	];
	for (const file of files.filter((name) => existsSync(name))) {
		const found = /^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(\S+\/debian\/?)(?:\s|$)/m.exec(readFileSync(file, "utf8"));
		if (found) return found[1]!;
	}
	throw new Error("no Debian mirror in /etc/apt");
}

/**
 * A Debian 12 root file system, made once and kept in ROBUST_SYNC_TEST_CACHE (default /var/cache/robust-sync-test). It is never
 * written to: machines have a layer of their own above it.
 * @returns its directory
 */
export async function rootFileSystem(): Promise<string> {
	await installTools();
	const root = path.join(cache, "rootfs");
	const stamp = path.join(root, ".packages");
	const wanted = packages.join(",");
	if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted && statSync(root).isDirectory()) return root;
	const part = path.join(cache, `rootfs.${process.pid}`);
	mkdirSync(cache, { recursive: true });
	rmSync(part, { recursive: true, force: true });
	await must(["debootstrap", "--variant=minbase", `--include=${wanted}`, "bookworm", part, mirror()], { timeoutMs: 1_200_000 });
	writeFileSync(path.join(part, "etc/machine-id"), "");
	writeFileSync(path.join(part, ".packages"), wanted);
	rmSync(root, { recursive: true, force: true });
	renameSync(part, root);
	return root;
}
