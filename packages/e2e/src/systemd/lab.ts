import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { attempt, must } from "./command.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import { rootFileSystem } from "./root-file-system.ts";

const clone = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../..");
/** Where the clone is on the machines. */
export const cloneInside = "/root/robust-sync";
export const workspace = "/root/.openclaw/workspace";

/** The files of this clone, as after `git clone` and a build, without those that a machine does not need. */
async function copyClone(to: string): Promise<void> {
	const listed = await must([
		"git",
		"-C",
		clone,
		"ls-files",
		"-z",
		"--cached",
		"--others",
		"--exclude-standard",
		"bin",
		"deploy",
		"package.json",
	]);
	for (const name of listed.split("\0").filter((file) => file !== "" && !file.includes(".test."))) {
		cpSync(path.join(clone, name), path.join(to, name), { recursive: true });
	}
	cpSync(path.join(clone, "dist"), path.join(to, "dist"), { recursive: true, filter: (from) => path.basename(from) !== "types" });
	// The build is newer than its sources.
	const now = new Date();
	utimesSync(path.join(to, "dist/robust-sync.mjs"), now, now);
}

const prefix = "robust-sync-lab-";

/** The remains of a test run that was killed: machines, mounts, namespaces and directories under the pid of a process that is gone. */
async function removeAbandoned(): Promise<void> {
	const owner = (name: string) => Number(/^robust-sync-lab-(\d+)-/.exec(name)?.[1] ?? 0);
	const isAbandoned = (name: string) => owner(name) > 0 && !existsSync(`/proc/${owner(name)}`);
	const { stdout: namespaces } = await attempt(["ip", "netns", "list"]);
	for (const name of namespaces.split("\n").map((line) => line.split(" ")[0] ?? "")) {
		if (!isAbandoned(name)) continue;
		const { stdout: inside } = await attempt(["ip", "netns", "pids", name]);
		for (const pid of inside.split("\n").filter(Boolean)) await attempt(["kill", "-KILL", pid]);
		await attempt(["ip", "netns", "del", name]);
		rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
	}
	for (const name of readdirSync(tmpdir()).filter(isAbandoned)) {
		const directory = path.join(tmpdir(), name);
		for (const machine of readdirSync(directory)) await attempt(["umount", "--lazy", path.join(directory, machine, "root")]);
		rmSync(directory, { recursive: true, force: true });
	}
}

/** Three hosts on a network: a hub that serves git over ssh, helios and chad, which have this clone and a workspace cloned from the hub. */
export class Lab {
	readonly hub: Machine;
	readonly helios: Machine;
	readonly chad: Machine;
	readonly #network: Network;
	readonly #directory: string;

	private constructor(network: Network, directory: string, [hub, helios, chad]: Machine[]) {
		this.#network = network;
		this.#directory = directory;
		this.hub = hub!;
		this.helios = helios!;
		this.chad = chad!;
	}

	get nodes(): readonly Machine[] {
		return [this.helios, this.chad];
	}

	static async make(): Promise<Lab> {
		const base = await rootFileSystem();
		await removeAbandoned();
		const id = `${prefix}${process.pid}`;
		const directory = mkdtempSync(path.join(tmpdir(), `${id}-`));
		const network = await Network.make(id, directory);
		const machines: Machine[] = [];
		try {
			for (const name of ["hub", "helios", "chad"]) {
				machines.push(await Machine.make({ name, network, rootFileSystem: base, directory: path.join(directory, name) }));
			}
			const lab = new Lab(network, directory, machines);
			await lab.#furnish();
			await Promise.all(machines.map((machine) => machine.boot()));
			await lab.hub.run("git init -q --bare -b main /srv/workspace.git && systemctl is-active ssh");
			return lab;
		} catch (error) {
			for (const machine of machines) await machine.remove();
			await network.remove();
			throw error;
		}
	}

	/** Keys, and the clone on both nodes, before the machines are switched on. */
	async #furnish(): Promise<void> {
		const key = path.join(this.#directory, "key");
		await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "nodes", "-f", key]);
		mkdirSync(path.join(this.hub.root, "root/.ssh"), { recursive: true, mode: 0o700 });
		cpSync(`${key}.pub`, path.join(this.hub.root, "root/.ssh/authorized_keys"));
		for (const node of this.nodes) {
			const ssh = path.join(node.root, "root/.ssh");
			mkdirSync(ssh, { recursive: true, mode: 0o700 });
			cpSync(key, path.join(ssh, "id_ed25519"));
			await copyClone(path.join(node.root, cloneInside));
			writeFileSync(path.join(node.root, "etc/machine-id"), "");
		}
	}

	/** The hub's public host key, as a line of known_hosts. */
	hubKey(): string {
		const [type, key] = readFileSync(path.join(this.hub.root, "etc/ssh/ssh_host_ed25519_key.pub"), "utf8").split(" ");
		return `hub ${type} ${key}\n`;
	}

	async remove(): Promise<void> {
		for (const machine of [this.hub, ...this.nodes]) await machine.remove();
		await this.#network.remove();
		rmSync(this.#directory, { recursive: true, force: true });
	}
}
