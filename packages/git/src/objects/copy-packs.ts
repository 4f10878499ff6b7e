import fs from "node:fs";
import path from "node:path";
import { fsyncDirectory } from "@robust-sync/system/atomic-write";

/** Copies packs with their indexes, durably; one that is there already has the same objects. @throws the file system's error */
export function copyPacks(from: string, to: string, packs: Iterable<string>): void {
	const missing = [...packs].filter(
		(name) => !fs.existsSync(path.join(to, `${name}.idx`)) || !fs.existsSync(path.join(to, `${name}.pack`)),
	);
	const names = missing.flatMap((name) => [`${name}.pack`, `${name}.idx`]);
	const temporaryOf = (name: string) => path.join(to, `tmp_pack_${process.pid}_${name}`);
	try {
		for (const name of names) copyDurably(path.join(from, name), temporaryOf(name));
		for (const name of names) fs.renameSync(temporaryOf(name), path.join(to, name));
		if (names.length > 0) fsyncDirectory(to);
	} finally {
		for (const name of names) fs.rmSync(temporaryOf(name), { force: true });
	}
}

/** Under a name that git removes where a killed process left it behind (git-prune(1)). @throws the file system's error */
function copyDurably(from: string, to: string): void {
	fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
	const descriptor = fs.openSync(to, "r");
	fs.fsyncSync(descriptor);
	fs.closeSync(descriptor);
}
