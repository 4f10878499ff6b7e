import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { changeRemoteRefs, replaceRemoteBranch } from "./replace-branch.ts";
import { readRemoteRefs } from "./transport.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("replace-branch");
});
afterAll(() => scratch.remove());

const packsOf = (directory: string) =>
	fs
		.readdirSync(`${directory}/objects/pack`)
		.filter((name) => name.endsWith(".pack"))
		.map((name) => name.slice(0, -".pack".length));

test.each([
	["takes them", [], (all: string[]) => all, "", 1],
	["takes them, and lacks an object", [], (all: string[]) => all, "0123456789012345678901234567890123456789", 1],
	["examines what it receives", ["receive.fsckObjects", "true"], (all: string[]) => all, "", 0],
	["is given too few of them", [], () => ["pack-of-another-repository"], "", 0],
])("replace a branch: with its packs, a hub that %s → replaced and whole", async (what, setting, given, lacking, copied) => {
	const name = what.replace(/\W+/g, "-");
	const hub = scratch.hub(`${name}.git`);
	const git = (...args: string[]) => scratch.git(name, ...args).trim();
	scratch.init(name, hub);
	const old = scratch.commitAll(name, "old");
	git("push", "-q", "origin", "main");
	if (setting.length > 0) scratch.git(hub, "config", ...setting);
	git("checkout", "-q", "--orphan", "other");
	scratch.write(`${name}/new`, "new\n");
	const made = scratch.commitAll(name, "new");
	git("repack", "-adq");
	const own = packsOf(scratch.path(name, ".git"));
	const repository = await scratch.open(name);
	const history = { from: old, to: made, packs: new Set(given(own)), outside: new Set(lacking === "" ? [] : [lacking]) };
	expect(await replaceRemoteBranch(repository, "origin", "main", made, made, history)).toBe("race");
	expect(await replaceRemoteBranch(repository, "origin", "main", made, old, history)).toBe("pushed");
	expect(scratch.git(hub, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main\n");
	expect(scratch.git(hub, "rev-parse", "main").trim()).toBe(made);
	expect(scratch.git(hub, "fsck", "--full", "--no-dangling")).toBe("");
	expect(packsOf(hub).filter((pack) => own.includes(pack))).toHaveLength(copied);
});

test.each([
	["forbids forced pushes", ["receive.denyNonFastForwards", "true"], "", "allow a forced push"],
	["has a hook that declines", [], "exit 1\n", "a hook there declined it"],
])("replace a branch: a hub that %s → refused for that reason", async (what, setting, hook, reason) => {
	const name = what.replace(/\W+/g, "-");
	const hub = scratch.hub(`${name}.git`);
	scratch.init(name, hub);
	const old = scratch.commitAll(name, "old");
	scratch.git(name, "push", "-q", "origin", "main");
	if (setting.length > 0) scratch.git(hub, "config", ...setting);
	if (hook !== "") scratch.write(`${name}.git/hooks/pre-receive`, `#!/bin/sh\n${hook}`, 0o755);
	scratch.git(name, "checkout", "-q", "--orphan", "other");
	const made = scratch.commitAll(name, "new");
	const pushed = replaceRemoteBranch(await scratch.open(name), "origin", "main", made, old);
	await expect(pushed).rejects.toMatchObject({ code: "PUSH_REJECTED", message: expect.stringContaining(reason) });
	expect(scratch.git(hub, "rev-parse", "main").trim()).toBe(old);
});

test("refs of our own: made, removed, or none of both → nothing else is pushed", async () => {
	const hub = scratch.hub("refs.git");
	scratch.init("refs", hub);
	scratch.git("refs", "config", "push.default", "current");
	scratch.commitAll("refs", "not to be pushed");
	const repository = await scratch.open("refs");
	const oid = scratch.git("refs", "rev-parse", "HEAD^{tree}").trim();
	const ref = (name: string) => `refs/own/${name}`;
	const there = async () => Object.fromEntries(await readRemoteRefs(repository, "origin", ["refs/heads/*", "refs/own/*"]));
	await changeRemoteRefs(
		repository,
		"origin",
		[
			{ ref: ref("a"), oid },
			{ ref: ref("b"), oid },
		],
		[],
	);
	expect(await there()).toEqual({ [ref("a")]: oid, [ref("b")]: oid });
	await changeRemoteRefs(repository, "origin", [{ ref: ref("c"), oid }], [ref("a")]);
	await changeRemoteRefs(repository, "origin", [], []);
	expect(await there()).toEqual({ [ref("b")]: oid, [ref("c")]: oid });
	expect(await readRemoteRefs(repository, "origin", ["refs/own"])).toEqual(new Map());
});
