import { displayPath, type GitPath, type Oid, readObjectsWhole, readTreePaths, type TreeEntry } from "@robust-sync/git";
import { type Finding, slowRule } from "@robust-sync/secrets";
import type { CycleContext } from "../context/cycle-context.ts";
import { knownTip } from "../remote/upstream.ts";
import { cleanKey, noteClean } from "./memory.ts";
import { notePublished } from "./notes.ts";

/** Bytes of the working tree in memory at once. */
const batchBytes = 16 * 1_048_576;
/** The same in contents: each costs more than its bytes. */
const batchContents = 2_000;

/** Whether contents in memory are to be searched now, before more are read. */
export const isFullBatch = (contents: number, bytes: number): boolean => contents >= batchContents || bytes > batchBytes;

/** Larger files and blobs are not searched, if MAX_FILE_MB admits them. */
export const maxBlobBytes = 256 * 1_048_576;

/** One content of a path of the workspace. */
export interface Content {
	readonly path: GitPath;
	readonly oid: Oid;
	readonly content: Buffer;
}

/**
 * The first new finding in each content that has one. Contents without a finding are noted as clean. A value that the published version of the
 * path also holds cannot be kept from the hub any more: it is reported, and does not hold changes beside it.
 * @throws ScanError, GitError
 */
export async function search(context: CycleContext, contents: readonly Content[]): Promise<Map<Content, Finding>> {
	const { secrets } = context.memory;
	const unknown = contents.filter(({ oid, path }) => !secrets.clean.has(cleanKey(context, oid, path)));
	const answers = await secrets.thread.scan(
		unknown.map(({ path, content }) => ({ path: displayPath(path), content })),
		secrets.allowed,
		secrets.salt,
	);
	const suspects: { readonly content: Content; readonly findings: readonly Finding[] }[] = [];
	for (const [index, content] of unknown.entries()) {
		const findings = answers[index] ?? [];
		if (findings.length > 0) suspects.push({ content, findings });
		else noteClean(context, content.oid, content.path);
	}
	const found = new Map<Content, Finding>();
	if (suspects.length === 0) return found;
	const published = await publishedHashes(
		context,
		// A search that took too long knows no value to compare; that of the published version would take as long.
		suspects.filter(({ findings }) => findings.some(({ rule }) => rule !== slowRule)).map(({ content }) => content.path),
	);
	for (const { content, findings } of suspects) {
		const known = published.get(content.path);
		const first = findings.find(({ hash }) => hash === null || !known?.has(hash));
		if (first) found.set(content, first);
		else if (findings[0])
			notePublished(context, displayPath(content.path), findings[0], "it is in the published version of the file already: docs/leaks.md");
	}
	return found;
}

/** Salted hashes of the secrets that the published versions of some paths hold. @throws ScanError, GitError */
async function publishedHashes(context: CycleContext, names: readonly GitPath[]): Promise<Map<GitPath, ReadonlySet<string>>> {
	const { repository, memory } = context;
	const tip = await knownTip(context);
	const hashes = new Map<GitPath, ReadonlySet<string>>();
	if (tip === null || names.length === 0) return hashes;
	const entries = new Map<GitPath, TreeEntry>();
	for (const [name, entry] of await readTreePaths(repository, tip, names))
		if (entry.mode.startsWith("1") && entry.mode !== "160000") entries.set(name, entry);
	const contents = await readObjectsWhole(
		repository,
		[...entries.values()].map(({ oid }) => oid),
	);
	const jobs = [...entries].map(([name, { oid }]) => ({ name, path: displayPath(name), content: contents.get(oid) ?? Buffer.alloc(0) }));
	const answers = await memory.secrets.thread.scan(jobs, [], memory.secrets.salt);
	for (const [index, { name }] of jobs.entries()) hashes.set(name, new Set((answers[index] ?? []).flatMap(({ hash }) => hash ?? [])));
	return hashes;
}
