import { execFile } from "node:child_process";
import fs from "node:fs";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { oneKey as options, untilSame, valueFile } from "./fixture/forgetting.ts";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget-races");
});
afterEach(() => world.remove());

const value = "tok_9sK2mQ7vXcL4rT8w";
const other = "key_4hJ8wPz1NbYq6dFs";
const hub = () => world.path("hub.git");
const broken = () => world.git(hub(), "fsck", "--connectivity-only", "--no-dangling");

const fileOf = (text: string) => valueFile(world, text);

function expectGone(nodes: readonly Node[], values: readonly string[]): void {
	for (const place of [...nodes.map((node) => node.path(".git")), hub()])
		expect([place, ...values.filter((one) => objects(place).includes(one))]).toEqual([place]);
	for (const node of nodes) node.fsck();
	expect(broken()).toBe("");
}

/** Pushes of another repository to a branch of its own, which no forgetting replaces, one after another, until it is stopped. */
function pushesOf(name: string): { stop: () => Promise<number> } {
	world.git(".", "init", "-q", "-b", name, name);
	const git = async (...args: string[]) => await promisify(execFile)("git", args, { cwd: world.path(name) });
	let isStopped = false;
	const work = async () => {
		let pushed = 0;
		for (let index = 0; !isStopped; index++) {
			fs.writeFileSync(world.path(name, `file-${index}`), `content ${index}\n`);
			await git("add", "-A");
			await git("-c", "user.name=o", "-c", "user.email=o@o", "commit", "-qm", `file ${index}`);
			await git("push", "-q", hub(), name);
			pushed++;
		}
		return pushed;
	};
	const done = work();
	return {
		stop: async () => {
			isStopped = true;
			return await done;
		},
	};
}

describe("forget", () => {
	test("forget: written again by a peer after it → one history, hub whole", async () => {
		const [helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "b.md": "two\n" }, options);
		const juno = world.node("juno", options);
		await untilSame([helios, juno]);
		expect((await helios.run(["--forget-value", fileOf(value)])).code).toBe(0);
		await chad.once();
		chad.write("leak.md", `again ${value}\n`);
		await chad.once();
		helios.write("c.md", "three\n");
		await helios.once();
		// It has the old history, and applies the map to a branch with the new leak.
		await untilSame([juno, chad, helios]);
		expect(broken()).toBe("");
		expect((await helios.run(["--forget-value", fileOf(value)])).code).toBe(0);
		await untilSame([chad, juno, helios]);
		expectGone([helios, chad, juno], [value]);
		expect(helios.read("leak.md")).toMatch(/^again forgotten-a/);
	});

	test.each(["chad's next cycles", "the same command again"])("forget: killed after the push, then %s → gone on the hub", async (how) => {
		const [helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "b.md": "two\n" }, options);
		for (const place of ["forget-published", "forget-dropped", "forget-hub-listed", "forget-hub-aside"]) {
			helios.write("a.md", `${place} ${value}\n`);
			await untilSame([helios, chad]);
			const killed = await helios.run(["--forget-value", fileOf(value)], { env: { ROBUST_SYNC_FAULT: place } });
			expect([place, killed.code, objects(hub()).includes(value) || place === "forget-hub-aside"]).toEqual([place, "SIGKILL", true]);
			if (how.startsWith("chad")) await untilSame([chad, helios]);
			else expect((await helios.run(["--forget-value", fileOf(value)])).code).toBe(0);
			await untilSame([helios, chad]);
			expectGone([helios, chad], [value]);
			expect(fs.readdirSync(`${hub()}/objects`).filter((name) => name.startsWith("robust-sync"))).toEqual([]);
		}
	});

	test("forget: pushes by others meanwhile, two values → hub whole", async () => {
		const [helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "b.md": `${other}\n` }, options);
		helios.write("a.md", "one\n");
		helios.write("b.md", "two\n");
		await untilSame([helios, chad]);
		const pushers = ["one", "two"].map(pushesOf);
		const env = { ROBUST_SYNC_PAUSE: "forget-hub=300" };
		const ended = await Promise.all([
			helios.run(["--forget-value", fileOf(value)], { env }),
			chad.run(["--forget-value", fileOf(other)], { env }),
		]);
		expect(ended.map(({ code, stderr }) => [code, code === 0 ? "" : stderr])).toEqual([
			[0, ""],
			[0, ""],
		]);
		const pushed = await Promise.all(pushers.map((one) => one.stop()));
		expect(Math.min(...pushed)).toBeGreaterThan(2);
		await untilSame([helios, chad]);
		expectGone([helios, chad], [value, other]);
		for (const name of ["one", "two"]) expect(world.git(hub(), "rev-parse", name)).toBe(world.git(name, "rev-parse", "HEAD"));
	});

	test("forget: another push before each of 20 attempts → done in one command", async () => {
		const [helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "b.md": "two\n" }, options);
		for (let index = 0; index < 5; index++) {
			helios.write(`h${index}.md`, `${index}\n`);
			await helios.once();
		}
		await untilSame([helios, chad]);
		// Moves the branch while a push of the new history is being received; the third such commit has the value, and its message, too.
		const hook = `#!/bin/sh
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
read old new name
[ "$name" = refs/heads/main ] || exit 0
echo x >> pushes
n=$(wc -l < pushes)
[ $n -le 20 ] || exit 0
text="line $n"; [ $n -ne 3 ] || text="line ${value}"
export GIT_INDEX_FILE=moved GIT_AUTHOR_NAME=o GIT_AUTHOR_EMAIL=o@o GIT_COMMITTER_NAME=o GIT_COMMITTER_EMAIL=o@o
git read-tree main
git update-index --add --cacheinfo 100644 $(echo "$text" | git hash-object -w --stdin) moved-$n.md
git update-ref refs/heads/main $(git commit-tree $(git write-tree) -p main -m "$text")
`;
		fs.mkdirSync(`${hub()}/hooks`, { recursive: true });
		fs.writeFileSync(`${hub()}/hooks/pre-receive`, hook, { mode: 0o755 });
		const { code, stdout } = await helios.run(["--forget-value", fileOf(value), "--json"]);
		fs.rmSync(`${hub()}/hooks/pre-receive`);
		const total = Number(world.git(hub(), "rev-list", "--count", "main"));
		expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ replaced: true, hub: null })]);
		// One push an attempt: each more is time for the others.
		expect(fs.readFileSync(`${hub()}/pushes`, "latin1").match(/x/g)?.length).toBe(21);
		// The map's commit is the only one that is not rewritten.
		expect([JSON.parse(stdout).commits]).toEqual([total - 1]);
		await untilSame([helios, chad]);
		expectGone([helios, chad], [value]);
		expect(chad.read("moved-3.md")).toMatch(/^line forgotten-a/);
		expect(chad.read("moved-20.md")).toBe("line 20\n");
	});
});
