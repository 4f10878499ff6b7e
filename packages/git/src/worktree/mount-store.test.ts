import { expect, test } from "@jest/globals";
import { O_RDWR } from "@robust-sync/system/files";
import { Killed, ModelCheckout, root, type Version } from "../testing/explore/model-checkout.ts";

const mark = "written by a program\n";
const version = (text: string): Version => ({ mode: "100644", content: Buffer.from(text) });

/** Checks out on another file system below the workspace. A program writes into the old file, and the process is killed, before one call. */
async function checkOutWithKill(
	step: number,
): Promise<{ readonly isKilled: boolean; readonly contents: string[]; readonly ignored: string }> {
	const checkout = new ModelCheckout(true);
	const { files } = checkout;
	files.makeTree(`${root}/d`);
	files.mount(`${root}/d`);
	for (const name of ["d/p", "d/q"]) checkout.put(name, version("old\n"));
	const descriptor = files.asProgram(() => files.open(`${root}/d/p`, O_RDWR));
	checkout.pass();
	const [before, after] = [checkout.entryOf(version("old\n")), checkout.entryOf(version("new\n"))];
	let calls = 0;
	let isKilled = false;
	try {
		await checkout.run([{ path: "d/p", before, after }], false, 0, () => {
			if (calls++ !== step) return;
			isKilled = true;
			files.asProgram(() => files.writeAll(descriptor, Buffer.from(mark)));
			throw new Killed();
		});
	} catch (error) {
		if (!(error instanceof Killed)) throw error;
	}
	// Each checkout removes the files of backups that are not there any more.
	await checkout.run([{ path: "d/q", before, after }], false, 1, () => {});
	const all = [`${root}/d/p`, `${root}/d/.robust-sync/backups/0/files/d/p`];
	const ignored = files.readUnseen(`${root}/d/.robust-sync/.gitignore`).toString();
	return { isKilled, ignored, contents: all.flatMap((file) => (files.lstatIfThere(file) ? [files.readUnseen(file).toString()] : [])) };
}

test("store of a mount: kill at each call, checkout → nothing lost, all ignored", async () => {
	const lost: number[] = [];
	let step = 0;
	for (; ; step++) {
		const { isKilled, contents, ignored } = await checkOutWithKill(step);
		if (!isKilled) break;
		if (!contents.includes(mark)) lost.push(step);
		expect(ignored).toBe("*\n");
	}
	expect(lost).toEqual([]);
	expect(step).toBeGreaterThan(50);
});
