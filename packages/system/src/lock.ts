import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import lockfile from "proper-lockfile";
import { makeOwnDirectory } from "./own-directory.ts";
import { askPresence, isPresenceName, type OwnPresence, type PresenceRequest, presenceOf, showPresence } from "./presence.ts";
import { kernelProcessTable, type ProcessTable, pidNamespaceField, processStartedAt, sharesPidNamespace } from "./process-table.ts";
import type { Timestamp } from "./timestamps.ts";

/** The holder of a lock: written into the lock file in the same step that creates it. */
export interface LockHolder {
	pid: number;
	pid_started_at: Timestamp;
	/** Start in clock ticks since boot, and the boot: exact where a stepped clock blurs `pid_started_at`. */
	start_ticks: number;
	boot_id: string;
	/** The pid namespace of `pid` (pid_namespaces(7)). */
	pid_namespace?: string;
	/** The holder's socket beside the lock file: the kernel answers there while it lives (presence.ts). */
	socket?: string;
	/** The systemd unit whose main process the holder is: systemd starts it again when it ends. */
	unit?: string;
	token: string;
	/** The purpose of the lock, for people. */
	purpose: string;
}

/** A live process holds the lock. Exit code 4; `holder.pid` names it. */
export class LockedError extends Error {
	readonly exitCode = 4;
	override readonly name = "LockedError";
	readonly holder: LockHolder | null;

	constructor(file: string, holder: LockHolder | null) {
		super(
			holder
				? `${holder.purpose} already runs with pid ${holder.pid} (it holds ${file}): stop it, or wait until it is done`
				: `${file} is held by another process: wait until it is done`,
		);
		this.holder = holder;
	}
}

/** We lost a lock that we held: stop before touching anything. Exit code 75. */
export class LockLostError extends Error {
	readonly exitCode = 75;
	override readonly name = "LockLostError";
}

/** A lock that this process holds. */
export interface Lock {
	/** @throws LockLostError when the lock file is no longer ours. */
	assertHeld(): void;
	/** Releases the lock. Never throws; does nothing when the lock was lost. */
	release(): Promise<void>;
}

export interface LockOptions {
	/** The holder's activity, in words. */
	purpose: string;
	/** How long to wait for a live holder, milliseconds. Default 0. */
	waitMs?: number;
	/** Called once when the lock is found to be lost. */
	onLost?: () => void;
	table?: ProcessTable;
}

/** Far longer than any process lives: a lock is never taken from a live holder because of its age. */
const neverStaleMs = Number.MAX_SAFE_INTEGER;
const refreshMs = 10_000;
/** For holders whose life only the lock file's time shows: six missed refreshes. */
const silentAfterMs = 60_000;
const pollMs = 20;

/** The holder of the lock `file`; null when it is free or its content is torn. */
export function readLockHolder(file: string): LockHolder | null {
	try {
		const holder = JSON.parse(fs.readFileSync(file, "utf8")) as LockHolder;
		if (typeof holder.pid !== "number" || typeof holder.token !== "string") return null;
		return holder.socket === undefined || isPresenceName(holder.socket) ? holder : null;
	} catch {
		return null;
	}
}

/** Whether the process that wrote `holder` is in `table`. Meaningless for a holder in another pid namespace. */
export function isHolderInTable(holder: LockHolder, table: ProcessTable = kernelProcessTable): boolean {
	return sharesPidNamespace(holder.pid_namespace, table) && table.startTicks(holder.pid) === holder.start_ticks;
}

/**
 * Whether the holder of the lock `file` lives, wherever it runs. Its socket decides; if that cannot be asked, the process table; in
 * another pid namespace the age of the lock file, which a holder refreshes.
 */
export async function isHolderAlive(file: string, holder: LockHolder, table: ProcessTable = kernelProcessTable): Promise<boolean> {
	if (holder.socket !== undefined) {
		const presence = await presenceOf(path.dirname(file), holder.socket);
		if (presence !== "unknown") return presence === "alive";
	}
	if (holder.pid_namespace === undefined) return holder.boot_id === table.bootId() && isHolderInTable(holder, table);
	if (sharesPidNamespace(holder.pid_namespace, table)) return isHolderInTable(holder, table);
	const stats = fs.lstatSync(file, { throwIfNoEntry: false });
	return stats !== undefined && Math.abs(Date.now() - stats.mtimeMs) < silentAfterMs;
}

/** Asks the holder of the lock `file` to stop or to wake up, also in another pid namespace. @returns false: it cannot be reached */
export async function askHolder(file: string, { socket }: LockHolder, request: PresenceRequest): Promise<boolean> {
	return socket !== undefined && (await askPresence(path.dirname(file), socket, request)) === "alive";
}

/** Tokens of the locks that this process holds. */
const held = new Set<string>();
/** The sockets that prove that this process lives. */
const ownSockets = new Set<string>();

// A lock of our own that we do not hold was released while its directory was away (an unmounted disk that is back).
async function blocks(file: string, holder: LockHolder, table: ProcessTable): Promise<boolean> {
	if (held.has(holder.token)) return true;
	if (holder.socket === undefined ? holder.pid === process.pid && isHolderInTable(holder, table) : ownSockets.has(holder.socket))
		return false;
	return await isHolderAlive(file, holder, table);
}

/** The unit that has started this very process (SYSTEMD_EXEC_PID in systemd.exec(5)), by its control group; null: none. */
function unitOfThisProcess(): string | null {
	if (process.env.SYSTEMD_EXEC_PID !== String(process.pid)) return null;
	try {
		return /\/([\w@.:\\-]+\.service)$/m.exec(fs.readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? null;
	} catch {
		return null;
	}
}

// proper-lockfile makes and removes a directory. These functions use a file instead, which appears whole, with its holder inside.
function lockFileSystem(holder: LockHolder) {
	const text = `${JSON.stringify(holder)}\n`;
	const owned = (file: string) => readLockHolder(file)?.token === holder.token;
	return {
		mkdir(file: string, done: (error: NodeJS.ErrnoException | null) => void) {
			const temporary = `${file}.${holder.token}.tmp`;
			try {
				fs.writeFileSync(temporary, text, { flag: "wx", mode: 0o600 });
				linkOrSay(temporary, file);
			} catch (error) {
				done(withRemedy(error as NodeJS.ErrnoException, path.dirname(file)));
				return;
			} finally {
				if (fs.existsSync(temporary)) fs.rmSync(temporary);
			}
			done(null);
		},
		rmdir(file: string, done: (error: NodeJS.ErrnoException | null) => void) {
			if (owned(file)) fs.rmSync(file, { force: true });
			done(null);
		},
		rmdirSync(file: string) {
			if (owned(file)) fs.rmSync(file, { force: true });
		},
		stat: fs.stat,
		utimes: fs.utimes,
		realpath: fs.realpath,
	};
}

/** A check and a rename take less than this: an older breaker file was left by a process that was killed. */
const breakerLeftAfterMs = 10_000;

/** Whether there is a lock file that `dead` wrote; null: a torn one, which no live process leaves. */
function isStillOf(file: string, dead: LockHolder | null): boolean {
	if (dead !== null) return readLockHolder(file)?.token === dead.token;
	try {
		fs.readFileSync(file);
	} catch (error) {
		// A directory was never a lock of ours.
		return (error as NodeJS.ErrnoException).code === "EISDIR";
	}
	return readLockHolder(file) === null && fs.existsSync(file);
}

/**
 * Removes a dead holder's lock. Only one process at a time may do so (the breaker), and it checks again right before: a lock that
 * another process took meanwhile is not touched.
 * @returns false: another process is doing so
 */
function setAsideDeadLock(file: string, dead: LockHolder | null): boolean {
	const breaker = `${file}.breaker`;
	try {
		fs.closeSync(fs.openSync(breaker, "wx", 0o600));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
		const stats = fs.lstatSync(breaker, { throwIfNoEntry: false });
		if (stats && Math.abs(Date.now() - stats.mtimeMs) > breakerLeftAfterMs) fs.rmSync(breaker, { force: true });
		return false;
	}
	try {
		if (!isStillOf(file, dead)) return true;
		if (dead?.socket) fs.rmSync(path.join(path.dirname(file), dead.socket), { force: true });
		// A directory is kept, under another name.
		const aside = `${file}.${randomUUID()}.dead`;
		fs.renameSync(file, aside);
		if (!fs.lstatSync(aside).isDirectory()) fs.rmSync(aside);
		return true;
	} finally {
		fs.rmSync(breaker, { force: true });
	}
}

/** Adds the remedy to the error of a directory that is not writable. */
function withRemedy(error: NodeJS.ErrnoException, directory: string): NodeJS.ErrnoException {
	if (error.code !== "EROFS" && error.code !== "EACCES") return error;
	const message = `${directory} cannot be written (${error.code}): run this where the workspace is writable, or remount it`;
	return Object.assign(new Error(message, { cause: error }), { code: error.code });
}

/** link(2), with the remedy in its error if the file system has no hard links. */
function linkOrSay(from: string, to: string): void {
	try {
		fs.linkSync(from, to);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code ?? "")) throw error;
		const message = `the file system of ${path.dirname(to)} does not support hard links (${code}): move the workspace to one that does (ext4, xfs, btrfs)`;
		throw Object.assign(new Error(message, { cause: error }), { code: "ENOTSUP" });
	}
}

/**
 * Takes the lock `file`. A dead holder (killed, or from before a reboot) never blocks; a live one never loses its lock,
 * however old its lock is.
 * @throws LockedError when a live process still holds it after `waitMs`
 */
export async function acquireLock(file: string, { purpose, waitMs = 0, onLost, table = kernelProcessTable }: LockOptions): Promise<Lock> {
	makeOwnDirectory(path.dirname(file));
	const presence = await showPresence(path.dirname(file));
	const unit = unitOfThisProcess();
	const holder: LockHolder = {
		pid: process.pid,
		pid_started_at: processStartedAt(process.pid, table) ?? new Date(0).toISOString(),
		start_ticks: table.startTicks(process.pid) ?? 0,
		boot_id: table.bootId(),
		...pidNamespaceField(table),
		...(presence.name === null ? {} : { socket: presence.name }),
		...(unit === null ? {} : { unit }),
		token: randomUUID(),
		purpose,
	};
	if (presence.name !== null) ownSockets.add(presence.name);
	try {
		return await take(file, holder, presence, waitMs, table, onLost);
	} catch (error) {
		presence.release();
		throw error;
	}
}

const lostNote = (file: string) => `${file}-lost`;

/** Leaves a trace of a lock that was lost: its holder ends, and the trace shows the reason. */
function noteLost(file: string): void {
	try {
		fs.rmSync(lostNote(file), { force: true });
		fs.writeFileSync(lostNote(file), `${process.pid}\n`, { mode: 0o600, flag: "wx" });
	} catch {
		// The directory may be gone, and the lock with it.
	}
}

/** When a holder last found that it had lost the lock `file`, milliseconds since the epoch; null: never. */
export function lockLostAt(file: string): number | null {
	return fs.lstatSync(lostNote(file), { throwIfNoEntry: false })?.mtimeMs ?? null;
}

async function take(
	file: string,
	holder: LockHolder,
	presence: OwnPresence,
	waitMs: number,
	table: ProcessTable,
	onLost: LockOptions["onLost"],
): Promise<Lock> {
	let [lost, released] = [false, false];
	const lose = () => {
		// proper-lockfile may check the file at the very time of its release.
		if (lost || released) return;
		lost = true;
		noteLost(file);
		onLost?.();
	};
	const deadline = performance.now() + waitMs;
	for (;;) {
		try {
			const release = await lockfile.lock(file, {
				lockfilePath: file,
				realpath: false,
				fs: lockFileSystem(holder),
				stale: neverStaleMs,
				update: refreshMs,
				onCompromised: lose,
			});
			held.add(holder.token);
			return {
				assertHeld() {
					if (!lost && readLockHolder(file)?.token !== holder.token) lose();
					if (lost) throw new LockLostError(`${file} is no longer ours: another process took it, or it was removed`);
				},
				async release() {
					released = true;
					await release().catch(() => undefined);
					held.delete(holder.token);
					presence.release();
				},
			};
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ELOCKED") throw error;
		}
		const current = readLockHolder(file);
		if (!current || !(await blocks(file, current, table))) {
			// The lock was released meanwhile, torn by a power cut, or is a dead process's.
			if (!setAsideDeadLock(file, current)) await new Promise((resolve) => setTimeout(resolve, pollMs));
			continue;
		}
		if (performance.now() >= deadline) throw new LockedError(file, current);
		await new Promise((resolve) => setTimeout(resolve, pollMs));
	}
}
