import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { isWorkspace, locateWorkspace, NoConsentError, WorkspaceNotFoundError } from "./locate.ts";

let base: string;

beforeAll(() => {
	base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-locate-")));
	for (const directory of ["flag", "variable", "configured/repo/deep/er", "repository/deep", "nowhere", "linked/deep"])
		fs.mkdirSync(path.join(base, directory), { recursive: true });
	fs.writeFileSync(path.join(base, "configured/.sync_env"), "");
	fs.mkdirSync(path.join(base, "configured/repo/.git"));
	fs.mkdirSync(path.join(base, "repository/.git"));
	fs.writeFileSync(path.join(base, "linked/.git"), "gitdir: elsewhere\n");
});

afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

const at = (name: string) => path.join(base, name);

test("locate: --workspace → comes first, relative to nothing but the process", () => {
	expect(locateWorkspace({ flag: at("flag"), env: { SYNC_WORKSPACE: at("variable") }, cwd: at("configured") })).toBe(at("flag"));
});

test("locate: $SYNC_WORKSPACE → next", () => {
	expect(locateWorkspace({ env: { SYNC_WORKSPACE: at("variable") }, cwd: at("configured") })).toBe(at("variable"));
});

test("locate: named by a link → the directory to which it leads", () => {
	fs.symlinkSync("flag", at("link"));
	const env = { SYNC_WORKSPACE: `${at("link")}/` };
	for (const root of [locateWorkspace({ flag: at("link"), env: {} }), locateWorkspace({ env })]) expect(root).toBe(at("flag"));
	expect(isWorkspace(at("flag"), { env })).toBe(true);
});

test("locate: ancestor with .sync_env → before a git working tree that is nearer", () => {
	expect(locateWorkspace({ env: {}, cwd: at("configured/repo/deep/er") })).toBe(at("configured"));
});

test("locate: a .sync_env below the top of a working tree → not taken", () => {
	fs.mkdirSync(at("configured/repo/docs"));
	fs.writeFileSync(at("configured/repo/docs/.sync_env"), "export NODE_NAME=evil\n");
	fs.mkdirSync(at("repository/docs/deep"), { recursive: true });
	fs.writeFileSync(at("repository/docs/.sync_env"), "export NODE_NAME=evil\n");
	expect(locateWorkspace({ env: {}, cwd: at("configured/repo/docs") })).toBe(at("configured"));
	expect(locateWorkspace({ env: {}, cwd: at("repository/docs/deep") })).toBe(at("repository"));
	expect(() => locateWorkspace({ env: {}, cwd: at("repository/docs"), needsConsent: true })).toThrow(NoConsentError);
});

test("locate: git working tree, a linked one too → its top level", () => {
	expect(locateWorkspace({ env: {}, cwd: at("repository/deep") })).toBe(at("repository"));
	expect(locateWorkspace({ env: {}, cwd: at("linked/deep") })).toBe(at("linked"));
});

test("locate: a name that is no directory → 2, in one line", () => {
	for (const options of [{ flag: at("missing") }, { flag: at("configured/.sync_env") }, { env: { SYNC_WORKSPACE: at("missing") } }]) {
		const locate = () => locateWorkspace(options);
		expect(locate).toThrow(WorkspaceNotFoundError);
		expect(locate).toThrow(expect.objectContaining({ exitCode: 2, message: expect.not.stringContaining("\n") }));
	}
});

test("locate: nothing found → 2 with all the ways to name one", () => {
	expect(() => locateWorkspace({ env: {}, cwd: "/" })).toThrow(
		expect.objectContaining({ exitCode: 2, message: expect.stringMatching(/--workspace.*SYNC_WORKSPACE.*\.sync_env/) }),
	);
});

describe("consent: writing needs a workspace that a person made one", () => {
	const needsConsent = true;
	const mark = (text: string) => {
		const root = fs.mkdtempSync(path.join(base, "marked-"));
		fs.mkdirSync(path.join(root, ".git"));
		fs.writeFileSync(path.join(root, ".git/config"), text);
		return root;
	};

	test("consent: named, configured or marked → found", () => {
		expect(locateWorkspace({ flag: at("repository"), env: {}, needsConsent })).toBe(at("repository"));
		expect(locateWorkspace({ env: { SYNC_WORKSPACE: at("repository") }, needsConsent })).toBe(at("repository"));
		expect(locateWorkspace({ env: {}, cwd: at("configured/repo"), needsConsent })).toBe(at("configured"));
		for (const text of ["[core]\n\tbare = false\n[robust-sync]\n\tworkspace = true\n", '[Robust-Sync]\nworkspace="true"\n']) {
			const root = mark(text);
			expect(locateWorkspace({ env: {}, cwd: root, needsConsent })).toBe(root);
		}
	});

	test("consent: only the main working tree is marked → a linked one needs its .sync_env", () => {
		const root = mark("[robust-sync]\n\tworkspace = true\n");
		const gitDirectory = path.join(root, ".git/worktrees/other");
		fs.mkdirSync(gitDirectory, { recursive: true });
		fs.writeFileSync(path.join(gitDirectory, "commondir"), "../..\n");
		const linked = fs.mkdtempSync(path.join(base, "linked-"));
		fs.writeFileSync(path.join(linked, ".git"), `gitdir: ${gitDirectory}\n`);
		expect(locateWorkspace({ env: {}, cwd: root, needsConsent })).toBe(root);
		expect(() => locateWorkspace({ env: {}, cwd: linked, needsConsent })).toThrow(NoConsentError);
		fs.writeFileSync(path.join(linked, ".sync_env"), "");
		expect(locateWorkspace({ env: {}, cwd: linked, needsConsent })).toBe(linked);
		// A working tree whose git directory is elsewhere is not a linked one (git init --separate-git-dir, submodules).
		const apart = fs.mkdtempSync(path.join(base, "apart-"));
		fs.writeFileSync(path.join(apart, ".git"), `gitdir: ${path.join(root, ".git")}\n`);
		expect(locateWorkspace({ env: {}, cwd: apart, needsConsent })).toBe(apart);
	});

	test.each([
		"",
		"[robust-sync]\n\tworkspace = false\n",
		"[robust-sync]\n[core]\n\tworkspace = true\n",
		"# [robust-sync]\n\tworkspace = true\n",
		"[robust-sync]\n# workspace = true\n",
		"[robust-sync]\n\tworkspace = true\n[core]\n\tbare = false\n[robust-sync]\n\tworkspace = false\n",
		'[robust-sync "other"]\n\tworkspace = true\n',
		"[robust-sync]\n\tworkspaces = true\n",
	])("consent: a repository with the configuration %j → refused in two lines", (text) => {
		const root = mark(text);
		expect(() => locateWorkspace({ env: {}, cwd: root, needsConsent })).toThrow(
			expect.objectContaining({ exitCode: 2, lines: [expect.stringContaining(root), expect.stringContaining("--init")] }),
		);
	});
});
