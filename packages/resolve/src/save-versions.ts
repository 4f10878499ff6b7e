import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { displayPath, type GitPath, gitPathBytes, openMergeStore, present, type Repository, withObjectReader } from "@robust-sync/git";
import { compactTimestamp, fsyncDirectory, type Manifest, makeDurable, timestamp, type WorkspacePaths } from "@robust-sync/workspace";
import { pruneSavedVersions, unfinishedPrefix } from "./prune-saved-versions.ts";
import type { Resolution, ResolvedFile, Role } from "./resolution.ts";

const roles: readonly Role[] = ["ours", "theirs", "base"];
type SavedFile = Manifest["files"][number];

/** One version that is to be saved: a blob, or bytes that are in no repository. */
export type VersionContent = { readonly mode: string; readonly oid: string } | { readonly mode: string; readonly content: Uint8Array };

/** A file of a resolution with whatever versions of it are to be saved. */
export interface VersionsToSave extends Pick<ResolvedFile, "path" | "type" | "strategy" | "winner" | "save"> {
	readonly versions: Readonly<Record<Role, VersionContent | null>>;
}

/** What a directory of saved versions is about. */
export interface SavedHeader {
	readonly commit: string | null;
	readonly ours: string | null;
	readonly theirs: string | null;
	readonly base: string | null;
	readonly files: readonly VersionsToSave[];
}

/** Makes a directory by its bytes: fs.mkdir's recursive mode decodes names. */
function makeDirectory(directory: Buffer, made: Set<string>): void {
	const key = directory.toString("latin1");
	if (made.has(key)) return;
	try {
		mkdirSync(directory);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") {
			makeDirectory(directory.subarray(0, directory.lastIndexOf(0x2f)), made);
			mkdirSync(directory);
		} else if (code !== "EEXIST") throw error;
	}
	made.add(key);
}

/** Writes below `files/`; where the name cannot be (too long, or a file where a directory must be), below a directory with a short name. */
class VersionWriter {
	readonly #directory: string;
	readonly #made = new Set<string>();
	readonly written: Buffer[] = [];
	#elsewhere = 0;

	constructor(directory: string) {
		this.#directory = directory;
	}

	/** @returns the name below the directory, byte for byte */
	write(name: GitPath, role: Role, content: Uint8Array): GitPath {
		const usual = Buffer.concat([Buffer.from("files/"), gitPathBytes(name), Buffer.from(`.${role}`)]);
		try {
			return this.#put(usual, content);
		} catch (error) {
			if (!["ENAMETOOLONG", "EEXIST", "EISDIR", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
			return this.#put(Buffer.from(`files~${++this.#elsewhere}/version.${role}`), content);
		}
	}

	#put(name: Buffer, content: Uint8Array): GitPath {
		const file = Buffer.concat([Buffer.from(`${this.#directory}/`), name]);
		makeDirectory(file.subarray(0, file.lastIndexOf(0x2f)), this.#made);
		writeFileSync(file, content, { flag: "wx" });
		this.written.push(file);
		return name.toString("latin1") as GitPath;
	}
}

const asText = (entry: VersionContent) => Buffer.from(`Subproject commit ${"oid" in entry ? entry.oid : ""}\n`);

async function writeVersions(repository: Repository, writer: VersionWriter, files: readonly VersionsToSave[]): Promise<GitPath[][]> {
	const saved: GitPath[][] = files.map(() => []);
	const wanted: { file: number; role: Role; oid: string }[] = [];
	for (const [index, { path: name, save, versions }] of files.entries()) {
		if (!save) continue;
		for (const role of roles) {
			const entry = versions[role];
			if (!entry) continue;
			if ("content" in entry) saved[index]?.push(writer.write(name, role, entry.content));
			else if (entry.mode === "160000") saved[index]?.push(writer.write(name, role, asText(entry)));
			else wanted.push({ file: index, role, oid: entry.oid });
		}
	}
	if (wanted.length === 0) return saved;
	await withObjectReader(openMergeStore(repository), (reader) =>
		reader.each(
			wanted.map(({ oid }) => oid),
			(_info, content, index) => {
				const { file, role, oid } = wanted[index] as (typeof wanted)[number];
				saved[file]?.push(writer.write(files[file]?.path as GitPath, role, present(content, oid)));
			},
		),
	);
	return saved;
}

function manifestFile(file: VersionsToSave, saved: readonly GitPath[]): SavedFile {
	const bytes = gitPathBytes(file.path);
	const text = displayPath(file.path);
	const modes = Object.fromEntries(roles.flatMap((role) => (file.versions[role] ? [[role, file.versions[role].mode]] : [])));
	return {
		path: text,
		type: file.type,
		strategy: file.strategy,
		winner: file.winner,
		saved: saved.map(displayPath),
		...(file.save ? { modes } : {}),
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
	mkdirSync(paths.conflicts, { recursive: true });
	pruneSavedVersions(paths);
	const unfinished = path.join(paths.conflicts, `${unfinishedPrefix}${process.pid}-${randomUUID()}`);
	try {
		mkdirSync(unfinished);
		const writer = new VersionWriter(unfinished);
		const saved = await writeVersions(repository, writer, what.files);
		const manifest: Manifest = {
			schema: 1,
			resolved_at: timestamp(now),
			merge_commit: what.commit,
			ours: what.ours,
			theirs: what.theirs,
			base: what.base,
			files: what.files.map((file, index) => manifestFile(file, saved[index] ?? [])),
		};
		const manifestName = path.join(unfinished, "manifest.json");
		writeFileSync(manifestName, `${JSON.stringify(manifest, null, "\t")}\n`);
		await makeDurable([...writer.written, Buffer.from(manifestName)], unfinished);
		fsyncDirectory(unfinished);
		let name = compactTimestamp(now);
		for (let later = now; existsSync(path.join(paths.conflicts, name)); name = compactTimestamp(later)) later++;
		renameSync(unfinished, path.join(paths.conflicts, name));
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
