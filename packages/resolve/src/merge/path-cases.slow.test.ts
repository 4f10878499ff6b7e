import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FixtureFile, type History, makeHistory } from "../testing/history-fixture.ts";
import { resolveMerge } from "./resolve-merge.ts";

const root = fileURLToPath(new URL("../../cases", import.meta.url));
const names = readdirSync(root)
	.filter((name) => lstatSync(path.join(root, name)).isDirectory())
	.sort();

let history: History;
beforeAll(async () => {
	history = await makeHistory();
});
afterAll(() => history.remove());

type Files = Record<string, FixtureFile>;

/** All files below a directory, for a commit; names one character per byte. */
function tree(directory: string): Files {
	if (!existsSync(directory)) return {};
	const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
	const files = paths.filter((name) => !lstatSync(path.join(directory, name)).isDirectory());
	return Object.fromEntries(files.map((name) => [Buffer.from(name).toString("latin1"), file(path.join(directory, name))]));
}

function file(name: string): FixtureFile {
	const about = lstatSync(name);
	if (about.isSymbolicLink()) return { symlink: readlinkSync(name) };
	const content = readFileSync(name, "utf8");
	return (about.mode & 0o100) === 0 ? content : { executable: content };
}

/** A side's changes to the base. */
function changes(base: Files, side: Files): Files {
	const removed = Object.keys(base).filter((name) => !(name in side));
	return { ...Object.fromEntries(removed.map((name) => [name, null])), ...side };
}

interface About {
	readonly later?: "ours" | "theirs";
	readonly strategies: Readonly<Record<string, string>>;
}

describe("every path case merges to its expected result, whichever parent is named first,", () => {
	test.each(names)("path case: %s → the expected result, in both orders", async (name) => {
		const directory = path.join(root, name);
		const about = JSON.parse(readFileSync(path.join(directory, "case.json"), "utf8")) as About;
		const [base, ours, theirs, expected] = ["base", "ours", "theirs", "expected"].map((role) => tree(path.join(directory, role))) as [
			Files,
			Files,
			Files,
			Files,
		];
		const common = history.commit([], base, { date: 1_800_000_000 });
		const at = (side: "ours" | "theirs") => ({ date: (about.later ?? "theirs") === side ? 1_800_002_000 : 1_800_001_000 });
		const [one, other] = [
			history.commit([common], changes(base, ours), at("ours")),
			history.commit([common], changes(base, theirs), at("theirs")),
		];
		const [merge, mirrored] = [await resolveMerge(history.repository, one, other), await resolveMerge(history.repository, other, one)];
		expect(mirrored.commit).toBe(merge.commit);
		expect(await history.files(merge.commit)).toEqual(await history.files(history.commit([], expected)));
		expect(Object.fromEntries(merge.files.map((resolved) => [Buffer.from(resolved.path, "latin1").toString(), resolved.strategy]))).toEqual(
			about.strategies,
		);
	});
});

test("path cases: every path rule → has cases", () => {
	expect(names.length).toBeGreaterThanOrEqual(25);
});
