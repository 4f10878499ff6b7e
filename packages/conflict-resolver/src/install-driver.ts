import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Repository } from "@robust-sync/git";
import { writeAtomic } from "@robust-sync/system/atomic-write";

const section = "merge.robust-sync";
const begin = "# robust-sync merge driver: begin";
const end = "# robust-sync merge driver: end";
const block = new RegExp(`\\n?^${begin}\\n[\\s\\S]*?^${end}\\n?`, "m");

const shellQuoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const attributesFile = (repository: Repository) => path.join(repository.commonDirectory, "info/attributes");
const readAttributes = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : "");

/**
 * Makes a person's own `git merge`, `git rebase` and `git cherry-pick` in this repository merge by kind: a driver in `.git/config`, named
 * for every path in `.git/info/attributes`. Writes nothing else; idempotent.
 * @param executable absolute path of conflict-resolver
 */
export async function installDriver(repository: Repository, executable: string): Promise<void> {
	const settings = [
		[`${section}.name`, "merge by kind (robust-sync)"],
		[`${section}.driver`, `${shellQuoted(executable)} --merge-driver %O %A %B -- %P`],
		// Virtual merge bases are internal: git's own merge is enough for them.
		[`${section}.recursive`, "text"],
	] as const;
	for (const [key, value] of settings) await repository.run(["config", "--local", key, value]);
	const file = attributesFile(repository);
	const text = readAttributes(file).replace(block, "");
	mkdirSync(path.dirname(file), { recursive: true });
	await writeAtomic(file, `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${begin}\n* merge=robust-sync\n${end}\n`, 0o644);
}

/** Removes the lines of installDriver. @returns whether there were any */
export async function uninstallDriver(repository: Repository): Promise<boolean> {
	const { exitCode } = await repository.run(["config", "--local", "--remove-section", section], { accept: [0, 128] });
	const file = attributesFile(repository);
	const before = readAttributes(file);
	const after = before.replace(block, "");
	if (after !== before) {
		if (after === "") rmSync(file);
		else await writeAtomic(file, after.endsWith("\n") ? after : `${after}\n`, 0o644);
	}
	return exitCode === 0 || after !== before;
}
