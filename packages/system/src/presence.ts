import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

// While a process holds locks in a directory it listens on a Unix socket there. The kernel answers connections to it as long as the
// process lives (also while it is stopped or busy), and refuses them from the moment of its death; that holds across pid, mount and
// network namespaces, where process ids mean nothing (unix(7)).

/** The requests that a process accepts through its socket, from any process that may open it: of its owner and root. */
export type PresenceRequest = "stop" | "wake";

/** The kernel's answer about a socket's process. `unknown`: it cannot be asked from here. */
export type Presence = "alive" | "dead" | "unknown";

/** sun_path holds 108 bytes with its end (unix(7)). */
const maxSocketPathBytes = 107;
/** A connection on one machine is made or refused at once; a kernel that is short of memory may delay it. */
const connectTimeoutMs = 2_000;
/** A socket this old without a listener was left by a process that was killed. */
const leftoverAfterMs = 60_000;
const socketNamePattern = /^\.[0-9a-f]{16}\.sock$/;

const signals: Record<PresenceRequest, NodeJS.Signals> = { stop: "SIGTERM", wake: "SIGUSR1" };

/** Whether `name` can be the name of a presence socket: a plain name, so that a lock file cannot point elsewhere. */
export function isPresenceName(name: unknown): name is string {
	return typeof name === "string" && socketNamePattern.test(name);
}

/** Opens a directory, and returns a path of a file in it that is short enough for a socket, whatever the directory's length. */
function openDirectory(directory: string): { at(name: string): string | null; close(): void } {
	const fd = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
	const hasProc = fs.existsSync(`/proc/self/fd/${fd}`);
	return {
		at(name) {
			const file = hasProc ? `/proc/self/fd/${fd}/${name}` : path.join(directory, name);
			return Buffer.byteLength(file) <= maxSocketPathBytes ? file : null;
		},
		close: () => fs.closeSync(fd),
	};
}

/** Connects, sends `request` if there is one, and hangs up. */
async function connect(directory: string, name: string, request: PresenceRequest | null): Promise<Presence> {
	let opened: ReturnType<typeof openDirectory>;
	try {
		opened = openDirectory(directory);
	} catch {
		return "dead";
	}
	try {
		const file = opened.at(name);
		if (file === null) return "unknown";
		return await new Promise<Presence>((resolve) => {
			const socket = net.connect(file);
			const done = (presence: Presence) => {
				clearTimeout(timer);
				socket.destroy();
				resolve(presence);
			};
			const timer = setTimeout(() => done("unknown"), connectTimeoutMs);
			socket.once("connect", () => {
				if (request === null) done("alive");
				else socket.end(`${request}\n`, () => done("alive"));
			});
			socket.once("error", ({ code }: NodeJS.ErrnoException) => {
				// A full queue of connections is a process that is stopped or busy.
				if (code === "EAGAIN") done("alive");
				else done(code === "ECONNREFUSED" || code === "ENOENT" ? "dead" : "unknown");
			});
		});
	} finally {
		opened.close();
	}
}

/** Whether the process that listens on `name` in `directory` lives. Never throws. */
export async function presenceOf(directory: string, name: string): Promise<Presence> {
	return await connect(directory, name, null);
}

/** Sends a request to the process that listens on `name` in `directory`. @returns "alive" when it was delivered */
export async function askPresence(directory: string, name: string, request: PresenceRequest): Promise<Presence> {
	return await connect(directory, name, request);
}

/** Removes the sockets of killed processes in `directory`. */
async function removeLeftovers(directory: string): Promise<void> {
	for (const name of fs.readdirSync(directory)) {
		if (!isPresenceName(name)) continue;
		const file = path.join(directory, name);
		const stats = fs.lstatSync(file, { throwIfNoEntry: false });
		if (!stats?.isSocket() || Date.now() - stats.ctimeMs < leftoverAfterMs) continue;
		if ((await presenceOf(directory, name)) === "dead") fs.rmSync(file, { force: true });
	}
}

interface Listening {
	readonly name: string | null;
	users: number;
	close(): void;
}

/** By the directory's device and inode: one socket a process and directory, however many locks it holds there. */
const listening = new Map<string, Promise<Listening>>();

function serve(directory: string): Promise<Listening> {
	const opened = openDirectory(directory);
	const name = `.${randomBytes(8).toString("hex")}.sock`;
	const file = opened.at(name);
	const nothing = () => {
		opened.close();
		return { name: null, users: 0, close: () => undefined };
	};
	if (file === null) return Promise.resolve(nothing());
	return new Promise((resolve) => {
		const server = net.createServer((socket) => {
			socket.unref();
			socket.on("error", () => undefined);
			socket.once("data", (data) => {
				const signal = signals[data.toString("latin1").trim() as PresenceRequest];
				socket.destroy();
				if (signal) process.kill(process.pid, signal);
			});
		});
		server.unref();
		const unlink = () => fs.rmSync(file, { force: true });
		// A file system without sockets: the lock files' own times decide there.
		server.once("error", () => resolve(nothing()));
		server.listen(file, () => {
			try {
				fs.chmodSync(file, 0o600);
			} catch {
				// Gone with its directory, or a file system without modes: the directory itself is for the owner only.
			}
			process.once("exit", unlink);
			resolve({
				name,
				users: 0,
				close() {
					process.off("exit", unlink);
					unlink();
					server.close(() => opened.close());
				},
			});
		});
	});
}

/** This process's socket in a directory. */
export interface OwnPresence {
	/** Its file's name; null: the file system has no sockets. */
	readonly name: string | null;
	/** Releases it; the last user's call removes it. */
	release(): void;
}

/** Listens in `directory`, which must exist, until all callers have released it. @throws the file system's errors */
export async function showPresence(directory: string): Promise<OwnPresence> {
	const { dev, ino } = fs.statSync(directory);
	const key = `${dev}:${ino}`;
	let known = listening.get(key);
	if (!known) {
		known = removeLeftovers(directory).then(() => serve(directory));
		listening.set(key, known);
		known.catch(() => listening.delete(key));
	}
	const presence = await known;
	// Its last user released it while this caller waited.
	if (listening.get(key) !== known) return await showPresence(directory);
	presence.users++;
	let isReleased = false;
	return {
		name: presence.name,
		release() {
			if (isReleased) return;
			isReleased = true;
			if (--presence.users > 0) return;
			listening.delete(key);
			presence.close();
		},
	};
}
