import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { GitError, type Oid } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import fc from "fast-check";
import { newMemory } from "../daemon/new-memory.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { isDeclined, newSearch, publishWithoutRefused, type RefusalSearch } from "./refused-files.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("refused-parts");
});
afterEach(() => scratch.remove());

const names = ["a", "b", "c", "d", "e", "f"];
/** What a push does, if no file in it is refused. */
const answers = ["accepted", "accepted", "accepted and cut off", "cut off", "race"] as const;
const declined = () => new GitError("PUSH_REJECTED", "refused", "", 1, { declined: true });
const cutOff = () => new GitError("REMOTE_UNREACHABLE", "cut off", "", 128);

/** Three commits that add, change and remove files; the hub refuses some of those, and some pushes end otherwise. */
async function publish(directory: string, refused: readonly string[], pushes: readonly (typeof answers)[number][]): Promise<void> {
	scratch.init(directory);
	const git = (...args: string[]) => scratch.git(directory, ...args).trim();
	const made = await cycleContext(scratch, directory);
	const context = { ...made, memory: { ...newMemory(made.paths, false), branch: "main" } };
	for (const name of ["a", "b"]) scratch.write(`${directory}/${name}`, "0");
	let tip: Oid = scratch.commitAll(directory, "published");
	for (const name of ["a", "c", "d", "e"]) scratch.write(`${directory}/${name}`, "1");
	scratch.commitAll(directory, "one");
	git("rm", "-q", "b", "d");
	for (const name of ["c", "f"]) scratch.write(`${directory}/${name}`, "2");
	scratch.commitAll(directory, "two");
	const tree = git("rev-parse", "HEAD^{tree}");
	const left = [...pushes];
	const push = async (commit: Oid, expected: Oid | null): Promise<"pushed" | "race"> => {
		const isInHead = git("merge-base", commit, "HEAD") === commit;
		expect({ isInHead, tree: git("rev-parse", "HEAD^{tree}") }).toEqual({ isInHead: true, tree });
		const changed = git("diff", "--name-only", `${expected}`, commit).split("\n");
		if (changed.some((name) => refused.includes(name))) throw declined();
		const answer = left.shift() ?? "accepted";
		if (answer === "race") return "race";
		if (answer !== "cut off") tip = commit;
		if (answer !== "accepted") throw cutOff();
		return "pushed";
	};
	let search: RefusalSearch | null = null;
	for (let turn = 0; turn < 20 && git("rev-parse", "HEAD") !== tip; turn++) {
		const head = git("rev-parse", "HEAD");
		if (search === null) {
			const failure: unknown = await push(head, tip).then(
				() => null,
				(error: unknown) => error,
			);
			if (isDeclined(failure)) search = newSearch(failure);
			continue;
		}
		const found = await publishWithoutRefused(context, search, head, tip, push);
		expect(git("merge-base", tip, "HEAD")).toBe(tip);
		expect(found.head ?? head).toBe(git("rev-parse", "HEAD"));
		if (found.error === null || found.error === search.cause) search = null;
	}
	// The old version of a refused file stays on the hub, and a new file stays here.
	const isThere = (name: string) => (refused.includes(name) ? ["a", "b"].includes(name) : !["b", "d"].includes(name));
	expect([git("rev-parse", "HEAD"), git("ls-tree", "--name-only", tip).split("\n")]).toEqual([tip, names.filter(isThere)]);
	expect(refused.includes("a") || git("show", `${tip}:a`) === "1").toBe(true);
}

test("parts of a refused push: cut off and raced at random → HEAD has all of them", async () => {
	let run = 0;
	await fc.assert(
		fc.asyncProperty(
			fc.subarray(names, { minLength: 1, maxLength: 3 }),
			fc.array(fc.constantFrom(...answers), { maxLength: 5 }),
			(refused, pushes) => publish(`helios${run++}`, refused, pushes),
		),
		{ numRuns: 16, seed: 7 },
	);
}, 240_000);
