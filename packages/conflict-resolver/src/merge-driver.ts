import { readFileSync, writeFileSync } from "node:fs";
import {
	blobOid,
	GitError,
	type GitPath,
	gitPathFromText,
	lastTouches,
	type Oid,
	openMergeStore,
	openRepository,
	type Repository,
	readHead,
	type TreeEntry,
	withObjectReader,
} from "@robust-sync/git";
import { mergeContents } from "@robust-sync/merge";
import { type FileResolution, kindAttributes, resolveFile, saveVersionsOf, type VersionsToSave } from "@robust-sync/resolve";
import { ensureExcluded, isOwnName, loadConfig, WorkspacePaths } from "@robust-sync/workspace";

/** The arguments of a merge driver (gitattributes(5), Defining a custom merge driver). */
export interface DriverFiles {
	/** %O */
	readonly base: string;
	/** %A: ours, and the file for the result */
	readonly ours: string;
	/** %B */
	readonly theirs: string;
	/** %P: the path in the repository */
	readonly path: string;
}

/** The commit that is being merged, by the variable that `git merge` sets for its drivers; null: a rebase or cherry-pick. */
function mergedCommit(env: NodeJS.ProcessEnv): Oid | null {
	const heads = Object.keys(env).flatMap((name) => /^GITHEAD_([0-9a-f]{40,64})$/.exec(name)?.[1] ?? []);
	return heads.length === 1 ? (heads[0] ?? null) : null;
}

/** The later side: of a merge by its history, otherwise the change that is being applied. */
async function laterSide(repository: Repository, path: GitPath, ours: Buffer, theirs: Buffer, env: NodeJS.ProcessEnv): Promise<"a" | "b"> {
	const [{ oid: head }, merged] = [await readHead(repository), mergedCommit(env)];
	if (head === null || merged === null) return "b";
	const [a, b] = [blobOid(ours, repository.objectFormat), blobOid(theirs, repository.objectFormat)];
	const touched = await lastTouches({ store: openMergeStore(repository), isOwn: isOwnName }, head, merged, {
		paths: new Set([path]),
		blobs: new Set([a, b]),
	});
	const [atOurs, atTheirs] = [
		touched.first.paths.get(path) ?? touched.first.blobs.get(a) ?? 0,
		touched.second.paths.get(path) ?? touched.second.blobs.get(b) ?? 0,
	];
	return atOurs > atTheirs || (atOurs === atTheirs && a > b) ? "a" : "b";
}

async function attributeOf(repository: Repository, path: GitPath) {
	const { oid: head } = await readHead(repository);
	if (head === null) return undefined;
	const store = openMergeStore(repository);
	return (await withObjectReader(store, (reader) => kindAttributes(store, reader, head, new Map(), [path]))).get(path);
}

/**
 * Merges one file for git: by its kind, without markers, never a conflict. Lost versions are saved in sync/conflicts/ first.
 * @param directory the top of the working tree, where git runs drivers
 * @throws GitError, the file system's errors: git then reports a conflict and leaves the file unchanged
 */
export async function runMergeDriver(
	files: DriverFiles,
	directory: string,
	env: NodeJS.ProcessEnv = process.env,
	now = Date.now(),
): Promise<void> {
	const [base, ours, theirs] = [readFileSync(files.base), readFileSync(files.ours), readFileSync(files.theirs)];
	const paths = new WorkspacePaths(directory);
	const config = loadConfig({ workspace: paths.root });
	const path = gitPathFromText(files.path);
	let repository: Repository;
	try {
		repository = await openRepository({ directory: paths.root, node: config.nodeName });
	} catch (error) {
		// Three files without a repository: merged as well, unless that would lose something.
		const { content, lost } = mergeContents({ path, base: base.length > 0 ? base : null, a: ours, b: theirs, later: "b" });
		if (!(error instanceof GitError && error.code === "NOT_A_REPOSITORY") || lost.a || lost.b) throw error;
		writeFileSync(files.ours, content);
		return;
	}
	const { oid: head } = await readHead(repository);
	const whole = await ofWholeMerge(repository, head, path, { ours, theirs }, env);
	const merged = whole ?? (await ofThreeFiles(repository, path, { base, ours, theirs }, env));
	if (merged.lost) {
		const file: VersionsToSave = { ...merged, strategy: "driver", save: true };
		ensureExcluded(paths.root);
		await saveVersionsOf(repository, paths, { commit: null, ours: head, theirs: mergedCommit(env), base: null, files: [file] }, now);
	}
	writeFileSync(files.ours, merged.content);
}

/** The merged content, and the versions to save. */
type DriverResult = Pick<VersionsToSave, "path" | "type" | "winner" | "versions"> & {
	readonly content: Uint8Array;
	readonly lost: boolean;
};

/**
 * In a `git merge`: the file in a sync cycle's merge of the same commits. Of several merge bases git makes a base by
 * itself, with conflict markers in it; a cycle does not. null: it is another merge, such as one of merge bases.
 */
async function ofWholeMerge(
	repository: Repository,
	head: Oid | null,
	path: GitPath,
	{ ours, theirs }: { ours: Buffer; theirs: Buffer },
	env: NodeJS.ProcessEnv,
): Promise<FileResolution | null> {
	const merged = mergedCommit(env);
	if (head === null || merged === null) return null;
	const found = await resolveFile(repository, head, merged, path);
	const isSame = (content: Buffer, version: TreeEntry | null) => version?.oid === blobOid(content, repository.objectFormat);
	return found && isSame(ours, found.versions.ours) && isSame(theirs, found.versions.theirs) ? found : null;
}

async function ofThreeFiles(
	repository: Repository,
	path: GitPath,
	{ base, ours, theirs }: { base: Buffer; ours: Buffer; theirs: Buffer },
	env: NodeJS.ProcessEnv,
): Promise<DriverResult> {
	const [later, attribute] = await Promise.all([laterSide(repository, path, ours, theirs, env), attributeOf(repository, path)]);
	// git passes an empty file if there is no base.
	const { content, lost, winner } = mergeContents({ path, base: base.length > 0 ? base : null, a: ours, b: theirs, later, attribute });
	const version = (bytes: Buffer) => ({ mode: "100644", content: bytes });
	return {
		path,
		type: base.length > 0 ? "content" : "add/add",
		winner: winner === "a" ? "ours" : winner === "b" ? "theirs" : "merged",
		versions: { ours: version(ours), theirs: version(theirs), base: base.length > 0 ? version(base) : null },
		lost: lost.a || lost.b,
		content,
	};
}
