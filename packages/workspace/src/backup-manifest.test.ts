import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git/git-path";
import { diskFiles } from "@robust-sync/system/disk-files";
import { readBackup, replacedNow, writeBackupManifest } from "./backup-manifest.ts";
import { WorkspacePaths } from "./paths.ts";

let paths: WorkspacePaths;
const name = "20260218T020000.000Z";
beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "manifest-")));
	fs.mkdirSync(path.join(paths.backups, name), { recursive: true });
});
afterEach(() => fs.rmSync(path.dirname(paths.sync), { recursive: true }));

/** @param count how many files, with paths of 700 characters, every second of them no ASCII */
function manifestOf(count: number) {
	const files = Array.from({ length: count }, (_, index) => {
		const file = `${index}/${(index % 2 === 0 ? "p" : "\u00fc").repeat(690)}` as GitPath;
		const before = index.toString(16).padStart(40, "0");
		return { path: file, file: `files/${file}` as GitPath, before, after: null, size: index, mtime_ms: index };
	});
	return { ...replacedNow(Date.UTC(2026, 1, 18)), files };
}

const written = () => fs.readdirSync(path.join(paths.backups, name)).sort();

test.each([
	[0, 1],
	[3, 1],
	[12_000, 4],
])("backup manifest: %s files with long paths → read back, in %s parts", (count, parts) => {
	const manifest = manifestOf(count);
	writeBackupManifest(diskFiles, paths, name, manifest);
	expect(written()).toHaveLength(parts);
	const read = readBackup(diskFiles, paths, name).manifest;
	// Compared as one text: a difference would be printed at length.
	expect(JSON.stringify(read) === JSON.stringify(manifest)).toBe(true);
});

test("backup manifest: files come one by one → parts on disk before the last", () => {
	const { files, ...fields } = manifestOf(25);
	const seen = new Set<string>();
	function* many() {
		for (let index = 0; index < 10_000; index++) {
			if (index % 1_000 === 0) for (const part of written()) seen.add(part);
			yield files[index % files.length] as (typeof files)[number];
		}
	}
	writeBackupManifest(diskFiles, paths, name, { ...fields, files: many() });
	expect([...seen]).toEqual(["manifest-1.json"]);
	expect(written()).toEqual(["manifest-1.json", "manifest-2.json", "manifest.json"]);
	expect(readBackup(diskFiles, paths, name).manifest?.files).toHaveLength(10_000);
});

test("backup manifest: a part that is missing or torn → as if it did not parse", () => {
	writeBackupManifest(diskFiles, paths, name, manifestOf(8_000));
	const part = path.join(paths.backups, name, "manifest-1.json");
	expect(readBackup(diskFiles, paths, name).manifest?.files).toHaveLength(8_000);
	fs.truncateSync(part, 1_000);
	expect(readBackup(diskFiles, paths, name).manifest).toBeNull();
	fs.rmSync(part);
	expect(readBackup(diskFiles, paths, name).manifest).toBeNull();
});

test.each([-1, 0.5, 1e9, "1"])("backup manifest: %j as the number of parts → invalid", (parts) => {
	fs.writeFileSync(path.join(paths.backups, name, "manifest.json"), JSON.stringify({ ...manifestOf(1), parts }));
	expect(readBackup(diskFiles, paths, name).manifest).toBeNull();
});
