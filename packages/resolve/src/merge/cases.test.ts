import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readObjectsWhole } from "@robust-sync/git";
import { readCases } from "@robust-sync/merge/testing/cases";
import { type FixtureFile, type History, makeHistory } from "../testing/history-fixture.ts";
import { resolveMerge } from "./resolve-merge.ts";

// The hand-written cases of packages/merge once more, as files of real commits: all of them in one merge.

let history: History;
beforeAll(async () => {
	history = await makeHistory();
});
afterAll(() => history.remove());

const cases = readCases();
const pathOf = ({ name, path }: (typeof cases)[number]) => `${name.replaceAll(" ", "-")}/${path}`;
type Files = Record<string, FixtureFile>;

function files(of: readonly (typeof cases)[number][], side: "base" | "ours" | "theirs"): Files {
	return Object.fromEntries(of.flatMap((one) => (one[side] === null ? [] : [[pathOf(one), Buffer.from(one[side])]])));
}

test("merge: every case, real commits, both orders → the same bytes and losses", async () => {
	const attributes = Object.fromEntries(
		cases.flatMap((one) =>
			one.attribute
				? [[pathOf(one).replace(/[^/]*$/, ".gitattributes"), `* robust-sync=${one.attribute}\n.gitattributes -robust-sync\n`]]
				: [],
		),
	);
	const base = history.commit([], { ...attributes, ...files(cases, "base") }, { date: 1_800_000_000 });
	const laterIs = (side: "ours" | "theirs") => cases.filter(({ later }) => later === side);
	// Ours is the older side of some paths and the later one of others: the last change of each path counts.
	const early = history.commit([base], files(laterIs("theirs"), "ours"), { date: 1_800_001_000 });
	const theirs = history.commit([base], files(cases, "theirs"), { date: 1_800_002_000 });
	const ours = history.commit([early], files(laterIs("ours"), "ours"), { date: 1_800_003_000 });
	const [merge, mirrored] = [await resolveMerge(history.repository, ours, theirs), await resolveMerge(history.repository, theirs, ours)];
	expect(mirrored.commit).toBe(merge.commit);

	const blobs = new Map(merge.files.map((file) => [file.path as string, file]));
	const tree = new Map(
		history
			.git("ls-tree", "-r", "-z", merge.commit)
			.split("\0")
			.filter(Boolean)
			.map((line) => [line.slice(line.indexOf("\t") + 1), line.split(/[ \t]/)[2] ?? ""]),
	);
	const contents = await readObjectsWhole(history.repository, [...tree.values()]);
	const wrong = cases.flatMap((one) => {
		const actual = contents.get(tree.get(pathOf(one)) ?? "")?.toString("latin1");
		const resolved = blobs.get(Buffer.from(pathOf(one)).toString("latin1"));
		const problems = [
			...(actual === Buffer.from(one.expected).toString("latin1") ? [] : ["content"]),
			...(one.strategy === undefined || resolved === undefined || resolved.strategy === one.strategy
				? []
				: [`strategy ${resolved.strategy}`]),
			...(one.lost.length === 0 || resolved?.save ? [] : ["a loss that is not saved"]),
		];
		return problems.length > 0 ? [`${one.name}: ${problems.join(", ")}`] : [];
	});
	expect(wrong).toEqual([]);
});
