import { ModelFiles } from "@robust-sync/system/testing/model-files";
import type { Exchanger } from "../../files/exchange-files.ts";
import { newFileBits } from "../../files/permissions.ts";
import type { TreeChange } from "../../objects/diff.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { blobOid } from "../../objects/objects.ts";
import { gitPathOf } from "../../paths/git-path.ts";
import { ignoreProgress } from "../../process/progress.ts";
import { type Oid, Repository } from "../../process/repository.ts";
import type { CheckoutReport } from "../../worktree/checkout-options.ts";
import type { KeptFile } from "../../worktree/kept-files.ts";
import { replaceFiles } from "../../worktree/working-tree.ts";

/** A file's content, or a link's target. */
export interface Version {
	readonly mode: "100644" | "100755" | "120000";
	readonly content: Buffer;
}

/** The top of the working tree, and the directories of our own in it. */
export const root = "/w";
const own = `${root}/sync`;
const backupOf = (number: number) => `${own}/backups/${number}`;

/** The records of the kept files of a checkout, which outlive its process. */
export interface Records {
	/** Called after a checkout, by its process. @param backup the name of its directory below `sync/backups/` */
	write(files: ModelFiles, backup: string, kept: readonly KeptFile[]): void;
	/** Null: there are none. */
	read(files: ModelFiles, backup: string): readonly Pick<KeptFile, "file" | "size" | "mtimeMs">[] | null;
}

/** A file system's clock moves on by this much at each call. */
const tickMs = 5;

/** The process counts as killed: each of its calls throws this. */
export class Killed extends Error {
	override readonly name = "Killed";
}

/** The real checkout, with files, blobs and exchange in memory. */
export class ModelCheckout {
	readonly files = new ModelFiles();
	readonly #blobs = new Map<Oid, Buffer>();
	readonly #canExchange: boolean;
	#nowMs = Date.now() - 3_600_000;

	/** @param canExchange whether files can be exchanged in one step */
	constructor(canExchange: boolean) {
		this.#canExchange = canExchange;
		this.files.nowMs = () => this.#nowMs;
		this.files.makeTree(own);
	}

	/** A version as a tree's entry. */
	entryOf(version: Version | null): TreeChange["before"] {
		if (version === null) return null;
		const oid = blobOid(version.content);
		this.#blobs.set(oid, version.content);
		return { mode: version.mode, oid };
	}

	/** Writes a version to the working tree, an hour ago. */
	put(name: string, { mode, content }: Version): void {
		const file = `${root}/${name}`;
		this.files.makeTree(file.slice(0, file.lastIndexOf("/")));
		if (mode === "120000") this.files.symlink(content, file);
		else this.files.writeFile(file, content, { mode: newFileBits(mode) });
	}

	blob(oid: Oid): Buffer | undefined {
		return this.#blobs.get(oid);
	}

	/** The file of a kept version. @param number of the checkout */
	keptFile(file: string, number: number): string {
		return `${backupOf(number)}/${file}`;
	}

	/** Time passes: by default so much that what was written is old. */
	pass(ms = 3_600_000): void {
		this.#nowMs += ms;
	}

	/**
	 * One checkout. @param number of its backup @param before called before each call: it may act as a program, throw an error of the file system, or
	 * throw Killed, after which the process is dead @param records written by the same process; null: none are
	 * @throws Killed; an error of the file system
	 */
	async run(
		changes: readonly { readonly path: string; readonly before: TreeChange["before"]; readonly after: TreeChange["after"] }[],
		resume: boolean,
		number: number,
		before: (call: string, paths: readonly string[]) => void,
		records: Records | null = null,
	): Promise<CheckoutReport> {
		let isDead = false;
		this.files.before = ({ name, paths }) => {
			this.#nowMs += tickMs;
			// Descriptors of a process are closed in any case.
			if (isDead && name === "close") return;
			if (isDead) throw new Killed();
			try {
				before(name, paths);
			} catch (error) {
				isDead = error instanceof Killed;
				if (isDead && name === "close") return;
				throw error;
			}
		};
		const repository = new Repository({
			root,
			gitDirectory: `${root}/.git`,
			commonDirectory: `${root}/.git`,
			objectFormat: "sha1",
			isShallow: false,
			isSparse: false,
			networkTimeoutMs: 0,
			hooks: false,
			config: new Map(),
			env: {},
			onProgress: ignoreProgress,
			files: this.files,
		});
		const options = {
			staging: `${own}/staging`,
			backup: backupOf(number),
			versions: `${own}/versions`,
			keepsVersions: true,
			resume,
			objects: this.#objects(),
			exchanger: () => this.#exchanger(),
		};
		try {
			const report = await replaceFiles(
				repository,
				options,
				changes.map((change) => ({ ...change, path: gitPathOf(change.path) })),
				false,
			);
			if (!isDead) records?.write(this.files, String(number), report.kept);
			// A killed process does nothing after its last call.
			if (isDead) throw new Killed();
			return report;
		} finally {
			this.files.before = null;
			this.files.endProcess();
		}
	}

	#exchanger(): Exchanger {
		return {
			ready: Promise.resolve(this.#canExchange),
			exchange: async (a, b) => {
				try {
					this.files.exchange(a, b);
					return true;
				} catch (error) {
					if (error instanceof Killed) throw error;
					return false;
				}
			},
			copyAttributes: async () => false,
			copyAllAttributes: (pairs) => pairs.map(async () => false),
			close: () => undefined,
		};
	}

	#objects(): ObjectStore {
		const content = (oid: Oid) => {
			const found = this.#blobs.get(oid);
			if (found === undefined) throw new Error(`the blob ${oid} is missing`);
			return found;
		};
		return {
			withReader: async (use) =>
				await use({
					infos: async (names) => names.map((name) => ({ oid: String(name), type: "blob", size: content(String(name)).length })),
					each: async (names, receive) => {
						for (const [index, name] of names.entries())
							receive({ oid: String(name), type: "blob", size: content(String(name)).length }, content(String(name)), index);
					},
				}),
			copyTo: async (oid, descriptor) => this.files.writeAll(descriptor, content(oid)),
			content: async (oid) => content(oid),
			size: async (oid) => content(oid).length,
			store: async (contents) => {
				for (const each of contents) this.#blobs.set(blobOid(each), each);
			},
		};
	}
}
