import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
	type FileChange,
	gitPathOf,
	type Oid,
	openMergeStore,
	type Repository,
	readObjectsWhole,
	readTreeWhole,
	writeCommit,
} from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import fc from "fast-check";
import { readHistory } from "./log.ts";
import { planRestore, restoreChanges } from "./restore.ts";
import { planUndo } from "./undo.ts";

let scratch: Scratch;
let repository: Repository;
beforeAll(async () => {
	scratch = new Scratch("history");
	scratch.init("node");
	repository = await scratch.open("node");
});
afterAll(() => scratch.remove());

const nodes = ["helios", "chad", "juno"] as const;
const files = ["a.json", "b.log", "c.md", "d/e.txt", "d/f.bin"] as const;

/** One step of one node on one file. */
interface Step {
	readonly node: (typeof nodes)[number];
	readonly file: (typeof files)[number];
	readonly how: "write" | "delete" | "whole";
	readonly at: number;
}

const step: fc.Arbitrary<Step> = fc.record({
	node: fc.constantFrom(...nodes),
	file: fc.constantFrom(...files),
	how: fc.constantFrom("write", "write", "write", "delete", "whole"),
	at: fc.nat(5),
});

/** A node's edit of a file: each word that it writes is unique in all of history. */
function edited(before: string | null, { file, how, at }: Step, word: string): string | null {
	if (how === "delete") return null;
	if (file === "d/f.bin") return `\0${word}\0`;
	if (file === "a.json") {
		const values = before === null || how === "whole" ? {} : (JSON.parse(before) as Record<string, string>);
		return `${JSON.stringify({ ...values, [`k${at}`]: word }, null, 2)}\n`;
	}
	if (before === null || how === "whole") return [0, 1, 2].map((line) => `${word} line ${line}\n\n`).join("");
	const lines = before.split("\n\n");
	lines.splice(at % (lines.length + 1), 0, `${word} came here`);
	return lines.join("\n\n");
}

const identity = (node: string) => `${node} <${node}@robust-sync>`;
let seconds = 1_700_000_000;

async function commitOn(head: Oid | null, changes: readonly FileChange[], node = "helios", other?: Oid): Promise<Oid> {
	seconds += 60;
	const made = {
		parents: [head, other].filter((parent) => parent != null),
		identity: identity(node),
		date: seconds,
		message: Buffer.from(`${node}: 1 file (x)\n`),
	};
	const { commit } = await writeCommit(openMergeStore(repository), { ...made, tree: head === null ? repository.emptyTree : null, changes });
	return commit;
}

/** A history, with the words that each commit wrote. */
async function play(steps: readonly Step[]) {
	const tree = new Map<string, string>();
	let head = await commitOn(null, [{ path: gitPathOf("keep"), mode: "100644", content: Buffer.from("keep\n") }]);
	const commits: { commit: Oid; parents: Oid[]; word: string; node: string }[] = [];
	for (const [index, one] of steps.entries()) {
		const word = `${one.node}word${index}`;
		const before = tree.get(one.file) ?? null;
		const after = edited(before, one, word);
		if (after === before) continue;
		const path = gitPathOf(one.file);
		if (after === null) tree.delete(one.file);
		else tree.set(one.file, after);
		const parent = head;
		head = await commitOn(
			head,
			[after === null ? { path, delete: true } : { path, mode: "100644", content: Buffer.from(after) }],
			one.node,
		);
		commits.push({ commit: head, parents: [parent], word, node: one.node });
	}
	return { head, commits };
}

async function contents(commit: Oid): Promise<Record<string, string>> {
	const tree = await readTreeWhole(repository, commit);
	const blobs = await readObjectsWhole(
		repository,
		[...tree.values()].map(({ oid }) => oid),
	);
	return Object.fromEntries([...tree].map(([name, { oid }]) => [name, blobs.get(oid)?.toString("latin1") ?? ""]));
}

const history = fc.array(step, { minLength: 2, maxLength: 9 });
const runs = { numRuns: 15 };

describe("undo and restore over random histories of three nodes", () => {
	test("undo: of an undo, nothing between → the same tree as before", async () => {
		await fc.assert(
			fc.asyncProperty(history, fc.nat(), async (steps, pick) => {
				const { head, commits } = await play(steps);
				fc.pre(commits.length > 0);
				const one = commits[pick % commits.length] as (typeof commits)[number];
				const plan = await planUndo(repository, { head, commits: [one] });
				const undone = await commitOn(head, plan.changes);
				const back = await planUndo(repository, { head: undone, commits: [{ commit: undone, parents: [head] }] });
				expect(back.left).toEqual([]);
				expect(await contents(await commitOn(undone, back.changes))).toEqual(await contents(head));
			}),
			runs,
		);
	});

	test("undo: of one node's commits → every word that another wrote later stays", async () => {
		await fc.assert(
			fc.asyncProperty(history, fc.constantFrom(...nodes), async (steps, node) => {
				const { head, commits } = await play(steps);
				const own = commits.filter((commit) => commit.node === node).reverse();
				const plan = await planUndo(repository, { head, commits: own });
				const [before, after] = [await contents(head), await contents(await commitOn(head, plan.changes))];
				for (const { word, node: writer } of commits) {
					if (writer === node) continue;
					for (const [name, content] of Object.entries(before))
						if (new RegExp(`${word}\\b`).test(content)) expect(`${name}: ${after[name]}`).toMatch(new RegExp(`${word}\\b`));
				}
				expect(after.keep).toBe("keep\n");
			}),
			runs,
		);
	});

	test("undo: of the newest commits of all, in order → the tree as it was before them", async () => {
		await fc.assert(
			fc.asyncProperty(history, fc.nat(), async (steps, pick) => {
				const { head, commits } = await play(steps);
				fc.pre(commits.length > 0);
				const last = commits.slice(pick % commits.length).reverse();
				const plan = await planUndo(repository, { head, commits: last });
				expect(plan.left).toEqual([]);
				expect(await contents(await commitOn(head, plan.changes))).toEqual(await contents(last.at(-1)?.parents[0] ?? ""));
			}),
			runs,
		);
	});

	test("restore: some paths as at a commit → these as they were, the others as they are", async () => {
		await fc.assert(
			fc.asyncProperty(
				history,
				fc.nat(),
				fc.subarray(["a.json", "b.log", "c.md", "d"]),
				fc.boolean(),
				async (steps, pick, names, deletedOnly) => {
					const { head, commits } = await play(steps);
					fc.pre(commits.length > 0);
					const from = commits[pick % commits.length]?.commit ?? "";
					const plan = await planRestore(repository, { from, head, paths: names.map(gitPathOf), deletedOnly });
					const [then, now] = [await contents(from), await contents(head)];
					const after = await contents(await commitOn(head, restoreChanges(plan.changes)));
					const isNamed = (name: string) => names.some((one) => name === one || name.startsWith(`${one}/`));
					for (const name of new Set([...Object.keys(then), ...Object.keys(now), ...Object.keys(after)])) {
						const asThen = isNamed(name) && (!deletedOnly || now[name] === undefined);
						expect([name, after[name]]).toEqual([name, asThen ? then[name] : now[name]]);
					}
				},
			),
			runs,
		);
	});

	const followed = async (head: Oid, query: { quick: boolean; limit?: number }) =>
		await readHistory(repository, { head, paths: [gitPathOf("b/new.md")], ...query });

	test("history: quickly, or by clean trees → the same", async () => {
		await fc.assert(
			fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
				const { head } = await play(steps);
				if (head === null) return;
				const merge = await commitOn(
					await commitOn(head, [{ path: gitPathOf("left"), mode: "100644", content: Buffer.from("1") }]),
					[],
					"chad",
					head,
				);
				for (const paths of [[], ["d"], ["c.md", "d/e.txt"]])
					for (const limit of [3, 1_000]) {
						const query = { head: merge, paths: paths.map(gitPathOf), limit };
						expect(await readHistory(repository, { ...query, quick: true })).toEqual(await readHistory(repository, query));
					}
			}),
			{ numRuns: 4 },
		);
	});

	test.each([false, true])("history: renamed twice, a merge between: %s → each commit once, newest first", async (isMerged) => {
		const text = Array.from({ length: 20 }, (_, index) => `line ${index} of the text\n`).join("");
		const file = (name: string, content: string): FileChange => ({ path: gitPathOf(name), mode: "100644", content: Buffer.from(content) });
		const gone = (name: string): FileChange => ({ path: gitPathOf(name), delete: true });
		const one = await commitOn(null, [file("a.md", text), file("b.md", "an older b\n")]);
		const two = await commitOn(one, [gone("b.md")]);
		const three = await commitOn(two, [gone("a.md"), file("b.md", `${text}two\n`)]);
		const four = await commitOn(three, [file("b.md", `${text}three\n`)]);
		const aside = isMerged ? await commitOn(three, [file("other", "1")]) : null;
		const five = await commitOn(four, [gone("b.md"), file("c.md", `${text}three\n`)], "helios", aside ?? undefined);
		const head = await commitOn(five, [file("c.md", `${text}four\n`)]);
		const entries = await readHistory(repository, { head, paths: [gitPathOf("c.md")], quick: true });
		expect(entries.map(({ commit }) => commit)).toEqual(isMerged ? [head, five] : [head, five, four, three, two, one]);
		if (!isMerged) expect(entries.map(({ files: [changed] }) => changed?.from ?? null)).toEqual([null, "b.md", null, "a.md", null, null]);
	});

	test("history: of a file that was renamed and edited → all of it, newest first", async () => {
		const text = Array.from({ length: 20 }, (_, index) => `line ${index} of the text\n`).join("");
		const file = (name: string, content: string): FileChange => ({ path: gitPathOf(name), mode: "100644", content: Buffer.from(content) });
		const one = await commitOn(null, [file("a.md", text), file("other", "1")]);
		const two = await commitOn(one, [{ path: gitPathOf("a.md"), delete: true }, file("b/new.md", `${text}more\n`)], "chad");
		const three = await commitOn(two, [file("other", "2")]);
		const head = await commitOn(three, [file("b/new.md", `${text}even more\n`)], "juno");
		for (const quick of [false, true]) expect(await followed(head, { quick })).toEqual(await followed(head, { quick: false }));
		const entries = await readHistory(repository, { head, paths: [gitPathOf("b/new.md")], quick: true });
		expect(
			entries.map(({ commit, node, files: [changed] }) => [commit, node, changed?.change, changed?.from ?? null, changed?.linesAdded]),
		).toEqual([
			[head, "juno", "changed", null, 1],
			[two, "chad", "renamed", "a.md", 1],
			[one, "helios", "added", null, 20],
		]);
		expect((await readHistory(repository, { head, node: "chad", limit: 1 })).map(({ commit }) => commit)).toEqual([two]);
		expect((await readHistory(repository, { head, since: { kind: "commit", commit: two } })).map(({ commit }) => commit)).toEqual([
			head,
			three,
		]);
	});
});
