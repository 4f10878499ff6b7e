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

	test("resumed → returns the pause, once", async () => {
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
	])("the file holds %j → paused until resumed, which removes it", (text) => {
		fs.mkdirSync(paths.sync, { mode: 0o700 });
		fs.writeFileSync(paths.pause, text);
		fs.utimesSync(paths.pause, now / 1000, now / 1000);
		const paused = { since: "2026-02-18T02:00:00.000Z", until: null };
		expect(readPause(paths, now + 1)).toEqual(paused);
		expect(endPause(paths, now + 1)).toEqual(paused);
		expect(fs.existsSync(paths.pause)).toBe(false);
		expect(readPause(paths, now + 1)).toBeNull();
	});

	test("a directory has the file's place → paused until resumed, and it is moved aside", async () => {
		fs.mkdirSync(`${paths.pause}/inside`, { recursive: true, mode: 0o700 });
		expect(readPause(paths, now)).toMatchObject({ until: null });
		expect((await beginPause(paths, now, 1_000)).until).not.toBeNull();
		expect(fs.readdirSync(paths.sync).sort()).toEqual(["pause.json", "pause.json.corrupt-20260218T020000.000Z"]);
		fs.rmSync(paths.pause);
		fs.mkdirSync(paths.pause);
		expect(endPause(paths, now + 1)).not.toBeNull();
		expect(fs.existsSync(paths.pause)).toBe(false);
	});
});
