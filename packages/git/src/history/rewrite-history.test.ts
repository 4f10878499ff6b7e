import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import { dropObjects, inOrder, listAllObjects } from "../objects/drop-objects.ts";
import { openMergeStore } from "../objects/merge-store.ts";
import { idLengthOf } from "../objects/object-id.ts";
import { withObjectReader } from "../objects/object-reader.ts";
import { ObjectWriter } from "../objects/object-writer.ts";
import { OidSet } from "../objects/oid-set.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { HistoryRule } from "./history-rule.ts";
import { HistoryRewriter } from "./rewrite-history.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("rewrite-history");
});
afterAll(() => scratch.remove());

const names = ["a", "d/x", "d/y", "d/e/z", "secret", "d/secret", "f/map"];
const steps = fc.array(
	fc.record({
		writes: fc.array(fc.tuple(fc.constantFrom(...names), fc.nat({ max: 4 })), { minLength: 1, maxLength: 3 }),
		deletes: fc.array(fc.constantFrom(...names), { maxLength: 1 }),
		back: fc.nat({ max: 3 }),
		merges: fc.boolean(),
	}),
	{ minLength: 3, maxLength: 25 },
);
const contentOf = (number: number) => `content ${number}${number % 2 === 1 ? " SECRET" : ""}\n`;

let count = 0;
/** Makes a new repository for a history. @returns its directory */
function history(
	format: string,
	all: ReadonlyArray<{ writes: [string, number][]; deletes: string[]; back: number; merges: boolean }>,
): string {
	const name = `h${count++}`;
	execFileSync("git", ["init", "-q", "-b", "main", `--object-format=${format}`, name], {
		cwd: scratch.directory,
		env: personEnvironment(scratch.directory),
	});
	const lines: string[] = [];
	for (const [index, { writes, deletes, back, merges }] of all.entries()) {
		const message = `step ${index}${index % 7 === 3 ? " SECRET" : ""}\n`;
		const parents = index === 0 ? [] : [Math.max(1, index - back), ...(merges && index > 2 ? [index - 2] : [])];
		lines.push(
			`commit refs/heads/main\nmark :${index + 1}\ncommitter A <a@b> ${1_600_000_000 + index} +0100\ndata ${message.length}\n${message}`,
		);
		for (const [at, parent] of [...new Set(parents)].entries()) lines.push(`${at === 0 ? "from" : "merge"} :${parent}\n`);
		for (const path of deletes) lines.push(`D ${path}\n`);
		for (const [path, number] of writes) lines.push(`M 100644 inline ${path}\ndata ${contentOf(number).length}\n${contentOf(number)}\n`);
	}
	execFileSync("git", ["-C", scratch.path(name), "fast-import", "--quiet", "--force"], { input: lines.join("") });
	return name;
}

/** Reads every object of a repository, by one process. */
function allObjects(name: string): Map<Oid, { readonly type: string; readonly content: Buffer }> {
	const output = execFileSync("git", ["-C", scratch.path(name), "cat-file", "--batch-all-objects", "--batch"], {
		maxBuffer: 64 * 1_048_576,
	});
	const objects = new Map<Oid, { type: string; content: Buffer }>();
	for (let at = 0; at < output.length; ) {
		const end = output.indexOf(10, at);
		const [oid = "", type = "", size = "0"] = output.toString("latin1", at, end).split(" ");
		objects.set(oid, { type, content: output.subarray(end + 1, end + 1 + Number(size)) });
		at = end + 2 + Number(size);
	}
	return objects;
}

/** The files of a tree, by their paths. */
function filesOf(objects: ReturnType<typeof allObjects>, tree: Oid, above = "", found = new Map<string, Oid>()): Map<string, Oid> {
	const content = objects.get(tree)?.content ?? Buffer.alloc(0);
	for (let at = 0; at < content.length; ) {
		const [space, nul] = [content.indexOf(32, at), content.indexOf(0, at)];
		const name = above + content.toString("latin1", space + 1, nul);
		const oid = content.toString("hex", nul + 1, nul + 1 + tree.length / 2);
		if (content[at] === 52) filesOf(objects, oid, `${name}/`, found);
		else found.set(name, oid);
		at = nul + 1 + tree.length / 2;
	}
	return found;
}

/** The parts of a commit: its tree, its parents, and the rest. */
function commitOf(objects: ReturnType<typeof allObjects>, oid: Oid) {
	const text = objects.get(oid)?.content.toString("latin1") ?? "";
	const parents = [...text.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = ""]) => parent);
	return { files: filesOf(objects, text.slice(5, 5 + oid.length)), parents, about: text.replace(/^(tree|parent) [0-9a-f]+\n/gm, "") };
}

async function rewrite(
	store: Repository,
	rule: HistoryRule,
	commits: readonly Oid[],
	before: HistoryRewriter | null = null,
): Promise<HistoryRewriter> {
	const writer = new ObjectWriter(store, new OidSet(idLengthOf(store), Object.values(await listAllObjects(store)).flat()));
	return await withObjectReader(store, async (reader) => {
		const rewriter = new HistoryRewriter(reader, writer, rule, store.objectFormat, before);
		await rewriter.rewrite(commits);
		await rewriter.visit((await listAllObjects(store)).tree);
		await writer.flush();
		return rewriter;
	});
}

describe("rewritten history", () => {
	test.each([
		["sha1", "blobs and paths"],
		["sha256", "blobs and paths"],
		["sha256", "blobs, in two parts,"],
	])("rewrite: any commits (%s), %s by a rule → same result as commit by commit", async (format, what) => {
		const isPlain = what !== "blobs and paths";
		await fc.assert(
			fc.asyncProperty(steps, async (all) => {
				const name = history(format, all);
				const git = (...args: string[]) => scratch.git(name, ...args).trim();
				const repository = await scratch.open(name);
				const store = openMergeStore(repository);
				const { blob, commit } = await listAllObjects(store);
				const old = allObjects(name);
				const clean = (text: string) => text.replace("SECRET", "placeholder");
				const blobs = new Map<Oid, Oid>();
				const writer = new ObjectWriter(store);
				for (const oid of blob) {
					const text = old.get(oid)?.content.toString() ?? "";
					if (text.includes("SECRET")) blobs.set(oid, writer.add({ type: "blob", content: Buffer.from(clean(text)) }));
				}
				await writer.flush();
				const listed = new Set(blob.slice(0, 2));
				const rule: HistoryRule = {
					blobs,
					paths: isPlain ? [] : [{ path: "d/secret", marker: "f/map", blobs: listed }],
					watched: new Set(),
					message: (_oid, message) => Buffer.from(clean(message.toString("latin1")), "latin1"),
				};
				const order = await inOrder(store, commit);
				const part = isPlain ? await rewrite(store, rule, order.slice(0, order.length / 2)) : null;
				const { commits, replacedTrees, removedBlobs } = await rewrite(store, rule, order, part);
				const objects = allObjects(name);
				const knowing = new Set<Oid>();
				for (const oid of order) {
					const before = commitOf(old, oid);
					const after = commitOf(objects, commits.get(oid) ?? oid);
					const expected = new Map<string, string>();
					if (before.files.has("f/map") || before.parents.some((parent) => knowing.has(parent))) knowing.add(oid);
					for (const [path, id] of before.files) {
						const isGone = !isPlain && path === "d/secret" && (!knowing.has(oid) || listed.has(id));
						if (!isGone) expected.set(path, blobs.get(id) ?? id);
					}
					expect(after.files).toEqual(expected);
					expect(after.about).toBe(clean(before.about));
					expect(after.parents).toEqual(before.parents.map((parent) => commits.get(parent) ?? parent));
				}
				const again = await rewrite(store, rule, await inOrder(store, [...order.map((oid) => commits.get(oid) ?? oid)]));
				expect(order.filter((oid) => again.commits.has(commits.get(oid) ?? oid))).toEqual([]);
				const head = git("rev-parse", "main");
				git("update-ref", "refs/heads/main", commits.get(head) ?? head);
				git("reflog", "expire", "--expire=now", "--all");
				const dropped = new OidSet(idLengthOf(store), [...commits.keys(), ...replacedTrees, ...removedBlobs, ...blobs.keys()]);
				expect((await dropObjects(repository, { oids: dropped, clean: [] })).kind).toBe("dropped");
				expect(git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
				expect(git("cat-file", "--batch-all-objects", "--batch")).not.toContain("SECRET");
			}),
			{ numRuns: 2, endOnFailure: true },
		);
	});
});
