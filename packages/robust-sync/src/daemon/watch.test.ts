import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import { Scratch, until } from "@robust-sync/git/fixtures/scratch";
import { OwnChanges } from "./own-changes.ts";
import { Debouncer, WorkspaceWatcher } from "./watch.ts";

let scratch: Scratch;
let watcher: WorkspaceWatcher | undefined;
let seen: string[];
beforeEach(() => {
	scratch = new Scratch("watch");
	seen = [];
});
afterEach(async () => {
	watcher?.close();
	await scratch.remove();
});

function watch(options: { ignored?: string[]; watch?: typeof fs.watch } = {}): { limits: string[] } {
	const limits: string[] = [];
	watcher = new WorkspaceWatcher({
		root: scratch.directory,
		ignored: (options.ignored ?? []) as GitPath[],
		onChange: (name) => seen.push(name),
		onLimit: (reason) => limits.push(reason),
		...(options.watch ? { watch: options.watch } : {}),
	});
	return { limits };
}

const reported = (name: string) =>
	until(
		() => seen.includes(name),
		() => `'${name}' among ${JSON.stringify(seen)}`,
	);

describe("reported changes", () => {
	test("watch: files written, changed, renamed, removed, new directories → reported", async () => {
		scratch.write("deep/er/a", "1");
		watch();
		scratch.write("deep/er/a", "2");
		await reported("deep/er/a");
		scratch.write("fresh/one/two/b", "1");
		await reported("fresh");
		await until(() => (watcher?.size ?? 0) >= 6, "the new directories to be watched");
		scratch.write("fresh/one/two/c", "1");
		await reported("fresh/one/two/c");
		fs.renameSync(scratch.path("fresh"), scratch.path("moved"));
		await reported("moved");
		scratch.write("moved/one/two/d", "1");
		await reported("moved/one/two/d");
		fs.rmSync(scratch.path("moved"), { recursive: true });
		await until(
			() => watcher?.size === 3,
			() => `only what is left to be watched: ${watcher?.size}`,
		);
	});

	test("watch: names that are not UTF-8 → bytes kept", async () => {
		watch();
		fs.writeFileSync(Buffer.concat([Buffer.from(`${scratch.directory}/`), Buffer.from([0x61, 0xff])]), "1");
		await reported("a\u00ff");
	});

	test("watch: .git, sync/, logs/, .sync_env, nested .git, ignored → nothing", async () => {
		for (const name of [".git/x", "sync/x", "logs/x", "nested/.git/x", "node_modules/x/y", "kept/x"]) scratch.write(name, "1");
		watch({ ignored: ["node_modules"] });
		for (const name of [".git/x", "sync/x", "logs/x", "nested/.git/x", "node_modules/x/y", ".sync_env", "kept/x"]) scratch.write(name, "2");
		await reported("kept/x");
		expect(seen.filter((name) => !name.startsWith("kept"))).toEqual([]);
	});
});

describe("the kernel's limit", () => {
	test.each(["ENOSPC", "EMFILE", "ENFILE"])("watch limit: %s → reported once, everything is released", (code) => {
		for (let index = 0; index < 5; index++) scratch.write(`d${index}/f`, "1");
		let watches = 0;
		let closed = 0;
		const { limits } = watch({
			watch: (() => {
				if (++watches > 3) throw Object.assign(new Error("no more"), { code });
				return { on: () => undefined, close: () => closed++ };
			}) as never,
		});
		expect(limits).toEqual([expect.stringContaining(code)]);
		expect([watches, closed, watcher?.size]).toEqual([4, 3, 0]);
	});

	test("watch limit: a directory gone or unreadable → no limit", () => {
		scratch.write("d/f", "1");
		const { limits } = watch({
			watch: ((directory: Buffer) => {
				if (String(directory).endsWith("/d")) throw Object.assign(new Error("no"), { code: "EACCES" });
				return { on: () => undefined, close: () => undefined };
			}) as never,
		});
		expect(limits).toEqual([]);
		expect(watcher?.size).toBe(1);
	});
});

describe("changes pause before a cycle starts", () => {
	test("debounce: many changes → after the last, at the latest some time after the first", async () => {
		let fired = 0;
		const debouncer = new Debouncer(() => fired++, 30, 120);
		const started = performance.now();
		while (fired === 0) {
			debouncer.touch();
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		expect(performance.now() - started).toBeGreaterThanOrEqual(100);
		expect(performance.now() - started).toBeLessThan(10_000);
		fired = 0;
		debouncer.touch();
		await until(() => fired === 1, "the pause to end");
		debouncer.touch();
		debouncer.cancel();
		await new Promise((resolve) => setTimeout(resolve, 60));
		expect(fired).toBe(1);
	});
});

describe("our own changes", () => {
	test("own changes: and another's at the same path → distinguished by the file", () => {
		let monotonic = 1_000;
		const own = new OwnChanges(scratch.directory, { bootId: "this boot", now: () => monotonic });
		scratch.write("d/a", "1");
		const { mtimeMs } = fs.statSync(scratch.path("d/a"));
		own.add(["d/a", "gone"] as GitPath[], mtimeMs);
		for (const name of ["d/a", "d", "gone"]) expect(own.isOurs(name as GitPath)).toBe(true);
		expect(own.isOurs("other" as GitPath)).toBe(false);
		fs.utimesSync(scratch.path("d/a"), (mtimeMs + 10) / 1_000, (mtimeMs + 10) / 1_000);
		expect(own.isOurs("d/a" as GitPath)).toBe(false);
		monotonic += 60_000;
		expect(own.isOurs("gone" as GitPath)).toBe(false);
	});
});

test("own changes: a directory replaced by a file, and back → watched again", async () => {
	scratch.write("x/y", "1");
	watch();
	fs.rmSync(scratch.path("x"), { recursive: true });
	scratch.write("x", "a file");
	await reported("x");
	fs.rmSync(scratch.path("x"));
	scratch.write(path.join("x", "z"), "1");
	await until(() => watcher?.size === 2, "the directory to be watched again");
	seen.length = 0;
	scratch.write("x/z", "2");
	await reported("x/z");
});
