import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FileChange, gitPathOf, type Oid, openMergeStore, Repository, writeCommit } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { approveTrailer } from "./approval.ts";
import { findSlowLoss } from "./slow-loss.ts";

let scratch: Scratch;
let repository: Repository;
beforeAll(async () => {
	scratch = new Scratch("slow-loss");
	scratch.init("node");
	repository = await scratch.open("node");
});
afterAll(() => scratch.remove());

const start = 1_700_000_000;
const name = (index: number) => gitPathOf(`data/f${index}`);
const put = (index: number, content = `content ${index}`): FileChange => ({
	path: name(index),
	mode: "100644",
	content: Buffer.from(content),
});
const remove = (index: number): FileChange => ({ path: name(index), delete: true });
/** The file's new place, after a move; with no content, gone from there. */
const moved = (index: number, isThere = true): FileChange => {
	const path = gitPathOf(`moved/f${index}`);
	return isThere ? { path, mode: "100644", content: Buffer.from(`content ${index}`) } : { path, delete: true };
};
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

interface Step {
	/** Seconds since the first. */
	readonly at: number;
	readonly changes: readonly FileChange[];
	readonly by?: string;
	readonly approves?: boolean;
}

/**
 * A history whose first `published` steps are published.
 * @param origin the time of step 0, in seconds
 * @param cutOff the step with which a shallow clone begins
 * @returns the number of held files; null: none
 */
async function heldAfter(steps: readonly Step[], published: number, origin = start, cutOff?: number): Promise<number | null> {
	const shallow = `${repository.commonDirectory}/shallow`;
	let head: Oid | null = null;
	let tip: Oid = "";
	const first: Step = { at: -100_000, changes: range(0, 100).map((index) => put(index)) };
	for (const [index, { at, changes, by = "helios", approves = false }] of [first, ...steps].entries()) {
		const trailers = `Robust-Sync-Node: ${by}${approves ? `\n${approveTrailer}: ${head}` : ""}`;
		const made: Parameters<typeof writeCommit>[1] = {
			parents: head === null ? [] : [head],
			identity: "one person <p@x>",
			date: Math.max(0, origin + at),
			message: Buffer.from(`step\n\n${trailers}\n`),
			tree: head === null ? repository.emptyTree : null,
			changes,
		};
		head = (await writeCommit(openMergeStore(repository), made)).commit;
		if (index <= published) tip = head;
		if (index === cutOff) writeFileSync(shallow, `${head}\n`);
	}
	const limits = { files: 50, percent: 30 };
	const clone = new Repository({ ...repository, isShallow: cutOff !== undefined });
	const loss = await findSlowLoss(clone, { tip, to: head ?? "", node: "helios", limits, isOwn: (top) => top === "sync" });
	rmSync(shallow, { force: true });
	return loss?.files.length ?? null;
}

/** As encryption writes it: of few bytes, so that none of them need be zero. */
const scrambled = (index: number) => createHash("sha512").update(`${index}`).digest();

/** A text of many words, so that another text in its place is not a changed value. */
const text = (index: number) => Array.from({ length: 40 }, (_, at) => `word${index}x${at}`).join(" ");
const texts = (from: number, to: number, content: (index: number) => string) => range(from, to).map((index) => put(index, content(index)));

const deletions = (...parts: readonly (readonly [at: number, from: number, to: number])[]): Step[] =>
	parts.map(([at, from, to]) => ({ at, changes: range(from, to).map(remove) }));

describe("slow loss", () => {
	const rows: readonly (readonly [string, readonly Step[], number, number | null])[] = [
		["60 of 100 in minutes, 50 published", deletions([0, 0, 20], [120, 20, 40], [240, 40, 50], [360, 50, 60]), 3, 60],
		["40 of 100 in minutes", deletions([0, 0, 20], [120, 20, 40]), 1, null],
		["60 of 100 in an hour", deletions([0, 0, 20], [1_800, 20, 40], [3_600, 40, 60]), 2, null],
		["a week offline, 20 a day", deletions([0, 0, 20], [86_400, 20, 40], [172_800, 40, 60], [259_200, 60, 80]), 0, null],
		[
			"60 by another node, one here",
			[...deletions([0, 0, 60]).map((step) => ({ ...step, by: "chad" })), ...deletions([60, 60, 61])],
			1,
			null,
		],
		[
			"60 of 100 emptied in minutes, 40 published",
			[0, 1, 2].map((part) => ({ at: part * 120, changes: texts(part * 20, part * 20 + 20, () => "") })),
			2,
			60,
		],
		[
			"60 of 100 replaced by bytes of no text in minutes",
			[
				{ at: -5_000, changes: texts(0, 100, text) },
				...[5, 6, 7].map((part) => ({
					at: part * 120,
					changes: texts((part - 5) * 20, (part - 4) * 20, (index) => `\0${text(index + 1_000)}`),
				})),
			],
			1,
			60,
		],
		[
			"100 of 100 written again by a program, 20 a minute",
			[0, 1, 2, 3, 4].map((part) => ({ at: part * 60, changes: texts(part * 20, part * 20 + 20, (index) => text(index + 1_000)) })),
			1,
			null,
		],
		[
			"60 of 100 emptied, then deleted",
			[
				{ at: 0, changes: texts(0, 100, text) },
				...[10, 11, 12].map((part) => ({ at: part * 60, changes: texts((part - 10) * 20, (part - 9) * 20, () => "") })),
				...deletions([800, 0, 60]),
			],
			1,
			60,
		],
		["30 of 100 emptied, 30 deleted", [{ at: 0, changes: texts(0, 30, () => "") }, ...deletions([60, 30, 60])], 1, 60],
		[
			"60 of 100 emptied, and back again",
			[
				{ at: 0, changes: texts(0, 60, () => "") },
				{ at: 60, changes: range(0, 60).map((index) => put(index)) },
			],
			1,
			null,
		],
		[
			"100 of 100 edited, a line each",
			[
				{ at: 0, changes: texts(0, 100, text) },
				...[0, 1, 2, 3].map((part) => ({
					at: 700 + part * 60,
					changes: texts(part * 25, part * 25 + 25, (index) => `${text(index)} and more`),
				})),
			],
			1,
			null,
		],
		...(
			[
				["random bytes under .locked", "locked", scrambled, 80],
				["base64 under .enc", "enc", (index: number) => scrambled(index).toString("base64"), 80],
				["gzip", "gz", (index: number) => gzipSync(text(index)), null],
				["other texts", "md", (index: number) => text(index + 500), null],
			] as const
		).map(
			([what, extension, content, held]) =>
				[
					`80 of 200 become ${what}, 20 a minute, soon after they were made`,
					[
						{ at: -60, changes: texts(300, 400, text) },
						...[0, 1, 2, 3].map((part) => ({
							at: part * 60,
							changes: range(300 + part * 20, 320 + part * 20).flatMap((index): FileChange[] => [
								remove(index),
								{ path: gitPathOf(`data/f${index}.${extension}`), mode: "100644", content: Buffer.from(content(index)) },
							]),
						})),
					],
					2,
					held,
				] as const,
		),
		[
			"60 of 100 become base64 in place, 20 a minute",
			[
				{ at: -5_000, changes: texts(0, 100, text) },
				...[0, 1, 2].map((part) => ({
					at: part * 60,
					changes: texts(part * 20, part * 20 + 20, (index) => scrambled(index).toString("base64")),
				})),
			],
			2,
			60,
		],
		["all published", deletions([0, 0, 40], [60, 40, 80]), 2, null],
		[
			"files that rotate",
			range(0, 8).map((part) => ({
				at: part * 60,
				changes: [...range(part * 10, part * 10 + 10).map(remove), ...range(part * 10 + 200, part * 10 + 210).map((index) => put(index))],
			})),
			7,
			null,
		],
		[
			"temporary files that come and go",
			range(0, 6).flatMap((part) => [
				{ at: part * 60, changes: range(300, 320).map((index) => put(index + part * 20)) },
				{ at: part * 60 + 30, changes: range(300, 320).map((index) => remove(index + part * 20)) },
			]),
			11,
			null,
		],
		[
			"deleted, and back again",
			[...deletions([0, 0, 40], [60, 40, 60]), { at: 90, changes: range(0, 60).map((index) => put(index)) }],
			1,
			null,
		],
		["approved", [...deletions([0, 0, 40], [60, 40, 60]), { at: 90, changes: [], approves: true }], 1, null],
		[
			"approved, then more",
			[...deletions([0, 0, 40], [60, 40, 60]), { at: 90, changes: [], approves: true }, ...deletions([120, 60, 65])],
			3,
			null,
		],
		[
			"what was made a minute before",
			[{ at: 0, changes: range(300, 400).map((index) => put(index)) }, ...deletions([60, 300, 340], [120, 340, 375])],
			2,
			75,
		],
		[
			"69 of 100 that were moved before",
			[
				{ at: 0, changes: range(0, 100).flatMap((index) => [remove(index), moved(index)]) },
				{ at: 60, changes: range(0, 40).map((index) => moved(index, false)) },
				{ at: 120, changes: range(40, 69).map((index) => moved(index, false)) },
			],
			1,
			69,
		],
		[
			"69 of 100 whose move took two commits",
			[
				...deletions([0, 0, 100]),
				{ at: 1, changes: range(0, 100).map((index) => moved(index)) },
				{ at: 60, changes: range(0, 40).map((index) => moved(index, false)) },
				{ at: 120, changes: range(40, 69).map((index) => moved(index, false)) },
			],
			2,
			69,
		],
		[
			"moved in four parts",
			range(0, 4).map((part) => ({
				at: part * 60,
				changes: range(part * 25, part * 25 + 25).flatMap((index) => [remove(index), moved(index)]),
			})),
			1,
			null,
		],
		["nothing deleted", [{ at: 0, changes: [put(1, "other")] }], 0, null],
	];
	test.each(rows)("slow loss: %s → held or not", async (_name, steps, published, held) => {
		expect(await heldAfter(steps, published)).toBe(held);
	});

	test("slow loss: 60 of 100, after the oldest commit of a shallow clone → 60", async () => {
		const steps = [{ at: -60, changes: [put(99, "another")] }, ...deletions([0, 0, 20], [120, 20, 40], [240, 40, 60])];
		expect(await heldAfter(steps, 3, start, 1)).toBe(60);
	});

	test("slow loss: 60 of 100 in minutes, by a clock in 1970 → 60", async () => {
		expect(await heldAfter(deletions([0, 0, 20], [120, 20, 40], [240, 40, 60]), 2, 60)).toBe(60);
	});
});
