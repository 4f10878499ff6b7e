import fs from "node:fs";
import path from "node:path";
import { Repository } from "../process/repository.ts";
import { localHub } from "./hub-disk.ts";

/** Settings with which a hub checks received objects, or shares its files. */
const ownWay = "^(core\\.sharedrepository|(receive|transfer)\\.fsckobjects)$";

/**
 * Puts packs of this repository into a hub that is a directory of this machine, as copies: git would send much more, because it does not look
 * at every old tree for what the hub has. Nothing refers to them there until a push does, which checks that nothing is missing.
 * @param packs their names
 * @returns false: the push has to bring the objects, because the hub is elsewhere, receives them in its own way, or cannot be written to
 */
export async function givePacks(repository: Repository, remote: string, packs: Iterable<string>): Promise<boolean> {
	const directory = localHub(repository, remote);
	if (directory === null) return false;
	const hub = new Repository({ ...repository, root: directory, gitDirectory: directory, commonDirectory: directory });
	const own = path.join(repository.commonDirectory, "objects/pack");
	try {
		if ((await hub.run(["config", "--get-regexp", ownWay], { accept: [0, 1] })).exitCode === 0) return false;
		const { stdout } = await hub.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"]);
		const theirs = path.join(stdout.toString("utf8").replace(/\n$/, ""), "pack");
		// The index last: with it the pack is part of the hub.
		const names = [...packs].flatMap((name) => [`${name}.pack`, `${name}.idx`]);
		const temporaryOf = (name: string) => path.join(theirs, `tmp_pack_${process.pid}_${name}`);
		try {
			for (const name of names) copyDurably(path.join(own, name), temporaryOf(name));
			for (const name of names) fs.renameSync(temporaryOf(name), path.join(theirs, name));
		} finally {
			for (const name of names) fs.rmSync(temporaryOf(name), { force: true });
		}
		return true;
	} catch {
		return false;
	}
}

/** Under a name that git removes where a killed process left it behind (git-prune(1)). @throws the file system's error */
function copyDurably(from: string, to: string): void {
	fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
	const descriptor = fs.openSync(to, "r");
	fs.fsyncSync(descriptor);
	fs.closeSync(descriptor);
}
