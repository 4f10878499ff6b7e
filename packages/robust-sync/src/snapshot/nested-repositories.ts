import fs from "node:fs";
import path from "node:path";
import {
	fileSystemPath,
	type GitPath,
	isGitPath,
	pathIn,
	type Repository,
	splitRecords,
	withoutSlash,
	writeIndexEntries,
} from "@robust-sync/git";

/** Whether the nested repository in `directory` has a remote of its own: then it is someone's clone and not an agent's folder. */
function hasRemote(directory: Buffer): boolean {
	const dotGit = Buffer.concat([directory, Buffer.from("/.git")]);
	try {
		// A `.git` file points elsewhere: a submodule or a linked working tree, which its own repository syncs.
		if (!fs.lstatSync(dotGit).isDirectory()) return true;
		return /^\s*\[remote\s/m.test(fs.readFileSync(Buffer.concat([dotGit, Buffer.from("/config")]), "utf8"));
	} catch {
		return false;
	}
}

/** Whether there is any file or link below `directory`, `.git` aside. */
function holdsFiles(directory: Buffer): boolean {
	let entries: fs.Dirent<Buffer>[];
	try {
		entries = fs.readdirSync(directory, { withFileTypes: true, encoding: "buffer" }) as unknown as fs.Dirent<Buffer>[];
	} catch {
		return false;
	}
	const named = entries.filter((entry) => entry.name.toString("latin1") !== ".git");
	return (
		named.some((entry) => entry.isFile() || entry.isSymbolicLink()) ||
		named.some((entry) => entry.isDirectory() && holdsFiles(Buffer.concat([directory, Buffer.from("/"), entry.name])))
	);
}

// Only in the index, and only until the snapshot: there is no such file, so it is removed like a deleted one.
const placeholder = ".robust-sync-opened";
/** Whether the purpose of a path is only to open a nested repository. */
export function isPlaceholder(name: GitPath): boolean {
	return name.endsWith(`/${placeholder}`);
}

const emptyBlob = {
	sha1: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
	sha256: "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
};

/**
 * Gitlinks in the index (mode 160000) that no `.gitmodules` explains: the result of `git add` on a nested repository. One process,
 * so not in every cycle.
 */
export async function findBareLinks(repository: Repository): Promise<GitPath[]> {
	const { stdout } = await repository.run(["ls-files", "--stage", "-z"]);
	const links = splitRecords(stdout)
		.filter((line) => line.startsWith("160000 "))
		.map((line) => line.slice(line.indexOf("\t") + 1))
		.filter(isGitPath);
	if (links.length === 0) return [];
	const modules = path.join(repository.root, ".gitmodules");
	const known = fs.existsSync(modules) ? fs.readFileSync(modules, "latin1") : "";
	const paths = new Set([...known.matchAll(/^\s*path\s*=\s*(.*?)\s*$/gm)].map((match) => match[1]));
	return links.filter((link) => !paths.has(link));
}

/**
 * Decides on the nested repositories that git reported (directories with a trailing slash). If their files are to be
 * synced, an entry below it is put into the index: from then on git treats the directory as any other and lists its files,
 * by the person's ignore rules. No `.git` of theirs is touched, and a bare link is never committed.
 * @returns those that stay out, and whether the status must be read again
 */
export async function openNestedRepositories(
	repository: Repository,
	directories: readonly GitPath[],
	policy: "auto" | "contents" | "skip",
): Promise<{ skipped: GitPath[]; opened: boolean }> {
	const skipped: GitPath[] = [];
	let opened = false;
	for (const withSlash of directories) {
		const directory = withoutSlash(withSlash);
		const contents = policy === "contents" || (policy === "auto" && !hasRemote(fileSystemPath(repository.root, directory)));
		if (!contents) {
			skipped.push(directory);
			continue;
		}
		if (!holdsFiles(fileSystemPath(repository.root, directory))) continue;
		await writeIndexEntries(repository, [
			// A bare link of the same name is replaced.
			{ path: directory, entry: null },
			{ path: pathIn(directory, placeholder), entry: { mode: "100644", oid: emptyBlob[repository.objectFormat] } },
		]);
		opened = true;
	}
	return { skipped, opened };
}
