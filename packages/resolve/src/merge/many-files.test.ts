import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type FixtureFile, type History, makeHistory } from "../testing/history-fixture.ts";
import { resolveMerge } from "./resolve-merge.ts";

let history: History;
beforeAll(async () => {
	history = await makeHistory();
});
afterAll(() => history.remove());

const files = 1_100;
const nameOf = (index: number) => `d${index % 9}/state${index}.json`;
const stateOf = (index: number, a: number, b: number) => `{"index": ${index}, "a": ${a}, "b": ${b}}\n`;

test("several batches: 1,100 files changed by both → merged, same commit either way", async () => {
	const all = (make: (index: number) => FixtureFile) =>
		Object.fromEntries(Array.from({ length: files }, (_, index) => [nameOf(index), make(index)]));
	const base = history.commit([], { ...all((index) => stateOf(index, 0, 0)), ".gitattributes": "*.json text\n", gone: "1\n" });
	const one = history.commit([base], { ...all((index) => stateOf(index, 1, 0)), ".gitattributes": "*.json text\n*.a text\n", gone: null });
	const two = history.commit([base], {
		...all((index) => (index === 7 ? { executable: stateOf(index, 0, 2) } : stateOf(index, 0, 2))),
		".gitattributes": "*.json text\n*.b text\n",
		gone: "2\n",
	});
	const merge = await resolveMerge(history.repository, one, two);
	expect((await resolveMerge(history.repository, two, one)).commit).toBe(merge.commit);
	const found = await history.files(merge.commit);
	const expected = all((index) => `${index === 7 ? "100755 " : ""}${stateOf(index, 1, 2)}`);
	expect(found).toEqual({ ...expected, ".gitattributes": "*.json text\n*.a text\n*.b text\n", gone: "2\n" });
	expect(merge.files.filter(({ strategy }) => strategy === "json")).toHaveLength(files);
});
