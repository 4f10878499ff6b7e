import { expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

const bytes = (lines: readonly string[]) => Buffer.from(lines.map((line) => `${line}\n`).join(""));

/** The lines of a merge; `b` is the later side. */
function merged(path: string, base: readonly string[], a: readonly string[], b: readonly string[]): string[] {
	const input = { path, base: bytes(base), a: bytes(a), b: bytes(b), later: "b" } as const;
	const result = Buffer.from(mergeContents(input).content);
	const swapped = mergeContents({ ...input, a: input.b, b: input.a, later: "a" });
	expect(Buffer.from(swapped.content).equals(result)).toBe(true);
	return result.toString().split("\n").slice(0, -1);
}

const head = ["# Notes", ""];
const prose: [string, string[], string[], string[], string[]][] = [
	[
		"numbered again",
		["1. one", "2. two"],
		["1. A", "2. one", "3. two"],
		["1. B", "2. one", "3. two"],
		["1. A", "1. B", "2. one", "3. two"],
	],
	[
		"numbered again, entries in between",
		["1. one", "2. two", "3. three"],
		["1. zero", "2. one", "3. A", "4. two", "5. three"],
		["1. zero", "2. one", "3. B", "4. two", "5. three"],
		["1. zero", "2. one", "3. A", "3. B", "4. two", "5. three"],
	],
	[
		"one heading added",
		["## 1.0", "", "* old"],
		["### Docs", "", "* A", "", "## 1.0", "", "* old"],
		["### Docs", "", "* B", "", "## 1.0", "", "* old"],
		["### Docs", "", "* A", "", "* B", "", "## 1.0", "", "* old"],
	],
	[
		"other headings added",
		["end"],
		["## A", "same", "a", "end"],
		["## B", "same", "b", "end"],
		["## A", "same", "a", "## B", "same", "b", "end"],
	],
	["blank lines alone", ["x", "", "end"], ["a", "", "", "end"], ["b", "", "", "end"], ["a", "", "b", "", "", "end"]],
];
test.each(prose)("both sides changed one stretch of prose: %s → common lines are there once", (_what, base, a, b, expected) => {
	expect(merged("notes.md", [...head, ...base], [...head, ...a], [...head, ...b]).slice(2)).toEqual(expected);
});

const tags: [string, string, string][] = [
	["highlight", "{% highlight ruby %}", "{% endhighlight %}"],
	["highlight with options", "{% highlight ruby linenos %}", "{% endhighlight %}"],
	["raw, trimmed", "{%- raw -%}", "{%- endraw -%}"],
	["indented comment", "  {% comment %}", "  {% endcomment %}"],
];
test.each(tags)("block of Liquid: %s, rewritten by both → one side's lines", (_what, open, close) => {
	const note = (...inner: string[]) => ["text", "", open, ...inner, close, "", "end"];
	expect(merged("_posts/post.md", note("puts 1"), note("puts 2", "puts 3"), note("puts 4", "x"))).toEqual(note("puts 4", "x"));
});

test("block of Liquid: no end, end on its own line, fence inside → prose and fence", () => {
	const open = ["{% raw %}", "text", "end"];
	expect(merged("a.md", open, [...open, "A"], ["B", ...open])).toEqual(["B", ...open, "A"]);
	const inline = ["{% raw %}x{% endraw %}", "end"];
	expect(merged("a.md", inline, [...inline, "A"], ["B", ...inline])).toEqual(["B", ...inline, "A"]);
	const fenced = (...lines: string[]) => ["{% raw %}", "```yaml", ...lines, "```", "{% endraw %}"];
	expect(merged("a.md", fenced("a: 1"), fenced("a: 1", "b: 2"), fenced("c: 3", "a: 1"))).toEqual(fenced("c: 3", "a: 1", "b: 2"));
});
