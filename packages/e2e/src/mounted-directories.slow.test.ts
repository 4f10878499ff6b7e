import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { canIgnoreCase, mountIgnoringCase } from "@robust-sync/git/fixtures/ignoring-case";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// A directory of the workspace that is on another file system: files are staged and kept there, and all is as in any directory.

let world: World;
beforeEach(() => {
	world = new World("mounted");
});
afterEach(() => world.remove());

function mount(directory: string, ...args: string[]): void {
	fs.mkdirSync(directory, { recursive: true });
	execFileSync("mount", [...args, directory]);
	world.atEnd(() => {
		execFileSync("umount", ["-l", directory]);
	});
}

/** File systems below the workspace of a node, by type. */
const places: Readonly<Record<string, (node: Node) => void>> = {
	tmpfs: (node) => mount(node.path("data"), "-t", "tmpfs", "tmpfs"),
	// The device number is the workspace's own.
	"a bind mount": (node) => {
		fs.mkdirSync(world.path("store"));
		mount(node.path("data"), "--bind", world.path("store"));
	},
	"a mount in a mount": (node) => {
		mount(node.path("data"), "-t", "tmpfs", "tmpfs");
		mount(node.path("data/deep"), "-t", "tmpfs", "tmpfs");
	},
};

const files = { "data/list.md": "one\n\ntwo\n\nthree\n", "data/deep/run.sh": "1\n", "data/gone.md": "gone\n", "other.md": "1\n" };
const skipped = (node: Node) => node.state()?.skipped.map(({ path: name, reason }) => `${name} ${reason}`) ?? [];

const visible = (node: Node) => Object.fromEntries(Object.entries(node.files()).filter(([name]) => !name.includes("/.robust-sync/")));

/** Two nodes with the same files, of which chad has a part on another file system. */
async function nodes(place: (node: Node) => void): Promise<[helios: Node, chad: Node]> {
	const [helios] = await world.pair(files);
	const chad = world.nodes[1] as Node;
	for (const name of Object.keys(files)) chad.remove(name);
	chad.remove("data");
	place(chad);
	for (const [name, content] of Object.entries(files)) chad.write(name, content);
	await chad.once();
	expect(chad.dirty()).toBe("");
	return [helios, chad];
}

function changeAll(helios: Node): void {
	helios.write("data/list.md", "ONE\n\ntwo\n\nthree\n");
	helios.write("data/deep/run.sh", "2\n");
	fs.chmodSync(helios.path("data/deep/run.sh"), 0o755);
	helios.write("data/deep/new/file.md", "new\n");
	fs.symlinkSync("list.md", helios.path("data/link"));
	helios.remove("data/gone.md");
	helios.write("other.md", "2\n");
}

(process.getuid?.() === 0 ? describe : describe.skip)("mounted directory", () => {
	test.each(Object.keys(places))("mounted directory: %s, changed by the peer → placed there", async (name) => {
		const [helios, chad] = await nodes(places[name] as (node: Node) => void);
		fs.chmodSync(chad.path("data/list.md"), 0o640);
		const open = fs.openSync(chad.path("data/list.md"), "a");
		changeAll(helios);
		await helios.once();
		await chad.once();
		expect(skipped(chad)).toEqual([]);
		expect(visible(chad)).toEqual(helios.files());
		expect(fs.readlinkSync(chad.path("data/link"))).toBe("list.md");
		expect(fs.statSync(chad.path("data/deep/run.sh")).mode & 0o111).not.toBe(0);
		expect(fs.statSync(chad.path("data/list.md")).mode & 0o777).toBe(0o640);
		expect(chad.dirty()).toBe("");
		// The replaced file is kept there: later writes of a program into it arrive.
		fs.writeSync(open, "\nlate\n");
		fs.closeSync(open);
		await chad.once();
		await helios.once();
		expect(helios.read("data/list.md")).toContain("late");
		expect(helios.read("data/list.md")).toContain("ONE");
		expect(chad.tree()).toBe(helios.tree());
		expect(chad.tree()).not.toContain(".robust-sync");
	});

	test("mounted directory: killed at every step → the next cycle continues", async () => {
		const [helios, chad] = await nodes(places.tmpfs as (node: Node) => void);
		for (const [index, point] of ["move-staged", "move-file#3", "move-swap", "move-swapped#2", "move-files", "move-index"].entries()) {
			helios.write("data/list.md", `${index}\n\ntwo\n\nthree\n`);
			helios.write("data/deep/run.sh", `${index}\n`);
			helios.write(`data/new-${index}.md`, "new\n");
			if (index > 0) helios.remove(`data/new-${index - 1}.md`);
			await helios.once();
			expect((await chad.run(["--once"], { env: { ROBUST_SYNC_FAULT: point } })).code).toBe("SIGKILL");
			await chad.once();
			expect({ point, files: visible(chad) }).toEqual({ point, files: helios.files() });
			expect(chad.dirty()).toBe("");
		}
		expect(fs.existsSync(chad.path("data/.robust-sync/staging"))).toBe(false);
	});

	test("mounted directory: our store there is a peer's or another user's → held, cured", async () => {
		const [helios, chad] = await nodes(places.tmpfs as (node: Node) => void);
		fs.symlinkSync("/tmp", helios.path("data/.robust-sync"));
		helios.write("data/list.md", "first\n");
		await helios.once();
		await chad.once();
		expect(skipped(chad)).toEqual(["data/.robust-sync ignored-here"]);
		expect(fs.lstatSync(chad.path("data/.robust-sync")).isDirectory()).toBe(true);
		expect(chad.read("data/list.md")).toBe("first\n");
		helios.remove("data/.robust-sync");
		helios.write("data/.robust-sync/backups/x", "peer\n");
		await helios.once();
		await chad.once();
		expect(skipped(chad)).toContain("data/.robust-sync/backups/x in-the-way");
		expect(chad.exists("data/.robust-sync/backups/x")).toBe(false);
		helios.remove("data/.robust-sync");
		await helios.once();
		await chad.once();
		expect(skipped(chad)).toEqual([]);
		await helios.once();
		expect(chad.tree()).toBe(helios.tree());
		fs.rmSync(chad.path("data/.robust-sync"), { recursive: true });
		fs.symlinkSync(world.path("hub.git"), chad.path("data/.robust-sync"));
		helios.write("data/list.md", "linked\n");
		await helios.once();
		await chad.once();
		expect(skipped(chad).sort()).toEqual(["data/.robust-sync refused-path", "data/list.md in-the-way"]);
		fs.rmSync(chad.path("data/.robust-sync"));
		fs.mkdirSync(chad.path("data/.robust-sync"), { mode: 0o777 });
		fs.chmodSync(chad.path("data/.robust-sync"), 0o777);
		helios.write("data/list.md", "second\n");
		helios.write("other.md", "second\n");
		await helios.once();
		await chad.once();
		expect(skipped(chad)).toEqual(["data/list.md other-file-system"]);
		expect(chad.read("other.md")).toBe("second\n");
		fs.rmSync(chad.path("data/.robust-sync"), { recursive: true });
		await chad.once();
		expect(chad.read("data/list.md")).toBe("second\n");
		expect(skipped(chad)).toEqual([]);
	});

	(canIgnoreCase ? test : test.skip)("mounted directory: names that differ in case only → one held, no content mixed", async () => {
		const [helios, chad] = await nodes((node) => mountIgnoringCase(world, node.path("data")));
		helios.write("data/LIST.md", "another\n");
		helios.write("data/Deep/run.sh", "another\n");
		await helios.once();
		for (let cycle = 0; cycle < 3; cycle++) {
			await chad.once();
			expect(skipped(chad).sort()).toEqual(["data/Deep/run.sh in-the-way", "data/LIST.md in-the-way"]);
			expect(chad.read("data/list.md")).toBe(files["data/list.md"]);
			expect(chad.tree()).toBe(helios.tree());
		}
		helios.write("data/LIST.md", "changed\n");
		chad.write("data/list.md", "of chad\n");
		await helios.once();
		await chad.once();
		await helios.once();
		expect([helios.read("data/list.md"), helios.read("data/LIST.md")]).toEqual(["of chad\n", "changed\n"]);
		helios.remove("data/LIST.md");
		helios.remove("data/Deep");
		helios.write("data/list.md", "of helios\n");
		await helios.once();
		await chad.once();
		expect(skipped(chad)).toEqual([]);
		expect(visible(chad)).toEqual(helios.files());
		expect(chad.tree()).toBe(helios.tree());
	});
});
