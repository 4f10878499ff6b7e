import type { Inode } from "./model-inodes.ts";

/** A name in a directory, and what it names before and after a call; null: nothing. */
export interface NameChange {
	readonly directory: Inode;
	readonly name: string;
	readonly before: Inode | null;
	readonly after: Inode | null;
}

/** A call that changed names, which is on disk as a whole or not at all. */
interface NamingCall {
	readonly changes: readonly NameChange[];
	isDurable: boolean;
}

type Saved = Pick<Inode, "content" | "mode" | "uid" | "gid" | "atimeMs" | "mtimeMs">;

const savedOf = ({ content, mode, uid, gid, atimeMs, mtimeMs }: Inode): Saved => ({ content, mode, uid, gid, atimeMs, mtimeMs });

/** What a power cut may leave of a content that was not made durable. */
type Left = "old" | "zeros" | "new";

/**
 * What of a file system in memory is on disk. The only promises are those of fsync(2): of a file, its content and mode; of a directory, every
 * call that changed a name in it. All else may be lost, in any combination, except what no file system with a journal loses: a call is there as a
 * whole or not at all, also a rename between two directories; calls that change one name, or move one directory, are in their order; and a
 * directory is removed after what was in it.
 */
export class ModelDisk {
	readonly #saved = new Map<Inode, Saved>();
	readonly #inodes = new Set<Inode>();
	#calls: NamingCall[] = [];

	/** An inode that is new, and has nothing on disk. */
	add(inode: Inode): void {
		this.#inodes.add(inode);
	}

	/** Records a call that has changed names. */
	record(...changes: NameChange[]): void {
		this.#calls.push({ changes, isDurable: false });
	}

	/** As fsync(2). */
	sync(inode: Inode): void {
		this.#saved.set(inode, savedOf(inode));
		if (inode.kind !== "directory") return;
		for (let at = this.#calls.length - 1; at >= 0; at--) {
			const call = this.#calls[at] as NamingCall;
			const later = this.#calls.slice(at + 1);
			call.isDurable ||=
				call.changes.some(({ directory }) => directory === inode) || later.some((next) => next.isDurable && follows(next, call));
		}
	}

	/** As sync(2). */
	syncAll(): void {
		for (const inode of this.#inodes) this.#saved.set(inode, savedOf(inode));
		this.#calls = [];
	}

	/**
	 * Leaves what a power cut could: each number is another possibility. 0: nothing that was not made durable. 1 and 2: all names, with the contents
	 * from before, or with zeros. Then, for each call, all but this one, and nothing but this one.
	 * @param top the top directory @returns false: there is no possibility with this number
	 */
	cut(top: Inode, possibility: number): boolean {
		const pending = this.#calls.filter(({ isDurable }) => !isDurable);
		if (possibility >= 3 + 2 * pending.length) return false;
		const one = pending[(possibility - 3) >> 1];
		const isOnly = possibility === 0 || (possibility >= 3 && possibility % 2 === 0);
		this.#leaveNames((call) => call.isDurable || (isOnly ? possibility !== 0 && call === one : call !== one));
		const left: Left = possibility <= 1 ? "old" : possibility === 2 || isOnly ? "zeros" : "new";
		for (const inode of this.#inodes) this.#leaveContent(inode, left);
		for (const inode of this.#inodes) if (inode !== top) [inode.links, inode.parent] = [0, null];
		countLinks(top);
		this.syncAll();
		return true;
	}

	#leaveNames(isKept: (call: NamingCall) => boolean): void {
		const lost: NamingCall[] = [];
		const names = new Map<Inode, Map<string, Inode | null>>();
		for (const call of this.#calls) {
			const isLeft = call.isDurable || (isKept(call) && !lost.some((earlier) => follows(call, earlier)));
			if (!isLeft) lost.push(call);
			for (const { directory, name, before, after } of call.changes) {
				const inside = names.get(directory) ?? new Map<string, Inode | null>();
				names.set(directory, inside);
				if (isLeft) inside.set(name, after);
				else if (!inside.has(name)) inside.set(name, before);
			}
		}
		for (const [directory, inside] of names)
			for (const [name, inode] of inside)
				if (inode === null) directory.entries.delete(name);
				else directory.entries.set(name, inode);
	}

	#leaveContent(inode: Inode, left: Left): void {
		const saved = this.#saved.get(inode);
		const { content } = inode;
		if (inode.kind !== "file" || saved?.content === content) {
			if (saved) Object.assign(inode, saved);
		} else if (left === "new") Object.assign(inode, saved, { content, mtimeMs: inode.mtimeMs });
		else Object.assign(inode, saved, { content: left === "zeros" ? Buffer.alloc(content.length) : (saved?.content ?? Buffer.alloc(0)) });
	}
}

/** Whether one call cannot be on disk without an earlier one. */
function follows({ changes }: NamingCall, earlier: NamingCall): boolean {
	return earlier.changes.some((change) =>
		changes.some(
			({ directory, name, before, after }) =>
				(directory === change.directory && name === change.name) ||
				[before, after].some((inode) => inode?.kind === "directory" && (inode === change.before || inode === change.after)) ||
				(after === null && before === change.directory),
		),
	);
}

/** Counts the names of what is below a directory again. */
function countLinks(directory: Inode): void {
	for (const inode of directory.entries.values()) {
		inode.links++;
		if (inode.kind !== "directory") continue;
		inode.parent = directory;
		countLinks(inode);
	}
}
