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

/** Mounts a file system at a directory that is made. @returns that directory */
type Mounter = (args: readonly string[], point: string) => string;

/** Prepares a directory for the calls. @returns it, and whether another file system is mounted at `r/m` in it */
type Place = (directory: string, mount: Mounter) => { readonly at: string; readonly hasMount: boolean };

const plain: Place = (directory) => ({ at: directory, hasMount: false });
const memory = ["-t", "tmpfs", "-o", "mode=755", "none"];

const mountInside: Place = (directory, mount) => {
	mount(memory, `${directory}/calls/r/m`);
	return { at: `${directory}/calls`, hasMount: true };
};

/** A directory of the same file system. */
const bindInside: Place = (directory, mount) => {
	fs.mkdirSync(`${directory}/beside`);
	mount(["--bind", `${directory}/beside`], `${directory}/calls/r/m`);
	return { at: `${directory}/calls`, hasMount: true };
};

/** An overlay, whose layers are in memory. */
const overlay: Place = (directory, mount) => {
	const layers = mount(memory, `${directory}/layers`);
	for (const name of ["lower", "upper", "work"]) fs.mkdirSync(`${layers}/${name}`);
	const options = `lowerdir=${layers}/lower,upperdir=${layers}/upper,workdir=${layers}/work`;
	return { at: mount(["-t", "overlay", "-o", options, "none"], `${directory}/calls`), hasMount: false };
};

/** Runs `use` in a new directory, and unmounts what was mounted there. */
async function within(above: string, place: Place, use: (directory: string, hasMount: boolean) => Promise<void>): Promise<void> {
	const umask = process.umask(0o022);
	const directory = fs.mkdtempSync(path.join(above, "model-files-"));
	const mounted: string[] = [];
	try {
		const { at, hasMount } = place(directory, (args, point) => {
			fs.mkdirSync(point, { recursive: true });
			execFileSync("mount", [...args, point], { stdio: "pipe" });
			mounted.unshift(point);
			return point;
		});
		await use(at, hasMount);
	} finally {
		for (const point of mounted) execFileSync("umount", [point]);
		fs.rmSync(directory, { recursive: true, force: true });
		process.umask(umask);
	}
}

/** Null: something can be mounted like that; else the reason why not. */
async function whyNot(place: Place): Promise<string | null> {
	if (!isRoot) return "only root can mount";
	try {
		await within(os.tmpdir(), place, async () => undefined);
		return null;
	} catch (error) {
		return `nothing can be mounted here: ${/^mount: .*$/m.exec((error as Error).message)?.[0] ?? (error as Error).message}`;
	}
}

/** An overlay copies a file without a trace in its access time (copy_file_range): a checkout only copies files of its own. */
const withoutCopies = <T extends { readonly call: string }>(sequence: readonly T[]) => sequence.filter(({ call }) => call !== "copy");

const equalOn = async (above: string, place: Place): Promise<void> => {
	await exchanger.ready;
	await within(above, place, async (directory, hasMount) => {
		const equal = fc.asyncProperty(steps, async (sequence) =>
			expect(await compareFiles(place === overlay ? withoutCopies(sequence) : sequence, directory, exchanger, hasMount)).toBeNull(),
		);
		await fc.assert(equal, { seed: 2016, numRuns: 1_500 });
	});
};

test.each([
	["a disk", os.tmpdir()],
	["memory", shared],
] as const)(
	"model of files: very many random calls, as on %s → equal results, errors, files",
	async (_what, above) => await equalOn(above, plain),
	120_000,
);

for (const [what, place] of [
	["a mounted one in it", mountInside],
	["a bind mount in it", bindInside],
	["an overlay", overlay],
] as const) {
	const reason = await whyNot(place);
	const run = reason === null ? test : test.skip;
	run(
		`model of files: very many calls, ${what}${reason === null ? "" : ` (${reason})`} → equal results, errors, files`,
		async () => await equalOn(os.tmpdir(), place),
		120_000,
	);
}
