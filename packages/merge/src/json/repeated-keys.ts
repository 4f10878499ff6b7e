import { headStart } from "./layout.ts";
import { children, type JsonTree, OBJECT } from "./tree.ts";

/** The text of a document without all but the last member of each repeated key: for most readers the last one counts. */
export function withoutRepeatedKeys(tree: JsonTree): string {
	const { text } = tree;
	const out: string[] = [];
	let from = 0;
	// A container precedes its content, so the cuts are in order, except for those inside another cut.
	const cuts: (readonly [start: number, end: number])[] = [];
	for (let node = 0; node < tree.count; node++) {
		if (tree.type[node] !== OBJECT) continue;
		const kids = children(tree, node);
		const last = new Map(kids.map((kid) => [tree.key[kid]!, kid]));
		if (last.size === kids.length) continue;
		for (const [i, kid] of kids.entries())
			if (last.get(tree.key[kid]!) !== kid) cuts.push([headStart(tree, kid), headStart(tree, kids[i + 1]!)]);
	}
	for (const [start, end] of cuts.sort(([one], [other]) => one - other)) {
		if (start < from) continue;
		out.push(text.slice(from, start));
		from = end;
	}
	out.push(text.slice(from));
	return out.join("");
}
