import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { personEnvironment } from "@robust-sync/git/fixtures/scratch";
import { mergeContents } from "@robust-sync/merge";
import { readCases } from "@robust-sync/merge/testing/cases";
import { keyedTriples, syntaxes } from "@robust-sync/merge/testing/formats";
import { chooseSeed } from "@robust-sync/merge/testing/holds";
import { families } from "@robust-sync/merge/testing/triples";
import { resolveMerge } from "@robust-sync/resolve";
import fc from "fast-check";
import { Person } from "./fixture/person.ts";
import { runMergeDriver } from "./merge-driver.ts";
import { resolveConflicts } from "./resolve.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);
const seed = chooseSeed(20_261_130);

interface Variant {
	readonly path: string;
	readonly base: Uint8Array | null;
	readonly ours: Uint8Array;
	readonly theirs: Uint8Array;
}
type Role = "base" | "ours" | "theirs";

let person: Person;
beforeEach(() => {
	person = new Person();
});
afterEach(async () => await person.remove());

const oid = (name: string) => person.git("rev-parse", name).trim();

/** A commit of these files alone. @param minute since a fixed time: which side is the later one follows from it */
function commit(files: Iterable<readonly [string, Uint8Array | null]>, minute: number): string {
	person.git("rm", "-rq", "--force", "--ignore-unmatch", "files");
	for (const [name, content] of files) if (content !== null) person.write({ [name]: Buffer.from(content) });
	person.git("add", "--all", "files");
	const when = `@${1_800_000_000 + 60 * minute} +0000`;
	const env = { ...personEnvironment(person.scratch.directory), GIT_AUTHOR_DATE: when, GIT_COMMITTER_DATE: when };
	execFileSync("git", ["commit", "-q", "--allow-empty", "-m", "c"], { cwd: person.workspace, env });
	return oid("HEAD");
}

/** What `git add` makes of the files that are in the working tree. */
function treeOf(files: Iterable<readonly [string, Uint8Array]>): string {
	person.git("rm", "-rq", "--force", "--cached", "--ignore-unmatch", "files");
	fs.rmSync(path.join(person.workspace, "files"), { recursive: true, force: true });
	for (const [name, content] of files) person.write({ [name]: Buffer.from(content) });
	person.git("add", "--all", "files");
	const tree = person.git("write-tree").trim();
	person.git("reset", "-q", "--hard");
	return tree;
}

async function byDriver(name: string, { base, ours, theirs }: Variant, ourCommit: string, theirCommit: string): Promise<Uint8Array> {
	person.git("update-ref", "--no-deref", "HEAD", ourCommit);
	const file = (role: Role) => person.scratch.path(role);
	for (const [role, content] of Object.entries({ base, ours, theirs })) fs.writeFileSync(file(role as Role), content ?? "");
	const files = { base: file("base"), ours: file("ours"), theirs: file("theirs"), path: name };
	await runMergeDriver(files, person.workspace, { ...process.env, [`GITHEAD_${theirCommit}`]: "theirs" });
	return fs.readFileSync(files.ours);
}

/** The files of a tree that another one has otherwise. */
const differences = (one: string, other: string) =>
	one === other ? "" : person.git("diff", "--no-ext-diff", "--text", "--no-color", one, other);

/** Merges all variants in one merge, by every door and in both orders. */
async function agree(variants: readonly Variant[]): Promise<void> {
	const named = variants.map((variant, i) => [`files/${i}/${variant.path}`, variant] as const);
	const side = (role: Role) => named.map(([name, variant]) => [name, variant[role]] as const);
	const base = commit(side("base"), 0);
	const ours = commit(side("ours"), 1);
	person.git("checkout", "-q", "-b", "theirs", base);
	const theirs = commit(side("theirs"), 2);
	const { repository } = await person.context();
	const merged = await resolveMerge(repository, ours, theirs);
	const swapped = await resolveMerge(repository, theirs, ours);
	expect(swapped.commit).toBe(merged.commit);
	for (const [mine, other] of [
		[ours, theirs],
		[theirs, ours],
	] as const) {
		person.git("checkout", "-q", "--force", "-B", "work", mine);
		person.git("merge", "--no-ff", other);
		await resolveConflicts(await person.context());
		expect(differences(merged.tree, oid("HEAD^{tree}"))).toBe("");
	}
	person.git("checkout", "-q", "--force", "--detach", ours);
	const contents = named.map(
		([name, { base: before, ours: a, theirs: b }]) =>
			[name, mergeContents({ path: name, base: before, a, b, later: "b" }).content] as const,
	);
	expect(differences(merged.tree, treeOf(contents))).toBe("");
	const driven: [string, Uint8Array][] = [];
	const back: [string, Uint8Array][] = [];
	for (const [name, variant] of named) {
		driven.push([name, await byDriver(name, variant, ours, theirs)]);
		back.push([name, await byDriver(name, { ...variant, ours: variant.theirs, theirs: variant.ours }, theirs, ours)]);
	}
	person.git("update-ref", "--no-deref", "HEAD", ours);
	expect(differences(merged.tree, treeOf(driven))).toBe("");
	expect(differences(merged.tree, treeOf(back))).toBe("");
}

/** Does a merge have to do anything? What one side alone did goes through no driver. */
const isChangedByBoth = ({ base, ours, theirs }: Variant) =>
	!Buffer.from(ours).equals(theirs) && (base === null || !(Buffer.from(base).equals(ours) || Buffer.from(base).equals(theirs)));

const many = (triples: fc.Arbitrary<Variant>, count: number) =>
	fc.sample(triples.filter(isChangedByBoth), { numRuns: Math.ceil(count * share), seed });

test("doors: every written case → the same bytes by every door", async () => {
	const cases = readCases().filter((one) => one.attribute === undefined && isChangedByBoth(one));
	await agree(cases.filter((_, index) => index % Math.ceil(1 / share) === 0));
});

test.each(Object.entries(families))("doors: %s → the same bytes by every door", async (_, triples) => {
	await agree(many(triples, 60));
});

test.each(Object.entries(syntaxes))("doors: generated %s → the same bytes by every door", async (_, syntax) => {
	const bytes = (file: Parameters<typeof syntax.write>[0]) => Buffer.from(syntax.write(file));
	const triples = keyedTriples(syntax).map(({ base, ours, theirs }) => ({
		path: syntax.path,
		base: bytes(base),
		ours: bytes(ours),
		theirs: bytes(theirs),
	}));
	await agree(many(triples, 30));
});
