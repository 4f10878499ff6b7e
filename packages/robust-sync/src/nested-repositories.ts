import fs from "node:fs";
import path from "node:path";
import { fileSystemPath, type GitPath, gitPath, gitPathBytes, type Repository, writeIndexEntries } from "@robust-sync/git";

/** Whether the nested repository in `directory` has a remote of its own: then it is somebody's clone and not an agent's folder. */
function hasRemote(directory: string): boolean {
	const dotGit = path.join(directory, ".git");
	try {
		// A `.git` file points elsewhere: a submodule or a linked work tree, synced by its own repository.
		if (!fs.lstatSync(dotGit).isDirectory()) return true;
		return /^\s*\[remote\s/m.test(fs.readFileSync(path.join(dotGit, "config"), "utf8"));
	} catch {
		return false;
	}
}

function firstFile(root: string, directory: GitPath): GitPath | null {
	let entries: fs.Dirent<Buffer>[];
	try {
		entries = fs.readdirSync(fileSystemPath(root, directory), {
			withFileTypes: true,
			encoding: "buffer",
		}) as unknown as fs.Dirent<Buffer>[];
	} catch {
		return null;
	}
	const named = entries.filter((entry) => entry.name.toString("latin1") !== ".git");
	const file = named.find((entry) => entry.isFile() || entry.isSymbolicLink());
	if (file) return `${directory}/${gitPath(file.name)}` as GitPath;
	for (const entry of named) {
		const found = entry.isDirectory() ? firstFile(root, `${directory}/${gitPath(entry.name)}` as GitPath) : null;
		if (found !== null) return found;
	}
	return null;
}

/**
 * Links in the index (mode 160000) that no `.gitmodules` explains: what `git add` makes of a nested repository. One process,
 * so not in every cycle.
 */
export async function findBareLinks(repository: Repository): Promise<GitPath[]> {
	const { stdout } = await repository.run(["ls-files", "--stage", "-z"]);
	const links = gitPath(stdout)
		.split("\0")
		.filter((line) => line.startsWith("160000 "))
		.map((line) => line.slice(line.indexOf("\t") + 1) as GitPath);
	if (links.length === 0) return [];
	const modules = path.join(repository.root, ".gitmodules");
	const known = fs.existsSync(modules) ? fs.readFileSync(modules, "latin1") : "";
	const paths = new Set([...known.matchAll(/^\s*path\s*=\s*(.*?)\s*$/gm)].map((match) => match[1]));
	return links.filter((link) => !paths.has(link));
}

/**
 * Decides on the nested repositories that git reported (directories with a trailing slash). Where their files are to be
 * synced, one of them is put into the index by its blob: from then on git treats the directory as any other and lists its
 * files. No `.git` of theirs is touched, and a bare link is never committed.
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
		const directory = withSlash.replace(/\/$/, "") as GitPath;
		const contents =
			policy === "contents" || (policy === "auto" && !hasRemote(fileSystemPath(repository.root, directory).toString("utf8")));
		if (!contents) {
			skipped.push(directory);
			continue;
		}
		const file = firstFile(repository.root, directory);
		if (file === null) continue;
		const content = fs.lstatSync(fileSystemPath(repository.root, file)).isSymbolicLink()
			? fs.readlinkSync(fileSystemPath(repository.root, file), { encoding: "buffer" })
			: null;
		const { stdout } = await repository.run(["hash-object", "-w", "--no-filters", content ? "--stdin" : "--stdin-paths"], {
			input: content ?? Buffer.concat([gitPathBytes(file), Buffer.of(10)]),
		});
		await writeIndexEntries(repository, [
			// A bare link of the same name gives way.
			{ path: directory, entry: null },

			{ path: file, entry: { mode: content ? "120000" : "100644", oid: stdout.toString("latin1").trim() } },
		]);
		opened = true;
	}
	return { skipped, opened };
}
