import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FileChange, gitPathOf, type Oid, openMergeStore, type Repository, writeCommit } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { approveTrailer } from "./approval.ts";
import { findLoss, type Loss } from "./loss.ts";

let scratch: Scratch;
let repository: Repository;
beforeAll(async () => {
	scratch = new Scratch("guard");
	scratch.init("node");
	repository = await scratch.open("node");
});
afterAll(() => scratch.remove());

type Tree = Record<string, string | { readonly link: string }>;
let seconds = 1_700_000_000;

/** A commit that has exactly these files. */
async function commit(files: Tree, parents: readonly Oid[] = [], { message = "change", author = "helios", later = 60 } = {}): Promise<Oid> {
	seconds += later;
	const changes = Object.entries(files).map(([name, file]): FileChange => {
		const content = Buffer.from(typeof file === "string" ? file : file.link);
		return { path: gitPathOf(name), mode: typeof file === "string" ? "100644" : "120000", content };
	});
	const identity = `${author} <${author}@robust-sync>`;
	const made = { parents, identity, date: seconds, message: Buffer.from(message), tree: repository.emptyTree, changes };
	return (await writeCommit(openMergeStore(repository), made)).commit;
}

const limits = { files: 50, percent: 30 };
const words = ["budget", "meeting", "travel", "garden", "server", "backup", "recipe", "novel", "harbour", "letter", "violin", "winter"];

/** A note that is unlike any other. */
const note = (index: number, seed = "") =>
	Array.from({ length: 12 }, (_, at) => `${words[at]}${seed}${index} of the ${words[(at * 5 + index) % 12]}${seed}${at * index}\n`).join(
		"",
	);
const notes = (count: number, directory = "notes", seed = ""): Tree =>
	Object.fromEntries(Array.from({ length: count }, (_, index) => [`${directory}/n${index}.md`, note(index, seed)]));
const mapped = (tree: Tree, change: (content: string, name: string) => string): Tree =>
	Object.fromEntries(Object.entries(tree).map(([name, content]) => [name, change(content as string, name)]));
const renamed = (tree: Tree, change: (name: string) => string): Tree =>
	Object.fromEntries(Object.entries(tree).map(([name, content]) => [change(name), content]));
const without = (tree: Tree, gone: (name: string, index: number) => boolean): Tree =>
	Object.fromEntries(Object.entries(tree).filter(([name], index) => !gone(name, index)));

const tree = { ...notes(100), ...notes(60, "src", "y") };
const few = notes(8);
const binary = (seed: number, magic = "\x89PNG") =>
	`${magic}\0${Array.from({ length: 80 }, (_, at) => String.fromCharCode((at * seed) % 100)).join("")}`;
const pictures = mapped(notes(100), (_content, name) => binary(name.length * 7));
const template = `# Title of the page\n\nReplace this text by one that says what it is about, and whom to ask.\n`;
const modules = mapped(notes(120, "node_modules/a/lib"), (content) => `exports.text = \`${content}\`;\n`);

const disasters: readonly (readonly [string, Tree, Tree, Loss["kind"] | null])[] = [
	["a recursive delete of all", tree, {}, "whole-tree"],
	["a recursive delete of a large directory", tree, without(tree, (name) => name.startsWith("notes/")), "many"],
	["a recursive delete of all of a small workspace", few, { "left.txt": "x" }, "whole-tree"],
	["files that were emptied", tree, mapped(tree, () => ""), "whole-tree"],
	["files that a crash filled with zeros", tree, mapped(tree, (content) => "\0".repeat(content.length)), "whole-tree"],
	["files that only have their line breaks left", tree, mapped(tree, () => "\n\n"), "whole-tree"],
	["a template over every note", tree, { ...tree, ...mapped(notes(100), () => template) }, "many"],
	["a copy from the wrong directory", tree, notes(160, "other", "x"), "whole-tree"],
	["a copy of the wrong directory under the same names", tree, { ...tree, ...notes(100, "notes", "z") }, "many"],
	["files that were encrypted in place", tree, mapped(tree, (content) => `\x01${[...content].reverse().join("\x02")}\0`), "whole-tree"],
	[
		"files that were encrypted under new names",
		tree,
		renamed(
			mapped(tree, (content) => `\x01${content.replace(/./g, "\x03")}`),
			(name) => `${name}.locked`,
		),
		"whole-tree",
	],
	["pictures that became error pages", pictures, mapped(pictures, () => `<html>${template}</html>`), "whole-tree"],
	[
		"files that became links to nowhere",
		tree,
		Object.fromEntries(Object.keys(tree).map((name) => [name, { link: "/nowhere" }])),
		"whole-tree",
	],
	["a branch that was reset to its first commit", tree, notes(3), "whole-tree"],
	["a clean-up that took copies and their last originals", { ...tree, ...renamed(tree, (name) => `copy/${name}`) }, notes(40), "many"],
	["a formatter over all files", tree, mapped(tree, (content) => content.replace(/ /g, "\t").replace(/\n/g, ";\r\n")), null],
	[
		"a formatter that renames, too",
		tree,
		renamed(
			mapped(tree, (content) => `${content.toUpperCase()}// end\n`),
			(name) => name.replace(/md$/, "mdx"),
		),
		null,
	],
	[
		"a formatter that renames into another directory, too",
		tree,
		renamed(
			mapped(tree, (content) => `${content.replace(/ /g, ",")}end\n`),
			(name) => `out/${name.replace(/md$/, "txt")}`,
		),
		null,
	],
	[
		"texts of other files under the old names, elsewhere",
		tree,
		renamed(notes(160, "notes", "q"), (name) => `out/${name}.txt`),
		"whole-tree",
	],
	["a directory that was moved", tree, renamed(tree, (name) => `archive/${name}`), null],
	[
		"a directory that was copied first and deleted later",
		{ ...tree, ...renamed(tree, (name) => `archive/${name}`) },
		renamed(tree, (name) => `archive/${name}`),
		null,
	],
	["the removal of forty files", tree, without(tree, (_name, index) => index < 40), null],
	[
		"the removal of sixty files of a large workspace",
		{ ...tree, ...notes(60, "a", "v") },
		without({ ...tree, ...notes(60, "a", "v") }, (_name, index) => index < 60),
		null,
	],
	["node_modules that were tracked by mistake", { ...notes(40), ...modules }, notes(40), "many"],
	["pictures that were compressed again", pictures, mapped(pictures, (_content, name) => binary(name.length * 11)), null],
	["measurements that are written again", mapped(tree, () => "12.5"), mapped(tree, () => "13.75"), null],
	["a first commit of many files", {}, tree, null],
	["four files of four", notes(4), {}, null],
];

describe("a loss between two commits", () => {
	test.each(disasters)("loss: %s → %#", async (_name, before, after, expected) => {
		const from = await commit(before);
		const to = await commit(after, [from]);
		expect((await findLoss(repository, { from, to, limits }))?.kind ?? null).toBe(expected);
	});

	test("loss: a week of small deletions arrives at once → none", async () => {
		const from = await commit(tree);
		let to = from;
		for (let day = 1; day <= 5; day++)
			to = await commit(
				without(tree, (_name, index) => index < 20 * day),
				[to],
				{ later: 86_400 },
			);
		expect(await findLoss(repository, { from, to, limits })).toBeNull();
	});

	test("loss: a deletion committed in parts → one", async () => {
		const from = await commit(tree);
		let to = from;
		for (let part = 1; part <= 5; part++)
			to = await commit(
				without(tree, (_name, index) => index < 30 * part),
				[to],
				{ later: 1 },
			);
		expect((await findLoss(repository, { from, to, limits }))?.files).toHaveLength(150);
	});

	test("loss: a merge drops files of both sides → found", async () => {
		const base = await commit(tree);
		const [ours, theirs] = [await commit({ ...tree, a: "1" }, [base]), await commit({ ...tree, b: "1" }, [base])];
		const to = await commit({ a: "1", b: "1" }, [ours, theirs]);
		expect((await findLoss(repository, { from: ours, to, limits }))?.kind).toBe("whole-tree");
	});

	test("loss: a mount point below which nothing is left → found, however small", async () => {
		const from = await commit({ ...tree, "usb/a": "1", "usb/b": "2" });
		const to = await commit(tree, [from]);
		const mounts = [gitPathOf("usb"), gitPathOf("notes")];
		expect(await findLoss(repository, { from, to, limits, mounts })).toMatchObject({ kind: "mount", mounts: ["usb"] });
		const part = await commit({ ...tree, "usb/a": "1" }, [from]);
		expect(await findLoss(repository, { from, to: part, limits, mounts })).toBeNull();
	});

	test("loss: approved by a commit → none, a second one after it → found", async () => {
		const from = await commit(tree);
		const gone = without(tree, (name) => name.startsWith("notes/"));
		const first = await commit(gone, [from]);
		const approval = await commit(gone, [first], { message: `helios: approve\n\n${approveTrailer}: ${first}\n` });
		expect(await findLoss(repository, { from, to: approval, limits })).toBeNull();
		const second = await commit({}, [approval]);
		const loss = await findLoss(repository, { from, to: second, limits });
		expect(loss?.files.every((file) => file.path.startsWith("src/"))).toBe(true);
		expect(loss?.files).toHaveLength(60);
	});

	test("loss: an approval of something else → still found", async () => {
		const from = await commit(tree);
		const approval = await commit(tree, [from], { message: `helios: approve\n\n${approveTrailer}: ${from}\n` });
		const to = await commit({}, [approval]);
		expect(await findLoss(repository, { from, to, limits })).not.toBeNull();
	});

	test.each([
		[0, 0, 5, true],
		[5, 0, 5, false],
		[4, 4, 5, true],
		[4, 5, 5, false],
	])("loss: more than %i files and %i percent, %i of 100 gone → %s", async (files, percent, gone, isLoss) => {
		const whole = notes(100);
		const from = await commit(whole);
		const to = await commit(
			without(whole, (_name, index) => index < gone),
			[from],
		);
		expect((await findLoss(repository, { from, to, limits: { files, percent } })) !== null).toBe(isLoss);
	});
});
