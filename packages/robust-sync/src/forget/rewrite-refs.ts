import fs from "node:fs";
import path from "node:path";
import { type Oid, type Repository, textBytes } from "@robust-sync/git";
import { contentOfFile, filesBelow, type Scrub, scrubFiles, withNewIds } from "./scrub-files.ts";

const refMessage = "robust-sync: forget";
const ownEntry = new RegExp(`^[^\\n]*\\t${refMessage}\\n`, "gm");

/** Moves every ref to its replacement, all at once; a ref that moved meanwhile fails all. @throws GitError */
export async function rewriteRefs(repository: Repository, replaced: (oid: Oid) => Oid | undefined): Promise<number> {
	const { stdout } = await repository.run(["for-each-ref", "--format=%(objectname) %(if)%(symref)%(then)link%(else)ref%(end) %(refname)"]);
	const lines: string[] = [];
	for (const line of stdout.toString("latin1").split("\n")) {
		const [oid = "", kind, ...rest] = line.split(" ");
		const now = replaced(oid);
		const name = rest.join(" ");
		// git-replace(1): the name is the id of the object whose place it takes.
		const renamed = replaced(/^refs\/replace\/([0-9a-f]+)$/.exec(name)?.[1] ?? "");
		if (kind !== "ref") continue;
		if (renamed !== undefined) {
			lines.push(`delete ${name}\0${oid}\0`);
			if (renamed !== (now ?? oid)) lines.push(`update refs/replace/${renamed}\0${now ?? oid}\0\0`);
		} else if (now !== undefined) lines.push(`update ${name}\0${now}\0${oid}\0`);
	}
	if (lines.length > 0)
		await repository.run(["update-ref", "-m", refMessage, "-z", "--stdin"], { input: Buffer.from(lines.join(""), "latin1") });
	return lines.length;
}

/** Names in a git directory that hold ids of commits, and are no refs (gitrevisions(7)). */
const pseudoRefs = /^(?:[A-Z]+_)?HEAD$|^AUTO_MERGE$/;
/** The directories of reflogs in a git directory (gitrepository-layout(5)). */
const reflogs = "logs";
/** Texts of git and people there. */
const texts = /^(?:COMMIT_EDITMSG|MERGE_MSG|SQUASH_MSG|TAG_EDITMSG|SUBMODULE_UPDATE_MSG)$/;

/**
 * Reflogs keep their entries, with the new ids; so do the other places in a git directory that name commits.
 * @throws GitError, the file system's error
 */
export async function rewriteGitFiles(repository: Repository, scrub: Scrub): Promise<void> {
	const { commonDirectory } = repository;
	const worktrees = path.join(commonDirectory, "worktrees");
	const others = fs.existsSync(worktrees) ? fs.readdirSync(worktrees).map((name) => path.join(worktrees, name)) : [];
	for (const directory of new Set([commonDirectory, repository.gitDirectory, ...others])) {
		const rewrite = (file: string) => {
			const content = contentOfFile(file);
			if (content === null) return;
			const text = withNewIds(content.toString("latin1"), scrub);
			// Each entry of this reflog is a stash: our own move of the ref is none.
			const entries = file.endsWith("/refs/stash") ? text.replaceAll(ownEntry, "") : text;
			const next = scrub.clean(Buffer.from(entries, "latin1"));
			if (!next.equals(content)) {
				const temporary = textBytes(`${file}.${process.pid}.new`);
				fs.writeFileSync(temporary, next);
				fs.renameSync(temporary, textBytes(file));
			}
		};
		for (const file of filesBelow(path.join(directory, reflogs))) rewrite(file);
		for (const name of fs.readdirSync(directory)) if (pseudoRefs.test(name) || texts.test(name)) rewrite(path.join(directory, name));
	}
	if (repository.config.get("extensions.refstorage") === "reftable") await repository.run(["reflog", "expire", "--expire=now", "--all"]);
	scrubFiles(path.join(commonDirectory, "rr-cache"), scrub);
	const isLeft = (file: string) => /\/(?:merge\.git|present\.git|backups|staging|versions|forget-objects)$/.test(file);
	scrubFiles(path.join(commonDirectory, "robust-sync"), scrub, { skips: isLeft });
}
