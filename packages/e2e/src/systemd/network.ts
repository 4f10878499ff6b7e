import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { attempt, must } from "./command.ts";

/** A private network: namespaces of its own on one switch, in which the machines' names resolve. Touches no other namespace. */
export class Network {
	readonly #id: string;
	readonly #hosts = new Map<string, string>();
	/** The hosts file that all machines see. */
	readonly hostsFile: string;

	private constructor(id: string, directory: string) {
		this.#id = id;
		this.hostsFile = path.join(directory, "hosts");
	}

	/** @param id begins the names of its namespaces; @param directory for its files */
	static async make(id: string, directory: string): Promise<Network> {
		const network = new Network(id, directory);
		network.#writeHosts();
		await must(["ip", "netns", "add", network.#switch]);
		await must(["ip", "-n", network.#switch, "link", "add", "br0", "type", "bridge"]);
		await must(["ip", "-n", network.#switch, "link", "set", "br0", "up"]);
		return network;
	}

	get #switch(): string {
		return `${this.#id}-switch`;
	}

	namespaceOf(name: string): string {
		return `${this.#id}-${name}`;
	}

	/** Adds a host. @returns its address */
	async add(name: string): Promise<string> {
		const n = this.#hosts.size + 11;
		const address = `10.78.0.${n}`;
		const namespace = this.namespaceOf(name);
		this.#hosts.set(name, address);
		this.#writeHosts();
		await must(["ip", "netns", "add", namespace]);
		await must(["ip", "-n", this.#switch, "link", "add", `v${n}`, "type", "veth", "peer", "name", "eth0", "netns", namespace]);
		await must(["ip", "-n", this.#switch, "link", "set", `v${n}`, "master", "br0", "up"]);
		await must(["ip", "-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0"]);
		await must(["ip", "-n", namespace, "link", "set", "eth0", "up"]);
		await must(["ip", "-n", namespace, "link", "set", "lo", "up"]);
		const netns = `/etc/netns/${namespace}`;
		mkdirSync(netns, { recursive: true });
		symlinkSync(this.hostsFile, path.join(netns, "hosts"));
		return address;
	}

	#writeHosts(): void {
		const lines = [...this.#hosts].map(([name, address]) => `${address} ${name}\n`);
		writeFileSync(this.hostsFile, `127.0.0.1 localhost\n::1 localhost\n${lines.join("")}`);
	}

	async remove(): Promise<void> {
		for (const name of this.#hosts.keys()) {
			await attempt(["ip", "netns", "del", this.namespaceOf(name)]);
			rmSync(`/etc/netns/${this.namespaceOf(name)}`, { recursive: true, force: true });
		}
		await attempt(["ip", "netns", "del", this.#switch]);
	}
}
