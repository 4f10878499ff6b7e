import { randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
	displayPath,
	fileSystemPath,
	type GitPath,
	gitPathBytes,
	gitPathOf,
	type KnownContents,
	type ObjectReader,
	openMergeStore,
	PlacesBeneath,
	type Repository,
	withObjectReader,
} from "@robust-sync/git";
import { fsyncDirectory } from "@robust-sync/system/atomic-write";
import { faultPoint } from "@robust-sync/system/fault-points";
import { makeDurable } from "@robust-sync/system/make-durable";
import { compactTimestamp, timestamp } from "@robust-sync/system/timestamps";
import type { Manifest, WorkspacePaths } from "@robust-sync/workspace";
import type { Resolution, ResolvedFile, Role } from "../merge/resolution.ts";
import { pruneSavedVersions, unfinishedPrefix } from "./prune-saved-versions.ts";
import { nodesOfSide, type SideNodes } from "./side-nodes.ts";

const roles: readonly Role[] = ["ours", "theirs", "base"];
type SavedFile = Manifest["files"][number];

/** One version that is to be saved: a blob, or bytes that are in no repository. */
export type VersionContent = { readonly mode: string; readonly oid: string } | { readonly mode: string; readonly content: Uint8Array };

/** A file of a resolution with whatever versions of it are to be saved. */
export interface VersionsToSave extends Pick<ResolvedFile, "path" | "type" | "strategy" | "winner" | "save"> {
	readonly versions: Readonly<Record<Role, VersionContent | null>>;
}

/** The merge that a directory of saved versions belongs to. */
export interface SavedHeader {
	readonly commit: string | null;
	readonly ours: string | null;
	readonly theirs: string | null;
	readonly base: string | null;
	readonly files: readonly VersionsToSave[];
	/** Versions that need not be read again. */
	readonly contents?: KnownContents;
}

/** Writes below `files/`; where the name cannot be (too long, or a file where a directory must be), below a directory with a short name. */
class VersionWriter {
	readonly #directory: string;
	/** Checks that no directory above a file has become a link. */
	readonly #places: PlacesBeneath;
	readonly #linkedFrom: PlacesBeneath;
	/** The first file that was written of each blob, and how many names it has. */
	readonly #first = new Map<string, { readonly name: GitPath; names: number }>();
	/** Files with contents of their own, as names below the directory. */
	readonly written: Buffer[] = [];
	#elsewhere = 0;

	constructor(directory: string) {
		this.#directory = directory;
		this.#places = new PlacesBeneath(directory, { makeParents: true, mode: 0o700 });
		this.#linkedFrom = new PlacesBeneath(directory);
	}

	close(): void {
		this.#places.close();
		this.#linkedFrom.close();
	}

	/**
	 * @param oid of the content; what was written of the same blob before gets one more name
	 * @returns the name below the directory, byte for byte
	 */
	write(name: GitPath, role: Role, content: Uint8Array, oid: string | null): GitPath {
		try {
			return this.#put(gitPathOf(`files/${name}.${role}`), content, oid);
		} catch (error) {
			if (!["ENAMETOOLONG", "EEXIST", "EISDIR", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
			return this.#put(gitPathOf(`files~${++this.#elsewhere}/version.${role}`), content, oid);
		}
	}

	/** Synchronous: with many small files, a wait in the thread pool for each takes three times as long. */
	#put(name: GitPath, content: Uint8Array, oid: string | null): GitPath {
		const file = this.#places.file(gitPathBytes(name));
		if (oid !== null && this.#linked(file, oid)) return name;
		writeFileSync(file, content, { flag: "wx", mode: 0o600 });
		this.written.push(fileSystemPath(this.#directory, name));
		if (oid !== null) this.#first.set(oid, { name, names: 1 });
		return name;
	}

	#linked(file: Buffer, oid: string): boolean {
		const first = this.#first.get(oid);
		if (!first || first.names >= maxNames) return false;
		try {
			linkSync(this.#linkedFrom.file(gitPathBytes(first.name)), file);
			first.names++;
			return true;
		} catch (error) {
			// Some file systems have no hard links.
			if (["EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV"].includes((error as NodeJS.ErrnoException).code ?? ""))
				return false;
			throw error;
		}
	}
}

/** File systems end at some thousands of names for one file. */
const maxNames = 1_000;

const asText = (entry: VersionContent) => Buffer.from(`Subproject commit ${"oid" in entry ? entry.oid : ""}\n`);

/** This many files are written in one go, and this many bytes held for it. */
const filesAtATime = 64;
const bytesAtATime = 8 * 1024 * 1024;

async function writeVersions(
	repository: Repository,
	writer: VersionWriter,
	{ files, contents: known = null }: { readonly files: readonly VersionsToSave[]; readonly contents?: KnownContents | null },
): Promise<GitPath[][]> {
	const saved: GitPath[][] = files.map(() => []);
	const stored: { file: number; role: Role; oid: string }[] = [];
	const write = (file: number, role: Role, content: Uint8Array, oid: string | null = null) => {
		saved[file]?.push(writer.write(files[file]!.path, role, content, oid));
	};
	for (const [index, { save, versions }] of files.entries()) {
		if (!save) continue;
		for (const role of roles) {
			const entry = versions[role];
			if (!entry) continue;
			if ("content" in entry) write(index, role, entry.content);
			else if (entry.mode === "160000") write(index, role, asText(entry));
			else stored.push({ file: index, role, oid: entry.oid });
		}
	}
	if (stored.length === 0) return saved.map((names) => names.sort());
	const writeStored = async (reader: ObjectReader) => {
		const infos = await reader.infos(stored.map(({ oid }) => oid));
		for (let at = 0; at < stored.length; ) {
			let bytes = 0;
			let end = at;
			do bytes += infos[end++]?.size ?? 0;
			while (end < stored.length && end - at < filesAtATime && bytes + (infos[end]?.size ?? 0) <= bytesAtATime);
			const batch = stored.slice(at, end);
			const contents = await reader.contents(batch.map(({ oid }) => oid));
			for (const [index, { file, role, oid }] of batch.entries()) write(file, role, contents[index] as Buffer, oid);
			// Signals and the watchdog get their turn.
			await nextTurn();
			at = end;
		}
	};
	await withObjectReader(openMergeStore(repository), writeStored, known);
	return saved.map((names) => names.sort());
}

function manifestFile(file: VersionsToSave, saved: readonly GitPath[], sides: Readonly<Record<"ours" | "theirs", SideNodes>>): SavedFile {
	const bytes = gitPathBytes(file.path);
	const text = displayPath(file.path);
	const modes = Object.fromEntries(roles.flatMap((role) => (file.versions[role] ? [[role, file.versions[role].mode]] : [])));
	const [ours, theirs] = [sides.ours.of(file.path), sides.theirs.of(file.path)];
	const nodes = { ...(ours === null ? {} : { ours }), ...(theirs === null ? {} : { theirs }) };
	return {
		path: text,
		type: file.type,
		strategy: file.strategy,
		winner: file.winner,
		saved: saved.map(displayPath),
		...(file.save ? { modes } : {}),
		...(ours === theirs ? {} : { nodes }),
		...(Buffer.from(text).equals(bytes)
			? {}
			: { path_hex: bytes.toString("hex"), saved_hex: saved.map((name) => gitPathBytes(name).toString("hex")) }),
	};
}

/**
 * Writes one directory of saved versions, whole or not at all: below a temporary name, made durable, renamed.
 * @param now milliseconds since the epoch
 * @returns its name (`<YYYYMMDDTHHMMSS.mmmZ>`), or null when no file of it needs saving
 * @throws GitError CORRUPT_REPOSITORY when a version is missing; the file system's error (ENOSPC, EACCES, …). Nothing is left behind then.
 */
export async function saveVersionsOf(
	repository: Repository,
	paths: WorkspacePaths,
	what: SavedHeader,
	now: number,
): Promise<string | null> {
	if (!what.files.some(({ save }) => save)) return null;
	mkdirSync(paths.conflicts, { recursive: true, mode: 0o700 });
	pruneSavedVersions(paths);
	const unfinished = path.join(paths.conflicts, `${unfinishedPrefix}${process.pid}-${randomUUID()}`);
	try {
		mkdirSync(unfinished, { mode: 0o700 });
		const writer = new VersionWriter(unfinished);
		const saved = await writeVersions(repository, writer, what).finally(() => writer.close());
		const [ours, theirs] = await Promise.all([
			nodesOfSide(repository, what.ours, what.base),
			nodesOfSide(repository, what.theirs, what.base),
		]);
		const manifest: Manifest = {
			schema: 1,
			resolved_at: timestamp(now),
			merge_commit: what.commit,
			ours: what.ours,
			theirs: what.theirs,
			base: what.base,
			files: what.files.map((file, index) => manifestFile(file, saved[index] ?? [], { ours, theirs })),
		};
		const manifestName = path.join(unfinished, "manifest.json");
		writeFileSync(manifestName, `${JSON.stringify(manifest, null, "\t")}\n`);
		faultPoint("saved-versions-written");
		await makeDurable([...writer.written, Buffer.from(manifestName)], unfinished);
		fsyncDirectory(unfinished);
		let name = compactTimestamp(now);
		for (let later = now; existsSync(path.join(paths.conflicts, name)); name = compactTimestamp(later)) later++;
		faultPoint("saved-versions-durable");
		renameSync(unfinished, path.join(paths.conflicts, name));
		faultPoint("saved-versions-renamed");
		fsyncDirectory(paths.conflicts);
		return name;
	} catch (error) {
		rmSync(unfinished, { recursive: true, force: true });
		throw error;
	}
}

/** Saves the versions of a resolution (saveVersionsOf). */
export async function saveVersions(
	repository: Repository,
	paths: WorkspacePaths,
	resolution: Resolution,
	now: number,
): Promise<string | null> {
	return await saveVersionsOf(repository, paths, resolution, now);
}
