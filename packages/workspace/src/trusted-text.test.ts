import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { diskFiles } from "@robust-sync/system/disk-files";
import { readBackup } from "./backup-manifest.ts";
import { readJournal } from "./journal.ts";
import { WorkspacePaths } from "./paths.ts";
import { listSavedVersions } from "./saved-versions.ts";
import { messageTarget } from "./trusted-text.ts";

let paths: WorkspacePaths;
beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-trusted-")));
});
afterEach(() => fs.rmSync(paths.root, { recursive: true }));

const oid = "a".repeat(40);
const time = "20260218T020000.000Z";
function write(file: string, content: object): void {
	fs.mkdirSync(path.dirname(file), { recursive: true });
	fs.writeFileSync(file, JSON.stringify(content));
}
const outside = [
	".git/config",
	"a/.GIT/hooks/x",
	"git~1",
	".g\u200cit/x",
	"..\\.git\\x",
	"../x",
	"a/../../x",
	"/etc/shadow",
	"..",
	".",
	"",
	"a//b",
	"a/./b",
	"a\0b",
	"x/",
];

describe("text read back from sync/", () => {
	test("backup manifest: names that lead outside → as if it did not parse", () => {
		const file = { path: "a/b", file: "files/a/b", before: oid, after: null, size: 1, mtime_ms: 1 };
		const read = (fields: object) => {
			write(path.join(paths.backups, time, "manifest.json"), { schema: 1, replaced_at: "x", files: [{ ...file, ...fields }] });
			return readBackup(diskFiles, paths, time).manifest;
		};
		expect(read({})?.files).toEqual([file]);
		for (const name of [...outside, "../../../../shadow"]) for (const key of ["path", "file"]) expect(read({ [key]: name })).toBeNull();
		for (const name of ["sync/pending/x", "LOGS/sync.log", ".sync_env"]) expect(read({ path: name })).toBeNull();
		for (const id of ["", "HEAD", "--all", `${oid}0`]) expect(read({ before: id })).toBeNull();
	});

	test("manifest of saved versions: names that lead outside → as if it did not parse", () => {
		const file = { path: "a", type: "content", strategy: "later", winner: "ours", saved: ["files/a.ours"] };
		const read = (fields: object) => {
			const base = { schema: 1, resolved_at: "2026-02-18T02:00:00.000Z", merge_commit: oid, ours: oid, theirs: oid, base: null };
			write(path.join(paths.conflicts, time, "manifest.json"), { ...base, files: [{ ...file, ...fields }] });
			return listSavedVersions(paths)[0]?.manifest;
		};
		expect(read({})?.files).toEqual([file]);
		const hex = (name: string) => Buffer.from(name).toString("hex");
		for (const name of outside) {
			for (const fields of [{ path: name }, { saved: [name] }, { path_hex: hex(name) }, { saved_hex: [hex(name)] }])
				expect([fields, read(fields)]).toEqual([fields, null]);
		}
		for (const fields of [{ modes: { ours: "104755" } }, { path: "sync/outbox.json" }, { path_hex: "zz" }]) expect(read(fields)).toBeNull();
	});

	test("journals: no time, no branch, no object ids → as if they did not parse", () => {
		const journal = {
			schema: 1,
			from: null,
			to: oid,
			branch_at: null,
			ref: "refs/heads/feature/a",
			theirs: null,
			backup: time,
			started_at: "x",
		};
		const bad = [
			...["../x", "/tmp/x", "", "latest", `${time}/..`].map((backup) => ({ backup })),
			...[
				"HEAD",
				"refs/tags/x",
				"refs/heads/",
				"refs/heads/../x",
				"refs/heads/a..b",
				"refs/heads/-x y",
				"refs/heads/a.lock",
				"refs/remotes/origin/main",
				"../../x",
			].map((ref) => ({ ref })),
		];
		write(paths.journal, journal);
		expect(readJournal(paths)).toEqual(journal);
		for (const fields of [...bad, { to: "main" }, { from: "--help" }, { theirs: "x" }]) {
			write(paths.journal, { ...journal, ...fields });
			expect([fields, readJournal(paths)]).toEqual([fields, null]);
		}
	});

	test("outbox target: anything but messages/<node>/<one name> → refused", () => {
		for (const name of ["messages/helios/x", "messages/chad-2/\xff\n"]) expect(messageTarget.safeParse(name).success).toBe(true);
		const bad = [
			"../cron.d/x",
			"messages/helios/../x",
			"messages/helios/a/b",
			"messages//x",
			"messages/../x",
			"messages/helios/",
			"messages/helios/..",
			"Messages/helios/x",
			"/messages/helios/x",
			"messages/Helios/x",
			"a/messages/helios/x",
			"messages/helios/a\0",
		];
		for (const name of bad) expect([name, messageTarget.safeParse(name).success]).toEqual([name, false]);
	});
});
