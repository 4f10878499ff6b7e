import { spend } from "../budget.ts";

/**
 * A note's body as lines, in which a document of its own (a fenced block, a block of Liquid, a drawer of Org) is one unit. Texts have LF line ends.
 */
export interface Unit {
	/** The lines without the last line feed. */
	readonly text: string;
	readonly block: FencedBlock | null;
}

export interface FencedBlock {
	/** The language of its content, in lower case: `json`, `yaml`, …; empty: the fence names none. `drawer` for the drawers of Org. */
	readonly language: string;
	/** Opening line, content and closing line, each with its line feeds but for the last. */
	readonly open: string;
	readonly inner: string;
	/** Empty if the block has no end. */
	readonly close: string;
}

export type Markup = "markdown" | "org" | "asciidoc" | "restructured" | "plain";

/** May a body have blocks? Most have none, and the search line by line costs more than a merge. */
export function mayHaveBlocks(text: string, markup: Markup): boolean {
	if (markup === "markdown")
		return text.includes("```") || text.includes("~~~") || text.includes("{%") || mathFence.test(text) || commentedJson.test(text);
	if (markup === "asciidoc") return asciidocFence.test(text);
	if (markup === "restructured") return text.includes(".. ") && restructuredBlock.test(text);
	return markup === "org" && /^[ \t]*(?::[\w-]+:|#\+begin_)/im.test(text);
}

const stepsPerLine = 25;
/** Steps to cut a block out, to find it in the other versions, and to merge it. */
const stepsPerBlock = 400;

/** Splits a body into units. */
export function splitUnits(text: string, markup: Markup): Unit[] {
	const lines = text.split("\n");
	if (lines[lines.length - 1] === "") lines.pop();
	if (!mayHaveBlocks(text, markup)) return lines.map((line) => ({ text: line, block: null }));
	const units: Unit[] = [];
	const endless = new Set<string>();
	for (let i = 0; i < lines.length; ) {
		const end = blockEnd(lines, i, markup, endless);
		if (end === null) {
			units.push({ text: lines[i]!, block: null });
			i++;
			continue;
		}
		spend(stepsPerBlock);
		const closed = end.closed;
		const inner = lines.slice(i + 1, closed ? end.past - 1 : end.past).map((line) => `${line}\n`);
		units.push({
			text: lines.slice(i, end.past).join("\n"),
			block: { language: end.language, open: `${lines[i]}\n`, inner: inner.join(""), close: closed ? lines[end.past - 1]! : "" },
		});
		i = end.past;
	}
	return units;
}

interface BlockEnd {
	readonly language: string;
	readonly past: number;
	readonly closed: boolean;
}

/** @param endless names of blocks without a further end: one that does not end here ends nowhere below. */
function blockEnd(lines: readonly string[], from: number, markup: Markup, endless: Set<string>): BlockEnd | null {
	const line = lines[from]!;
	if (markup === "org") {
		const isDrawer = /^[ \t]*:[\w-]+:[ \t]*$/.test(line) && !/^[ \t]*:end:/i.test(line);
		const begin = /^[ \t]*#\+begin_(\w+)(?:[ \t]+(\S+))?/i.exec(line);
		if (!isDrawer && begin === null) return null;
		const name = isDrawer ? ":end:" : `#+end_${begin![1]!.toLowerCase()}`;
		if (endless.has(name)) return null;
		const isEnd = (other: string) => other.trimStart().toLowerCase().startsWith(name);
		const source = begin?.[2]?.toLowerCase() ?? "";
		const language = isDrawer ? "drawer" : name === "#+end_src" ? source : name === "#+end_example" ? "" : "text";
		const found = ending(lines, from, isEnd, language, false);
		if (found === null) endless.add(name);
		return found;
	}
	if (markup === "asciidoc") return asciidocEnd(lines, from, endless);
	if (markup === "restructured") return restructuredEnd(lines, from);
	const math = mathFence.exec(line)?.[1];
	if (math !== undefined) return mathEnd(lines, from, math, endless);
	if (htmlComment.test(line)) return commentEnd(lines, from, endless);
	const liquid = liquidBlock.exec(line);
	if (liquid !== null) return liquidEnd(lines, from, liquid as unknown as [string, string, string], endless);
	const fence = /^[ \t>]*(?:[-*+][ \t]+)?(`{3,}(?!`)|~{3,}(?!~))[ \t]*(?![ \t])(.*)$/.exec(line);
	if (fence === null) return null;
	const [, marks, info] = fence as unknown as [string, string, string];
	// Backticks may not be in the info string of a fence of backticks: that is a code span.
	if (marks[0] === "`" && info.includes("`")) return null;
	const language = /^\{?\.?([^\s{}:,=]*)/.exec(info)![1]!.toLowerCase();
	const isEnd = (other: string) => {
		const found = /^[ \t>]*(`{3,}|~{3,})[ \t]*$/.exec(other);
		return found !== null && found[1]![0] === marks[0] && found[1]!.length >= marks.length;
	};
	return ending(lines, from, isEnd, language, true);
}

/** A formula over lines, of which there are only parts in prose. */
const mathFence = /^[ \t>]*(\$\$|\\\[)[ \t]*$/m;

function mathEnd(lines: readonly string[], from: number, open: string, endless: Set<string>): BlockEnd | null {
	if (endless.has(open)) return null;
	const close = open === "$$" ? /^[ \t>]*\$\$[ \t]*$/ : /^[ \t>]*\\\][ \t]*$/;
	const found = ending(lines, from, (line) => close.test(line), "math", false);
	if (found === null) endless.add(open);
	return found;
}

/** A comment of HTML over lines; one that starts with a bracket holds data of a program. */
const htmlComment = /^[ \t]*<!--(?!.*-->)/;
const commentedJson = /^[ \t]*<!--(?!.*-->).*\n[ \t]*[{[]/m;

function commentEnd(lines: readonly string[], from: number, endless: Set<string>): BlockEnd | null {
	if (endless.has("-->") || !/^[ \t]*[{[]/.test(lines[from + 1] ?? "")) return null;
	const found = ending(lines, from, (line) => line.includes("-->"), "", false);
	if (found === null) endless.add("-->");
	// What stands before the end belongs to the data: it cannot be taken apart.
	return found !== null && /^[ \t]*-->[ \t]*$/.test(lines[found.past - 1]!) ? found : null;
}

/** Tags of Liquid (Jekyll) whose content is not prose (https://jekyllrb.com/docs/liquid/tags/), and the language that `highlight` names. */
const liquidBlock =
	/^[ \t]*\{%-?[ \t]*(highlight|raw|comment|codeblock|prism|math|mermaid)\b[ \t]*(?![ \t])([\w+#-]*)(?![\w+#-])[^%]*%\}[ \t]*$/;

function liquidEnd(
	lines: readonly string[],
	from: number,
	[, name, word]: readonly [string, string, string],
	endless: Set<string>,
): BlockEnd | null {
	if (endless.has(name)) return null;
	const isEnd = (line: string) => line.includes("{%") && new RegExp(`^[ \\t]*\\{%-?[ \\t]*end${name}[ \\t]*-?%\\}[ \\t]*$`).test(line);
	const language = name === "highlight" || name === "codeblock" || name === "prism" ? word.toLowerCase() : "liquid";
	const found = ending(lines, from, isEnd, language === "-" || language === "" ? "liquid" : language, false);
	if (found === null) endless.add(name);
	// A fenced block inside has its own language.
	else if (lines.slice(from + 1, found.past).some((line) => /^[ \t>]*(?:`{3}|~{3})/.test(line))) return null;
	return found;
}

/** Listing, literal and passthrough blocks of AsciiDoc (https://docs.asciidoctor.org/asciidoc/latest/blocks/delimited/). */
const asciidocFence = /^(?:-{4,}|\.{4,}|\+{4,})[ \t]*$/m;

function asciidocEnd(lines: readonly string[], from: number, endless: Set<string>): BlockEnd | null {
	const fence = trimEnd(lines[from]!);
	if (!asciidocFence.test(fence) || endless.has(fence)) return null;
	const source = /^\[source[^,\]]*,[ \t]*([\w+#-]+)/.exec(lines[from - 1] ?? "");
	const found = ending(lines, from, (line) => trimEnd(line) === fence, (source?.[1] ?? "").toLowerCase(), false);
	if (found === null) endless.add(fence);
	return found;
}

/** The literal content of a directive of reStructuredText: the indented lines below it. The merge treats it as code, since options can be among them. */
const restructuredBlock =
	/^([ \t]*)\.\. (?:code-block|sourcecode|code|highlight|raw|math|csv-table|list-table|graphviz|mermaid|parsed-literal)::/m;
export const INDENTED = "indented";

function restructuredEnd(lines: readonly string[], from: number): BlockEnd | null {
	const found = restructuredBlock.exec(lines[from]!);
	if (found === null) return null;
	const indent = found[1]!.length;
	let past = from + 1;
	for (let at = from + 1; at < lines.length; at++) {
		spend(stepsPerLine);
		const text = lines[at]!.trimStart();
		if (text === "") continue;
		if (lines[at]!.length - text.length <= indent) break;
		past = at + 1;
	}
	return past === from + 1 ? null : { language: INDENTED, past, closed: false };
}

function trimEnd(line: string): string {
	return line.replace(/[ \t]+$/, "");
}

function ending(
	lines: readonly string[],
	from: number,
	isEnd: (line: string) => boolean,
	language: string,
	open: boolean,
): BlockEnd | null {
	for (let at = from + 1; at < lines.length; at++) {
		// Blocks of many names can all be without end.
		spend(stepsPerLine);
		if (isEnd(lines[at]!)) return { language, past: at + 1, closed: true };
	}
	return open ? { language, past: lines.length, closed: false } : null;
}
