import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Socket names are limited to some 100 bytes (unix(7)), and ssh adds 58 of its own to the directory. */
const longestDirectory = 40;
const prefix = "rs-";
/** An idle connection is closed by ssh itself after this long; that also bounds what a killed process leaves behind. */
const persistSeconds = 90;
const closeTimeoutMs = 2_000;
/** One for each host and user that a node talks to: a handful. */
const mostSockets = 32;

/**
 * Keeps one ssh connection open between git commands (ssh_config(5), ControlMaster): the handshake is most of what a fetch
 * or push over ssh costs. The sockets lie in a private directory that goes with the process.
 */
export class SshConnections {
	readonly #directory: string | null;

	constructor(parent: string = os.tmpdir()) {
		void closeAbandoned(parent);
		let directory: string | null = null;
		try {
			directory = fs.mkdtempSync(path.join(parent, `${prefix}${process.pid}-`));
		} catch {
			// Without a place for sockets every command makes its own connection.
		}
		this.#directory = directory !== null && directory.length <= longestDirectory && isPrivate(directory) ? directory : null;
	}

	/** Options for the ssh command line; empty where sockets have no place. */
	get options(): string {
		if (this.#directory === null || /[\s'"\\$%]/.test(this.#directory)) return "";
		return `-o ControlMaster=auto -o ControlPath=${this.#directory}/%C -o ControlPersist=${persistSeconds}`;
	}

	/** Closes every connection at once: after a failure that may be the connection's, and at the end. */
	async closeAll(): Promise<void> {
		if (this.#directory !== null) await closeIn(this.#directory);
	}

	/** Closes everything and removes the directory. */
	async dispose(): Promise<void> {
		await this.closeAll();
		if (this.#directory !== null) removeEmpty(this.#directory);
	}
}

/**
 * Whether a directory of sockets is one that only we can have filled: no link, ours, and closed to everybody else. In a temporary directory
 * every local user may put anything under any name.
 */
function isPrivate(directory: string): boolean {
	try {
		const stats = fs.lstatSync(directory);
		return stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0;
	} catch {
		return false;
	}
}

function listSockets(directory: string): string[] {
	try {
		if (!isPrivate(directory)) return [];
		return fs
			.readdirSync(directory)
			.slice(0, mostSockets)
			.map((name) => path.join(directory, name))
			.filter((file) => fs.lstatSync(file, { throwIfNoEntry: false })?.isSocket() === true);
	} catch {
		return [];
	}
}

/** Ends the connections of one directory, and removes their sockets and nothing else. */
async function closeIn(directory: string): Promise<void> {
	const sockets = listSockets(directory);
	await Promise.all(sockets.map((socket) => closeMaster(socket)));
	for (const socket of sockets) if (isPrivate(directory)) fs.rmSync(socket, { force: true });
}

/** Removes a directory of sockets; one that holds anything else stays. */
function removeEmpty(directory: string): void {
	try {
		fs.rmdirSync(directory);
	} catch {
		// Gone, or not empty.
	}
}

/** `ssh -O exit` speaks to the socket only: it works without the network, and the host name does not matter. */
async function closeMaster(socket: string): Promise<void> {
	await new Promise<void>((resolve) => {
		const child = spawn("ssh", ["-o", "BatchMode=yes", "-S", socket, "-O", "exit", "unused"], {
			stdio: "ignore",
			timeout: closeTimeoutMs,
			killSignal: "SIGKILL",
		});
		child.on("error", () => resolve());
		child.on("close", () => resolve());
	});
}

/** Closes the connections of processes that were killed, and removes their directories. */
async function closeAbandoned(parent: string): Promise<void> {
	let names: string[];
	try {
		names = fs.readdirSync(parent);
	} catch {
		return;
	}
	for (const name of names) {
		const pid = /^rs-(\d+)-[A-Za-z0-9]{6}$/.exec(name)?.[1];
		if (pid === undefined || fs.existsSync(`/proc/${pid}`)) continue;
		const directory = path.join(parent, name);
		if (!isPrivate(directory)) continue;
		await closeIn(directory);
		removeEmpty(directory);
	}
}
