import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";

/** One program that writes in one workspace until `signal` is aborted. */
export type Writer = (workspace: string, node: string, ledger: Ledger, random: Random, signal: AbortSignal) => Promise<void>;

/** Whole-file rewrite as careful programs do it: a temporary file, then a rename over the old one. */
function replace(file: string, content: string | Buffer): void {
	const temporary = `${file}.${process.pid}.tmp`;
	fs.mkdirSync(path.dirname(file), { recursive: true });
	try {
		fs.writeFileSync(temporary, content);
		fs.renameSync(temporary, file);
	} catch (error) {
		fs.rmSync(temporary, { force: true });
		throw error;
	}
}

/** Reads the content; null: there is none. */
function read(file: string): string | null {
	try {
		return fs.readFileSync(file, "utf8");
	} catch {
		return null;
	}
}

/** A full disk is the nemesis' doing: a write that failed was not acknowledged. */
function isDiskFull(error: unknown): boolean {
	return ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
}

async function loop(signal: AbortSignal, pauseMs: () => number, step: (count: number) => void | Promise<void>): Promise<void> {
	for (let count = 0; !signal.aborted; count++) {
		try {
			await step(count);
		} catch (error) {
			if (!isDiskFull(error)) throw error;
		}
		await sleep(pauseMs(), undefined, { signal }).catch(() => undefined);
	}
}

/** Appends to a log that every node appends to. */
const appender: Writer = (workspace, node, ledger, random, signal) => {
	let torn = "";
	return loop(
		signal,
		() => random.between(30, 300),
		(count) => {
			// Ends in a character that is in no number: a torn "line 12" is not line 1.
			const text = `${node} line ${count};`;
			try {
				// After a line that may have been torn, a new one is begun.
				fs.appendFileSync(path.join(workspace, "shared.log"), `${torn}${text}\n`);
			} catch (error) {
				ledger.halfLines.push(text);
				torn = "\n";
				throw error;
			}
			torn = "";
			ledger.line("shared.log", node, text);
		},
	);
};

/** A program that waits between reading and writing removes writes of others meanwhile (docs/reliability.md): ours does so only if the machine stalls. */
const longestThoughtMs = 5_000;

/** Reads a shared JSON object, thinks, and writes it back with one key more, and a key that all set. */
const jsonWriter: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(50, 400),
		async (count) => {
			const file = path.join(workspace, "state.json");
			const readAt = performance.now();
			const text = read(file);
			if (text === null) return;
			let state: Record<string, unknown>;
			try {
				state = JSON.parse(text) as Record<string, unknown>;
			} catch {
				ledger.unreadable("state.json", node, text);
				return;
			}
			await sleep(random.between(0, 200));
			if (performance.now() - readAt > longestThoughtMs) return;
			const mine = (state[node] ?? {}) as Record<string, number>;
			state[node] = { ...mine, [`k${count}`]: count };
			state.turn = Math.floor(random.between(0, 1e9));
			ledger.sharedKey("state.json", "turn", state.turn as number);
			replace(file, `${JSON.stringify(state, null, 2)}\n`);
			ledger.key("state.json", node, `${node}.k${count}`, count);
		},
	);

/** Makes, rewrites, moves and deletes files of its own, text and binary, in directories of its own. */
const keeper: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(40, 350),
		(count) => {
			const name = `work/${node}/${random.pick(["a", "b", "c"])}/${random.pick(["one", "two", "three", "four"])}.${random.pick(["md", "bin"])}`;
			const file = path.join(workspace, name);
			const there = fs.existsSync(file);
			const action = random.next();
			if (there && action < 0.15) {
				fs.rmSync(file);
				ledger.own(name, node, null);
			} else if (there && action < 0.3) {
				const moved = `work/${node}/moved/${count}${path.extname(name)}`;
				const content = ledger.owned.get(name)?.content ?? fs.readFileSync(file);
				fs.mkdirSync(path.join(workspace, path.dirname(moved)), { recursive: true });
				fs.renameSync(file, path.join(workspace, moved));
				ledger.own(name, node, null);
				ledger.own(moved, node, content);
			} else if (action > 0.97) {
				// A whole directory gets another name, with all that is in it.
				const from = `work/${node}/moved`;
				if (!fs.existsSync(path.join(workspace, from))) return;
				const to = `work/${node}/moved-${count}`;
				fs.renameSync(path.join(workspace, from), path.join(workspace, to));
				for (const [owned, { content }] of [...ledger.owned]) {
					if (!owned.startsWith(`${from}/`) || content === null) continue;
					ledger.own(owned, node, null);
					ledger.own(`${to}${owned.slice(from.length)}`, node, content);
				}
			} else {
				const content = name.endsWith(".bin")
					? random.bytes(500)
					: Buffer.from(`${node} ${count}\n${"text ".repeat(Math.floor(random.between(1, 200)))}\n`);
				replace(file, content);
				ledger.own(name, node, content);
			}
		},
	);

/** Rewrites a binary file that every node rewrites, each time with content of its own. */
const rival: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(200, 1_500),
		(count) => {
			const file = path.join(workspace, "verdict.bin");
			const saw = read(file);
			const content = `${node} says ${count}.\n`;
			replace(file, `\0${content}`);
			ledger.contest("verdict.bin", node, content, saw);
		},
	);

/** A new path at this rate, on all nodes at once. */
const meetingMs = 2_500;

/** Makes a file at a path at which programs on other nodes make one at the same time. */
const meeter: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => meetingMs - (Date.now() % meetingMs) + random.between(0, 150),
		(count) => {
			const turn = Math.floor(Date.now() / meetingMs);
			const name = `meet/${turn}.${["txt", "bin", "yaml"][turn % 3]}`;
			const file = path.join(workspace, name);
			const saw = read(file);
			const content = `${node} was here, ${count}.\n`;
			replace(file, turn % 3 === 1 ? `\0${content}` : content);
			ledger.contest(name, node, content, saw);
		},
	);

/** Puts messages into the outbox. */
const sender: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(200, 1_200),
		(count) => {
			const body = `message ${count} of ${node}\n`;
			replace(path.join(workspace, "sync/pending", `m${count}.txt`), body);
			ledger.message(node, body);
		},
	);

/** Makes many small files at once. */
const burst: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(4_000, 9_000),
		(count) => {
			// Thousands in ten minutes; once in a while a thousand at once.
			const size = count % 12 === 3 ? 1_000 : 60;
			for (let index = 0; index < size; index++) {
				const name = `bursts/${node}/${count}/${index}.txt`;
				fs.mkdirSync(path.join(workspace, path.dirname(name)), { recursive: true });
				const content = `${count} ${index}\n`;
				try {
					fs.writeFileSync(path.join(workspace, name), content);
				} catch (error) {
					ledger.forget(name);
					throw error;
				}
				ledger.own(name, node, Buffer.from(content));
			}
		},
	);

/** The kinds of programs, none of which knows about the sync. */
export const programs = { appender, jsonWriter, keeper, rival, meeter, burst } satisfies Record<string, Writer>;

/** The same, and one that sends messages through the outbox. */
export const writers = { ...programs, sender } satisfies Record<string, Writer>;
