import {
	displayPath,
	type FileChange,
	type GitPath,
	type Oid,
	openMergeStore,
	readDiskFile,
	readObjects,
	readTreeFiles,
	readTreePaths,
	replaceInCommits,
	stampOf,
	type TreeEntry,
} from "@robust-sync/git";
import { markedAsMade } from "@robust-sync/resolve";
import type { Finding } from "@robust-sync/secrets";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { CycleContext } from "../context/cycle-context.ts";
import { remadeSnapshot } from "../context/remade-snapshot.ts";
import { SyncError } from "../context/sync-error.ts";
import { RewrittenHead } from "../remote/rewritten-head.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { cleanKey } from "./memory.ts";
import { cleanTexts } from "./messages.ts";
import { secretNames } from "./names.ts";
import { note, reportHeld } from "./notes.ts";
import { isOn } from "./policy.ts";
import { type Content, isFullBatch, maxBlobBytes, search } from "./search.ts";
import { listUnpublished, pathsOf, type Unpublished, type UnpublishedCommit } from "./unpublished.ts";

/** Longer unpublished histories are left to a person. */
const maxCommits = 2_000;

/** Blobs that are read by one process. */
const blobsAtOnce = 256;

interface Found {
	readonly path: GitPath;
	readonly finding: Finding;
	/** The path as shown to people: a secret in it is masked. */
	readonly shown: string;
}

/** Findings in blobs and in their names, by path and id. @throws ScanError, GitError */
async function searchBlobs(context: CycleContext, commits: readonly UnpublishedCommit[]): Promise<Map<string, Found>> {
	const { repository, memory } = context;
	const found = new Map<string, Found>();
	let batch: Content[] = [];
	let bytes = 0;
	const flush = async () => {
		for (const [{ path, oid }, finding] of await search(context, batch))
			found.set(`${oid} ${path}`, { path, finding, shown: displayPath(path) });
		batch = [];
		bytes = 0;
	};
	/** The paths of some blobs, which are read next: a commit may have a million. */
	let paths = new Map<Oid, Set<GitPath>>();
	const read = async () => {
		const waiting: Content[] = [];
		await readObjects(repository, [...paths.keys()], (oid, content) => {
			if (content.length > maxBlobBytes) return;
			const copy = Buffer.from(content);
			for (const path of paths.get(oid) ?? []) waiting.push({ path, oid, content: copy });
		});
		for (const content of waiting) {
			batch.push(content);
			bytes += content.content.length;
			if (isFullBatch(batch.length, bytes)) await flush();
		}
		paths = new Map();
	};
	for (const { changes } of commits)
		for (const { path, oid } of changes) {
			if (memory.secrets.clean.has(cleanKey(context, oid, path))) continue;
			paths.set(oid, (paths.get(oid) ?? new Set()).add(path));
			if (paths.size >= blobsAtOnce) await read();
		}
	await read();
	await flush();
	const names = pathsOf(commits);
	const inNames = await secretNames(context, commits.length > 1 ? [...new Set(names)] : names);
	if (inNames.size === 0) return found;
	for (const { changes } of commits)
		for (const { path, oid } of changes) {
			const name = inNames.get(path);
			if (name) found.set(`${oid} ${path}`, { path, ...name });
		}
	return found;
}

/** The id of a file's content on disk. Null: there is no such file, or it cannot be read. */
function diskOid({ repository }: CycleContext, name: GitPath): Oid | null {
	try {
		return readDiskFile(repository, name)?.oid ?? null;
	} catch {
		return null;
	}
}

/**
 * Searches all unpublished commits before a push. Commits that hold a secret are rewritten with the last version of the file
 * that holds none; the file stays on disk unchanged, and is reported. The old commits stay reachable here for 30 days.
 * @returns the snapshot after the rewrite
 * @throws SyncError PUSH_REJECTED if they are too many to rewrite; ScanError, GitError, LockLostError
 */
export async function withoutSecrets(context: CycleContext, snapshot: Snapshot, listed: Unpublished | null = null): Promise<Snapshot> {
	const { repository, memory, config, log } = context;
	const { secrets } = memory;
	const { head } = snapshot;
	if (!isOn(context) || head === null || head === secrets.checked) return snapshot;
	const { commits } = listed?.head === head ? listed : await listUnpublished(context, snapshot);
	const found = await searchBlobs(context, commits);
	const texts = await cleanTexts(context, commits);
	if (found.size === 0 && texts.size === 0) {
		secrets.clean.trim();
		secrets.checked = head;
		return snapshot;
	}
	const findings = new Map<GitPath, Found>();
	for (const one of found.values()) findings.set(one.path, one);
	if (config.syncSecrets === "warn") {
		for (const [name, { finding, shown }] of findings) note(context, name, finding, stampOf(repository, name) ?? "", shown);
		secrets.checked = head;
		return snapshot;
	}
	const names = [...findings.keys()];
	if (commits.length > maxCommits) {
		const [map] = memory.forget.refused;
		if (map !== undefined)
			throw new SyncError(
				"PUSH_REJECTED",
				`the hub's history was replaced, and ${map.path} is not applied here: ${map.reason}. Nothing is pushed until then: this node's commits hold what the others may have forgotten`,
			);
		const shown = [...findings.values()].slice(0, 3).map((one) => JSON.stringify(one.shown));
		throw new SyncError(
			"PUSH_REJECTED",
			`unpublished commits hold a secret (${shown.join(", ")}) and are too many to rewrite: remove it from them (git filter-repo, git rebase), or allow it: robust-sync --allow-secret PATH`,
		);
	}
	const store = openMergeStore(repository);
	const replaced = await replaceInCommits(
		store,
		commits.map(({ commit }) => commit),
		async (commit, parents) => {
			const entries = await readTreePaths(store, commit, names);
			const dirty = names.filter((name) => found.has(`${entries.get(name)?.oid} ${name}`));
			if (dirty.length === 0) return [];
			const before: Map<GitPath, TreeEntry>[] = [];
			for (const parent of parents) before.push(await readTreePaths(store, parent, dirty));
			return dirty.map((name): FileChange => {
				const entry = before.map((entries) => entries.get(name)).find((entry) => entry !== undefined && entry.mode !== "040000");
				return entry === undefined ? { path: name, delete: true } : { path: name, ...entry };
			});
		},
		(message) => markedAsMade(message, config.nodeName),
		texts,
	);
	const newHead = replaced.get(head) ?? head;
	await new RewrittenHead(context, head, "what holds a secret").moveTo(newHead, names, () => faultPoint("secret-kept"));
	const entries = await readTreeFiles(repository, newHead, names);
	for (const [name, { finding, shown }] of findings) {
		const stamp = stampOf(repository, name);
		// A later commit may have removed the secret: then the file on disk is published, and not held.
		const isHeld = stamp !== null && stamp !== "absent" && diskOid(context, name) !== entries.get(name)?.oid;
		if (isHeld) note(context, name, finding, stamp, shown);
		else reportHeld(context, shown, finding);
	}
	log.warn(
		`unpublished commits held a secret: rewritten without it (${newHead.slice(0, 12)} instead of ${head.slice(0, 12)}, which is kept here for 30 days)`,
	);
	memory.publishable = newHead;
	secrets.checked = newHead;
	const left = Math.max(0, snapshot.committed - findings.size) || (snapshot.committed > 0 ? 1 : 0);
	return remadeSnapshot(snapshot, replaced, newHead, left);
}
