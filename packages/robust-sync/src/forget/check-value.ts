import fs from "node:fs";
import path from "node:path";
import { bareRepository, listAllObjects, localHub, type Repository, runOnNetwork, textBytes, withObjectReader } from "@robust-sync/git";
import { realPath } from "@robust-sync/history";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { linkedTrees, unreachableTrees } from "./linked-trees.ts";
import { contentOfFile, filesBelow } from "./scrub-files.ts";
import { base64Parts, formsOf, holds } from "./value.ts";

/** A place with a value. */
export interface Place {
	/** `file`: of the workspace, also in its name; `object`: of its repository; `hub`, `mirror`: of the hub's, of a mirror's; `git`: another file of the git directory; `ref`: the name of a branch or tag. */
	readonly where: "file" | "object" | "hub" | "mirror" | "git" | "ref";
	/** A path, or the type and id of an object. */
	readonly name: string;
	/** `base64`: only in that form, which is not replaced. */
	readonly form: "text" | "base64";
}

/** What to do about a value that is still in a place. */
export const nextSteps: Readonly<Record<Place["where"], string>> = {
	file: "→ take it out of the file, or of its name: edit, rename or delete it here",
	object:
		"→ forget it: robust-sync --forget-value FILE; if that finds nothing, no commit has it any more: robust-sync --stop, then git gc --prune=now",
	hub: "→ forget it: robust-sync --forget-value FILE; if that finds nothing, on the hub, while no node pushes (robust-sync --pause): git reflog expire --expire=now --all && git gc --prune=now",
	mirror: "→ the same as on the hub, or empty the mirror: it gets the new history",
	git: "→ robust-sync/forget-waiting.json goes when the file that it waits for was cleaned (robust-sync --status); the index follows the files; edit any other file by hand",
	ref: "→ rename the branch (git branch -m), delete the tag (git tag -d), and delete both on the hub (git push --delete)",
};

/** The form of the value in a content; null: the content lacks it. */
type FormOf = (content: Buffer) => Place["form"] | null;

interface FoundObject {
	readonly name: string;
	readonly form: Place["form"];
}

/** Objects with a value, reachable or not. @throws GitError */
async function objectsWith(repository: Repository, formOf: FormOf): Promise<FoundObject[]> {
	const all = await listAllObjects(repository);
	const found: FoundObject[] = [];
	await withObjectReader(repository, async (reader) => {
		for (const [type, oids] of Object.entries(all))
			await reader.each(oids, (_info, content, index) => {
				const form = content && formOf(content);
				if (form) found.push({ name: `${type} ${oids[index]}`, form });
			});
	});
	return found;
}

/** The objects of a hub: of a directory here all; of one elsewhere those that a clone gets. @throws GitError if it cannot be reached */
async function hubObjectsWith(repository: Repository, remote: string, formOf: FormOf): Promise<FoundObject[]> {
	const local = localHub(repository, remote);
	if (local !== null) return await objectsWith(bareRepository(repository, local), formOf);
	const url = repository.config.get(`remote.${remote}.url`) ?? remote;
	const directory = path.join(repository.commonDirectory, "robust-sync", `check-${process.pid}`);
	try {
		await runOnNetwork(repository, ["clone", "--quiet", "--mirror", "--end-of-options", url, directory]);
		return await objectsWith(bareRepository(repository, directory), formOf);
	} finally {
		fs.rmSync(directory, { recursive: true, force: true });
	}
}

/**
 * Searches hub, mirrors, repository, working tree, saved versions, backups, messages and logs for a value.
 * @param own the real path of a file that holds the value on purpose, which is skipped
 * @throws GitError if the hub cannot be reached
 */
export async function searchValue(
	repository: Repository,
	paths: WorkspacePaths,
	config: Config,
	value: Buffer,
	own: string | null,
): Promise<Place[]> {
	const places: Place[] = [];
	const forms = formsOf(value);
	const encoded = base64Parts(value);
	const formOf: FormOf = (content) => {
		if (holds(content, forms)) return "text";
		return encoded.some((part) => content.includes(part)) ? "base64" : null;
	};
	for (const found of await hubObjectsWith(repository, config.syncRemote, formOf)) places.push({ where: "hub", ...found });
	for (const mirror of config.syncMirrors)
		for (const { name, form } of await hubObjectsWith(repository, mirror, formOf))
			places.push({ where: "mirror", name: `${mirror} ${name}`, form });
	for (const found of await objectsWith(repository, formOf)) places.push({ where: "object", ...found });
	const { stdout: refs } = await repository.run(["for-each-ref", "--format=%(refname)"]);
	for (const name of refs.toString("utf8").split("\n")) {
		const form = formOf(Buffer.from(name));
		if (form) places.push({ where: "ref", name, form });
	}
	const dotGit = path.join(paths.root, ".git");
	const search = (directory: string, where: Place["where"], skips: (file: string) => boolean) => {
		for (const file of filesBelow(directory, skips)) {
			if (own !== null && path.basename(file) === path.basename(own) && realPath(file) === own) continue;
			const content = contentOfFile(file);
			const inName = where === "file" ? formOf(textBytes(path.relative(directory, file))) : null;
			const form = inName ?? (content && formOf(content));
			if (form) places.push({ where, name: textBytes(path.relative(paths.root, file)).toString("utf8"), form });
		}
	};
	search(paths.root, "file", (file) => file === dotGit);
	for (const root of [...linkedTrees(repository).map((tree) => tree.root), ...unreachableTrees(repository)])
		search(root, "file", (file) => file === path.join(root, ".git"));
	search(repository.commonDirectory, "git", (file) => file === path.join(repository.commonDirectory, "objects"));
	return places;
}
