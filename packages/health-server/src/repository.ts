import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { openOnce } from "./open-once.ts";

/** The queries of the dashboard to the repository. Both may be slow: callers bound their wait. */
export interface RepositoryReader {
	/** How many paths are unmerged in the index. @throws GitError */
	unmergedPaths(): Promise<number>;
	/** The file `file` of `commit`, or null if it is missing or larger than `maxBytes`. @throws GitError */
	fileAt(commit: string, file: string, maxBytes: number): Promise<Buffer | null>;
	/** Changes whenever the index may have: cheap, starts no process. */
	indexStamp(): string;
}

/** git is killed after this time; no request waits that long. */
const gitTimeoutMs = 10_000;

/** The repository in `root`, opened at the first query, and again if it disappeared. */
export function gitReader(root: string, node: string): RepositoryReader {
	const repository = openOnce(root, node);
	return {
		async unmergedPaths() {
			const { stdout } = await (await repository()).run(["ls-files", "--unmerged", "-z"], { timeoutMs: gitTimeoutMs });
			const paths = new Set<string>();
			// Each stage of a path is an entry: "<mode> <oid> <stage>\t<path>".
			for (const entry of stdout.toString("latin1").split("\0")) {
				const tab = entry.indexOf("\t");
				if (tab > 0) paths.add(entry.slice(tab + 1));
			}
			return paths.size;
		},
		async fileAt(commit, file, maxBytes) {
			if (!/^[0-9a-f]{40,64}$/.test(commit)) return null;
			const name = `${commit}:${file}`;
			const options = { timeoutMs: gitTimeoutMs, accept: [0, 128] };
			const { stdout: size, exitCode } = await (await repository()).run(["cat-file", "-s", name], options);
			if (exitCode !== 0 || Number(size.toString("latin1")) > maxBytes) return null;
			const blob = await (await repository()).run(["cat-file", "blob", name], options);
			return blob.exitCode === 0 ? blob.stdout : null;
		},
		indexStamp() {
			try {
				return fileStamp(path.join(gitDirectory(root), "index")) ?? "no index";
			} catch {
				return "no repository";
			}
		},
	};
}

/** `.git`, or where a `.git` file points (gitrepository-layout(5)): linked working trees and submodules. */
function gitDirectory(root: string): string {
	const dotGit = path.join(root, ".git");
	if (statSync(dotGit).isDirectory()) return dotGit;
	const target = /^gitdir: (.+)$/m.exec(readFileSync(dotGit, "utf8"))?.[1];
	return target ? path.resolve(root, target) : dotGit;
}

/** The last known number of unmerged paths. */
export interface Unmerged {
	/** null: never known */
	readonly count: number | null;
	/** When it was known, milliseconds since the epoch; null: never. */
	readonly at: number | null;
	/** Why it could not be refreshed; null: it is up to date. */
	readonly problem: string | null;
}

/** Refreshed after this time even if the index looks the same. */
const recheckMs = 60_000;
/** The longest that a request waits for git. */
export const gitWaitMs = 1_000;

/** Caches the number of unmerged paths: runs git only when the index changed, and bounds the wait of each request. */
export class UnmergedWatch {
	readonly #reader: RepositoryReader;
	readonly #now: () => number;
	#value: Unmerged = { count: null, at: null, problem: "not asked yet" };
	#stamp: string | null = null;
	#askedAt = Number.NEGATIVE_INFINITY;
	/** The running query; `waiting` is null once it exceeded the limit. */
	#asking: { waiting: Promise<void> | null } | null = null;

	constructor(reader: RepositoryReader, now: () => number = Date.now) {
		this.#reader = reader;
		this.#now = now;
	}

	/** The last known value. */
	get value(): Unmerged {
		return this.#value;
	}

	/** null if the index did not change; else a promise that resolves when git answered, after 1 s at the latest. */
	refresh(): Promise<void> | null {
		const now = this.#now();
		const stamp = this.#reader.indexStamp();
		if (!this.#asking) {
			if (stamp === this.#stamp && Math.abs(now - this.#askedAt) < recheckMs) return null;
			this.#stamp = stamp;
			this.#askedAt = now;
			this.#asking = this.#askWithinLimit();
		}
		return this.#asking.waiting;
	}

	#askWithinLimit(): { waiting: Promise<void> | null } {
		const asking: { waiting: Promise<void> | null } = { waiting: null };
		const answered = this.#ask().finally(() => {
			clearTimeout(timer);
			this.#asking = null;
		});
		let timer: NodeJS.Timeout | undefined;
		const limit = new Promise<void>((resolve) => {
			timer = setTimeout(() => {
				// Requests that arrive while git is still running do not wait as well.
				asking.waiting = null;
				resolve();
			}, gitWaitMs);
		});
		asking.waiting = Promise.race([answered, limit]);
		return asking;
	}

	async #ask(): Promise<void> {
		try {
			this.#value = { count: await this.#reader.unmergedPaths(), at: this.#now(), problem: null };
		} catch (error) {
			this.#value = { ...this.#value, problem: error instanceof Error ? error.message : String(error) };
		}
	}
}
