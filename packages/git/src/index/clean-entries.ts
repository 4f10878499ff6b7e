import { fileMode } from "../files/disk-file.ts";
import { storedMode } from "../files/file-modes.ts";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { blobOid } from "../objects/objects.ts";
import { fileSystemPath, type GitPath, gitPathBytes } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import type { Repository } from "../process/repository.ts";

/** A name as git reads it from a list of lines: quoted, every odd byte in octal. */
function quotedLine(name: GitPath): string {
	if (/^[\w./ -]+$/.test(name) && name[0] !== '"') return `${name}\n`;
	const bytes = Array.from(gitPathBytes(name), (byte) =>
		byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`,
	);
	return `"${bytes.join("")}"\n`;
}

async function hash(
	repository: Repository,
	names: readonly GitPath[],
	found: Map<GitPath, string>,
	options: readonly string[],
): Promise<void> {
	if (names.length === 0) return;
	try {
		const { stdout } = await repository.run(["hash-object", ...options, "--stdin-paths"], { input: names.map(quotedLine).join("") });
		for (const [index, oid] of stdout.toString("latin1").trim().split("\n").entries()) found.set(names[index]!, oid);
	} catch (error) {
		if (!(error instanceof GitError) || error.code === "GIT_TIMEOUT") throw error;
		if (names.length === 1) return;
		// One of them cannot be read or cleaned.
		const middle = names.length >> 1;
		await hash(repository, names.slice(0, middle), found, options);
		await hash(repository, names.slice(middle), found, options);
	}
}

/**
 * What git would store for the files of the working tree, by its own question: the content through its clean filters, and the mode. No entry
 * for a path that is no file and no link, or that cannot be read.
 * @param filters whether filters may apply; without them the file system alone decides
 * @param recorded entries with the modes that count where the file system has none
 * @param stores stores the contents too: only then does git refuse content that is invalid in its `working-tree-encoding`
 * @throws GitError GIT_TIMEOUT
 */
export async function cleanEntries(
	repository: Repository,
	names: readonly GitPath[],
	filters: boolean,
	recorded: ReadonlyMap<GitPath, TreeEntry | null> = new Map(),
	stores = false,
): Promise<Map<GitPath, TreeEntry>> {
	const modes = new Map<GitPath, string>();
	const oids = new Map<GitPath, string>();
	const toHash: GitPath[] = [];
	const { files } = repository;
	for (const name of names) {
		const file = fileSystemPath(repository.root, name);
		try {
			const stats = files.lstatIfThere(file);
			if (stats?.isSymbolicLink()) {
				modes.set(name, "120000");
				oids.set(name, blobOid(files.readlink(file), repository.objectFormat));
			} else if (stats?.isFile()) {
				modes.set(name, storedMode(repository, name, fileMode(stats), recorded.get(name)?.mode));
				if (filters) toHash.push(name);
				else oids.set(name, blobOid(files.readUnseen(file), repository.objectFormat));
			}
		} catch {
			// Unreadable: not known.
		}
	}
	await hash(repository, toHash, oids, stores ? ["-w"] : []);
	const entries = [...oids].map(([name, oid]) => [name, { mode: modes.get(name) ?? "100644", oid }] as const);
	return new Map(entries);
}
