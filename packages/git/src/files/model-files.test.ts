import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { compareFiles, steps } from "../testing/compare-files.ts";
import { FileExchanger } from "./exchange-files.ts";

const exchanger = new FileExchanger();
afterAll(() => exchanger.close());

/** A disk's file system, and one in memory. */
const places = [os.tmpdir(), "/dev/shm"].filter((directory) => fs.existsSync(directory));

test.each(places)("model of files: random calls, as in %s → equal results, errors and files", async (above) => {
	const umask = process.umask(0o022);
	const directory = fs.mkdtempSync(path.join(above, "model-files-"));
	try {
		await exchanger.ready;
		const equal = fc.asyncProperty(steps, async (sequence) => expect(await compareFiles(sequence, directory, exchanger)).toBeNull());
		await fc.assert(equal, { seed: 16, numRuns: 40 });
	} finally {
		fs.rmSync(directory, { recursive: true, force: true });
		process.umask(umask);
	}
});
