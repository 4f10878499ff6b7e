import { diskFiles } from "@robust-sync/system/disk-files";
import type { Files } from "@robust-sync/system/files";
import { type GitPath, gitPathBytes } from "./git-path.ts";

// A path names a file only as long as every directory above it is a directory. A commit, or a local user, may replace one by a
// symbolic link between a check and the use of the path. So each component is opened relative to the one above it, and the last
// one is named relative to an open directory. Node has no openat(2): /proc/<pid>/fd/<n>/<name> is the same.

/** Options of openBeneath and beneath. */
export interface BeneathOptions {
	/** Makes the directories that are missing above the name. */
	readonly makeParents?: boolean;
	/** Permission bits of a directory that is made, less the umask's. Default: 0777. */
	readonly mode?: number;
	/** The file system. Default: this machine's. */
	readonly files?: Files;
}

/** A file's place whose directory is held open. */
export interface HeldPlace {
	/** Names the file, whatever becomes of the directories above it. Also a child process of this one can use it. */
	readonly file: Buffer;
	/** The directory stays open until this is called. */
	close(): void;
}

function componentsOf(name: GitPath | Buffer): Buffer[] {
	const bytes = typeof name === "string" ? gitPathBytes(name) : name;
	const components: Buffer[] = [];
	for (let at = 0; at <= bytes.length; ) {
		const slash = bytes.indexOf(0x2f, at);
		const end = slash < 0 ? bytes.length : slash;
		const component = bytes.subarray(at, end);
		const text = component.toString("latin1");
		if (text === "" || text === "." || text === ".." || component.includes(0)) {
			throw Object.assign(new Error(`EINVAL: not a path below a directory: ${JSON.stringify(bytes.toString())}`), { code: "EINVAL" });
		}
		components.push(component);
		at = end + 1;
	}
	return components;
}

/** Opens a directory that is one, and no link to one. */
function openDirectory(files: Files, file: Buffer, make: boolean, mode: number): number {
	try {
		return files.openDirectory(file);
	} catch (error) {
		if (!make || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
	try {
		files.mkdir(file, mode);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
	return files.openDirectory(file);
}

/**
 * Opens the directory that contains `name` below `root`, component by component: none of them may be a symbolic link. `root` itself may be
 * reached through one. Without /proc (not Linux) each component is checked just before use instead.
 * @param name a path below the workspace, or bytes of one below `root`
 * @throws ENOTDIR a component above the last one is a link or no directory; ENOENT one is missing; EINVAL `name` has a component that is
 * empty, `.` or `..`; the file system's other errors
 */
export function openBeneath(
	root: string,
	name: GitPath | Buffer,
	{ makeParents = false, mode = 0o777, files = diskFiles }: BeneathOptions = {},
): HeldPlace {
	const components = componentsOf(name);
	const last = components.pop() as Buffer;
	let place: Buffer = Buffer.from(root);
	let descriptor: number | null = null;
	const close = () => {
		if (descriptor !== null) files.close(descriptor);
		descriptor = null;
	};
	const descend = (next: number, named: Buffer) => {
		close();
		descriptor = next;
		const held = files.nameOfOpen(next);
		place = held === null ? named : Buffer.from(held);
	};
	try {
		descend(files.openDirectory(root, true), place);
		for (const component of components) {
			const directory = Buffer.concat([place, Buffer.of(0x2f), component]);
			descend(openDirectory(files, directory, makeParents, mode), directory);
		}
	} catch (error) {
		close();
		throw error;
	}
	return { file: Buffer.concat([place, Buffer.of(0x2f), last]), close };
}

/**
 * Calls `use` with a name for the file `name` below `root` that cannot lead outside of `root`: no component above the last is a link, and
 * none can become one meanwhile. `use` must not follow the last component itself (lstat, O_NOFOLLOW, rename, link, unlink).
 * @returns what `use` returns; of a promise, the directory stays open until it is settled
 * @throws as openBeneath, and what `use` throws
 */
export function beneath<T>(root: string, name: GitPath | Buffer, use: (file: Buffer) => T, options?: BeneathOptions): T {
	const place = openBeneath(root, name, options);
	let result: T;
	try {
		result = use(place.file);
	} catch (error) {
		place.close();
		throw error;
	}
	const settling = result as { finally?: (done: () => void) => T } | null | undefined;
	if (typeof settling?.finally === "function") return settling.finally(() => place.close());
	place.close();
	return result;
}

/**
 * Names many files below `root`, one after the other, as openBeneath does; files of one directory in a row share its descriptor. For work
 * that is done in one go: the directory is checked when the first of its files is named.
 */
export class PlacesBeneath {
	readonly #root: string;
	readonly #options: BeneathOptions;
	#open: { readonly directory: string; readonly place: HeldPlace } | null = null;

	constructor(root: string, options: BeneathOptions = {}) {
		this.#root = root;
		this.#options = options;
	}

	/** @param name bytes of a path below `root` @returns good until the next call @throws as openBeneath */
	file(name: Buffer): Buffer {
		const slash = name.lastIndexOf(0x2f);
		const directory = name.toString("latin1", 0, slash + 1);
		const last = name.subarray(slash + 1);
		if (this.#open?.directory !== directory) {
			this.close();
			this.#open = { directory, place: openBeneath(this.#root, name, this.#options) };
		} else componentsOf(last);
		const { file } = this.#open.place;
		return Buffer.concat([file.subarray(0, file.lastIndexOf(0x2f) + 1), last]);
	}

	close(): void {
		this.#open?.place.close();
		this.#open = null;
	}
}
