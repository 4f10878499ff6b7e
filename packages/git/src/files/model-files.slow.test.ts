import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareFiles, steps } from "../testing/compare-files.ts";
import { FileExchanger } from "./exchange-files.ts";

const exchanger = new FileExchanger();
afterAll(() => exchanger.close());

const isRoot = process.geteuid?.() === 0;
const shared = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();

/** Runs `use` with a new directory, and with what another program mounted at `r/m` in it. */
async function within(above: string, mounts: readonly string[] | null, use: (directory: string) => Promise<void>): Promise<void> {
	const umask = process.umask(0o022);
	const directory = fs.mkdtempSync(path.join(above, "model-files-"));
	const mountPoint = path.join(directory, "r/m");
	try {
		if (mounts !== null) {
			fs.mkdirSync(mountPoint, { recursive: true });
			execFileSync("mount", [...mounts, mountPoint]);
		}
		await use(directory);
	} finally {
		if (mounts !== null) execFileSync("umount", [mountPoint]);
		fs.rmSync(directory, { recursive: true, force: true });
		process.umask(umask);
	}
}

test.each([
	["a disk", os.tmpdir(), null],
	["memory", shared, null],
	...(isRoot ? ([["another file system in it", os.tmpdir(), ["-t", "tmpfs", "-o", "mode=755", "none"]]] as const) : []),
] as const)(
	"model of files: very many random calls, as on %s → equal results, errors, files",
	async (_what, above, mounts) => {
		await exchanger.ready;
		await within(above, mounts, async (directory) => {
			const equal = fc.asyncProperty(steps, async (sequence) =>
				expect(await compareFiles(sequence, directory, exchanger, mounts !== null)).toBeNull(),
			);
			await fc.assert(equal, { seed: 2016, numRuns: 1_500 });
		});
	},
	120_000,
);
