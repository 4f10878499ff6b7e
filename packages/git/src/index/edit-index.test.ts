import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Scratch } from "../fixtures/scratch.ts";
import { type GitPath, gitPathOf } from "../paths/git-path.ts";
import { gitProcessesStarted } from "../process/exec.ts";
import type { Repository } from "../process/repository.ts";
import { editSmallIndex } from "./edit-index.ts";
import { smallIndexBytes } from "./index-entries.ts";
import { writeIndexEntries } from "./index-file.ts";

let scratch: Scratch;
const formats = ["sha1", "sha256"] as const;
const repositories: Repository[] = [];
const blobs: string[][] = [];
beforeAll(async () => {
	scratch = new Scratch("edit-index");
	for (const format of formats) {
		scratch.git("", "init", "-q", "-b", "main", `--object-format=${format}`, format);
		scratch.write("content", "one");
		const first = scratch.git(format, "hash-object", "-w", "../content").trim();
		scratch.write("content", "two");
		blobs.push([first, scratch.git(format, "hash-object", "-w", "../content").trim()]);
		repositories.push(await scratch.open(format));
	}
});
afterAll(() => scratch.remove());

const index = (at: number) => scratch.path(`${formats[at]}/.git/index`);
// "a", "a.b" and "a/b" are sorted in different ways as files and as directories.
const names = ["a", "a.b", "a0", "a/b", "a/b/c", "a/d", "b/a/a", "b/a/b", "\u00c3\u00bc/\u00ff", "z".repeat(200)].map(gitPathOf);
const change = fc.record({ path: fc.constantFrom(...names), mode: fc.constantFrom("100644", "100755", "120000", null), blob: fc.nat(1) });

/** One change a path, and no path below another one that is put. */
function entriesOf(changes: readonly { path: GitPath; mode: string | null; blob: number }[], at: number) {
	const last = [...new Map(changes.map((each) => [each.path, each])).values()];
	const clashes = ({ path }: { path: GitPath }) => last.some((other) => other.mode !== null && path.startsWith(`${other.path}/`));
	return last
		.filter((each) => each.mode === null || !clashes(each))
		.map(({ path, mode, blob }) => ({ path, entry: mode === null ? null : { mode, oid: blobs[at]?.[blob] as string } }));
}

/** Entries, and the tree that git makes of them: it takes what it knows of directories from the index. */
const state = ["git ls-files --debug --stage -v", "git write-tree"];

test("editSmallIndex: any few changes → the entries and trees that git makes of them", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.array(change, { maxLength: 6 }), { minLength: 2, maxLength: 3 }),
			fc.nat(1),
			fc.boolean(),
			async (rounds, at, hasTrees) => {
				const repository = repositories[at] as Repository;
				const format = formats[at] as string;
				scratch.git(format, "read-tree", "--empty");
				for (const changes of rounds) {
					if (hasTrees) scratch.git(format, "write-tree");
					const entries = entriesOf(changes, at);
					const before = fs.readFileSync(index(at));
					const started = gitProcessesStarted();
					await writeIndexEntries(repository, entries);
					expect(gitProcessesStarted()).toBe(started);
					const made = scratch.script(format, state);
					fs.writeFileSync(index(at), before);
					const lines = [
						...entries.map(({ path }) => `0 ${repository.zeroOid}\t${path}\0`),
						...entries.flatMap(({ path, entry }) => (entry ? [`${entry.mode} ${entry.oid}\t${path}\0`] : [])),
					];
					const changed = Buffer.from(lines.join(""), "latin1");
					expect(made).toBe(scratch.script(format, ["git update-index -z --index-info", ...state], [], changed));
				}
			},
		),
		{ numRuns: 20 },
	);
});

test.each<[what: string, prepare: () => void]>([
	["locked", () => fs.writeFileSync(`${index(0)}.lock`, "")],
	["missing", () => fs.rmSync(index(0))],
	["a link", () => linkTo(`${index(0)}.target`)],
	["with compressed paths", () => scratch.git("sha1", "update-index", "--index-version", "4")],
	["with an untracked cache", () => scratch.git("sha1", "update-index", "--force-untracked-cache")],
	["split", () => scratch.git("sha1", "update-index", "--split-index")],
	["torn", () => fs.truncateSync(index(0), 60)],
	["large", () => fs.appendFileSync(index(0), Buffer.alloc(smallIndexBytes))],
	["in conflict", () => conflict()],
])("editSmallIndex: the index is %s → left to git, unchanged", (_what, prepare) => {
	fs.rmSync(index(0), { force: true });
	fs.rmSync(`${index(0)}.lock`, { force: true });
	scratch.git("sha1", "update-index", "--add", "--cacheinfo", `100644,${blobs[0]?.[0]},a`);
	prepare();
	const content = () => (fs.existsSync(index(0)) ? fs.readFileSync(index(0)).toString("base64") : null);
	const [before, locked] = [content(), fs.existsSync(`${index(0)}.lock`)];
	const entry = { mode: "100644", oid: blobs[0]?.[1] as string };
	expect(editSmallIndex(repositories[0] as Repository, [{ path: gitPathOf("a"), entry }])).toBe(false);
	expect(content() === before).toBe(true);
	expect(fs.existsSync(`${index(0)}.lock`)).toBe(locked);
});

/** An entry in two stages, as a merge leaves it. */
function conflict(): void {
	const lines = [2, 3].map((stage) => `100644 ${blobs[0]?.[stage - 2]} ${stage}\tb`);
	execFileSync("git", ["update-index", "--index-info"], { cwd: scratch.path("sha1"), input: lines.join("\n") });
}

function linkTo(target: string): void {
	fs.renameSync(index(0), target);
	fs.symlinkSync(target, index(0));
}
