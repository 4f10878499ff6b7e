import fs from "node:fs";
import { expect, test } from "@jest/globals";
import { FileExchanger, type GitPath, moveWorkingTree } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { mergeLateWrite, replacedFile } from "@robust-sync/resolve";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { WorkspacePaths } from "@robust-sync/workspace";
import fc from "fast-check";
import { newMemory } from "../daemon/daemon.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { mergeForeign, rescueAll } from "../testing/merge-foreign.ts";
import { bringUpToDate, rescueLateWrites } from "./rescue.ts";

// Programs that write, and a process that is killed, at any step of a move that is taken up again and again: whatever was written is
// there in the end, and what came in too.

/** What happens at one step. A program writes back what it read last, with one element more; it reads again before it writes again. */
type Event = "nothing" | "read" | "write" | "append" | "kill";
const event = fc.oneof(
	{ weight: 3, arbitrary: fc.constant<Event>("nothing") },
	{ weight: 3, arbitrary: fc.constant<Event>("read") },
	{ weight: 3, arbitrary: fc.constant<Event>("write") },
	{ weight: 2, arbitrary: fc.constant<Event>("append") },
	{ weight: 1, arbitrary: fc.constant<Event>("kill") },
);

/** Each of these has lost something once. */
const found = [
	"nothing write write nothing read append append write kill write nothing write write read nothing append write kill nothing kill read nothing nothing",
	"write nothing nothing nothing write write read write read write nothing read nothing read append write append append write nothing append",
	"read append append write write write read read read write read kill nothing append read kill nothing read read nothing kill",
	"read write read nothing read append append append write read nothing kill write write nothing kill read kill write write write nothing append kill write append kill",
	"read write nothing read write read read read write read write nothing read write read read append nothing append write kill read read kill",
	"write nothing read nothing read nothing read nothing write nothing nothing read nothing nothing write nothing read append append kill append kill nothing nothing write write read",
].map((events): [Event[]] => [events.split(" ") as Event[]]);
/** More: this many random ones, with another seed each time. */
const moreRuns = Number(process.env.MOVE_RUNS ?? 0);

interface State {
	turn: number;
	elements: string[];
}

class Killed extends Error {}

class World {
	readonly scratch = new Scratch("interrupted");
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
		this.scratch.write("temporary", `${JSON.stringify(state, null, "\t")}\n`);
		fs.renameSync(this.scratch.path("temporary"), this.scratch.path("w/state.json"));
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

class Disturbed extends FileExchanger {
	readonly #world: World;

	constructor(world: World) {
		super();
		this.#world = world;
	}

	override async exchange(a: Buffer, b: Buffer): Promise<boolean> {
		this.#world.happen(false);
		const done = await super.exchange(a, b);
		this.#world.happen(false);
		return done;
	}
}

async function run(world: World): Promise<void> {
	const { scratch } = world;
	scratch.init("w");
	world.put({ turn: 0, elements: ["theirs"] });
	scratch.write("w/shared.log", "start\n");
	const from = scratch.commitAll("w");
	world.put({ turn: 0, elements: ["theirs", "new"] });
	scratch.write("w/shared.log", "start\nnew line\n");
	const to = scratch.commitAll("w");
	scratch.git("w", "reset", "-q", "--hard", from);

	const paths = new WorkspacePaths(scratch.path("w"));
	const backup = compactTimestamp(Date.now());
	const contextOf = (resumed: boolean) => cycleContext(scratch, "w", { memory: { ...newMemory(paths, true), branch: "main", resumed } });
	for (let resume = false; ; resume = true) {
		const context = await contextOf(resume);
		try {
			const { kept } = await moveWorkingTree(
				context.repository,
				{
					from,
					to,
					ref: "refs/heads/main",
					staging: paths.staging,
					backup: `${paths.backups}/${backup}`,
					versions: paths.versions,
					keepsVersions: true,
					resume,
					async mergeLate(late) {
						world.happen(false);
						return mergeLateWrite({ ...late, written: await bringUpToDate(context, late) });
					},
					checkpoint: () => world.happen(true),
					exchanger: () => new Disturbed(world),
				},
				false,
			);
			context.memory.replaced.write(backup, kept.map(replacedFile), Date.now());
			// The next cycles, with nobody writing any more.
			world.events.length = 0;
			for (let cycle = 0; cycle < 3; cycle++) {
				await mergeForeign(context, (await rescueLateWrites(context)).foreign);
				await rescueAll(context, ["state.json", "shared.log"] as GitPath[]);
			}
			return;
		} catch (error) {
			if (!(error instanceof Killed)) throw error;
		}
	}
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
