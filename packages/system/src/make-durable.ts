import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { fsyncEachUpTo } from "./files.ts";

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
	await new Promise<void>((resolve, reject) => {
		const child = spawn("sync", ["-f", "--", directory], { stdio: "ignore" });
		child.on("error", reject);
		child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`sync -f ${directory} failed (exit ${code}): check the disk`))));
	});
}
