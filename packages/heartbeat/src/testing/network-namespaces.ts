import { execFileSync } from "node:child_process";

const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: ["ignore", "pipe", "pipe"] }).toString();

/** Why network namespaces cannot be made here; null: they can. */
export function namespacesProblem(): string | null {
	if (process.getuid?.() !== 0) return "network namespaces need root";
	try {
		run("ip", "netns", "add", "robust-sync-probe");
		run("ip", "netns", "del", "robust-sync-probe");
		return null;
	} catch (error) {
		return `network namespaces cannot be made: ${(error as Error).message.split("\n")[0]}`;
	}
}

function hasIptables(): boolean {
	try {
		run("iptables", "--version");
		return true;
	} catch {
		return false;
	}
}

/** Machines as network namespaces on one switch, each with an IPv4 and an IPv6 address. */
export class Machines {
	readonly #tag: string;
	readonly #names: readonly string[];
	readonly #iptables = hasIptables();
	readonly #cuts: (() => void)[] = [];

	constructor(names: readonly string[]) {
		this.#names = names;
		this.#tag = `hb${process.pid}`;
		const hub = this.#namespace("hub");
		run("ip", "netns", "add", hub);
		run("ip", "-n", hub, "link", "add", "br0", "type", "bridge");
		run("ip", "-n", hub, "link", "set", "br0", "up");
		for (const [i, name] of names.entries()) {
			const namespace = this.#namespace(name);
			run("ip", "netns", "add", namespace);
			run("ip", "-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", `port${i}`, "netns", hub);
			run("ip", "-n", hub, "link", "set", `port${i}`, "master", "br0", "up");
			run("ip", "-n", namespace, "link", "set", "lo", "up");
			run("ip", "-n", namespace, "link", "set", "eth0", "up");
			run("ip", "-n", namespace, "addr", "add", `${this.ipv4(name)}/24`, "dev", "eth0");
			run("ip", "-n", namespace, "addr", "add", `${this.ipv6(name)}/64`, "dev", "eth0", "nodad");
		}
	}

	ipv4(name: string): string {
		return `10.77.0.${1 + this.#names.indexOf(name)}`;
	}

	ipv6(name: string): string {
		return `fd77::${1 + this.#names.indexOf(name)}`;
	}

	/** The command prefix that runs a program on that machine. */
	on(name: string): string[] {
		return ["ip", "netns", "exec", this.#namespace(name)];
	}

	/** Drops all IPv4 traffic from one machine to the other; the other direction is not touched. */
	cut(from: string, to: string): void {
		const address = this.ipv4(to);
		if (this.#iptables) {
			const rule = ["-s", this.ipv4(from), "-j", "DROP"];
			run(...(this.on(to) as [string]), "iptables", "-A", "INPUT", ...rule);
			this.#cuts.push(() => run(...(this.on(to) as [string]), "iptables", "-D", "INPUT", ...rule));
			return;
		}
		// No iptables: frames to a hardware address that no machine has are lost just as silently.
		const neighbour = [address, "dev", "eth0"];
		run("ip", "-n", this.#namespace(from), "neigh", "replace", ...neighbour, "lladdr", "02:00:00:00:00:99", "nud", "permanent");
		this.#cuts.push(() => run("ip", "-n", this.#namespace(from), "neigh", "del", ...neighbour));
	}

	heal(): void {
		for (const heal of this.#cuts.splice(0)) heal();
	}

	remove(): void {
		for (const name of [...this.#names, "hub"]) {
			try {
				run("ip", "netns", "del", this.#namespace(name));
			} catch {
				// It was never made.
			}
		}
	}

	#namespace(name: string): string {
		return `${this.#tag}-${name}`;
	}
}
