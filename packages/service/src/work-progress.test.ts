import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { hideLine, showLine } from "./terminal-line.ts";
import { bar, type MeasuredWork, WorkProgress } from "./work-progress.ts";

beforeEach(() => {
	jest.useFakeTimers();
});
afterEach(() => {
	jest.useRealTimers();
});

/** A terminal, or a file, that records its output. */
class Screen extends Writable {
	readonly isTTY: boolean;
	columns = 60;
	text = "";
	constructor(isTTY: boolean) {
		super();
		this.isTTY = isTTY;
	}
	override write(chunk: unknown): boolean {
		this.text += String(chunk);
		return true;
	}
}

function progressOn(screen: Screen, env: NodeJS.ProcessEnv = {}, record?: (work: MeasuredWork | null) => Promise<void>) {
	const lines: [string, boolean][] = [];
	const recorded: (MeasuredWork | null)[] = [];
	const progress = new WorkProgress(
		{
			text: ({ what, done, perSecond, remainingSeconds }) => `${what} ${done} ${perSecond?.toFixed(1)} ${remainingSeconds}`,
			log: (line, isShown) => lines.push([line, isShown]),
			record: record ?? (async (work) => void recorded.push(work)),
		},
		{ terminal: screen as unknown as NodeJS.WriteStream, env },
	);
	return { progress, lines, recorded };
}

/** Ten items a second. */
async function work(progress: WorkProgress, seconds: number, from = 0): Promise<void> {
	for (let item = 1; item <= seconds * 10; item++) {
		await jest.advanceTimersByTimeAsync(100);
		progress.report({ what: "adding files", done: from + item, total: 2_000, unit: "files" });
	}
}

test("progress: work of less than two seconds → no timer, nothing shown or recorded", async () => {
	const screen = new Screen(true);
	const { progress, lines, recorded } = progressOn(screen);
	progress.report({ what: "before it begins", done: 1, total: 2, unit: "files" });
	progress.begin();
	await work(progress, 1.9);
	expect(jest.getTimerCount()).toBe(0);
	await progress.end();
	expect([screen.text, lines, recorded]).toEqual(["", [], []]);
});

test("progress: three minutes in a log → a line a minute, with rate and time left", async () => {
	const { progress, lines, recorded } = progressOn(new Screen(false));
	progress.begin();
	await work(progress, 190);
	expect(lines).toEqual([
		["adding files 599 10.0 141", false],
		["adding files 1199 10.0 81", false],
		["adding files 1799 10.0 21", false],
	]);
	expect(recorded.length).toBeGreaterThan(180);
	expect(recorded.length).toBeLessThan(200);
	expect(recorded.at(-1)).toMatchObject({ what: "adding files", total: 2_000, unit: "files", since: expect.any(Number) });
	progress.report(null);
	await jest.advanceTimersByTimeAsync(1_000);
	expect(recorded.at(-1)).toBeNull();
	await progress.end();
	expect(jest.getTimerCount()).toBe(0);
	expect(recorded.filter((one) => one === null)).toHaveLength(1);
});

test("progress: on a terminal → one line in place, cut to its width, gone at the end", async () => {
	const screen = new Screen(true);
	const { progress } = progressOn(screen, { NO_COLOR: "1" });
	progress.begin();
	await work(progress, 100);
	const last = screen.text.split("\r\u001b[K").at(-1);
	expect(last).toBe("[###########-------------] adding files 999 10.0 101");
	await progress.end();
	expect(screen.text.endsWith("\r\u001b[K")).toBe(true);
	expect(screen.text).not.toMatch(/\n/);
	for (const line of screen.text.split("\r\u001b[K")) {
		expect(line.length).toBeLessThan(60);
		expect(line).toMatch(/^[ -~]*$/);
	}
	const { length } = screen.text;
	hideLine();
	expect(screen.text).toHaveLength(length);
});

test.each([
	["no terminal", false, {}],
	["a dumb terminal", true, { TERM: "dumb" }],
])("progress: %s → no bar", async (_, isTTY, env) => {
	const screen = new Screen(isTTY);
	const { progress } = progressOn(screen, env);
	progress.begin();
	await work(progress, 5);
	await progress.end();
	expect(screen.text).toBe("");
});

test("progress: a rate that changes → rate of the last fifteen seconds", async () => {
	const { progress, recorded } = progressOn(new Screen(false));
	progress.begin();
	await work(progress, 30);
	await jest.advanceTimersByTimeAsync(20_000);
	expect(recorded.at(-1)).toMatchObject({ done: 300, perSecond: 0, remainingSeconds: null });
	await work(progress, 30, 300);
	expect(recorded.at(-1)?.perSecond).toBeCloseTo(10, 0);
	await progress.end();
});

test("progress: the record fails → the work continues, and ends", async () => {
	const { progress } = progressOn(new Screen(false), {}, () => Promise.reject(new Error("ENOSPC")));
	progress.begin();
	await work(progress, 10);
	await expect(progress.end()).resolves.toBeUndefined();
});

test.each([
	[0, 10, 13, "[----------] "],
	[5, 10, 13, "[#####-----] "],
	[20, 10, 13, "[##########] "],
	[5, 10, 100, "[############------------] "],
	[5, 10, 8, ""],
	[5, null, 100, ""],
	[5, 0, 100, ""],
])("progress: a bar for %d of %s in %d columns → %s", (done, total, room, text) => {
	expect(bar({ done, total }, room)).toBe(text);
});

test.each([
	[0, 79],
	[1, 1],
	[12, 11],
	[60, 59],
])("progress: a terminal of %d columns → at most %d are written", (columns, most) => {
	const screen = Object.assign(new Screen(true), { columns });
	showLine("x".repeat(200), screen as unknown as NodeJS.WriteStream);
	expect(/x*$/.exec(screen.text)?.[0]).toHaveLength(most);
	hideLine();
});
