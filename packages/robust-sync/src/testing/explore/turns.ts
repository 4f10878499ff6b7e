import fs from "node:fs";
import { World } from "./world.ts";

/**
 * What happens in a trace of turns, one letter each: `d`, `o` and `e` are a cycle of the first node's daemon, of a command beside it (`--once`), and of
 * another daemon (a worker of before that has not ended yet); `r` a restart of the daemon; `t` a cycle of the other node. `p`: a third node
 * adds a key to the shared document; `x`: it deletes a file; `y`: a program here does; `f`: someone pushes an older commit to the hub by force. `k`:
 * an agent reads the document; `w`: it writes back what it has read, with a key of its own. `m`: a minute passes.
 */
export const turns = ["d", "o", "e", "r", "t", "p", "x", "y", "f", "k", "w", "m"] as const;
export type Turn = (typeof turns)[number];

const shared = "shared.json";
const processes = { d: "daemon", o: "once", e: "other" } as const;
const text = (keys: Readonly<Record<string, number>>) => Buffer.from(`${JSON.stringify(keys, null, "\t")}\n`);

class Turns {
	readonly #world = new World();
	readonly #keys = new Set<string>(["first"]);
	/** Files to be deleted, and those that were. */
	readonly #files = Array.from({ length: 12 }, (_, number) => `file${number}.md`);
	readonly #deleted: string[] = [];
	#read = text({ first: 1 });
	#writes = 0;

	async run(trace: readonly Turn[]): Promise<string[]> {
		const world = this.#world;
		try {
			world.commitOnHub(new Map([[shared, this.#read], ...this.#files.map((name) => [name, Buffer.from(`# ${name}\n`)] as const)]));
			for (const name of ["here", "there"] as const) await world.cycle(name);
			for (const turn of trace) await this.#take(turn);
			return [...(await world.settle()), ...world.problems(), ...this.#problems()];
		} finally {
			await world.remove();
		}
	}

	async #take(turn: Turn): Promise<void> {
		const world = this.#world;
		switch (turn) {
			case "d":
			case "o":
			case "e":
				world.aheadMs += 700;
				await world.cycle("here", processes[turn]);
				return;
			case "t":
				world.aheadMs += 700;
				await world.cycle("there");
				return;
			case "r":
				world.restart("here");
				return;
			case "m":
				world.aheadMs += 60_000;
				return;
			case "p": {
				const keys = JSON.parse(String(world.hubFiles([shared]).get(shared) ?? "{}")) as Record<string, number>;
				world.commitOnHub(new Map([[shared, text({ ...keys, [this.#newKey("peer")]: 1 })]]));
				return;
			}
			case "x":
				world.commitOnHub(new Map([[this.#nextFile(), null]]));
				return;
			case "y":
				fs.rmSync(world.path("here", this.#nextFile()), { force: true });
				return;
			case "f":
				// What no node has yet would be gone by the doing of that person.
				await world.cycle("there");
				if (world.git("hub.git", "rev-list", "--count", "--first-parent", "main").trim() !== "1")
					world.git("hub.git", "update-ref", "refs/heads/main", "main~1");
				return;
			case "k":
				this.#read = fs.readFileSync(world.path("here", shared));
				return;
			case "w":
				this.#write();
				return;
		}
	}

	/** An agent writes what it has read, with a key of its own, and goes on from that. Every other time in place, else by rename. */
	#write(): void {
		const path = this.#world.path("here", shared);
		const isInPlace = ++this.#writes % 2 === 1;
		const file = isInPlace ? path : `${path}.new`;
		this.#read = text({ ...(JSON.parse(String(this.#read)) as object), [this.#newKey("agent")]: 1 });
		fs.writeFileSync(file, this.#read);
		// A write is no read.
		fs.utimesSync(file, fs.statSync(file).atime, new Date(Date.now() + this.#world.aheadMs));
		if (!isInPlace) fs.renameSync(file, path);
	}

	#newKey(by: string): string {
		const key = `${by}${this.#keys.size}`;
		this.#keys.add(key);
		return key;
	}

	#nextFile(): string {
		const name = this.#files[this.#deleted.length];
		if (name === undefined) throw new Error("a trace deletes more files than there are");
		this.#deleted.push(name);
		return name;
	}

	#problems(): string[] {
		return ["here", "there", "hub.git"].flatMap((name) => {
			const keys = JSON.parse(this.#world.git(name, "show", `main:${shared}`)) as Record<string, number>;
			const files = new Set(this.#world.git(name, "ls-tree", "--name-only", "main").split("\n"));
			return [
				...[...this.#keys].filter((key) => !Object.hasOwn(keys, key)).map((key) => `${name}: the key ${key} is lost`),
				...this.#deleted.filter((file) => files.has(file)).map((file) => `${name}: the deleted ${file} is back`),
			];
		});
	}
}

/** Runs one trace. @returns the faults, one line each: a key, or a deletion, that was taken back, or nodes that do not converge */
export async function takeTurns(trace: readonly Turn[]): Promise<string[]> {
	return await new Turns().run(trace);
}

const cycles = ["d", "o", "e"] as const;

/** A trace by random numbers. A write is seen by some process before the next one reads or writes: what programs destroy is not ours to keep. */
export function anyTurns(length: number, next: () => number): Turn[] {
	const choose = <T>(from: readonly T[]) => from[Math.floor(next() * from.length)] as T;
	const trace: Turn[] = [];
	while (trace.length < length) {
		const turn = choose(turns);
		trace.push(turn);
		if (turn === "w" || turn === "y") {
			const between = choose(["", "p", "f", "x", "r", "m"] as const);
			if (between !== "") trace.push(between);
			trace.push(choose(cycles));
		}
	}
	return trace;
}

/** Every combination of another process with a disturbance, at each step of an agent's work between two incoming keys. */
export function eachTurns(): Turn[][] {
	const others: readonly (readonly Turn[])[] = [["o"], ["e"], ["r", "d"]];
	const disturbances: readonly Turn[] = ["f", "x", "y", "p", "r", "m"];
	return others.flatMap((other) => {
		const work: readonly Turn[] = ["k", "p", ...other, "p", "d", "w", ...other, "d"];
		return disturbances.flatMap((turn) => Array.from({ length: work.length }, (_, at) => work.toSpliced(at, 0, turn)));
	});
}
