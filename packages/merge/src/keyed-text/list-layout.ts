import { trimBlanks } from "../blanks.ts";
import { choose } from "../choose.ts";
import { scanFlow } from "./flow.ts";
import { block, type Item, item, leaf } from "./item.ts";

/** A YAML list between brackets, or with a line for each element. */
type ListLayout = "flow" | "block";

/** Elements with the same text in both layouts. */
const WORDS = /^(?:\w|[\w./@+][\w./@+ -]*[\w./@+-]|"[^"\\\n]*"|'[^'\n]*')$/;

export interface Versions {
	readonly base: Item | null;
	readonly older: Item;
	readonly later: Item;
}

/**
 * Converts the versions of an item with a list to one layout: that of the side that changed it. An editor of properties may write `tags: [a]` as
 * lines without changing the elements.
 *
 * @returns null: they have one layout already, or are not lists of words.
 */
export function inOneLayout({ base, older, later }: Versions): Versions | null {
	const [mine, theirs] = [layoutOf(older), layoutOf(later)];
	if (mine === null || theirs === null) return null;
	const before = base === null ? null : layoutOf(base);
	if (mine === theirs && (before === null || before === mine)) return null;
	const target = choose(before ?? undefined, mine, theirs);
	const like = [later, older, base].find((one) => one !== null && layoutOf(one) === target)!;
	const [o, l] = [inLayout(older, target, like), inLayout(later, target, like)];
	const b = base === null || before === null ? base : inLayout(base, target, like);
	if (o === null || l === null || (before !== null && b === null)) return null;
	return { base: b, older: o, later: l };
}

function layoutOf({ value }: Item): ListLayout | null {
	return value.type !== "leaf" && value.list ? value.type : null;
}

function inLayout(of: Item, target: ListLayout, like: Item): Item | null {
	if (layoutOf(of) === target) return of;
	const head = /^([^\n#&!]*:)[ \t]*\n?$/.exec(of.head)?.[1];
	const words = wordsOf(of);
	if (head === undefined || words === null) return null;
	const { key, lead, indent } = of;
	if (target === "flow") {
		const { value } = scanFlow(`[${words.join(", ")}]`, 0, "yaml");
		return item({ key, lead, indent, head: `${head} `, value, tail: "\n" });
	}
	const first = like.value.type === "block" ? like.value.items[0] : undefined;
	const further = first?.indent.slice(like.indent.length) ?? "  ";
	const elements = words.map((word) => item({ key: "", lead: "", indent: indent + further, head: "- ", value: leaf(word), tail: "\n" }));
	return item({ key, lead, indent, head: `${head}\n`, value: block(true, elements, ""), tail: "" });
}

/** The elements of a list of words without comments, else null. */
function wordsOf({ value, tail }: Item): string[] | null {
	if (value.type === "leaf") return null;
	const isPlain =
		value.type === "flow"
			? tail === "\n" && /^[ \t\n]*\]$/.test(value.close) && value.items.every((one) => trimBlanks(one.lead + one.head + one.tail) === "")
			: value.foot === "" && value.items.every((one) => one.lead === "" && /^- +$/.test(one.head) && one.tail === "\n");
	const words = value.items.map((one) => (one.value.type === "leaf" && !one.value.lines ? trimBlanks(one.value.text) : ""));
	return isPlain && words.every((word) => WORDS.test(word)) ? words : null;
}
