import fs from "node:fs";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Disturbed, OneCheckout } from "../testing/one-checkout.ts";

// Programs write, and a process is killed, at any step of a checkout that is resumed repeatedly: in the end all writes and the incoming
// version are there.

/** The act at one step. A program writes back its last read with one element more; it reads again before it writes again. */
type Event = "nothing" | "read" | "write" | "append" | "kill";
const event = fc.oneof(
	{ weight: 3, arbitrary: fc.constant<Event>("nothing") },
	{ weight: 3, arbitrary: fc.constant<Event>("read") },
	{ weight: 3, arbitrary: fc.constant<Event>("write") },
	{ weight: 2, arbitrary: fc.constant<Event>("append") },
	{ weight: 1, arbitrary: fc.constant<Event>("kill") },
);

/** Each of these once lost a write. */
const found = [
	"nothing write write nothing read append append write kill write nothing write write read nothing append write kill nothing kill read nothing nothing",
	"write nothing nothing nothing write write read write read write nothing read nothing read append write append append write nothing append",
	"read append append write write write read read read write read kill nothing append read kill nothing read read nothing kill",
	"read write read nothing read append append append write read nothing kill write write nothing kill read kill write write write nothing append kill write append kill",
	"read write nothing read write read read read write read write nothing read write read read append nothing append write kill read read kill",
	"write nothing read nothing read nothing read nothing write nothing nothing read nothing nothing write nothing read append append kill append kill nothing nothing write write read",
].map((events): [Event[]] => [events.split(" ") as Event[]]);
/** Further random ones, with another seed each time. */
const moreRuns = Number(process.env.MOVE_RUNS ?? 0);

interface State {
	turn: number;
	elements: string[];
}

class Killed extends Error {}

const textOf = (state: State) => `${JSON.stringify(state, null, "\t")}\n`;

class World {
	readonly scratch = new OneCheckout("interrupted");
	readonly events: Event[];
	readonly written: string[] = [];
	readonly appended: string[] = [];
	#seen: State | null = null;
	#count = 0;

	constructor(events: readonly Event[]) {
		this.events = [...events];
	}

	get state(): State {
		return JSON.parse(this.scratch.read("w/state.json")) as State;
	}

	get lines(): string[] {
		return this.scratch.read("w/shared.log").split("\n").filter(Boolean);
	}

	put(state: State): void {
		this.scratch.replace("state.json", textOf(state));
	}

	/** One step. @throws Killed */
	happen(canKill: boolean): void {
		const what = this.events.shift();
		const mark = `element ${++this.#count}`;
		if (what === "read") this.#seen = this.state;
		else if (what === "write" && this.#seen) {
			this.put({ turn: this.#count, elements: [...this.#seen.elements, mark] });
			this.written.push(mark);
			this.#seen = null;
		} else if (what === "append") {
			fs.appendFileSync(this.scratch.path("w/shared.log"), `${mark}\n`);
			this.appended.push(mark);
		} else if (what === "kill" && canKill) throw new Killed();
	}
}

async function run(world: World): Promise<void> {
	const { scratch } = world;
	const state = (...elements: string[]) => textOf({ turn: 0, elements });
	scratch.begin(
		{ "state.json": state("theirs"), "shared.log": "start\n" },
		{ "state.json": state("theirs", "new"), "shared.log": "start\nnew line\n" },
	);
	const disturb = () => world.happen(false);
	for (;;) {
		try {
			await scratch.checkOut({ checkpoint: () => world.happen(true), exchanger: () => new Disturbed(disturb, disturb) });
			break;
		} catch (error) {
			if (!(error instanceof Killed)) throw error;
		}
	}
	while (world.events.length > 0) {
		for (let count = 0; count < 3; count++) disturb();
		await scratch.cycle();
	}
	await scratch.settle();
}

test("checkout: writes at any step, killed again and again → all there in the end", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 60 }), async (events) => {
			const world = new World(events);
			try {
				await run(world);
				expect([...world.state.elements].sort()).toEqual(["new", "theirs", ...world.written].sort());
				expect([...world.lines].sort()).toEqual(["new line", "start", ...world.appended].sort());
			} finally {
				await world.scratch.remove();
			}
		}),
		moreRuns > 0 ? { numRuns: moreRuns } : { numRuns: found.length + 10, examples: found, seed: 1 },
	);
}, 3_600_000);
