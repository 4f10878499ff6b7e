import fs from "node:fs";
import path from "node:path";
import type { GitPath } from "./git-path.ts";
import type { Repository } from "./repository.ts";

/** The pattern that matches one path and nothing else (gitignore(5)), one character a byte; null: there is none. */
export function excludePattern(name: GitPath): string | null {
	if (/[\n\r]/.test(name)) return null;
	return `/${name.replaceAll(/[\\*?[]/g, "\\$&").replace(/ $/, "\\ ")}`;
}

/**
 * Makes git ignore some local paths by lines of their own in `.git/info/exclude`: also a user's `git add -A` leaves them alone, and they
 * stay ignored if `sync/` is lost. Existing lines stay. @throws the file system's error
 */
export function addLocalExcludes(repository: Repository, names: readonly GitPath[]): void {
	const file = path.join(repository.commonDirectory, "info/exclude");
	let text = "";
	try {
		text = fs.readFileSync(file, "latin1");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		fs.mkdirSync(path.dirname(file), { recursive: true });
	}
	const lines = new Set(text.split("\n"));
	const missing = names.flatMap((name) => excludePattern(name) ?? []).filter((pattern) => !lines.has(pattern));
	if (missing.length === 0) return;
	const glue = text === "" || text.endsWith("\n") ? "" : "\n";
	const heading = "# robust-sync: ignored here when another node changed the rules; remove a line to publish its file";
	fs.appendFileSync(file, Buffer.from(`${glue}${lines.has(heading) ? "" : `${heading}\n`}${missing.join("\n")}\n`, "latin1"));
}
