import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { listPending, parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { enqueueMessage } from "./enqueue.ts";
import { changeRecordedMessages, collectOutbox, confirmDelivered, markCommitted } from "./outbox.ts";

let scratch: Scratch;
let paths: WorkspacePaths;
let clock: number;
beforeEach(() => {
	scratch = new Scratch("outbox");
	paths = new WorkspacePaths(scratch.directory);
	fs.mkdirSync(paths.pending, { recursive: true });
	clock = Date.parse("2026-02-18T02:00:00.000Z");
});
afterEach(() => scratch.remove());

function context(limit = "95"): CycleContext {
	const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
	// The search for secrets needs a repository: packages/e2e/src/secrets.slow.test.ts.
	const config = parseConfig({ NODE_NAME: "helios", MAX_FILE_MB: limit, SYNC_SECRETS: "off" });
	return { paths, config, now: () => clock, log } as unknown as CycleContext;
}

let put = 0;
function message(name: string | Buffer, text: string): void {
	const file = Buffer.concat([Buffer.from(`${paths.pending}/`), Buffer.from(name)]);
	fs.writeFileSync(file, text);
	fs.utimesSync(file, 1_000 + put, 1_000 + put++);
}

/** One delivery from beginning to end, as in a cycle. */
async function deliver(limit?: string, atOnce?: number): Promise<number> {
	const outbox = await collectOutbox(context(limit), atOnce);
	return confirmDelivered(context(limit), markCommitted(context(limit), outbox));
}

const directory = () => `${scratch.directory}/messages/helios`;
/** The delivered files by name, in the order of their times. */
const delivered = () =>
	(fs.readdirSync(directory(), { recursive: true }) as string[])
		.filter((name) => fs.statSync(`${directory()}/${name}`).isFile())
		.sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1))
		.map((name) => [name, fs.readFileSync(`${directory()}/${name}`, "utf8")]);
const day = "2026-02-18";

test("outbox: a message → delivered under a time and its name, out of the outbox", async () => {
	message("hello.txt", "hi");
	expect(await deliver()).toBe(1);
	expect(delivered()).toEqual([["2026-02-18/20260218T020000.000Z-hello.txt", "hi"]]);
	expect(listPending(paths)).toEqual([]);
	expect(await deliver()).toBe(0);
});

test("outbox: several, the clock steps back → in the order in which they were put", async () => {
	for (const text of ["1", "2", "3"]) message(`m${text}`, text);
	await deliver();
	clock -= 86_400_000;
	for (const text of ["4", "5"]) message(`a${text}`, text);
	await deliver();
	clock += 86_400_000;
	message("0", "6");
	await deliver();
	expect(delivered().map(([, text]) => text)).toEqual(["1", "2", "3", "4", "5", "6"]);
});

test("outbox: many in one cycle → do not overtake those of the next", async () => {
	for (let index = 0; index < 50; index++) message(`m${index}`, `first ${index}`);
	await deliver();
	clock += 3;
	message("last", "last");
	await deliver();
	const texts = delivered().map(([, text]) => text);
	expect(texts).toEqual([...Array.from({ length: 50 }, (_, index) => `first ${index}`), "last"]);
});

test("outbox: more than one cycle's worth → oldest first, too large reported at once", async () => {
	for (let index = 0; index < 5; index++) message(`m${index}`, String(index));
	message("large", "x".repeat(1_000_001));
	const outbox = await collectOutbox(context("1"), 2);
	expect(outbox).toMatchObject({ waiting: 3, skipped: [{ path: "sync/pending/large", reason: "too-large" }] });
	expect(outbox.targets).toHaveLength(2);
	expect(confirmDelivered(context(), markCommitted(context(), outbox))).toBe(2);
	expect([await deliver("1", 2), await deliver("1", 2), await deliver("1", 2)]).toEqual([2, 1, 0]);
	expect(delivered().map(([, text]) => text)).toEqual(["0", "1", "2", "3", "4"]);
});

test("outbox: begun, something older comes meanwhile → not left, no second delivery", async () => {
	for (const text of ["1", "2"]) message(`m${text}`, text);
	await collectOutbox(context(), 2);
	message("older", "0");
	fs.utimesSync(`${paths.pending}/older`, 1, 1);
	expect(await deliver(undefined, 2)).toBe(3);
	expect(delivered()).toHaveLength(3);
	expect(listPending(paths)).toEqual([]);
});

test("outbox: crash before the commit → same name and time, the same place", async () => {
	message("m", "1");
	const first = await collectOutbox(context());
	clock += 60_000;
	const again = await collectOutbox(context());
	expect(again.targets).toEqual(first.targets);
	expect(again.deliveries).toEqual(first.deliveries);
	expect(delivered()).toHaveLength(1);
});

/** The entry of a version without day directories for the message `m`. */
async function fixedBefore(committed: boolean): Promise<void> {
	message("m", "1");
	const { deliveries } = await collectOutbox(context());
	fs.rmSync(`${directory()}/${day}`, { recursive: true });
	const before = deliveries.map(({ day: _day, ...delivery }) => ({ ...delivery, committed }));
	fs.writeFileSync(paths.outboxNames, JSON.stringify({ schema: 1, deliveries: before, latest: "20260218T020000.000Z" }));
}

test("outbox: fixed by a version without days → delivered there once, the next by day", async () => {
	await fixedBefore(false);
	clock += 86_400_000;
	expect(await deliver()).toBe(1);
	message("n", "2");
	expect(await deliver()).toBe(1);
	expect(delivered()).toEqual([
		["20260218T020000.000Z-m", "1"],
		["2026-02-19/20260219T020000.000Z-n", "2"],
	]);
});

test("outbox: committed by a version without days → confirmed, not delivered again", async () => {
	await fixedBefore(true);
	expect(await deliver()).toBe(1);
	expect(delivered()).toEqual([]);
});

test("outbox: back to a version without days after the commit → an entry it knows", async () => {
	message("m", "1");
	markCommitted(context(), await collectOutbox(context()));
	const [entry] = JSON.parse(fs.readFileSync(paths.outboxNames, "utf8")).deliveries;
	expect(entry).toMatchObject({ target: "messages/helios/20260218T020000.000Z-m", committed: true });
});

test("outbox: list lost, name taken in the old or new layout → another time", async () => {
	fs.mkdirSync(`${directory()}/${day}`, { recursive: true });
	fs.writeFileSync(`${directory()}/20260218T020000.000Z-m`, "old");
	fs.writeFileSync(`${directory()}/${day}/20260218T020000.001Z-m`, "new");
	message("m", "1");
	expect(await deliver()).toBe(1);
	expect(fs.readFileSync(`${directory()}/${day}/20260218T020000.002Z-m`, "utf8")).toBe("1");
});

test("outbox: a file in the place of a day → only the messages of that day wait", async () => {
	fs.mkdirSync(directory(), { recursive: true });
	fs.writeFileSync(`${directory()}/${day}`, "");
	message("m", "1");
	expect((await collectOutbox(context())).skipped).toMatchObject([{ path: "sync/pending/m", reason: "refused-path" }]);
	clock += 86_400_000;
	message("n", "2");
	const outbox = await collectOutbox(context());
	expect(outbox).toMatchObject({ targets: ["messages/helios/2026-02-19/20260219T020000.000Z-n"], skipped: [{ path: "sync/pending/m" }] });
	fs.rmSync(`${directory()}/${day}`);
	expect((await collectOutbox(context())).targets).toHaveLength(2);
});

test("outbox: after the commit → never written again, even if the file is gone", async () => {
	message("m", "1");
	const outbox = markCommitted(context(), await collectOutbox(context()));
	fs.rmSync(`${directory()}/${day}/20260218T020000.000Z-m`);
	const again = await collectOutbox(context());
	expect(again.targets).toEqual([]);
	expect(delivered()).toEqual([]);
	expect(confirmDelivered(context(), markCommitted(context(), again))).toBe(1);
	expect(outbox.deliveries).toHaveLength(1);
});

describe("a message that is replaced under the same name", () => {
	test("outbox: replaced while the first is being delivered → another message", async () => {
		message("m", "1");
		const outbox = markCommitted(context(), await collectOutbox(context()));
		message("m", "2");
		expect(confirmDelivered(context(), outbox)).toBe(0);
		expect(listPending(paths)).toHaveLength(1);
		await deliver();
		expect(delivered().map(([, text]) => text)).toEqual(["1", "2"]);
	});
	test("outbox: replaced in the middle of the confirmation → none lost, none doubled", async () => {
		message("m", "1");
		const outbox = markCommitted(context(), await collectOutbox(context()));
		const [delivery] = outbox.deliveries;
		// Killed after the file got its hidden name.
		fs.renameSync(`${paths.pending}/m`, `${paths.pending}/.delivered-${delivery?.blob}`);
		await deliver();
		expect(fs.readdirSync(paths.pending)).toEqual([]);
		expect(delivered()).toHaveLength(1);
	});
	test("outbox: replaced, found under the hidden name → its own name again", async () => {
		message("m", "1");
		const outbox = markCommitted(context(), await collectOutbox(context()));
		message("m", "another");
		fs.renameSync(`${paths.pending}/m`, `${paths.pending}/.delivered-${outbox.deliveries[0]?.blob}`);
		await deliver();
		expect(delivered().map(([, text]) => text)).toEqual(["1", "another"]);
	});
});

test("outbox: names of any bytes and length → arrive, long ones keep the extension", async () => {
	const names = [
		Buffer.from([0x61, 0xff]),
		Buffer.from("-rf"),
		Buffer.from("new\nline"),
		Buffer.from("ü '\""),
		Buffer.from(`${"n".repeat(251)}.txt`),
	];
	for (const [index, name] of names.entries()) message(name, String(index));
	expect(await deliver()).toBe(names.length);
	const files = fs.readdirSync(`${directory()}/${day}`, { encoding: "buffer" }).map((name) => name.toString("latin1"));
	for (const name of names.slice(0, 4)) expect(files.some((file) => file.endsWith(`Z-${name.toString("latin1")}`))).toBe(true);
	expect(files.some((file) => /n+~[0-9a-f]{8}\.txt$/.test(file) && file.length <= 255)).toBe(true);
});

test("outbox: too large → reported, stays, holds no other up; half written → left", async () => {
	message("large", "x".repeat(3_000));
	message("small", "1");
	message(".hidden", "1");
	message("half.tmp", "1");
	const outbox = await collectOutbox(context("0.002"));
	expect(outbox.skipped).toEqual([{ path: "sync/pending/large", reason: "too-large" }]);
	expect(confirmDelivered(context(), markCommitted(context(), outbox))).toBe(1);
	expect(fs.readdirSync(paths.pending).sort()).toEqual([".hidden", "half.tmp", "large"]);
});

test("outbox: the list of fixed names torn or hostile → begun again", async () => {
	message("m", "1");
	for (const content of ['{"schema":1,', '{"schema":1,"deliveries":[{"name":"../../x","blob":1}]}', "[]"]) {
		fs.writeFileSync(paths.outboxNames, content);
		message("m", content);
		await deliver();
	}
	expect(delivered()).toHaveLength(3);
});

describe("putting a message into the outbox", () => {
	test("putting: a message → whole or not at all, never over another one", () => {
		expect(enqueueMessage(paths, "m.txt", Buffer.from("1"))).toBe("m.txt");
		expect(enqueueMessage(paths, "m.txt", Buffer.from("2"))).toBe("m-1.txt");
		expect(enqueueMessage(paths, "ü".repeat(120), Buffer.from("3"))).toBe("ü".repeat(120));
		expect(fs.readdirSync(paths.pending).sort()).toEqual(["m-1.txt", "m.txt", "ü".repeat(120)].sort());
	});
});

test("outbox: a directory, a pipe, a link → reported, the rest is delivered", async () => {
	message("hello.txt", "hi");
	fs.mkdirSync(`${paths.pending}/directory/inside`, { recursive: true });
	fs.mkdirSync(`${paths.pending}/.hidden`);
	fs.symlinkSync("/etc/hostname", `${paths.pending}/link`);
	execFileSync("mkfifo", [`${paths.pending}/pipe`]);
	const { skipped } = await collectOutbox(context());
	expect(skipped.map(({ path: name, reason }) => `${name} ${reason}`)).toEqual(
		["directory", "link", "pipe"].map((name) => `sync/pending/${name} special-file`),
	);
	expect(skipped[0]?.remedy).toContain("a message is a regular file");
	expect(await deliver()).toBe(1);
	// Also if no other message waits.
	expect((await collectOutbox(context())).skipped).toEqual(skipped);
});

/** What forgetting a value does to waiting messages. */
function forgetInMessages(): void {
	const clean = (content: Buffer) => Buffer.from(content.toString("utf8").replace("value", "forgotten"));
	changeRecordedMessages(paths, clean);
	for (const { name } of listPending(paths)) {
		const file = Buffer.concat([Buffer.from(`${paths.pending}/`), name]);
		fs.writeFileSync(file, clean(fs.readFileSync(file)));
	}
}

describe("outbox: a value is forgotten", () => {
	test("forget: during a delivery → the message is delivered once", async () => {
		message("a.txt", "a value");
		const outbox = markCommitted(context(), await collectOutbox(context()));
		forgetInMessages();
		expect(confirmDelivered(context(), outbox)).toBe(1);
		expect(listPending(paths)).toEqual([]);
		expect((await collectOutbox(context())).targets).toEqual([]);
	});

	test("forget: before its message is committed → the same target", async () => {
		message("a.txt", "a value");
		const { targets } = await collectOutbox(context());
		forgetInMessages();
		clock += 60_000;
		const again = await collectOutbox(context());
		expect(again.targets).toEqual(targets);
		expect(confirmDelivered(context(), markCommitted(context(), again))).toBe(1);
	});
});
