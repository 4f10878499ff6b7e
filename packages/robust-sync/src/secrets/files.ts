import { createHash } from "node:crypto";
import { type FileChange, fileSystemPath, type GitPath, readDiskFile, stampOf, WorkCounter } from "@robust-sync/git";
import { filtersApply } from "@robust-sync/resolve";
import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import type { CycleContext } from "../context/cycle-context.ts";
import { secretNames } from "./names.ts";
import { letGo, note } from "./notes.ts";
import { isOn } from "./policy.ts";
import { type Content, isFullBatch, maxBlobBytes, search } from "./search.ts";

/**
 * Searches files of the working tree before they are committed. If filters apply, the committed content differs from the one on disk: then
 * only {@link withoutSecrets} searches.
 * @returns the files that may be committed
 * @throws ScanError, GitError
 */
export async function withoutSecretFiles(context: CycleContext, names: Items<GitPath>): Promise<Items<GitPath>> {
	const { repository, memory } = context;
	if (!isOn(context) || names.length === 0) return names;
	const { held } = memory.secrets;
	const isHeldStill = (name: GitPath) => {
		const noted = held.get(name);
		return noted !== undefined && noted.stamp === stampOf(repository, name);
	};
	const left = held.size === 0 ? names : names.filter((name) => !isHeldStill(name));
	if (await filtersApply(repository)) return left;
	const withheld = new Set<GitPath>();
	const inNames = await secretNames(context, left);
	for (const [name, { finding, shown }] of inNames) {
		const stamp = stampOf(repository, name);
		if (stamp !== null && stamp !== "absent" && note(context, name, finding, stamp, shown)) withheld.add(name);
	}
	let batch: (Content & { readonly stamp: string })[] = [];
	let bytes = 0;
	const flush = async () => {
		const found = await search(context, batch);
		for (const content of batch) {
			const finding = found.get(content);
			if (finding === undefined) letGo(context, content.path, content.oid);
			else if (note(context, content.path, finding, content.stamp)) withheld.add(content.path);
		}
		batch = [];
		bytes = 0;
	};
	const counter = new WorkCounter(repository.onProgress, "searching files for secrets", left.length);
	for (const [index, name] of left.entries()) {
		if (withheld.has(name)) continue;
		const stamp = stampOf(repository, name);
		let file: ReturnType<typeof readDiskFile> = null;
		try {
			const stats = lstatIfThere(fileSystemPath(repository.root, name));
			if ((stats?.size ?? 0) <= maxBlobBytes) file = readDiskFile(repository, name);
		} catch {
			// The commit step reports it as unreadable.
		}
		if (file === null || stamp === null) {
			if (stamp === "absent") letGo(context, name);
			continue;
		}
		batch.push({ path: name, oid: file.oid, content: file.content, stamp });
		bytes += file.content.length;
		if (!isFullBatch(batch.length, bytes)) continue;
		await flush();
		counter.upTo(index + 1);
	}
	await flush();
	counter.end();
	return withheld.size === 0 ? left : left.filter((name) => !withheld.has(name));
}

/**
 * The same for contents in memory that are committed as they are.
 * @returns the paths that must not be committed
 * @throws ScanError
 */
export async function secretChanges(context: CycleContext, changes: readonly FileChange[]): Promise<ReadonlySet<GitPath>> {
	const withheld = new Set<GitPath>();
	if (!isOn(context)) return withheld;
	const contents = changes.flatMap((change) =>
		"content" in change ? [{ path: change.path, oid: oidKey(change.content), content: Buffer.from(change.content) }] : [],
	);
	const inNames = await secretNames(
		context,
		contents.map(({ path }) => path),
	);
	for (const [name, { finding, shown }] of inNames)
		if (note(context, name, finding, stampOf(context.repository, name) ?? "", shown)) withheld.add(name);
	const found = await search(context, contents);
	for (const content of contents) {
		if (withheld.has(content.path)) continue;
		const finding = found.get(content);
		if (finding === undefined) letGo(context, content.path, content.oid);
		else if (note(context, content.path, finding, stampOf(context.repository, content.path) ?? "")) withheld.add(content.path);
	}
	for (const change of changes) if ("delete" in change) letGo(context, change.path);
	return withheld;
}

/** Not an id of git's: for contents whose blob id is not computed here. */
const oidKey = (content: Uint8Array): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;
