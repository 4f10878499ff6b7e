import { spend } from "./budget.ts";
import { fromLatin1, toLatin1 } from "./bytes.ts";
import type { Sides } from "./sides.ts";

/** A line at the outermost level that imports or defines something: two of them are at best one too many. */
const DECLARATION =
	/^(?:(?:export|default|pub(?:\([\w: ]+\))?|public|private|static|async|abstract|declare|unsafe) +)*(?:import|from|use|using|def|class|function|fn|func|struct|enum|trait|impl|interface|type|const|let|var|mod|namespace)\b.*$/gm;
/** Lines that belong to the declaration below: decorators, attributes, comments. */
const BEFORE = /^(?:@|#|\/\/|\/\*| \*|--|;)/;
/** Lines that belong to the declaration above: indented ones, and its closing line. */
const INSIDE = /^(?:[ \t]|[)\]}]|end\b)/;

const stepsPerLine = 60;

/** A declaration, or the text between two of them. */
interface Unit {
	readonly lines: readonly string[];
	/** The blank lines below it. */
	blanks: readonly string[];
	/** The declaration without line ends; null: it is none. */
	readonly key: string | null;
}

/**
 * The sides with each equal new declaration of both in the later side only: at different places, a merge of lines would add it twice. Declarations
 * that a side repeats, or that the base has, are left alone.
 */
export function withDeclarationsOnce(sides: Sides): Sides {
	const { base, older, later } = sides;
	if (base === null) return sides;
	const [before, mine, theirs] = [base, older, later].map((content) => toLatin1(content)) as [string, string, string];
	const declared = (text: string) => text.match(DECLARATION) ?? [];
	const inLater = new Set(declared(theirs));
	const inBoth = declared(mine).filter((line) => inLater.has(line));
	const inBase = new Set(inBoth.length === 0 ? [] : declared(before).map(withoutEnd));
	if (inBoth.every((line) => inBase.has(withoutEnd(line)))) return sides;
	const known = new Set(lines(before));
	const [ofOlder, ofLater] = [units(mine), units(theirs)];
	const once = (all: readonly Unit[]) => {
		const times = new Map<string, number>();
		for (const { key } of all) if (key !== null) times.set(key, (times.get(key) ?? 0) + 1);
		return (key: string) => times.get(key) === 1;
	};
	const [isOnce, isOnceInLater] = [once(ofOlder), once(ofLater)];
	const isNew = (key: string) => key.split("\n").some((line) => !known.has(line));
	const kept: Unit[] = [];
	for (const [i, unit] of ofOlder.entries()) {
		const above = kept[kept.length - 1];
		if (unit.key === null || !isOnce(unit.key) || !isOnceInLater(unit.key) || !isNew(unit.key)) kept.push(unit);
		else if (above !== undefined && (i === ofOlder.length - 1 || unit.blanks.length > above.blanks.length)) above.blanks = unit.blanks;
	}
	if (kept.length === ofOlder.length) return sides;
	return { ...sides, older: fromLatin1(kept.flatMap((unit) => [...unit.lines, ...unit.blanks]).join("\n")) };
}

function withoutEnd(line: string): string {
	return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function lines(text: string): string[] {
	const all = text.split("\n").map(withoutEnd);
	spend(stepsPerLine * all.length);
	return all;
}

/** Splits a text into units. Blank lines belong to the unit above them. */
function units(text: string): Unit[] {
	const written = text.split("\n");
	const all = lines(text);
	const found: Unit[] = [];
	let from = 0;
	const isBlank = (i: number) => all[i]!.trim() === "";
	while (from < all.length) {
		let at = from;
		while (at < all.length && BEFORE.test(all[at]!)) at++;
		const isDeclaration = at < all.length && new RegExp(DECLARATION.source).test(all[at]!);
		if (at < all.length) at++;
		while (at < all.length && (INSIDE.test(all[at]!) || isBlank(at))) at++;
		let end = at;
		while (end > from && isBlank(end - 1)) end--;
		// Without a boundary below, the declaration may continue in an unknown way.
		const isWhole =
			isDeclaration && (at === all.length || end < at || new RegExp(DECLARATION.source).test(all[at]!) || BEFORE.test(all[at]!));
		found.push({ lines: written.slice(from, end), blanks: written.slice(end, at), key: isWhole ? all.slice(from, end).join("\n") : null });
		from = at;
	}
	return found;
}
