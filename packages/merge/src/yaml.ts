import { isScalar, parseAllDocuments, visit } from "yaml";
import { spend } from "./budget.ts";
import { latin1ToUtf8 } from "./bytes.ts";

/** The parser is slow (about 1 MB a second); what takes longer than a few seconds to check is not worth merging line by line. */
export const MAX_CHECKED_BYTES = 2 * 1024 * 1024;

/** What parsing a byte costs, in steps of the merge's budget. */
const STEPS_PER_BYTE = 100;

/** The parser recurses. Deeper documents would exhaust the stack, and where that happens differs from node to node. */
const MAX_DEPTH = 200;

/** Does every YAML document of a text (one character per byte) parse, with no key twice in a map? */
export function isYaml(text: string): boolean {
	if (mayBeDeep(text)) return false;
	spend(text.length * STEPS_PER_BYTE);
	try {
		// The parser's own search for keys that are there twice compares each with each.
		const documents = parseAllDocuments(latin1ToUtf8(text), { logLevel: "silent", uniqueKeys: false });
		return !Array.isArray(documents) || documents.every((document) => document.errors.length === 0 && !hasKeyTwice(document));
	} catch {
		return false;
	}
}

function hasKeyTwice(document: Parameters<typeof visit>[0]): boolean {
	let found = false;
	visit(document, {
		Map(_, { items }) {
			const keys = new Set<unknown>();
			for (const { key } of items) {
				const value = isScalar(key) ? key.value : key;
				// What `<<` merges in may be there several times.
				if (keys.has(value) && value !== "<<") found = true;
				keys.add(value);
			}
			return found ? visit.BREAK : undefined;
		},
	});
	return found;
}

/** Could a text be nested deeper than {@link MAX_DEPTH}? Counts brackets and what opens a block on each line, in strings as well. */
function mayBeDeep(text: string): boolean {
	let [brackets, onLine] = [0, 0];
	let isIndentation = true;
	for (let at = 0; at < text.length; at++) {
		const c = text.charCodeAt(at);
		if (c === 0x0a) [onLine, isIndentation] = [0, true];
		else if (c === 0x5b || c === 0x7b) brackets++;
		else if (c === 0x5d || c === 0x7d) brackets = Math.max(0, brackets - 1);
		else if (isIndentation && c !== 0x20 && c !== 0x2d && c !== 0x3f) isIndentation = false;
		else if (isIndentation) onLine++;
		if (brackets > MAX_DEPTH || onLine > 2 * MAX_DEPTH) return true;
	}
	return false;
}
