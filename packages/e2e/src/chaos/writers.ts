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
	fs.writeFileSync(temporary, content);
	fs.renameSync(temporary, file);
}

async function readWhenThere(file: string): Promise<string | null> {
	for (let attempt = 0; attempt < 20; attempt++) {
		try {
			return fs.readFileSync(file, "utf8");
		} catch {
			await sleep(2);
		}
	}
	return null;
}

async function loop(signal: AbortSignal, pauseMs: () => number, step: (count: number) => void | Promise<void>): Promise<void> {
	for (let count = 0; !signal.aborted; count++) {
		await step(count);
		await sleep(pauseMs(), undefined, { signal }).catch(() => undefined);
	}
}

/** Appends to a log that every node appends to. */
const appender: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(30, 300),
		(count) => {
			const text = `${node} line ${count}`;
			fs.appendFileSync(path.join(workspace, "shared.log"), `${text}\n`);
			ledger.line("shared.log", text);
		},
	);

/** Reads a shared JSON object, thinks, and writes it back with one key more. */
const jsonWriter: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(50, 400),
		async (count) => {
			const file = path.join(workspace, "state.json");
			const text = await readWhenThere(file);
			if (text === null) return;
			const state = JSON.parse(text) as Record<string, number>;
			await sleep(random.between(0, 200));
			state[`${node}-${count}`] = count;
			replace(file, `${JSON.stringify(state, null, 2)}\n`);
			ledger.key("state.json", `${node}-${count}`, count);
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
				ledger.owned.set(name, null);
			} else if (there && action < 0.3) {
				const moved = `work/${node}/moved/${count}${path.extname(name)}`;
				fs.mkdirSync(path.join(workspace, path.dirname(moved)), { recursive: true });
				const content = ledger.owned.get(name) ?? null;
				fs.renameSync(file, path.join(workspace, moved));
				ledger.owned.set(name, null);
				ledger.owned.set(moved, content);
			} else {
				const content = name.endsWith(".bin")
					? random.bytes(500)
					: Buffer.from(`${node} ${count}\n${"text ".repeat(Math.floor(random.between(1, 200)))}\n`);
				replace(file, content);
				ledger.owned.set(name, content);
			}
		},
	);

/** Rewrites a path that every node rewrites, each time with content of its own. */
const rival: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(200, 1_500),
		(count) => {
			const content = `${node} says ${count}\n`;
			replace(path.join(workspace, "verdict.bin"), Buffer.concat([Buffer.from([0]), Buffer.from(content)]));
			ledger.contest("verdict.bin", node, content);
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
			ledger.messages.push({ node, body });
		},
	);

/** Makes many small files at once. */
const burst: Writer = (workspace, node, ledger, random, signal) =>
	loop(
		signal,
		() => random.between(4_000, 9_000),
		(count) => {
			for (let index = 0; index < 60; index++) {
				const name = `bursts/${node}/${count}/${index}.txt`;
				fs.mkdirSync(path.join(workspace, path.dirname(name)), { recursive: true });
				fs.writeFileSync(path.join(workspace, name), `${count} ${index}\n`);
				ledger.owned.set(name, Buffer.from(`${count} ${index}\n`));
			}
		},
	);

export const writers: readonly Writer[] = [appender, jsonWriter, keeper, rival, sender, burst];
