import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ConfigEntry } from "../process/git-environment.ts";
import { Repository } from "../process/repository.ts";

/** The environment with more settings on top of those that it has (git-config(1), GIT_CONFIG_COUNT). */
export function withSettings(env: Readonly<Record<string, string>>, entries: readonly ConfigEntry[]): Record<string, string> {
	const start = Number(env.GIT_CONFIG_COUNT ?? 0);
	const result: Record<string, string> = { ...env, GIT_CONFIG_COUNT: String(start + entries.length) };
	for (const [index, [key, value]] of entries.entries()) {
		result[`GIT_CONFIG_KEY_${start + index}`] = key;
		result[`GIT_CONFIG_VALUE_${start + index}`] = value;
	}
	return result;
}

/** What could make the same two commits merge differently elsewhere: settings of one person or machine. */
const settings: readonly ConfigEntry[] = [
	["merge.renames", "true"],
	["merge.directoryRenames", "false"],
	// Above this many candidates on both sides git looks for exact renames only: the rest would take minutes.
	["merge.renameLimit", "2000"],
	["diff.renameLimit", "2000"],
	["merge.renormalize", "false"],
	["log.showRoot", "true"],
	["log.showSignature", "false"],
	// Merges of up to this many new objects do not leave a pack of their own behind.
	["fastimport.unpackLimit", "100"],
];

/** An attributes file in the store: with `-merge` git keeps one version and leaves the path conflicted, whatever its content (gitattributes(5)). */
export const noLineMerge = "no-line-merge";

function quoted(value: string): string {
	return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** A git config file with the settings for the storage of objects and the source of missing ones. */
function storeConfig(repository: Repository, isPartial: boolean): string {
	const lines = ["[core]", "\trepositoryFormatVersion = 1", "\tbare = true"];
	const extensions = [["objectformat", repository.objectFormat === "sha1" ? undefined : repository.objectFormat]];
	if (isPartial) extensions.push(["partialclone", repository.config.get("extensions.partialclone")]);
	// Objects that are computed there are the repository's own.
	const shared = repository.config.get("core.sharedrepository");
	if (shared !== undefined) lines.push(`\tsharedRepository = ${quoted(shared)}`);
	const given = extensions.filter(([, value]) => value !== undefined);
	if (given.length > 0) lines.push("[extensions]", ...given.map(([name, value]) => `\t${name} = ${quoted(value ?? "")}`));
	if (isPartial) {
		for (const [key, value] of repository.config) {
			const match = /^remote\.(.+)\.(url|promisor|partialclonefilter)$/s.exec(key);
			if (match) lines.push(`[remote ${quoted(match[1] ?? "")}]`, `\t${match[2]} = ${quoted(value)}`);
		}
	}
	return `${lines.join("\n")}\n`;
}

function writeUnlessSame(file: string, content: string): void {
	if (existsSync(file) && readFileSync(file, "utf8") === content) return;
	const temporary = `${file}.${process.pid}`;
	writeFileSync(temporary, content);
	renameSync(temporary, file);
}

/** Whether objects may be missing that a remote has promised to have (gitglossary(7), partial clone). */
export function isPartialClone(repository: Pick<Repository, "config">): boolean {
	return [...repository.config].some(([key, value]) => /^remote\..+\.promisor$/s.test(key) && value !== "false");
}

/**
 * A second git directory over the repository's own objects, without refs, index, working tree, hooks, replacements or the settings of
 * a person: everything computed there is a function of the objects alone. It is in `<common directory>/robust-sync/merge.git`, is
 * made when needed, and may be deleted at any time.
 * @param what `present`: an object that a remote has promised (a partial clone) is missing there, and not fetched
 * @returns a Repository whose `root` is that directory
 * @throws the file system's error when it cannot be made
 */
export function openMergeStore(repository: Repository, what: "all" | "present" = "all"): Repository {
	const isPartial = isPartialClone(repository);
	const fetches = isPartial && what === "all";
	const directory = path.join(repository.commonDirectory, "robust-sync", isPartial && !fetches ? "present.git" : "merge.git");
	for (const part of ["refs", "objects", "info"]) mkdirSync(path.join(directory, part), { recursive: true });
	writeUnlessSame(path.join(directory, "config"), storeConfig(repository, fetches));
	writeUnlessSame(path.join(directory, "HEAD"), "ref: refs/heads/none\n");
	writeUnlessSame(path.join(directory, noLineMerge), "* -merge\n");
	const env: Record<string, string> = {
		...withSettings(repository.env, settings),
		GIT_DIR: directory,
		GIT_OBJECT_DIRECTORY: path.join(repository.commonDirectory, "objects"),
		GIT_ATTR_NOSYSTEM: "1",
		GIT_NO_REPLACE_OBJECTS: "1",
	};
	if (repository.isShallow) env.GIT_SHALLOW_FILE = path.join(repository.commonDirectory, "shallow");
	if (!fetches) {
		// Fetching missing objects needs the person's settings (ssh, credentials); nothing else does.
		env.GIT_CONFIG_GLOBAL = "/dev/null";
		env.GIT_CONFIG_NOSYSTEM = "1";
	}
	return new Repository({ ...repository, root: directory, gitDirectory: directory, commonDirectory: directory, env });
}
