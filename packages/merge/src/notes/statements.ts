import type { Unit } from "./units.ts";

/** A line with one statement, so that only one of two versions can stay. */
export interface Statement {
	/** The subject of the line. */
	readonly subject: string;
	/** The value of the subject; the rest of the line is before and behind. */
	readonly before: string;
	readonly says: string;
	readonly behind: string;
}

/** A line with a name for links to it, `text ^name`; a note has a name once (https://help.obsidian.md/links). */
export function namedLine(line: string): Statement | null {
	const found = /^([ \t>]*)(?=[^ \t>])(.*\S[ \t]+\^([A-Za-z0-9-]+)[ \t]*)$/.exec(line);
	return found === null ? null : { subject: `task ^${found[3]}`, before: found[1]!, says: found[2]!, behind: "" };
}

/** A bullet or heading of Markdown with the state of its task before its words (https://docs.logseq.com/#/page/tasks). */
export function taskOfBullet(line: string): Statement | null {
	const found =
		/^([ \t>]*(?:[-*+]|#{1,6})[ \t]+)((?:TODO|DONE|NOW|LATER|DOING|NEXT|WAIT(?:ING)?|IN-PROGRESS|CANCELL?ED)(?:[ \t]+\[#[A-C]\])?)([ \t].*)$/.exec(
			line,
		);
	return found === null ? null : { subject: `task ${found[3]}`, before: found[1]!, says: found[2]!, behind: found[3]! };
}

/** Behind a task's words: dates and priorities as plugins of Obsidian write them, a character being several bytes, and fields such as `[due:: 2026-01-02]`. */
const PLANS =
	/(?<![ \t])(?:[ \t]+(?:(?:\xf0\x9f\x93\x85|\xf0\x9f\x9b\xab|\xe2\x8f\xb3|\xe2\x9e\x95|\xe2\x9c\x85|\xe2\x9d\x8c)(?:\xef\xb8\x8f)?[ \t]*\d{4}-\d{2}-\d{2}|(?:\xe2\x8f[\xab\xac]|\xf0\x9f\x94[\xba\xbc\xbd])(?:\xef\xb8\x8f)?|\[[\w-]+::[^[\]]*\]|\([\w-]+::[^()]*\)|@[\w-]+\([^()]*\)))+[ \t]*$/;

/** The search for what follows a task's words takes the square of the length, so it begins this far from the end. */
const longestEnding = 1000;

/** A task's text without what follows its words. */
export function withoutEnding(text: string, ending: RegExp): string {
	const from = Math.max(0, text.length - longestEnding);
	return text.slice(0, from) + text.slice(from).replace(ending, "");
}

/** A task of a list by its words without its dates and its priority. */
export function plannedTask(line: string): Statement | null {
	const found = /^([ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+)(\[[^\]]{1,4}\][ \t].*)$/.exec(line);
	if (found === null) return null;
	const words = withoutEnding(found[2]!.replace(/^\[[^\]]*\]/, ""), PLANS);
	return /\S/.test(words) ? { subject: `planned ${words}`, before: found[1]!, says: found[2]!, behind: "" } : null;
}

/** When the task of the Org heading above is due (https://orgmode.org/manual/Deadlines-and-Scheduling.html). */
export function orgPlanning(line: string, above: string | undefined): Statement | null {
	const found = /^([ \t]*)((?:CLOSED|SCHEDULED|DEADLINE):.*)$/.exec(line);
	const heading = /^(\*+)[ \t]+(?![ \t])(?:[A-Z]{4,9}[ \t]+(?![ \t]))?(.*)$/.exec(above ?? "");
	if (found === null || heading === null) return null;
	return { subject: `planning ${heading[1]} ${heading[2]}`, before: found[1]!, says: found[2]!, behind: "" };
}

/** Options of a directive are right below it: how many lines to look at. */
const mostOptions = 12;

/** An option of the directive above, `   :width: 100` (https://docutils.sourceforge.io/docs/ref/rst/directives.html). */
export function directiveOption(line: string, index: number, units: readonly Unit[]): Statement | null {
	const found = /^([ \t]+:([\w-]+):)([ \t].*)$/.exec(line);
	if (found === null) return null;
	for (let at = index - 1; at >= 0 && at >= index - mostOptions; at--) {
		const above = units[at]!.text;
		if (/^[ \t]*\.\. .*::/.test(above)) return { subject: `option ${above} ${found[2]}`, before: found[1]!, says: found[3]!, behind: "" };
		if (!/^[ \t]+:[\w-]+:/.test(above)) return null;
	}
	return null;
}

/** The revision in the head of a document, `v1.0, 2026-01-02` (https://docs.asciidoctor.org/asciidoc/latest/document/revision-line/). */
export function asciidocRevision(line: string, index: number): Statement | null {
	return index > 0 && index < 4 && /^v\d[\w.-]*(?:[,:].*)?$/.test(line)
		? { subject: "revision", before: "", says: line, behind: "" }
		: null;
}
