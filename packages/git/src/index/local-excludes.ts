import fs from "node:fs";
import path from "node:path";
import { type GitPath, isGitPath } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";

/** The pattern that matches one path and nothing else (gitignore(5)), one character a byte; null: there is none. */
export function excludePattern(name: GitPath): string | null {
	if (/[\n\r]/.test(name)) return null;
	return `/${name.replaceAll(/[\\*?[]/g, "\\$&").replace(/ $/, "\\ ")}`;
}

const heading = "# robust-sync: ignored here when another node changed the rules; remove a line to publish its file";

const excludeFile = (repository: Repository) => path.join(repository.commonDirectory, "info/exclude");

function readExcludes(repository: Repository): string {
	try {
		return fs.readFileSync(excludeFile(repository), "latin1");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		return "";
	}
}

/**
 * The paths in the lines below our heading in `.git/info/exclude`. A negation in a `.gitignore` beats such a line, which then means
 * only that the file was ignored here. @throws the file system's error
 */
export function localExcludes(repository: Repository): Set<GitPath> {
	const [, ...blocks] = readExcludes(repository).split(`${heading}\n`);
	const names = new Set<GitPath>();
	for (const line of blocks.join("\n").split("\n")) {
		if (!line.startsWith("/") || line.endsWith("/")) continue;
		const name = line.slice(1).replaceAll(/\\([\\*?[ ])/g, "$1");
		if (isGitPath(name) && excludePattern(name) === line) names.add(name);
	}
	return names;
}

/**
 * Makes git ignore some local paths by lines of their own in `.git/info/exclude`: also a user's `git add -A` leaves them alone, and they
 * stay ignored if `sync/` is lost. Existing lines stay. @throws the file system's error
 */
export function addLocalExcludes(repository: Repository, names: readonly GitPath[]): void {
	const file = excludeFile(repository);
	const text = readExcludes(repository);
	fs.mkdirSync(path.dirname(file), { recursive: true });
	const lines = new Set(text.split("\n"));
	const missing = names.flatMap((name) => excludePattern(name) ?? []).filter((pattern) => !lines.has(pattern));
	if (missing.length === 0) return;
	const glue = text === "" || text.endsWith("\n") ? "" : "\n";
	fs.appendFileSync(file, Buffer.from(`${glue}${lines.has(heading) ? "" : `${heading}\n`}${missing.join("\n")}\n`, "latin1"));
}
