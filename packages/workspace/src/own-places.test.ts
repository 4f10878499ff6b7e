import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { locateWorkspace } from "./locate.ts";
import { isOwnName } from "./paths.ts";

let top: string;
let root: string;
beforeEach(() => {
	top = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-own-places-"));
	root = path.join(top, "workspace");
	fs.mkdirSync(path.join(root, "sync"), { recursive: true });
	fs.mkdirSync(path.join(top, "elsewhere"));
});
afterEach(() => fs.rmSync(top, { recursive: true }));

const locate = () => locateWorkspace({ flag: root });

describe("own places", () => {
	test("own places: directories and files of ours, or nothing → the workspace is found", () => {
		expect(locate()).toBe(root);
		for (const name of ["logs", "sync/pending", "sync/conflicts"]) fs.mkdirSync(path.join(root, name));
		fs.writeFileSync(path.join(root, ".sync_env"), "");
		expect(locate()).toBe(root);
	});

	test.each([".sync_env", "logs", "sync", "sync/pending", "sync/conflicts", "sync/backups", "sync/staging", "sync/versions"])(
		"own places: %s is a link, also to nothing → exit code 2, one line",
		(name) => {
			const file = path.join(root, name);
			for (const target of [path.join(top, "elsewhere"), "nothing"]) {
				fs.rmSync(file, { recursive: true, force: true });
				fs.symlinkSync(target, file);
				expect(locate).toThrow(
					expect.objectContaining({
						exitCode: 2,
						message: `${file} is a symbolic link, and robust-sync keeps its own ${name === ".sync_env" ? "file" : "directory"} there: remove the link`,
					}),
				);
			}
			expect(fs.readdirSync(path.join(top, "elsewhere"))).toEqual([]);
		},
	);

	test("own places: a file where a directory belongs, or the reverse → exit code 2", () => {
		fs.rmdirSync(path.join(root, "sync"));
		fs.writeFileSync(path.join(root, "sync"), "mine\n");
		expect(locate).toThrow(expect.objectContaining({ exitCode: 2, message: expect.stringContaining("rename what you have") }));
		fs.rmSync(path.join(root, "sync"));
		fs.mkdirSync(path.join(root, ".sync_env"));
		expect(locate).toThrow(expect.objectContaining({ exitCode: 2 }));
	});

	test("own places: another user's directory → exit code 2; root works for the owner", () => {
		// Only root can give a file away.
		if (process.geteuid?.() !== 0) return;
		fs.chownSync(path.join(root, "sync"), 1234, 1234);
		expect(locate).toThrow(expect.objectContaining({ exitCode: 2, message: expect.stringContaining("uid 1234") }));
		fs.chownSync(root, 1234, 1234);
		expect(locate()).toBe(root);
	});

	test("own names: in any case → ours; names like them are not", () => {
		const bytes = (name: string) => Buffer.from(name).toString("latin1");
		for (const name of ["sync", "Sync", "SYNC", "logs", "LoGs", ".sync_env", ".SYNC_ENV", "\u017fync", "log\u017f"])
			expect(isOwnName(bytes(name))).toBe(true);
		for (const name of ["sync2", "log", "sync.", " sync", ".sync", "messages", ""]) expect(isOwnName(bytes(name))).toBe(false);
	});
});
