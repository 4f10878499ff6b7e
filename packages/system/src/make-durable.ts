import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { fsyncEachUpTo, isUnsyncable, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "./files.ts";

/**
 * Returns when the contents of `files` are on disk (fsync(2); for many, syncfs(2) by sync(1)).
 * @param directory any directory on their file system
 * @throws the file system's error
 */
export async function makeDurable(files: readonly (Buffer | string)[], directory: string): Promise<void> {
	if (files.length > fsyncEachUpTo) await syncFileSystem(directory);
	else await Promise.all(files.map((file) => sync(file, O_RDONLY)));
}

/**
 * Returns when the names in directories, and the permission bits of files, are on disk. What no longer exists, or cannot be made durable on its
 * file system, is left out.
 * @param directory any directory on their file system
 * @throws the file system's error
 */
export async function makeChangesDurable(names: readonly (Buffer | string)[], directory: string): Promise<void> {
	const syncIfPossible = (name: Buffer | string) =>
		sync(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW).catch((error) => {
			if (!isUnsyncable(error)) throw error;
		});
	if (names.length > fsyncEachUpTo) await syncFileSystem(directory);
	else await Promise.all(names.map(syncIfPossible));
}

async function sync(name: Buffer | string, flags: number): Promise<void> {
	const handle = await open(name, flags);
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

async function syncFileSystem(directory: string): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		const child = spawn("sync", ["-f", "--", directory], { stdio: "ignore" });
		child.on("error", reject);
		child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`sync -f ${directory} failed (exit ${code}): check the disk`))));
	});
}
