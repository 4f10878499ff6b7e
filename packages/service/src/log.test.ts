import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Stage } from "./fixtures/processes.ts";
import { createLogger, type LogOptions } from "./log.ts";

const stage = new Stage("writer", "talker");
afterAll(() => stage.remove());

let directory: string;
let counter = 0;
beforeEach(() => {
	directory = stage.file(`logs-${counter++}`);
	mkdirSync(directory);
});
const logFile = () => path.join(directory, "sync.log");
const lines = (file = logFile()) => readFileSync(file, "utf8").split("\n").slice(0, -1);

function logger(options: Partial<LogOptions> = {}) {
	return createLogger({ level: "info", format: "text", file: logFile(), stderr: false, secrets: [], name: "sync", ...options });
}

/** Runs something while collecting what it writes to stderr. */
function stderrOf(run: () => void): string {
	const write = process.stderr.write;
	let text = "";
	process.stderr.write = ((chunk: string) => {
		text += chunk;
		return true;
	}) as typeof write;
	try {
		run();
	} finally {
		process.stderr.write = write;
	}
	return text;
}

describe("a record", () => {
	test("record: as text → one line for people", () => {
		const log = logger();
		log.info("cycle done", { pulled: 2, path: "a b.md", none: null, list: [1, "x"], missing: undefined });
		log.warn("odd\nname\u001b[31m", { 'quo"te': 'say "hi"' });
		expect(lines()[0]).toMatch(
			/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO {2}sync: cycle done pulled=2 path="a b\.md" none=null list=\[1,"x"\]$/,
		);
		expect(lines()[1]).toMatch(/Z WARN {2}sync: odd\\nname\\u001b\[31m quo"te="say \\"hi\\""$/);
	});

	test("record: as JSON → one object with time, level, name, msg and the fields", () => {
		const log = logger({ format: "json" });
		log.error("push failed", { code: "PUSH_RACE", name: "mine", error: Object.assign(new TypeError("no"), { code: "EX" }) });
		const record = JSON.parse(lines()[0]!);
		expect(record).toMatchObject({
			level: "error",
			name: "sync",
			msg: "push failed",
			code: "PUSH_RACE",
			name_: "mine",
			error: { type: "TypeError", message: "no", code: "EX", stack: expect.stringContaining("TypeError: no") },
		});
		expect(new Date(record.time).toISOString()).toBe(record.time);
	});

	test("record: an error among the fields → its message", () => {
		logger().error("failed", { error: new Error("disk is full") });
		expect(lines()[0]).toMatch(/failed error="disk is full"$/);
	});

	test("record: below the level → not written, until the level changes", () => {
		const log = logger({ level: "warn" });
		log.info("one");
		log.warn("two");
		log.setLevel("debug");
		log.debug("three");
		expect(lines().map((line) => line.split(" ").at(-1))).toEqual(["two", "three"]);
	});

	test("record: a secret in message, fields, keys, errors or escaped → redacted", () => {
		const secret = 'qv7pass"qv7word\\1';
		const log = logger({ format: "json", secrets: [secret] });
		log.addSecret("added-later");
		log.info(`m ${secret}`, { [secret]: secret, deep: { list: [`<${secret}>`, "added-later"] }, error: new Error(secret) });
		logger({ secrets: [secret] }).info(`m ${secret}`, { field: secret, url: "https://u:hunter22@h/" });
		const text = readFileSync(logFile(), "utf8");
		for (const form of ["qv7pass", "qv7word", "added-later", "hunter22"]) expect(text).not.toContain(form);
		expect(() => JSON.parse(lines()[0]!)).not.toThrow();
	});

	test("record: anything in its fields → written, cut to a readable length", () => {
		const circle: Record<string, unknown> = { big: 10n, bytes: Buffer.from("abc"), map: new Map([["k", 1]]), never: new Date(Number.NaN) };
		circle.self = circle;
		const log = logger({ format: "json" });
		log.info("circle", { circle });
		log.info("trap", {
			get trap() {
				throw new Error("do not look");
			},
		});
		log.info("y".repeat(1_000_000));
		expect(JSON.parse(lines()[0]!).circle).toMatchObject({ big: "10", bytes: "abc", map: { k: 1 }, never: null });
		expect(JSON.parse(lines()[1]!).msg).toBe("trap");
		expect(lines()[2]!.length).toBeLessThan(20_000);
	});
});

describe("stderr", () => {
	test("stderr: no terminal → whole lines without colours, in the format asked for", async () => {
		const text = stage.start("talker", ["text", "info"]);
		expect(await text.ended).toBe(0);
		expect(text.stdout).toBe("");
		expect(text.stderr).toMatch(
			/^\S+Z INFO {2}talker: working path="a b"\n\S+Z WARN {2}talker: wondering\n\S+Z ERROR talker: failing stack=.*\n$/,
		);
		const json = stage.start("talker", ["json", "debug"]);
		expect(await json.ended).toBe(0);
		expect(
			json.stderr
				.trim()
				.split("\n")
				.map((line) => JSON.parse(line).level),
		).toEqual(["debug", "info", "warn", "error"]);
	});

	test("stderr: a terminal → short coloured lines, no colours under NO_COLOR", () => {
		const onTerminal = (env: Record<string, string>) =>
			spawnSync("script", ["-qec", `"${process.execPath}" "${stage.file("talker.mjs")}" text info`, "/dev/null"], {
				encoding: "utf8",
				env: { PATH: process.env.PATH, TERM: "xterm-256color", ...env },
			}).stdout.replaceAll("\r\n", "\n");
		const plain = onTerminal({ NO_COLOR: "1" });
		expect(plain).toMatch(/^\d\d:\d\d:\d\d working path="a b"\n\d\d:\d\d:\d\d WARN wondering\n\d\d:\d\d:\d\d ERROR failing\n$/);
		const colours = onTerminal({});
		expect(colours).toContain("\u001b[31mERROR failing\u001b[39m");
		expect(colours.replaceAll(/\u001b\[\d+m/g, "")).toMatch(/^\d\d:\d\d:\d\d working path="a b"\n/);
	});

	test("stderr: and file → both get a record; toFile → only the file", () => {
		const log = logger({ stderr: true });
		const text = stderrOf(() => {
			log.info("both");
			log.toFile!("error", "file only");
		});
		expect(text).toMatch(/sync: both\n$/);
		expect(lines().map((line) => line.split(": ")[1])).toEqual(["both", "file only"]);
	});
});

describe("the log file", () => {
	test("log file: its size → rotated by it, a bounded number kept", () => {
		const log = logger({ maxBytes: 1_000, keep: 2 });
		for (let i = 0; i < 50; i++) log.info(`record ${i} ${"x".repeat(100)}`);
		expect(readdirSync(directory).sort()).toEqual(["sync.log", "sync.log.1", "sync.log.2"]);
		const kept = ["sync.log.2", "sync.log.1", "sync.log"].flatMap((name) => lines(path.join(directory, name)));
		expect(kept.map((line) => Number(/record (\d+)/.exec(line)![1]))).toEqual(
			Array.from({ length: kept.length }, (_, i) => 50 - kept.length + i),
		);
	});

	test("log file: shared, rotated, processes killed → each record in exactly one file", async () => {
		const count = 4_000;
		const writers = ["a", "b", "c"].map((id) => stage.start("writer", [logFile(), String(count), "65536", "200", id]));
		for (const writer of writers) expect(await writer.ended).toBe("SIGKILL");
		const files = readdirSync(directory);
		expect(files.length).toBeGreaterThan(20);
		const seen = new Map<string, number>();
		for (const file of files) {
			for (const line of lines(path.join(directory, file))) {
				const match = /^\S+Z INFO {2}writer: record (\S+) padding=("")?x*$/.exec(line);
				expect(match).not.toBeNull();
				seen.set(match![1]!, (seen.get(match![1]!) ?? 0) + 1);
			}
		}
		expect(seen.size).toBe(3 * count);
		expect(Math.max(...seen.values())).toBe(1);
	});

	test("log file: moved or deleted, or its directory → a new file", () => {
		const log = logger();
		log.info("one");
		renameSync(logFile(), `${logFile()}.old`);
		log.info("two");
		expect(lines(`${logFile()}.old`)).toHaveLength(1);
		expect(lines()).toEqual([expect.stringMatching(/two$/)]);
		rmSync(logFile());
		log.info("three");
		expect(lines()).toEqual([expect.stringMatching(/three$/)]);
		rmSync(directory, { recursive: true });
		log.info("four");
		expect(lines()).toEqual([expect.stringMatching(/four$/)]);
	});

	test("log file: a rotation left unfinished by a killed process → no hindrance", () => {
		const dead = spawnSync(process.execPath, ["-e", "0"]).pid;
		writeFileSync(`${logFile()}.rotating`, String(dead));
		const log = logger({ maxBytes: 1_000 });
		for (let i = 0; i < 20; i++) log.info("x".repeat(100));
		expect(existsSync(`${logFile()}.1`)).toBe(true);
		expect(existsSync(`${logFile()}.rotating`)).toBe(false);
	});

	test("log file: cannot be written → one warning, stderr until it can", () => {
		rmSync(directory, { recursive: true });
		writeFileSync(directory, "a file where the directory should be");
		const log = logger();
		const during = stderrOf(() => {
			log.info("one");
			log.info("two");
		});
		expect(during.match(/cannot be written/g)).toHaveLength(1);
		expect(during).toMatch(/INFO {2}sync: one\n/);
		expect(during).toMatch(/INFO {2}sync: two\n/);
		rmSync(directory);
		mkdirSync(directory);
		expect(stderrOf(() => log.info("three"))).toMatch(/is written again/);
		expect(lines()).toEqual([expect.stringMatching(/three$/), expect.stringMatching(/records_not_in_file=2$/)]);
	});

	test("log file: a link in its or its directory's place → stderr, not written through", () => {
		const outside = path.join(directory, "outside");
		writeFileSync(outside, "");
		symlinkSync(outside, logFile());
		expect(stderrOf(() => logger().info("one"))).toMatch(/is a symbolic link: remove it.*\n.*sync: one\n/);
		symlinkSync(directory, path.join(directory, "linked"));
		const linked = path.join(directory, "linked", "new.log");
		expect(stderrOf(() => logger({ file: linked }).info("two"))).toMatch(/is a symbolic link.*\n.*sync: two\n/);
		expect(readFileSync(outside, "utf8")).toBe("");
		expect(readdirSync(directory).sort()).toEqual(["linked", "outside", "sync.log"]);
	});

	test("log file: another user's directory, we are root → stderr, nothing left there", () => {
		if (process.getuid?.() !== 0) return;
		chownSync(directory, 65534, 65534);
		expect(stderrOf(() => logger().info("one"))).toMatch(/belongs to user 65534.*\n.*sync: one\n/);
		expect(readdirSync(directory)).toEqual([]);
	});

	test("log file: full disk → goes to stderr as well", () => {
		const text = stderrOf(() => logger({ file: "/dev/full" }).info("squeezed"));
		expect(text).toMatch(/cannot be written \(ENOSPC/);
		expect(text).toMatch(/INFO {2}sync: squeezed\n/);
	});

	test("log file: close() → closed, opened by the next record", async () => {
		const log = logger();
		log.info("one");
		await log.close();
		log.info("two");
		expect(lines()).toHaveLength(2);
	});
});
