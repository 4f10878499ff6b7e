import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileMode, fileSystemPath, type GitPath, type Oid, readTreeFiles, storedMode, withObjectReader } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";

/** A database with constant writes is copied at most this often. */
const copyIntervalMs = 10_000;
const copyTimeoutMs = 30_000;

/** Runs `sqlite3 -readonly DATABASE ".backup COPY"`: SQLite's online backup, consistent during writes. False: it is not installed, or failed. */
async function backUp(database: string, copy: string): Promise<boolean> {
	return await new Promise((resolve) => {
		const child = spawn("sqlite3", ["-readonly", "-batch", "-init", "/dev/null", database, ".timeout 5000", `.backup '${copy}'`], {
			stdio: "ignore",
			timeout: copyTimeoutMs,
			killSignal: "SIGKILL",
		});
		child.on("error", () => resolve(false));
		child.on("close", (code) => resolve(code === 0 && fs.existsSync(copy)));
	});
}

/** A consistent copy of a database in use. */
export interface DatabaseCopy {
	readonly path: GitPath;
	readonly content: Buffer;
	readonly mode: "100644" | "100755";
}

/**
 * Consistent copies of databases that programs have open, made by the `sqlite3` program if it is installed: those can be
 * committed, the files on disk cannot.
 * @returns the copies (null content: unchanged since the last scan), and the databases that could not be copied
 */
export async function copyLiveDatabases(
	context: CycleContext,
	databases: readonly GitPath[],
): Promise<{ copies: DatabaseCopy[]; failed: GitPath[] }> {
	const { repository, paths, memory, now } = context;
	const copies: DatabaseCopy[] = [];
	const failed: GitPath[] = [];
	for (const name of databases) {
		if (now() - (memory.databaseCopiedAt.get(name) ?? Number.NEGATIVE_INFINITY) < copyIntervalMs) continue;
		const file = fileSystemPath(repository.root, name);
		const text = file.toString("utf8");
		const copy = path.join(paths.staging, `database-${process.pid}`);
		fs.mkdirSync(paths.staging, { recursive: true, mode: 0o700 });
		fs.rmSync(copy, { force: true });
		try {
			// sqlite3 accepts neither a name that is not UTF-8, nor a quote in our own path.
			if (Buffer.from(text).equals(file) && !copy.includes("'") && (await backUp(text, copy))) {
				copies.push({ path: name, content: memory.forget.withoutWaiting(fs.readFileSync(copy)), mode: fileMode(fs.lstatSync(file)) });
				memory.databaseCopiedAt.set(name, now());
			} else failed.push(name);
		} finally {
			for (const suffix of ["", "-journal", "-wal", "-shm"]) fs.rmSync(`${copy}${suffix}`, { force: true });
		}
	}
	return { copies, failed };
}

/** Bytes of an SQLite header with the number of writes and the release of the writer, without content (fileformat2.html). */
const countersInHeader: readonly (readonly [start: number, end: number])[] = [
	[24, 28],
	[92, 100],
];

/** Whether two SQLite databases hold the same, page by page. */
export function isSameDatabase(one: Buffer, other: Buffer): boolean {
	if (one.length !== other.length) return false;
	const [a, b] = [one, other].map((bytes) => {
		const head = Buffer.from(bytes.subarray(0, 100));
		for (const [start, end] of countersInHeader) head.fill(0, start, end);
		return head;
	}) as [Buffer, Buffer];
	return a.equals(b) && one.subarray(100).equals(other.subarray(100));
}

/** The copies whose content differs from HEAD's: a database that is only open, or was only read, is not committed. */
export async function changedCopies(
	{ repository }: Pick<CycleContext, "repository">,
	head: Oid | null,
	copies: readonly DatabaseCopy[],
): Promise<DatabaseCopy[]> {
	if (head === null || copies.length === 0) return [...copies];
	const entries = await readTreeFiles(
		repository,
		head,
		copies.map((copy) => copy.path),
	);
	return await withObjectReader(repository, async (reader) => {
		const changed: DatabaseCopy[] = [];
		for (const copy of copies) {
			const entry = entries.get(copy.path);
			const mode = storedMode(repository, copy.path, copy.mode, entry?.mode);
			const [info] = entry?.mode === mode ? await reader.infos([entry.oid]) : [null];
			// One at a time, and only candidates: they may be large.
			const known = info?.size === copy.content.length ? (await reader.contents([info.oid]))[0] : undefined;
			if (known === undefined || !isSameDatabase(known, copy.content)) changed.push({ ...copy, mode });
		}
		return changed;
	});
}
