import fs from "node:fs";
import path from "node:path";
import { fsyncDirectory } from "@robust-sync/system/atomic-write";

/**
 * Makes a finished pack part of the repository, durably: the index last.
 * @param packs the directory @param temporary the file of the pack there @param hash its last bytes @param mode of both files
 * @returns its name @throws the file system's error
 */
export function installPack(packs: string, temporary: string, index: Buffer, hash: Buffer, mode: number): string {
	const name = `pack-${hash.toString("hex")}`;
	const temporaryIndex = `${temporary}.idx`;
	fs.rmSync(temporaryIndex, { force: true });
	const descriptor = fs.openSync(temporaryIndex, "wx");
	try {
		try {
			fs.writeFileSync(descriptor, index);
			fs.fsyncSync(descriptor);
		} finally {
			fs.closeSync(descriptor);
		}
		for (const file of [temporary, temporaryIndex]) fs.chmodSync(file, mode);
		fs.renameSync(temporary, path.join(packs, `${name}.pack`));
		fs.renameSync(temporaryIndex, path.join(packs, `${name}.idx`));
	} finally {
		fs.rmSync(temporaryIndex, { force: true });
	}
	fsyncDirectory(packs);
	return name;
}
