import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// What one machine cannot place stops that path alone: both directions go on, the path is reported with what to do, and it is cured by
// the obstacle's end or by a newer commit.

const isRoot = process.getuid?.() === 0;
let world: World;
beforeEach(() => {
	world = new World("held");
});
afterEach(() => world.remove());

function mount(directory: string, ...args: string[]): () => void {
	fs.mkdirSync(directory, { recursive: true });
	execFileSync("mount", [...args, directory]);
	let isMounted = true;
	const unmount = () => {
		if (isMounted) execFileSync("umount", ["-l", directory]);
		isMounted = false;
	};
	world.atEnd(unmount);
	return unmount;
}
const mountTmpfs = (directory: string) => mount(directory, "-t", "tmpfs", "tmpfs");

function makeImmutable(file: string): () => void {
	execFileSync("chattr", ["+i", file]);
	const undo = () => {
		execFileSync("chattr", ["-i", file]);
	};
	world.atEnd(() => {
		try {
			undo();
		} catch {
			// The test has undone it.
		}
	});
	return undo;
}

/** A commit on the hub with entries that git's own commands would not make; `null` removes a path. */
function pushRaw(entries: readonly (readonly [mode: string, name: string, content: string | Buffer])[]): string {
	const lines = entries.map(([mode, name, content]) => {
		const oid =
			mode === "160000"
				? String(content)
				: execFileSync("git", ["hash-object", "-w", "--stdin"], { cwd: world.path("hub.git"), input: content })
						.toString()
						.trim();
		return `${mode} ${mode === "160000" ? "commit" : "blob"} ${oid}\t${name}\0`;
	});
	const before = world.git("hub.git", "ls-tree", "-z", "main");
	const kept = before.split("\0").filter((line) => line !== "" && !entries.some(([, name]) => line.endsWith(`\t${name}`)));
	const tree = execFileSync("git", ["mktree", "-z"], {
		cwd: world.path("hub.git"),
		input: [...kept.map((line) => `${line}\0`), ...lines].join(""),
	})
		.toString()
		.trim();
	const commit = world.git("hub.git", "commit-tree", "-p", "main", "-m", "raw", tree).trim();
	world.git("hub.git", "update-ref", "refs/heads/main", commit);
	return commit;
}

const skippedOf = (node: Node) => node.state()?.skipped.map(({ path: name, reason }) => `${name} ${reason}`) ?? [];

/** Both directions work while something is held on `chad`. */
async function bothDirectionsGoOn(helios: Node, chad: Node, tag: string): Promise<void> {
	helios.write(`from-helios-${tag}.md`, tag);
	await helios.once();
	chad.write(`from-chad-${tag}.md`, tag);
	await chad.once();
	expect(chad.read(`from-helios-${tag}.md`)).toBe(tag);
	await helios.once();
	expect(helios.read(`from-chad-${tag}.md`)).toBe(tag);
	chad.fsck();
}

interface Obstacle {
	readonly name: string;
	readonly files: Record<string, string>;
	/** Creates the obstacle. @returns a function that removes it; null: only a newer commit cures it */
	place(chad: Node): (() => void) | null;
	change(helios: Node): void | Promise<void>;
	readonly held: readonly string[];
	/** chad's state meanwhile. */
	readonly meanwhile: Record<string, string>;
}

const obstacles: readonly Obstacle[] = [
	{
		name: "an immutable file, changed by the peer",
		files: { "data.md": "one\n" },
		place: (chad) => makeImmutable(chad.path("data.md")),
		change: (helios) => helios.write("data.md", "two\n"),
		held: ["data.md not-permitted"],
		meanwhile: { "data.md": "one\n" },
	},
	{
		name: "an immutable file, deleted by the peer",
		files: { "data.md": "one\n" },
		place: (chad) => makeImmutable(chad.path("data.md")),
		change: (helios) => helios.remove("data.md"),
		held: ["data.md not-permitted"],
		meanwhile: { "data.md": "one\n" },
	},
	{
		name: "an immutable directory, a file added, changed and deleted by the peer",
		files: { "d/a.md": "one\n", "d/b.md": "one\n" },
		place: (chad) => makeImmutable(chad.path("d")),
		change(helios) {
			helios.write("d/a.md", "two\n");
			helios.write("d/new/c.md", "two\n");
			helios.remove("d/b.md");
		},
		held: ["d/a.md not-permitted", "d/b.md not-permitted", "d/new/c.md not-permitted"],
		meanwhile: { "d/a.md": "one\n", "d/b.md": "one\n" },
	},
	{
		name: "an immutable file, a directory at the peer",
		files: { "data.md": "one\n" },
		place: (chad) => makeImmutable(chad.path("data.md")),
		change(helios) {
			helios.remove("data.md");
			helios.write("data.md/inner.md", "two\n");
		},
		held: ["data.md not-permitted", "data.md/inner.md not-permitted"],
		meanwhile: { "data.md": "one\n" },
	},
	{
		name: "an immutable file, its directory a file at the peer",
		files: { "d/a.md": "one\n", "d/b.md": "one\n" },
		place: (chad) => makeImmutable(chad.path("d/a.md")),
		change(helios) {
			helios.remove("d");
			helios.write("d", "two\n");
		},
		held: ["d/a.md not-permitted"],
		meanwhile: { "d/a.md": "one\n" },
	},
	{
		name: "a file that is a mount point",
		files: { "data.md": "one\n" },
		place: (chad) => {
			world.write("elsewhere", "one\n");
			execFileSync("mount", ["--bind", world.path("elsewhere"), chad.path("data.md")]);
			let isMounted = true;
			const undo = () => {
				if (isMounted) execFileSync("umount", ["-l", chad.path("data.md")]);
				isMounted = false;
			};
			world.atEnd(undo);
			return undo;
		},
		change: (helios) => helios.write("data.md", "two\n"),
		held: ["data.md mount-point"],
		meanwhile: { "data.md": "one\n" },
	},
	{
		name: "an empty mount point where a file comes in",
		files: {},
		place: (chad) => mountTmpfs(chad.path("data.md")),
		change: (helios) => helios.write("data.md", "two\n"),
		held: ["data.md mount-point"],
		meanwhile: {},
	},
	{
		name: "a pipe where a file comes in",
		files: {},
		place: (chad) => makePipe(chad.path("data.md")),
		change: (helios) => helios.write("data.md", "two\n"),
		held: ["data.md in-the-way"],
		meanwhile: {},
	},
	{
		name: "a pipe in the place of a file, changed by the peer",
		files: { "data.md": "one\n" },
		place(chad) {
			chad.remove("data.md");
			return makePipe(chad.path("data.md"));
		},
		change: (helios) => helios.write("data.md", "two\n"),
		held: ["data.md in-the-way"],
		meanwhile: {},
	},
];

function makePipe(file: string): () => void {
	execFileSync("mkfifo", [file]);
	return () => fs.rmSync(file);
}

(isRoot ? describe : describe.skip)("a path that cannot be placed", () => {
	test.each(obstacles)("held path: $name → all else is synced, cured afterwards", async ({ files, place, change, held, meanwhile }) => {
		const [helios, chad] = await world.pair({ "other.md": "1\n", ...files });
		await chad.once();
		const lift = place(chad);
		await change(helios);
		helios.write("other.md", "2\n");
		await helios.once();
		await chad.once();
		expect(skippedOf(chad).sort()).toEqual(held);
		expect(chad.state()?.skipped.every(({ remedy }) => (remedy ?? "").length > 20)).toBe(true);
		expect(chad.read("other.md")).toBe("2\n");
		for (const [name, content] of Object.entries(meanwhile)) expect(chad.read(name)).toBe(content);
		await bothDirectionsGoOn(helios, chad, "first");
		expect(chad.tree()).toBe(helios.tree());
		expect(skippedOf(chad).sort()).toEqual(held);
		lift?.();
		await chad.once();
		await chad.once();
		expect({ ...chad.files(), ".gitignore": undefined }).toEqual({ ...helios.files(), ".gitignore": undefined });
		expect(chad.state()?.skipped).toEqual([]);
		await helios.once();
		expect(helios.tree()).toBe(chad.tree());
		expect(chad.dirty()).toBe("");
	});

	test("held path: on another file system, written here → merged with incoming version", async () => {
		const [helios, chad] = await world.pair({ "other.md": "1\n" });
		mountTmpfs(chad.path("data"));
		// Others could write there: nothing is staged in it.
		fs.mkdirSync(chad.path("data/.robust-sync"));
		fs.chmodSync(chad.path("data/.robust-sync"), 0o777);
		chad.write("data/list.md", "one\n\ntwo\n\nthree\n");
		chad.write("data/gone.md", "one\n");
		await chad.once();
		await helios.once();
		helios.write("data/list.md", "ONE\n\ntwo\n\nthree\n");
		helios.write("data/new.md", "new\n");
		helios.remove("data/gone.md");
		await helios.once();
		await chad.once();
		await bothDirectionsGoOn(helios, chad, "first");
		expect(chad.tree()).toBe(helios.tree());
		chad.write("data/list.md", "one\n\ntwo\n\nTHREE\n");
		await chad.once();
		await helios.once();
		expect(helios.read("data/list.md")).toBe("ONE\n\ntwo\n\nTHREE\n");
		expect(helios.exists("data/gone.md")).toBe(false);
		expect(helios.read("data/new.md")).toBe("new\n");
		await bothDirectionsGoOn(helios, chad, "second");
		expect(chad.tree()).toBe(helios.tree());
	});

	test("sync/ on another file system: changes, deletions, messages → as on one", async () => {
		const [helios, chad] = await world.pair({ "a.md": "1\n", "b.md": "1\n", "c.md": "1\n" });
		mountTmpfs(chad.path("sync"));
		fs.mkdirSync(chad.path("sync/pending"));
		chad.write("sync/pending/hello", "to all\n");
		helios.write("a.md", "2\n");
		helios.remove("b.md");
		await helios.once();
		chad.write("c.md", "2\n");
		await chad.once();
		await helios.once();
		expect(helios.read("c.md")).toBe("2\n");
		await chad.once();
		expect(helios.tree()).toBe(chad.tree());
		expect(chad.read("a.md")).toBe("2\n");
		expect(chad.exists("b.md")).toBe(false);
		expect(chad.state()?.skipped).toEqual([]);
		expect(helios.messages("chad")).toHaveLength(1);
		expect(chad.dirty()).toBe("");
		// The replaced file is kept, and late writes into it arrive.
		const backups = chad.path(".git/robust-sync/backups");
		const kept = fs
			.readdirSync(backups)
			.flatMap((name) => (fs.existsSync(`${backups}/${name}/files/a.md`) ? [`${backups}/${name}/files/a.md`] : []));
		fs.appendFileSync(kept[0] ?? "", "late\n");
		await chad.once();
		expect(chad.read("a.md")).toContain("late");
	});

	test("held path: file above 2 GiB here, edited by the peer → ours stays, rest synced", async () => {
		const [helios, chad] = await world.pair({ "big.bin": "1\n" });
		fs.truncateSync(chad.path("big.bin"), 2 ** 31 + 100);
		helios.write("big.bin", "2\n");
		await helios.once();
		await chad.once();
		expect(skippedOf(chad)).toContain("big.bin too-large");
		await bothDirectionsGoOn(helios, chad, "first");
		expect(fs.statSync(chad.path("big.bin")).size).toBe(2 ** 31 + 100);
		expect(helios.read("big.bin")).toBe("2\n");
	});

	test("mount: missing, then mounted again → no deletion, its changes arrive later", async () => {
		const [helios, chad] = await world.pair({ "other.md": "1\n" });
		const store = world.path("store");
		fs.mkdirSync(store);
		const bind = () => mount(chad.path("data"), "--bind", store);
		let unmount = bind();
		for (const name of ["a", "b", "c"]) chad.write(`data/${name}.md`, "1\n");
		await chad.once();
		await helios.once();
		expect(helios.read("data/b.md")).toBe("1\n");
		unmount();
		await bothDirectionsGoOn(helios, chad, "missing");
		expect(helios.exists("data/a.md")).toBe(true);
		expect(skippedOf(chad)).toEqual(["data missing-mount"]);
		fs.rmdirSync(chad.path("data"));
		await bothDirectionsGoOn(helios, chad, "removed");
		expect(helios.exists("data/a.md")).toBe(true);
		helios.write("data/c.md", "2\n");
		await helios.once();
		await chad.once();
		expect(chad.exists("data/c.md")).toBe(false);
		unmount = bind();
		chad.write("data/a.md", "2\n");
		chad.remove("data/b.md");
		await chad.once();
		await helios.once();
		expect(helios.read("data/a.md")).toBe("2\n");
		expect(helios.exists("data/b.md")).toBe(false);
		expect(helios.read("data/c.md")).toBe("2\n");
		await bothDirectionsGoOn(helios, chad, "again");
		unmount();
		await chad.once();
		expect((await chad.run(["--forget-mount", "other"])).code).toBe(2);
		expect(helios.exists("data/a.md")).toBe(true);
		fs.symlinkSync(chad.workspace, world.path("link"));
		expect(await chad.run(["--forget-mount", `${world.path("link")}/data/`])).toMatchObject({ code: 0 });
		await chad.once();
		await helios.once();
		expect(helios.exists("data/a.md")).toBe(false);
		expect(chad.state()?.skipped).toEqual([]);
		// A directory that a person removes is removed everywhere.
		fs.mkdirSync(helios.path("by-hand"));
		helios.write("by-hand/x.md", "1\n");
		await helios.once();
		await chad.once();
		chad.remove("by-hand");
		await chad.once();
		await helios.once();
		expect(helios.exists("by-hand/x.md")).toBe(false);
	});
});

describe("a path that no machine can place", () => {
	test.each([
		["a name of 300 bytes", "100644", "n".repeat(300), "x", "name-too-long"],
		["a link without a target", "120000", "link", "", "impossible-link"],
		["a link with NUL in its target", "120000", "link", "a\0b", "impossible-link"],
		["a link with a target of 5000 bytes", "120000", "link", "t".repeat(5000), "impossible-link"],
	])("held path: %s → all else is synced, cured by a newer commit", async (_what, mode, name, content, reason) => {
		const [helios, chad] = await world.pair({ "other.md": "1\n" });
		pushRaw([[mode, name, content]]);
		await chad.once();
		expect(skippedOf(chad)).toEqual([`${name} ${reason}`]);
		await helios.once();
		await bothDirectionsGoOn(helios, chad, "first");
		expect(world.git("hub.git", "ls-tree", "main", name)).not.toBe("");
		// Taken back on the hub.
		const before = world.git("hub.git", "ls-tree", "-z", "main");
		const tree = execFileSync("git", ["mktree", "-z"], {
			cwd: world.path("hub.git"),
			input: before
				.split("\0")
				.filter((line) => line !== "" && !line.endsWith(`\t${name}`))
				.map((line) => `${line}\0`)
				.join(""),
		})
			.toString()
			.trim();
		world.git("hub.git", "update-ref", "refs/heads/main", world.git("hub.git", "commit-tree", "-p", "main", "-m", "cure", tree).trim());
		for (const node of [helios, chad]) {
			await node.once();
			expect(node.state()?.skipped).toEqual([]);
			expect(node.dirty()).toBe("");
		}
		await bothDirectionsGoOn(helios, chad, "second");
	});

	test("held path: a submodule at an ignored file → the file stays", async () => {
		const [helios, chad] = await world.pair({ ".gitignore": "module\n", "other.md": "1\n" });
		chad.write("module", "token\n");
		await chad.once();
		pushRaw([["160000", "module", "1".repeat(40)]]);
		await chad.once();
		await helios.once();
		await bothDirectionsGoOn(helios, chad, "first");
		expect(chad.read("module")).toBe("token\n");
		expect(world.git("hub.git", "log", "--all", "-p", "--format=")).not.toContain("token");
		expect(world.git("hub.git", "ls-tree", "main", "module")).toContain("160000");
	});
});
