import fs from "node:fs";
import path from "node:path";
import { fileSystemPath, type GitPath } from "../paths/git-path.ts";
import { ignoreProgress, type OnProgress, type Progress } from "./progress.ts";
import type { Oid, Repository } from "./repository.ts";

/** A process that ends sooner is not watched. */
const shownAfterMs = 2_000;
const intervalMs = 1_000;
const estimateTimeoutMs = 60_000;
/** Descendants of the started process are searched down to this many levels. */
const mostLevels = 8;

/** Called with the process that was started; what it answers is called when that process has ended. */
export type WatchProcess = (pid: number) => () => void;

/**
 * Polls a process that runs for longer than a moment. Costs nothing without a listener.
 * @param measure its progress so far @param begin called once, before the first measurement; never throws
 */
function watching(onProgress: OnProgress, measure: (pid: number) => Progress, begin?: () => void): WatchProcess | undefined {
	if (onProgress === ignoreProgress) return undefined;
	return (pid) => {
		let interval: NodeJS.Timeout | undefined;
		const lookAgain = () => {
			try {
				onProgress(measure(pid));
			} catch {
				// What cannot be read is not shown.
			}
		};
		const timer = setTimeout(() => {
			begin?.();
			lookAgain();
			interval = setInterval(lookAgain, intervalMs);
			interval.unref();
		}, shownAfterMs);
		timer.unref();
		return () => {
			clearTimeout(timer);
			if (interval === undefined) return;
			clearInterval(interval);
			onProgress(null);
		};
	};
}

/** The files that a process has open, as it sees them (proc(5)). */
function openFiles(pid: number): string[] {
	try {
		const directory = `/proc/${pid}/fd`;
		return fs.readdirSync(directory).flatMap((name) => {
			try {
				return [fs.readlinkSync(path.join(directory, name), "latin1")];
			} catch {
				return [];
			}
		});
	} catch {
		return [];
	}
}

/** The files that a git process works through in order; it reads their names from its standard input. */
export interface FileList {
	/** What is done with them, for people. */
	readonly what: string;
	/** Where they lie. */
	readonly root: string;
	readonly names: readonly GitPath[];
	/** How many others went before, and how many there are in all. */
	readonly before: number;
	readonly total: number;
	/** They are made, and not read: then those count that are there. */
	readonly isMade?: boolean;
}

/** A path as the kernel shows it; itself where it is gone. */
function realPath(directory: string): string {
	try {
		return fs.realpathSync(directory);
	} catch {
		return directory;
	}
}

/** A file that cannot be made stays missing: this many names beyond it are checked, too. */
const lookedAhead = 32;

/** How many of some files that are made one after the other are there. @param from how many were there before */
function countMade(names: readonly GitPath[], root: string, from: number): number {
	let done = from;
	for (let at = from; at < Math.min(names.length, done + lookedAhead); at++) {
		const name = names[at];
		if (name !== undefined && fs.lstatSync(fileSystemPath(root, name), { throwIfNoEntry: false })) done = at + 1;
	}
	return done;
}

/** Reports git's progress in a list of files by the file that it has open, because its output is for people. */
export function watchFiles(
	{ onProgress }: Repository,
	{ what, root, names, before, total, isMade = false }: FileList,
): WatchProcess | undefined {
	let done = 0;
	let places: ReadonlyMap<string, number> = new Map();
	const measure = (pid: number) => {
		if (isMade) done = countMade(names, root, done);
		else for (const file of openFiles(pid)) done = Math.max(done, places.get(file) ?? 0);
		return { what, done: before + done, total, unit: "files" };
	};
	return watching(onProgress, measure, () => {
		if (isMade) return;
		const real = realPath(root);
		places = new Map(names.map((name, index) => [fileSystemPath(real, name).toString("latin1"), index]));
	});
}

/** Bytes of the packs that are being received: git writes each as `tmp_pack_…` until it is whole. */
function receivedBytes(directory: string, since: number): number {
	try {
		return fs
			.readdirSync(directory)
			.filter((name) => name.startsWith("tmp_pack_"))
			.map((name) => fs.statSync(path.join(directory, name), { throwIfNoEntry: false }))
			.reduce((sum, stats) => (stats !== undefined && stats.mtimeMs >= since ? sum + stats.size : sum), 0);
	} catch {
		return 0;
	}
}

/** The bytes that a git process below another one has read or written (proc(5)); null: there is no such process. */
function bytesOf(command: string, counter: "rchar" | "wchar", pid: number, depth = 0): number | null {
	try {
		const directory = `/proc/${pid}`;
		if (fs.readFileSync(`${directory}/cmdline`, "latin1").split("\0").includes(command))
			return Number(new RegExp(`^${counter}: (\\d+)$`, "m").exec(fs.readFileSync(`${directory}/io`, "latin1"))?.[1] ?? 0);
		if (depth >= mostLevels) return null;
		for (const child of fs.readFileSync(`${directory}/task/${pid}/children`, "latin1").split(" ").filter(Boolean)) {
			const bytes = bytesOf(command, counter, Number(child), depth + 1);
			if (bytes !== null) return bytes;
		}
	} catch {
		// The process has ended, or the kernel does not report it.
	}
	return null;
}

/** Reports what a fetch receives. git itself does not know the total until everything has arrived. */
export function watchFetch({ onProgress, commonDirectory }: Repository): WatchProcess | undefined {
	const directory = path.join(commonDirectory, "objects", "pack");
	// One that an earlier fetch left behind does not grow.
	const since = Date.now();
	let done = 0;
	return watching(onProgress, (pid) => {
		// A few objects, however large, are unpacked as they come, and no pack grows.
		done = Math.max(done, receivedBytes(directory, since), bytesOf("unpack-objects", "rchar", pid) ?? 0);
		return { what: "receiving", done, total: null, unit: "bytes" };
	});
}

/** Reports the bytes that a push sends, beside the size of the objects that the remote may lack. */
export function watchPush(repository: Repository, remote: string, commit: Oid): WatchProcess | undefined {
	let total: number | null = null;
	let sent = 0;
	const estimate = async () => {
		const args = ["rev-list", "--objects", "--disk-usage", commit, "--not", `--remotes=${remote}`];
		const { stdout } = await repository.run(args, { timeoutMs: estimateTimeoutMs });
		total = Number(stdout.toString("latin1")) || null;
	};
	const measure = (pid: number) => {
		sent = Math.max(sent, bytesOf("pack-objects", "wchar", pid) ?? 0);
		// Objects may be packed in another way than they lie here.
		if (total !== null && sent > total) total = sent;
		return { what: "sending", done: sent, total, unit: "bytes" };
	};
	return watching(repository.onProgress, measure, () => void estimate().catch(() => undefined));
}
