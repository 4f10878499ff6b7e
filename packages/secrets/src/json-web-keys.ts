import type { Assigned } from "./assignments.ts";
import type { ListRule } from "./rule.ts";
import { looksDrawn } from "./values.ts";

/** Bytes of an object on each side of a place in it; a key of 4,096 bits has 2,800. */
const maxObject = 3_000;

/** The text between the braces around an offset, and its own offset; of a larger object the part around. */
export function objectAround(text: string, offset: number): { readonly object: string; readonly at: number } {
	const from = Math.max(0, offset - maxObject);
	const at = from + text.slice(from, offset).lastIndexOf("{") + 1;
	const end = text.slice(offset, offset + maxObject).indexOf("}");
	return { object: text.slice(at, end < 0 ? offset + maxObject : offset + end), at };
}

const quote = String.raw`\\{0,3}["']{0,2}`;
const keyType = new RegExp(String.raw`kty${quote}\s{0,8}:\s{0,8}${quote}(?:EC|OKP|RSA|oct)\b`, "y");
/** The member of a key that is secret. */
const secretMember = new RegExp(String.raw`(?<![A-Za-z0-9_-])[dk]${quote}\s{0,8}:\s{0,8}${quote}(?<value>[A-Za-z0-9_-]{22,1400})`);

/** The secret member of a JSON Web Key (RFC 7517). @param offset of its type */
function keyAt(text: string, offset: number): Assigned[] {
	keyType.lastIndex = offset;
	if (!keyType.test(text)) return [];
	const { object, at } = objectAround(text, offset);
	const found = secretMember.exec(object);
	const value = found?.groups?.value ?? "";
	if (found === null || !looksDrawn(value, 18)) return [];
	const end = at + found.index + found[0].length;
	return [{ value, start: end - value.length, end }];
}

export const keyRules: readonly ListRule[] = [{ id: "json-web-key", literals: ["kty"], findAll: keyAt }];
