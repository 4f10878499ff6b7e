import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { WorkspacePaths } from "./paths.ts";
import { beginPause, endPause, pauseText, readPause } from "./pause.ts";

let paths: WorkspacePaths;
beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-pause-")));
});
afterEach(() => fs.rmSync(paths.root, { recursive: true }));

const now = Date.UTC(2026, 1, 18, 2);

describe("pause:", () => {
	test("with a duration → holds until then, and not at that moment", async () => {
		expect(await beginPause(paths, now, 60_000)).toEqual({ since: "2026-02-18T02:00:00.000Z", until: "2026-02-18T02:01:00.000Z" });
		expect(readPause(paths, now + 59_999)).not.toBeNull();
		expect(readPause(paths, now + 60_000)).toBeNull();
	});

	test("a second time → a new end, the same beginning", async () => {
		await beginPause(paths, now, 60_000);
		const pause = await beginPause(paths, now + 30_000, null);
		expect(pause).toEqual({ since: "2026-02-18T02:00:00.000Z", until: null });
		expect(readPause(paths, now + 10 * 365 * 86_400_000)).toEqual(pause);
		expect(pauseText(pause)).toBe("since 2026-02-18T02:00:00.000Z, until someone resumes it");
	});

	test("after one that is over → a new beginning", async () => {
		await beginPause(paths, now, 1_000);
		expect((await beginPause(paths, now + 5_000, null)).since).toBe("2026-02-18T02:00:05.000Z");
	});

	test("resumed → says what held, once", async () => {
		expect(endPause(paths, now)).toBeNull();
		await beginPause(paths, now, null);
		expect(endPause(paths, now)).not.toBeNull();
		expect(readPause(paths, now)).toBeNull();
		expect(endPause(paths, now)).toBeNull();
	});

	test.each([
		"",
		"{}",
		"[]",
		"null",
		'{"schema":1,"since":"x","until":null}',
		'{"schema":1,"since":"2026-02-18T02:00:00Z","until":"soon"}',
	])("the file holds %j → nothing is paused, and resuming takes it away", (text) => {
		fs.mkdirSync(paths.sync, { mode: 0o700 });
		fs.writeFileSync(paths.pause, text);
		expect(readPause(paths, now)).toBeNull();
		expect(endPause(paths, now)).toBeNull();
		expect(fs.existsSync(paths.pause)).toBe(false);
	});
});
