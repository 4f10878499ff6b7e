import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { listPending, oldestPendingMs } from "./outbox-listing.ts";
import { WorkspacePaths } from "./paths.ts";

let paths: WorkspacePaths;

beforeEach(() => {
	paths = new WorkspacePaths(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-outbox-")));
	fs.mkdirSync(paths.pending, { recursive: true });
});
afterEach(() => fs.rmSync(paths.root, { recursive: true, force: true }));

function put(name: string | Buffer, second: number): void {
	const file = Buffer.concat([Buffer.from(`${paths.pending}/`), Buffer.from(name)]);
	fs.writeFileSync(file, "x");
	fs.utimesSync(file, second, second);
}

test("outbox: several → oldest first, then by name; without unfinished ones", () => {
	put("c", 30);
	put("b", 20);
	put("a", 30);
	put(".hidden", 10);
	put("half.tmp", 10);
	fs.mkdirSync(path.join(paths.pending, "directory"));
	fs.symlinkSync("c", path.join(paths.pending, "link"));
	expect(listPending(paths).map((message) => message.name.toString())).toEqual(["b", "a", "c"]);
	expect(oldestPendingMs(paths, 50_000)).toBe(30_000);
});

test("outbox: names of any bytes → bytes kept", () => {
	const names = [Buffer.from([0x61, 0xff, 0xfe]), Buffer.from("new\nline"), Buffer.from("-rf"), Buffer.from("ü 'quoted' \"twice\"")];
	for (const name of names) put(name, 10);
	expect(
		listPending(paths)
			.map((message) => message.name.toString("latin1"))
			.sort(),
	).toEqual(names.map((name) => name.toString("latin1")).sort());
});

test("outbox: none → an empty one", () => {
	fs.rmdirSync(paths.pending);
	expect(listPending(paths)).toEqual([]);
	expect(oldestPendingMs(paths, 0)).toBeNull();
});
