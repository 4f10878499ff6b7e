import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { GitError } from "./errors.ts";
import { Scratch } from "./fixtures/scratch.ts";
import { findLocalHub, moveHubBranch, sendObjects } from "./local-hub.ts";
import type { Oid } from "./repository.ts";

let template: Scratch;
let scratch: Scratch;
let hub: string;
let upon: Oid;
let commit: Oid;
beforeAll(() => {
	template = new Scratch("local-hub-template");
	template.init("helios", template.hub());
	for (const name of ["a/1.md", "a/2.md", "b/3.md"]) template.write(`helios/${name}`, `${name}\n`);
	upon = template.commitAll("helios", "first");
	template.git("helios", "push", "-q", "-u", "origin", "main");
	template.write("helios/a/1.md", "changed\n");
	template.write("helios/new.md", "new\n");
	commit = template.commitAll("helios", "second");
});
afterAll(() => template.remove());
beforeEach(() => {
	scratch = new Scratch("local-hub");
	fs.cpSync(template.directory, scratch.directory, { recursive: true });
	hub = scratch.path("hub.git");
	const config = scratch.read("helios/.git/config");
	scratch.write("helios/.git/config", config.replace(template.path("hub.git"), hub));
});
afterEach(() => scratch.remove());

const find = async () => await findLocalHub(await scratch.open("helios"), "origin");
const tip = () => scratch.git("hub.git", "rev-parse", "main").trim();

test("a bare repository of this machine takes a commit without a push, and is whole", async () => {
	const repository = await scratch.open("helios");
	expect(await findLocalHub(repository, "origin")).toBe(hub);
	await sendObjects(repository, hub, commit, upon);
	expect(tip()).toBe(upon);
	await moveHubBranch(repository, hub, "main", commit, upon);
	expect(tip()).toBe(commit);
	scratch.git("hub.git", "fsck", "--strict", "--connectivity-only");
	scratch.git(".", "clone", "-q", hub, "chad");
	expect(scratch.read("chad/a/1.md") + scratch.read("chad/new.md") + scratch.read("chad/b/3.md")).toBe("changed\nnew\nb/3.md\n");
});

test("as a file:// URL too", async () => {
	scratch.git("helios", "remote", "set-url", "origin", `file://${hub}`);
	expect(await find()).toBe(hub);
});

test("only what the parent has not goes there", async () => {
	const count = () => Number(/^count: (\d+)/m.exec(scratch.git("hub.git", "count-objects", "-v"))?.[1]);
	const before = count();
	await sendObjects(await scratch.open("helios"), hub, commit, upon);
	// The commit, two trees, two blobs.
	expect(count() - before).toBe(5);
});

test("a branch that moved meanwhile stays where it is", async () => {
	scratch.git(".", "clone", "-q", hub, "chad");
	const theirs = scratch.commitAll("chad", "theirs");
	scratch.git("chad", "push", "-q", "origin", "main");
	const repository = await scratch.open("helios");
	await sendObjects(repository, hub, commit, upon);
	await expect(moveHubBranch(repository, hub, "main", commit, upon)).rejects.toThrow(GitError);
	expect(tip()).toBe(theirs);
});

const inHub = (...args: string[]) => scratch.git("hub.git", "config", ...args);
const here = (...args: string[]) => scratch.git("helios", "config", ...args);

test.each<[string, () => void]>([
	...["pre-receive", "update", "proc-receive", "post-receive", "post-update", "reference-transaction"].map((hook): [string, () => void] => [
		`with a ${hook} hook`,
		() => {
			fs.mkdirSync(`${hub}/hooks`, { recursive: true });
			fs.writeFileSync(`${hub}/hooks/${hook}`, "#!/bin/sh\n", { mode: 0o755 });
		},
	]),
	["with hooks elsewhere", () => inHub("core.hooksPath", "/srv/hooks")],
	["that checks what it gets", () => inHub("receive.fsckObjects", "true")],
	["that hides refs", () => inHub("transfer.hideRefs", "refs/heads/main")],
	["that keeps its refs in another way", () => inHub("extensions.refStorage", "files")],
	["that is not bare", () => inHub("core.bare", "false")],
	["that is shallow", () => fs.writeFileSync(`${hub}/shallow`, `${upon}\n`)],
	["with work trees", () => scratch.git("hub.git", "worktree", "add", "-q", scratch.path("tree"), "main")],
	["over ssh", () => scratch.git("helios", "remote", "set-url", "origin", `localhost:${hub}`)],
	["over http", () => scratch.git("helios", "remote", "set-url", "origin", "http://127.0.0.1:9/hub.git")],
	["named by a path from here", () => scratch.git("helios", "remote", "set-url", "origin", "../hub.git")],
	["with an escaped URL", () => scratch.git("helios", "remote", "set-url", "origin", `file://${hub.replace("hub", "h%75b")}`)],
	["that is away", () => fs.renameSync(hub, `${hub}.away`)],
	["that is pushed to elsewhere", () => scratch.git("helios", "remote", "set-url", "--push", "origin", "/elsewhere.git")],
	["that is one of two", () => scratch.git("helios", "remote", "set-url", "--add", "origin", "/elsewhere.git")],
	["that stands for another one", () => here(`url./elsewhere.git.insteadOf`, hub)],
	["with a receive-pack of its own", () => here("remote.origin.receivepack", "/usr/local/bin/receive-pack")],
	["that wants push options", () => here("push.pushOption", "ci.skip")],
	["where files may not be reached by path", () => here("protocol.file.allow", "never")],
])("a hub %s is pushed to", async (_what, change) => {
	expect(await find()).toBe(hub);
	change();
	expect(await find()).toBeNull();
});

test("where the caller allows some protocols only, git decides", async () => {
	const repository = await scratch.open("helios", { env: { GIT_ALLOW_PROTOCOL: "ssh" } });
	expect(await findLocalHub(repository, "origin")).toBeNull();
});

test("a hub of the other object format is pushed to", async () => {
	expect(spawnSync("git", ["init", "-q", "--bare", "--object-format=sha256", scratch.path("other.git")]).status).toBe(0);
	scratch.git("helios", "remote", "set-url", "origin", scratch.path("other.git"));
	expect(await find()).toBeNull();
});
