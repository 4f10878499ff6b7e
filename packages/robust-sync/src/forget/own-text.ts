import { longestShort, sizedPlaceholder } from "./binary-value.ts";
import { markKinds, nameOf } from "./value-kinds.ts";

// A value that is part of a placeholder, or that a placeholder can complete, would be found again in every cleaned version: forgetting it has no end.

const word = "forgotten-";
/** Fewer characters at the end of a value, with which a placeholder begins, or the other way round, need a text that nothing writes. */
const leastShared = 4;
/** The name of a placeholder, or a beginning of it, up to the end of the value. */
const whole = /forgotten-(?:[a-z]?[0-9a-f]{0,12}$|[a-z][0-9a-f]{12})/;
/** Any end of the name, with the length and the padding. */
const ending = new RegExp(
	`^(?:${Array.from({ length: word.length - leastShared + 1 }, (_, at) => word.slice(at)).join("|")})(?:[a-z][0-9a-f]{0,12}(?:-[0-9]*-*)?)?$`,
);
const padding = /^[0-9a-f]{0,12}-[0-9]*-+$/;

/** Whether one text begins with some characters with which the other ends. */
function isShared(value: string): boolean {
	for (let count = leastShared; count < word.length; count++) if (value.endsWith(word.slice(0, count))) return true;
	return false;
}

/**
 * Whether placeholders can contain a value, or a part of it that makes a placeholder look like it. In any encoding of the value as text.
 * @param id of the forgetting; null: of any
 */
export function isOfPlaceholder(value: Buffer, id: string | null): boolean {
	// UTF-16 has the same characters, with a zero each.
	const text = value.toString("latin1").replaceAll("\0", "");
	if (whole.test(text) || ending.test(text) || padding.test(text) || isShared(text) || word.includes(text)) return true;
	if (id === null) return false;
	const tail = /^(.+?)-[0-9]*-*$/.exec(text)?.[1];
	return markKinds.some((kind) => {
		const name = nameOf(id, kind);
		if (tail !== undefined && name.endsWith(tail)) return true;
		return [name, ...Array.from({ length: longestShort }, (_, at) => sizedPlaceholder(name, at + 1))].some((one) => one.includes(text));
	});
}
