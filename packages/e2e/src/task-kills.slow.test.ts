import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { faultPointNames } from "./fixture/sources.ts";
import { World } from "./fixture/world.ts";

// Fault points that no ordinary cycle passes: requests of a person, and commits that are made again.

let world: World;
let helios: Node;
beforeEach(async () => {
	world = new World("task-kills");
	[helios] = await world.pair(Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`notes/${index}.md`, `note ${index}\n`])));
	await helios.once();
});
afterEach(() => world.remove());

const onHub = () => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n");
const everOnHub = (name: string) => world.git("hub.git", "log", "--all", "--format=%H", "--", name).trim() !== "";

async function killed(args: readonly string[], name: string): Promise<void> {
	const { code } = await helios.run(args, { env: { ROBUST_SYNC_FAULT: name } });
	expect({ name, code }).toEqual({ name, code: "SIGKILL" });
}

async function expectAtRest(): Promise<void> {
	const state = await helios.once();
	expect(state).toMatchObject({ status: "idle", last_error: null });
	expect(fs.existsSync(helios.paths.journal)).toBe(false);
	helios.fsck();
	expect(world.git("hub.git", "rev-parse", "main").trim()).toBe(helios.head());
}

function deleteMost(): void {
	for (let index = 0; index < 100; index++) helios.remove(`notes/${index}.md`);
}

/** A hub refuses one of four files. The process is killed between the pushes of parts, and a program removes a file and writes another. */
async function killedInParts(fault: string): Promise<void> {
	world.write(
		"hub.git/hooks/pre-receive",
		'#!/bin/sh\nwhile read old new ref; do for c in $(git rev-list $new --not --all); do git grep -q SECRET $c && { echo "a secret" >&2; exit 1; }; done; done; exit 0\n',
	);
	fs.chmodSync(world.path("hub.git/hooks/pre-receive"), 0o755);
	helios.write("notes/key.txt", "SECRET\n");
	for (const name of ["a", "b", "more"]) helios.write(`notes/${name}.md`, "first\n");
	await killed(["--once"], fault);
	helios.remove("notes/a.md");
	helios.remove("notes/more.md");
	helios.write("notes/b.md", "second\n");
	await helios.run(["--once"]);
	await helios.once();
	expect(everOnHub("notes/key.txt")).toBe(false);
	expect(onHub().filter((name) => ["notes/a.md", "notes/b.md", "notes/more.md"].includes(name))).toEqual(["notes/b.md"]);
	expect(world.git("hub.git", "show", "main:notes/b.md")).toBe("second\n");
	expect(helios.read("notes/b.md")).toBe("second\n");
	expect(helios.read("notes/key.txt")).toBe("SECRET\n");
}

const plights: Record<string, () => Promise<void>> = {
	"own-files-kept": async () => {
		helios.write("sync/handmade", "mine\n");
		helios.write("notes/more.md", "more\n");
		helios.git("add", "-f", "sync/handmade", "notes/more.md");
		helios.git("commit", "-q", "-m", "by a person");
		await killed(["--once"], "own-files-kept");
		await expectAtRest();
		expect(everOnHub("sync/handmade")).toBe(false);
		expect(onHub()).toContain("notes/more.md");
		expect(helios.read("sync/handmade")).toBe("mine\n");
	},
	"refused-kept": () => killedInParts("refused-kept"),
	"refused-part": () => killedInParts("refused-part#4"),
	"refused-part-pushed": () => killedInParts("refused-part-pushed"),
	"secret-kept": async () => {
		const token = ["gh", "p_", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bD1fG3hJ5"].join("");
		helios.write("notes/key.txt", `${token}\n`);
		helios.write("notes/more.md", "more\n");
		helios.git("add", "notes/key.txt", "notes/more.md");
		helios.git("commit", "-q", "-m", "by a person");
		await killed(["--once"], "secret-kept");
		await expectAtRest();
		expect(everOnHub("notes/key.txt")).toBe(false);
		expect(onHub()).toContain("notes/more.md");
		expect(helios.read("notes/key.txt")).toBe(`${token}\n`);
	},
	"guard-approved": async () => {
		deleteMost();
		await helios.once();
		expect(onHub()).toHaveLength(120);
		await killed(["--approve"], "guard-approved");
		await helios.run(["--approve"]);
		await expectAtRest();
		expect(onHub()).toHaveLength(20);
	},
	"guard-rejected": async () => {
		deleteMost();
		await helios.once();
		await killed(["--reject"], "guard-rejected");
		await helios.run(["--reject"]);
		await expectAtRest();
		expect(onHub()).toHaveLength(120);
		expect(helios.read("notes/7.md")).toBe("note 7\n");
	},
	"task-written": async () => {
		const before = helios.head() ?? "";
		helios.write("notes/7.md", "another\n");
		await helios.once();
		await killed(["--restore", "notes/7.md", "--at", before], "task-written");
		expect(helios.read("notes/7.md")).toBe("another\n");
		await expectAtRest();
		expect((await helios.run(["--restore", "notes/7.md", "--at", before])).code).toBe(0);
		await expectAtRest();
		expect(helios.read("notes/7.md")).toBe("note 7\n");
	},
};

describe("killed in the middle of a person's request:", () => {
	test("every such fault point → has a test here", () => {
		const names = faultPointNames(["robust-sync"]).filter((name) => /^(own-files|refused|secret|guard|task)-/.test(name));
		expect(names.sort()).toEqual(Object.keys(plights).sort());
	});

	test.each(Object.entries(plights))("%s → nothing lost, the next cycle continues", (_name, plight) => plight(), 120_000);
});
