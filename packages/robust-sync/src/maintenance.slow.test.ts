import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { killRunningGit } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { countStorage, maintain } from "./maintenance.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("maintenance");
	scratch.init("helios");
	scratch.write("helios/notes.md", "hello\n");
	scratch.commitAll("helios");
});
afterEach(() => scratch.remove());

const git = (...args: string[]) => scratch.git("helios", ...args);
const makeLoose = (count: number) => scratch.makeLooseObjects("helios", count);
test("killed at any moment it leaves every object, and the next one finishes", async () => {
	const repository = await scratch.open("helios");
	const blobs: string[] = [];
	let killed = 0;
	for (let round = 0; round < 3; round++) {
		blobs.push(...makeLoose(2_300));
		const done = maintain(repository, Date.now()).catch(() => killed++);
		const rest = performance.now() + 8 * round;
		while (performance.now() < rest) await new Promise((resolve) => setImmediate(resolve));
		killRunningGit("SIGKILL");
		await done;
	}
	expect(killed).toBeGreaterThan(0);
	blobs.push(...makeLoose(2_300));
	await maintain(repository, Date.now());
	expect(countStorage(repository).loose).toBeLessThan(2_000);
	const { stdout } = await repository.run(["cat-file", "--batch-check"], { input: `${blobs.join("\n")}\n` });
	expect(stdout.toString("latin1").match(/ blob /g)).toHaveLength(blobs.length);
	git("fsck", "--strict", "--no-dangling");
}, 90_000);
