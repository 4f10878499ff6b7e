import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { WorkspacePaths } from "./paths.ts";
import { progressText, readProgress, writeProgress } from "./progress.ts";

let paths: WorkspacePaths;
beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-progress-")));
	fs.mkdirSync(paths.sync, { mode: 0o700 });
});
afterEach(() => fs.rmSync(paths.root, { recursive: true }));

const work = { what: "adding files", done: 12_000, total: 50_000, unit: "files", per_second: 800, remaining_seconds: 48 };
const now = Date.UTC(2026, 1, 18, 2);

test.each([
	[{}, "adding files: 12,000 of 50,000 (24 %), about 48 s left, 800/s"],
	[{ total: null, remaining_seconds: null }, "adding files: 12,000, 800/s"],
	[{ per_second: null, remaining_seconds: null }, "adding files: 12,000 of 50,000 (24 %)"],
	[{ what: "rewriting", unit: "commits", remaining_seconds: 200 }, "rewriting: 12,000 of 50,000 commits (24 %), about 3 min left, 800/s"],
	[{ what: "sending", unit: "bytes", remaining_seconds: 9_000 }, "sending: 12.0 kB of 50.0 kB (24 %), about 3 h left, 800 bytes/s"],
	[{ done: 60_000, remaining_seconds: 0 }, "adding files: 60,000 of 50,000 (100 %), about 0 s left, 800/s"],
	[{ done: 0, total: 0, per_second: null, remaining_seconds: null }, "adding files: 0 of 0"],
])("progress: %j → %s", (fields, text) => {
	expect(progressText({ ...work, ...fields })).toBe(text);
});

test("progress: written, read, old, over → there for 30 s, then nothing", async () => {
	expect(readProgress(paths, now)).toBeNull();
	await writeProgress(paths, { ...work, since: now - 5_000 }, now);
	expect(readProgress(paths, now + 30_000)).toMatchObject({ ...work, since: "2026-02-18T01:59:55.000Z" });
	// Of a process that was killed, or from before the clock was set back.
	expect(readProgress(paths, now + 30_001)).toBeNull();
	expect(readProgress(paths, now - 30_001)).toBeNull();
	await writeProgress(paths, null, now);
	await writeProgress(paths, null, now);
	expect(fs.readdirSync(paths.sync)).toEqual([]);
});

test.each([
	"",
	"{",
	"[]",
	'{"schema":2}',
	JSON.stringify({ schema: 1, updated_at: new Date(now).toISOString(), since: "x", ...work }),
	JSON.stringify({ schema: 1, updated_at: new Date(now).toISOString(), since: new Date(now).toISOString(), ...work, done: -1 }),
	JSON.stringify({
		schema: 1,
		updated_at: new Date(now).toISOString(),
		since: new Date(now).toISOString(),
		...work,
		what: "x".repeat(101),
	}),
])("progress: the file holds %j → nothing", (text) => {
	fs.writeFileSync(paths.progress, text);
	expect(readProgress(paths, now)).toBeNull();
});
