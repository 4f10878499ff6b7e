import { expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

const block = (language: string, ...lines: readonly string[]) => `\`\`\`${language}\n${lines.map((line) => `${line}\n`).join("")}\`\`\`\n`;
const note = (...parts: readonly string[]) => `# N\n\n${parts.join("\n")}\nend\n`;
const script = ["USER=me", "HOST=here", "send"];

/** Both sides: the older one, then the later one. Lost: the side that is saved. */
const rows: readonly (readonly [name: string, base: string, older: string, later: string, result: string, lost: string])[] = [
	[
		"language named by one, content by the other",
		note(block("", ...script)),
		note(block("bash", ...script)),
		note(block("", ...script, "log")),
		note(block("bash", ...script, "log")),
		"",
	],
	[
		"language changed by one, content by the other",
		note(block("js", ...script)),
		note(block("js", ...script, "log")),
		note(block("ts title=x", ...script)),
		note(block("ts title=x", ...script, "log")),
		"",
	],
	[
		"language changed by both",
		note(block("sh", ...script)),
		note(block("bash", ...script)),
		note(block("zsh", ...script, "log")),
		note(block("zsh", ...script, "log")),
		"older",
	],
	[
		"nearly the same block added by both",
		note(block("bash", "old"), "run:\n"),
		note(block("bash", "old"), "run:\n", block("bash", ...script)),
		note(block("bash", "old"), "run:\n", block("bash", ...script, "log")),
		note(block("bash", "old"), "run:\n", block("bash", ...script, "log")),
		"",
	],
	[
		"the same block added by both, named by one",
		note("run:\n"),
		note("run:\n", block("", ...script)),
		note("run:\n", block("bash", ...script)),
		note("run:\n", block("bash", ...script)),
		"older",
	],
	[
		"two snippets added at one place",
		note("run:\n"),
		note("run:\n", block("", "ls -l")),
		note("run:\n", block("", "make")),
		note("run:\n", block("", "ls -l"), block("", "make")),
		"",
	],
	[
		"settings added by both",
		note("%% settings"),
		note("%% settings", block("json", '{"a": 1}')),
		note("%% settings", block("json", '{"b": 2}')),
		note("%% settings", block("json", '{"a": 1, "b": 2}')),
		"",
	],
	[
		"blocks below the same words in two sections",
		note("## A\n", "Example:\n", "## B\n", "Example:\n"),
		note("## A\n", "Example:\n", block("py", "one"), "## B\n", "Example:\n"),
		note("## A\n", "Example:\n", "## B\n", "Example:\n", block("py", "two")),
		note("## A\n", "Example:\n", block("py", "one"), "## B\n", "Example:\n", block("py", "two")),
		"",
	],
];

test.each(rows)("blocks: %s → each once", (_, base, older, later, result, lost) => {
	const [inBase, a, b] = [base, older, later].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
	const merged = mergeContents({ path: "n.md", base: inBase, a, b, later: "b" });
	expect(Buffer.from(merged.content).toString()).toBe(result);
	expect(merged.lost).toEqual({ a: lost === "older", b: false });
	const swapped = mergeContents({ path: "n.md", base: inBase, a: b, b: a, later: "a" });
	expect(Buffer.from(swapped.content).equals(merged.content)).toBe(true);
	// The merge with each side again changes nothing.
	for (const side of [a, b]) {
		const again = mergeContents({ path: "n.md", base: inBase, a: side, b: Buffer.from(merged.content), later: "b" });
		expect(Buffer.from(again.content).equals(merged.content)).toBe(true);
	}
});
