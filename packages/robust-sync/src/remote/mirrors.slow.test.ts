import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { parseConfig, parseEnvText, WorkspacePaths } from "@robust-sync/workspace";
import { syncOnce } from "../commands/once.ts";
import { promoteMirror, withVariables } from "../commands/promote.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("mirrors");
	for (const name of ["hub.git", "backup.git"]) scratch.hub(name);
	for (const node of ["helios", "chad"]) {
		scratch.init(node, scratch.path("hub.git"));
		scratch.git(node, "remote", "add", "backup", scratch.path("backup.git"));
		scratch.write(`${node}/.sync_env`, `# mine\nexport NODE_NAME=${node}\nexport SYNC_MIRRORS=backup\n`, 0o600);
	}
});
afterEach(() => scratch.remove());

const pathsOf = (node: string) => new WorkspacePaths(scratch.path(node));
const configOf = (node: string) => parseConfig(parseEnvText(scratch.read(`${node}/.sync_env`)));

async function cycle(node: string) {
	return await syncOnce({ paths: pathsOf(node), config: configOf(node), logger: silent as never });
}

async function done(node: string) {
	const outcome = await cycle(node);
	if (!outcome.ok) throw outcome.error;
	return outcome.state;
}

const tip = (repository: string) => scratch.git(repository, "rev-parse", "main").trim();

test("mirror: the hub has it → the mirror too; one away fails nothing, is reported", async () => {
	scratch.write("helios/a", "1");
	const state = await done("helios");
	expect(state.mirrors).toMatchObject([{ name: "backup", head: tip("hub.git"), error: null }]);
	expect(tip("backup.git")).toBe(tip("hub.git"));
	fs.renameSync(scratch.path("backup.git"), scratch.path("away.git"));
	scratch.write("helios/b", "1");
	expect((await done("helios")).mirrors).toMatchObject([{ head: tip("away.git"), error: { code: "REMOTE_UNREACHABLE" } }]);
	fs.renameSync(scratch.path("away.git"), scratch.path("backup.git"));
	expect((await done("helios")).mirrors).toMatchObject([{ head: tip("hub.git"), error: null }]);
	expect(tip("backup.git")).toBe(tip("hub.git"));
});

test("mirror: another history, no remote of that name → reported, nothing is merged", async () => {
	scratch.init("stranger", scratch.path("backup.git"));
	scratch.write("stranger/strange", "1");
	scratch.commitAll("stranger");
	scratch.git("stranger", "push", "-q", "origin", "main");
	scratch.write("helios/a", "1");
	expect((await done("helios")).mirrors).toMatchObject([
		{ head: null, error: { code: "PUSH_REJECTED", message: expect.stringContaining("another history") } },
	]);
	expect(fs.existsSync(scratch.path("helios/strange"))).toBe(false);
	scratch.git("helios", "remote", "remove", "backup");
	expect((await done("helios")).mirrors).toMatchObject([{ error: { code: "NO_REMOTE" } }]);
});

test("promotion: the old hub comes back with others' pushes → merged, both have all", async () => {
	scratch.write("helios/a", "1");
	await done("helios");
	await done("chad");
	fs.renameSync(scratch.path("hub.git"), scratch.path("away.git"));
	scratch.write("helios/b", "1");
	expect(await cycle("helios")).toMatchObject({ ok: false, error: { code: "REMOTE_UNREACHABLE" } });
	expect(await promoteMirror(pathsOf("helios"), configOf("helios"), "backup", {})).toEqual({
		hub: "backup",
		mirrors: ["origin"],
		reloaded: false,
	});
	expect((await done("helios")).mirrors).toMatchObject([{ name: "origin", error: { code: "REMOTE_UNREACHABLE" } }]);
	expect(tip("backup.git")).toBe(tip("helios"));
	// chad did not change its hub, and the hub is back: chad continues with its commits.
	fs.renameSync(scratch.path("away.git"), scratch.path("hub.git"));
	scratch.write("chad/c", "1");
	scratch.git("chad", "remote", "remove", "backup");
	await done("chad");
	expect((await done("helios")).mirrors).toMatchObject([{ name: "origin", error: null }]);
	await done("chad");
	for (const file of ["a", "b", "c"]) for (const node of ["helios", "chad"]) expect(scratch.read(`${node}/${file}`)).toBe("1");
	expect(new Set([tip("hub.git"), tip("backup.git"), tip("helios"), tip("chad")]).size).toBe(1);
});

test("promotion: no mirror, one away, lacking the branch, set by environment → refused", async () => {
	scratch.write("helios/a", "1");
	await done("helios");
	const before = scratch.read("helios/.sync_env");
	const promote = (name: string, env = {}) => promoteMirror(pathsOf("helios"), configOf("helios"), name, env);
	await expect(promote("nobody")).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining("names backup") });
	await expect(promote("backup", { SYNC_REMOTE: "origin" })).rejects.toMatchObject({ exitCode: 2 });
	fs.renameSync(scratch.path("backup.git"), scratch.path("away.git"));
	await expect(promote("backup")).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("REMOTE_UNREACHABLE") });
	scratch.hub("backup.git");
	await expect(promote("backup")).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining("has no branch 'main'") });
	expect(scratch.read("helios/.sync_env")).toBe(before);
	expect(await promote("origin")).toMatchObject({ hub: "origin", mirrors: ["backup"] });
});

test.each([
	["", "export A=x\n"],
	["# c\nA=1\nB=2\n", "# c\nB=2\nexport A=x\n"],
	["export A='1' # why\n\n\n", "export A=x\n"],
	["AB=1\n#A=2\n  export   A=3\r\nA=4", "AB=1\n#A=2\nexport A=x\n"],
])("a .sync_env: %j with A=x → %j", (before, after) => {
	expect(withVariables(before, { A: "x", C: null })).toBe(after);
	expect(parseEnvText(after)).toMatchObject({ A: "x" });
});
