import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { fsyncEachUpTo, isUnsyncable, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "./files.ts";

/**
 * Returns when the contents of `files` are on disk (fsync(2); for many, syncfs(2) by sync(1)).
 * @param directory any directory on their file system
 * @throws the file system's error
 */
export async function makeDurable(files: readonly (Buffer | string)[], directory: string): Promise<void> {
	if (files.length <= fsyncEachUpTo) {
		await Promise.all(
			files.map(async (file) => {
				const handle = await open(file, "r");
				try {
					await handle.sync();
				} finally {
					await handle.close();
				}
			}),
		);
		return;
	}
	await syncFileSystem(directory);
}

/**
 * The same for directories, whose names it makes durable, and for files of which the permission bits have changed. What is not there any more,
 * or cannot be made durable on its file system, is left out.
 */
export async function makeChangesDurable(names: readonly (Buffer | string)[], directory: string): Promise<void> {
	if (names.length > fsyncEachUpTo) return await syncFileSystem(directory);
	await Promise.all(
		names.map(async (name) => {
			try {
				const handle = await open(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
				try {
					await handle.sync();
				} finally {
					await handle.close();
				}
			} catch (error) {
				if (!isUnsyncable(error)) throw error;
			}
		}),
	);
}

async function syncFileSystem(directory: string): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		const child = spawn("sync", ["-f", "--", directory], { stdio: "ignore" });
		child.on("error", reject);
		child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`sync -f ${directory} failed (exit ${code}): check the disk`))));
	});
}
