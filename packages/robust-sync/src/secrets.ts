import { createHash } from "node:crypto";
import {
	displayPath,
	type FileChange,
	fileSystemPath,
	type GitPath,
	gitPathIfAllowed,
	isArgument,
	lstatIfThere,
	type Oid,
	openMergeStore,
	readDiskFile,
	readObjects,
	readObjectsWhole,
	readTreePaths,
	replaceInCommits,
	splitRecords,
	statStamp,
	type TreeEntry,
	updateRef,
	writeIndexEntries,
} from "@robust-sync/git";
import { filtersApply, markedAsMade } from "@robust-sync/resolve";
import { type Allowed, type Finding, newSalt, parseAllowed, ScanThread } from "@robust-sync/secrets";
import { shellPath } from "@robust-sync/service/printable";
import {
	type Config,
	compactTimestamp,
	faultPoint,
	type PublishedSecret,
	type SkippedFile,
	type WorkspacePaths,
} from "@robust-sync/workspace";
import { type CycleContext, openWorkspaceRepository } from "./cycle-context.ts";
import { machineSecrets, ownSecretsIntervalMs } from "./machine-secrets.ts";
import { refusedRefs } from "./refused-files.ts";
import { remadeSnapshot } from "./remade-snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { SyncError } from "./sync-error.ts";
import { knownTip, syncedBranch } from "./upstream.ts";

// Nothing that looks like a secret is published. Two looks: at files before they are committed, so that a secret gets into no commit; and at
// the blobs of all that was not published yet, before anything is: whatever door they came in by.

/** Where deliberate values are listed, at the top of the workspace. */
export const allowFile = ".secretsallow";

/** A file that is held, or was published, because of what is in it. */
interface Noted {
	/** The file on disk when it was searched (`statStamp`). */
	readonly stamp: string;
	readonly rule: string;
	readonly line: number;
}

/** What a process remembers of what it searched. Losing it costs time only. */
export class SecretMemory {
	readonly thread = new ScanThread();
	/** For hashes of values that are compared in this process, and leave it nowhere. */
	readonly salt = newSalt();
	/** What decides about findings: the mode, `.secretsallow`, this machine's own secrets. */
	policy = "";
	allowed: readonly Allowed[] = [];
	/** Blobs that were searched under this policy and hold nothing. */
	readonly clean = new Set<string>();
	/** HEAD, whose commits hold nothing that is to be held. */
	checked: Oid | null = null;
	readonly held = new Map<GitPath, Noted>();
	readonly published = new Map<string, Noted>();
	/** Messages that are held, by their names in the outbox and blobs: where the secret is. */
	readonly messages = new Map<string, Finding>();
	/** When this machine's own secrets were last read, by the clock that nobody sets. */
	ownReadAt: number | null = null;
	ownKey = "";
}

/** More blobs than this are forgotten, and searched again when they turn up. */
const maxClean = 200_000;
/** A larger allow file allows nothing. */
const maxAllowBytes = 1_048_576;
/** So much of the working tree is in memory at once. */
const batchBytes = 16 * 1_048_576;
/** Larger files and blobs are not searched: where MAX_FILE_MB leaves them in. */
const maxBlobBytes = 256 * 1_048_576;
/** Longer unpublished histories are for a person. */
const maxCommits = 2_000;

function stampOf(root: string, name: GitPath): string | null {
	try {
		return statStamp(lstatIfThere(fileSystemPath(root, name)));
	} catch {
		return null;
	}
}

function readAllowText({ repository }: CycleContext): string {
	const name = gitPathIfAllowed(allowFile);
	if (name === null) return "";
	try {
		const file = readDiskFile(repository, name);
		return file === null || file.mode === "120000" || file.content.length > maxAllowBytes ? "" : file.content.toString("utf8");
	} catch {
		return "";
	}
}

/** Reads what decides about findings. Where that has changed, everything is searched again. */
async function refreshPolicy(context: CycleContext): Promise<void> {
	const { config, memory } = context;
	const { secrets, clock } = memory;
	if (secrets.ownReadAt === null || clock.now() - secrets.ownReadAt > ownSecretsIntervalMs) {
		const own = await machineSecrets(context);
		const key = createHash("sha256").update(JSON.stringify(own)).digest("hex");
		if (key !== secrets.ownKey) secrets.thread.setOwn(own);
		secrets.ownKey = key;
		secrets.ownReadAt = clock.now();
	}
	const text = readAllowText(context);
	const policy = JSON.stringify([config.syncSecrets, text, secrets.ownKey]);
	if (policy === secrets.policy) return;
	const isFirst = secrets.policy === "";
	secrets.policy = policy;
	secrets.allowed = parseAllowed(text);
	secrets.clean.clear();
	secrets.checked = null;
	secrets.messages.clear();
	if (!isFirst && (secrets.held.size > 0 || secrets.published.size > 0)) memory.known.forget();
	secrets.held.clear();
	secrets.published.clear();
}

const isOn = ({ config }: CycleContext) => config.syncSecrets !== "off";

/** Reads what decides about findings, before a snapshot. @throws GitError */
export async function beginSecretSearch(context: CycleContext): Promise<void> {
	if (isOn(context)) await refreshPolicy(context);
	else {
		context.memory.secrets.held.clear();
		context.memory.secrets.published.clear();
	}
}

/** What is allowed at one path is not at another. */
function cleanKey({ memory }: CycleContext, oid: Oid, path: string): string {
	return memory.secrets.allowed.length === 0 ? oid : `${oid} ${path}`;
}

function noteClean(context: CycleContext, oid: Oid, path: string): void {
	const { clean } = context.memory.secrets;
	if (clean.size >= maxClean) clean.clear();
	clean.add(cleanKey(context, oid, path));
}

/** One content of a path of the workspace. */
interface Content {
	readonly path: GitPath;
	readonly oid: Oid;
	readonly content: Buffer;
}

/**
 * The first new finding in each content that has one. Contents without a finding are noted as clean. A value that the published version of the
 * path holds as well cannot be kept from the hub any more: it is reported, and does not hold what is written beside it.
 * @throws ScanError, GitError
 */
async function search(context: CycleContext, contents: readonly Content[]): Promise<Map<Content, Finding>> {
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
		suspects.map(({ content }) => content.path),
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
	const asked = [...new Set(names)].filter(isArgument);
	if (tip === null || asked.length === 0) return hashes;
	const entries = new Map<GitPath, TreeEntry>();
	for (let start = 0; start < asked.length; start += 400)
		for (const [name, entry] of await readTreePaths(repository, tip, asked.slice(start, start + 400)))
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

/** @param why it is published all the same */
function notePublished(context: CycleContext, path: string, { rule, line }: Finding, why: string): void {
	const { published } = context.memory.secrets;
	const before = published.get(path);
	if (before?.rule !== rule || before.line !== line)
		context.log.warn(`a secret is in ${JSON.stringify(path)}, line ${line} (${rule}): ${why}`);
	published.set(path, { stamp: "", rule, line });
}

function reportHeld(context: CycleContext, path: string, { rule, line }: Finding): void {
	context.log.warn(`a secret is in ${JSON.stringify(path)}, line ${line} (${rule}): this version is not published`);
}

const warnOnly = "it is published, because SYNC_SECRETS=warn";

/** Notes a finding at a path. @returns whether the file is to be held */
function note(context: CycleContext, name: GitPath, finding: Finding, stamp: string): boolean {
	if (context.config.syncSecrets !== "hold") {
		notePublished(context, displayPath(name), finding, warnOnly);
		return false;
	}
	const { held, published } = context.memory.secrets;
	const { rule, line } = finding;
	const before = held.get(name);
	if (before?.rule !== rule || before.line !== line) reportHeld(context, displayPath(name), finding);
	held.set(name, { stamp, rule, line });
	published.delete(displayPath(name));
	return true;
}

/** @param oid of what is there now; absent: nothing */
function letGo(context: CycleContext, name: GitPath, oid?: string): void {
	const { held, published, clean } = context.memory.secrets;
	const path = displayPath(name);
	if (held.delete(name)) context.log.info(`no new secret is in ${JSON.stringify(path)} any more: it is synced again`);
	if (oid === undefined || clean.has(cleanKey(context, oid, name))) published.delete(path);
}

/**
 * Held files that are as HEAD has them now, or gone, are let go.
 * @param changed what differs from HEAD @param among those of which that is known; absent: all
 */
export function forgetUnchanged(context: CycleContext, changed: ReadonlySet<GitPath>, among?: readonly GitPath[]): void {
	const { held } = context.memory.secrets;
	for (const name of among ?? [...held.keys()]) {
		const noted = held.get(name);
		if (noted !== undefined && !changed.has(name) && noted.stamp !== stampOf(context.repository.root, name)) letGo(context, name);
	}
}

/**
 * Searches files of the working tree before they are committed. Where filters apply, what is committed is not what is on disk: then
 * only {@link withoutSecrets} searches.
 * @returns those that may be committed
 * @throws ScanError, GitError
 */
export async function withoutSecretFiles(context: CycleContext, names: readonly GitPath[]): Promise<readonly GitPath[]> {
	const { repository, memory } = context;
	if (!isOn(context) || names.length === 0) return names;
	const { held } = memory.secrets;
	const isHeldStill = (name: GitPath) => {
		const noted = held.get(name);
		return noted !== undefined && noted.stamp === stampOf(repository.root, name);
	};
	const left = held.size === 0 ? names : names.filter((name) => !isHeldStill(name));
	if (await filtersApply(repository)) return left;
	const withheld = new Set<GitPath>();
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
	for (const name of left) {
		const stamp = stampOf(repository.root, name);
		let file: ReturnType<typeof readDiskFile> = null;
		try {
			const stats = lstatIfThere(fileSystemPath(repository.root, name));
			if ((stats?.size ?? 0) <= maxBlobBytes) file = readDiskFile(repository, name);
		} catch {
			// It is reported as unreadable by whoever is to commit it.
		}
		if (file === null || stamp === null) {
			if (stamp === "absent") letGo(context, name);
			continue;
		}
		batch.push({ path: name, oid: file.oid, content: file.content, stamp });
		bytes += file.content.length;
		if (bytes > batchBytes) await flush();
	}
	await flush();
	return withheld.size === 0 ? left : left.filter((name) => !withheld.has(name));
}

/**
 * The same for contents that are in memory already, and that are what is committed.
 * @returns the paths that must not be
 * @throws ScanError
 */
export async function secretChanges(context: CycleContext, changes: readonly FileChange[]): Promise<ReadonlySet<GitPath>> {
	const withheld = new Set<GitPath>();
	if (!isOn(context)) return withheld;
	const contents = changes.flatMap((change) =>
		"content" in change ? [{ path: change.path, oid: oidKey(change.content), content: Buffer.from(change.content) }] : [],
	);
	const found = await search(context, contents);
	for (const content of contents) {
		const finding = found.get(content);
		if (finding === undefined) letGo(context, content.path, content.oid);
		else if (note(context, content.path, finding, stampOf(context.repository.root, content.path) ?? "")) withheld.add(content.path);
	}
	for (const change of changes) if ("delete" in change) letGo(context, change.path);
	return withheld;
}

/** Not an id of git's: contents that git is given without us asking for the id. */
const oidKey = (content: Uint8Array): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** A commit that was not published, and what it put where. */
interface UnpublishedCommit {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	readonly changes: { readonly path: GitPath; readonly oid: Oid }[];
}

/** Commits that HEAD has and none of `known` has, parents first, by one process. @throws GitError */
async function unpublishedCommits(context: CycleContext, head: Oid, known: readonly Oid[]): Promise<UnpublishedCommit[]> {
	const store = openMergeStore(context.repository);
	const { stdout } = await store.run([
		"log",
		"-z",
		"--topo-order",
		"--reverse",
		"--format=%x01%H %P",
		"--raw",
		"-c",
		"-r",
		"--root",
		"--no-abbrev",
		"--no-renames",
		"--no-mailmap",
		"--no-show-signature",
		"--no-ext-diff",
		"--no-color",
		head,
		...known.map((oid) => `^${oid}`),
		"--",
	]);
	const commits: UnpublishedCommit[] = [];
	let header: string | null = null;
	for (const token of splitRecords(stdout)) {
		// A line feed is between a commit and what it changed.
		const record: string = header === null && token.startsWith("\n") ? token.slice(1) : token;
		if (header !== null) {
			const name = gitPathIfAllowed(record);
			// ":<modes> <ids> <status>": with n parents n+1 modes and n+1 ids, the result's last.
			const fields = header.split(" ");
			const parents = /^:*/.exec(header)?.[0].length ?? 1;
			const mode = fields[parents] ?? "";
			const oid = fields.at(-2) ?? "";
			if (name !== null && mode !== "160000" && !/^0+$/.test(oid)) commits.at(-1)?.changes.push({ path: name, oid });
			header = null;
		} else if (record.startsWith(":")) header = record;
		else if (record.startsWith("\x01")) {
			const [commit = "", ...parents] = record.slice(1).split(" ").filter(Boolean);
			commits.push({ commit, parents, changes: [] });
		}
	}
	return commits;
}

/** The commits of a snapshot that are not published, and not searched yet. */
export interface Unpublished {
	readonly head: Oid | null;
	readonly commits: readonly UnpublishedCommit[];
	/** Whether they are all that is new since own files were last looked for, and all of it is known. */
	readonly isAll: boolean;
}

/** @throws GitError */
export async function listUnpublished(context: CycleContext, { head, status, isDirect }: Snapshot): Promise<Unpublished> {
	const { secrets, publishable } = context.memory;
	const nothing = { head, commits: [], isAll: false };
	if (!isOn(context) || head === null || head === secrets.checked) return nothing;
	// What a direct snapshot commits was searched as it is.
	if (isDirect === true && status.head !== null && status.head === secrets.checked) return nothing;
	const tip = await knownTip(context);
	if (head === tip) return nothing;
	const commits = await unpublishedCommits(
		context,
		head,
		[tip, secrets.checked].filter((oid) => oid !== null),
	);
	return { head, commits, isAll: tip !== null && publishable === secrets.checked };
}

/** What blobs hold, by path and id. @throws ScanError, GitError */
async function searchBlobs(
	context: CycleContext,
	commits: readonly UnpublishedCommit[],
): Promise<Map<string, { readonly path: GitPath; readonly finding: Finding }>> {
	const { repository, memory } = context;
	const paths = new Map<Oid, Set<GitPath>>();
	for (const { changes } of commits)
		for (const { path, oid } of changes) {
			if (memory.secrets.clean.has(cleanKey(context, oid, path))) continue;
			const known = paths.get(oid) ?? new Set();
			known.add(path);
			paths.set(oid, known);
		}
	const found = new Map<string, { readonly path: GitPath; readonly finding: Finding }>();
	let batch: Content[] = [];
	let bytes = 0;
	const flush = async () => {
		for (const [{ path, oid }, finding] of await search(context, batch)) found.set(`${oid} ${path}`, { path, finding });
		batch = [];
		bytes = 0;
	};
	const oids = [...paths.keys()];
	for (let start = 0; start < oids.length; start += 256) {
		const waiting: Content[] = [];
		await readObjects(repository, oids.slice(start, start + 256), (oid, content) => {
			if (content.length > maxBlobBytes) return;
			const copy = Buffer.from(content);
			for (const path of paths.get(oid) ?? []) waiting.push({ path, oid, content: copy });
		});
		for (const content of waiting) {
			batch.push(content);
			bytes += content.content.length;
			if (bytes > batchBytes) await flush();
		}
	}
	await flush();
	return found;
}

/**
 * Searches all that is not published yet, before anything is. Commits that hold a secret are made again with the last version of the file
 * that holds none; the file stays on disk as it is, and is reported. The old commits stay reachable here for 30 days.
 * @returns the snapshot as it is afterwards
 * @throws SyncError PUSH_REJECTED where they are too many to be made again; ScanError, GitError, LockLostError
 */
export async function withoutSecrets(context: CycleContext, snapshot: Snapshot, listed: Unpublished | null = null): Promise<Snapshot> {
	const { repository, memory, config, lock, log, now } = context;
	const { secrets } = memory;
	const { head } = snapshot;
	if (!isOn(context) || head === null || head === secrets.checked) return snapshot;
	const { commits } = listed?.head === head ? listed : await listUnpublished(context, snapshot);
	const found = await searchBlobs(context, commits);
	if (found.size === 0) {
		secrets.checked = head;
		return snapshot;
	}
	const findings = new Map<GitPath, Finding>();
	for (const { path, finding } of found.values()) findings.set(path, finding);
	if (config.syncSecrets === "warn") {
		for (const [name, finding] of findings) note(context, name, finding, stampOf(repository.root, name) ?? "");
		secrets.checked = head;
		return snapshot;
	}
	const names = [...findings.keys()];
	if (commits.length > maxCommits || !names.every(isArgument)) {
		const shown = names.slice(0, 3).map((name) => JSON.stringify(displayPath(name)));
		throw new SyncError(
			"PUSH_REJECTED",
			`commits that are not published yet hold a secret (${shown.join(", ")}) and are too many to be made again: take it out of them (git filter-repo, git rebase), or allow it: robust-sync --allow-secret PATH`,
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
	);
	const newHead = replaced.get(head) ?? head;
	lock.assertHeld();
	await updateRef(repository, `${refusedRefs}${compactTimestamp(now())}`, head, null, "robust-sync: keep what holds a secret");
	faultPoint("secret-kept");
	await updateRef(repository, `refs/heads/${syncedBranch(context)}`, newHead, head, "robust-sync: leave out what holds a secret");
	memory.known.forget();
	const entries = await readTreePaths(repository, newHead, names);
	await writeIndexEntries(
		repository,
		names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
	);
	for (const [name, finding] of findings) {
		const stamp = stampOf(repository.root, name);
		if (stamp !== null && stamp !== "absent") note(context, name, finding, stamp);
		else reportHeld(context, displayPath(name), finding);
	}
	log.warn(
		`commits that were not published yet held a secret: made again without it (${newHead.slice(0, 12)} instead of ${head.slice(0, 12)}, which is kept here for 30 days)`,
	);
	memory.publishable = newHead;
	secrets.checked = newHead;
	const left = Math.max(0, snapshot.committed - findings.size) || (snapshot.committed > 0 ? 1 : 0);
	return remadeSnapshot(snapshot, replaced, newHead, left);
}

/** Where a secret is in a text that is no file: a message, an annotation. Null: nowhere. @throws ScanError */
export async function secretIn(context: CycleContext, path: string, content: Buffer): Promise<Finding | null> {
	if (!isOn(context)) return null;
	await refreshPolicy(context);
	const [findings = []] = await context.memory.secrets.thread.scan([{ path, content }], context.memory.secrets.allowed);
	return findings[0] ?? null;
}

/** The same without a cycle: for what a command is given. @throws ScanError, GitError */
export async function secretInTexts(paths: WorkspacePaths, config: Config, texts: readonly (string | null)[]): Promise<Finding | null> {
	const repository = await openWorkspaceRepository(paths, config);
	const thread = new ScanThread();
	thread.setOwn(await machineSecrets({ repository, paths }));
	const [findings = []] = await thread.scan([{ path: "annotation", content: Buffer.from(texts.join("\n")) }], []);
	return findings[0] ?? null;
}

/**
 * Whether a message is held because of a secret, and what to do about it. One that is published all the same is logged once.
 * @param shown its path for people @returns null: it is delivered
 * @throws ScanError
 */
export async function heldMessage(context: CycleContext, shown: string, blob: Oid, content: Buffer): Promise<string | null> {
	if (!isOn(context)) return null;
	await refreshPolicy(context);
	const { messages, clean } = context.memory.secrets;
	if (clean.has(cleanKey(context, blob, shown))) return null;
	const key = `${blob} ${shown}`;
	const known = messages.get(key);
	const finding = known ?? (await secretIn(context, shown, content));
	if (finding === null) {
		noteClean(context, blob, shown);
		return null;
	}
	const isHeld = context.config.syncSecrets === "hold";
	if (known === undefined && isHeld) reportHeld(context, shown, finding);
	else if (known === undefined) notePublished(context, shown, finding, warnOnly);
	messages.set(key, finding);
	if (isHeld)
		return `line ${finding.line} holds a secret (${finding.rule}): remove the message, or allow it: robust-sync --allow-secret ${shellPath(shown)}`;
	return null;
}

/** What to do about a finding, in words. */
export function secretRemedy({ rule, line }: Pick<Finding, "rule" | "line">, path: string): string {
	return `line ${line} holds a secret (${rule}): take it out of the file, or, if it may be published, robust-sync --allow-secret ${shellPath(path)}`;
}

/** Held files as `skipped` reports them, as long as they are as they were. */
export function secretSkipped(context: CycleContext): SkippedFile[] {
	return [...context.memory.secrets.held].map(([name, noted]) => ({
		path: displayPath(name),
		reason: "secret",
		remedy: secretRemedy(noted, displayPath(name)),
	}));
}

/** What was published although it holds a secret (SYNC_SECRETS=warn). */
export function publishedSecrets(context: CycleContext): PublishedSecret[] {
	return [...context.memory.secrets.published].map(([path, { rule, line }]) => ({ path, rule, line }));
}
