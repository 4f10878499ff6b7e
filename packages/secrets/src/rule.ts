import { characterClasses } from "./randomness.ts";

/** A kind of secret with a form of its own. */
export interface Rule {
	readonly id: string;
	/** Literals that its values contain; one is looked for, and then `pattern` is tried. At least two characters. */
	readonly literals: readonly string[];
	readonly anyCase?: boolean;
	/** What may be right behind its literals, a character each; only for those of two characters. */
	readonly next?: string;
	/** Sticky. The secret is the group `value`, or else all of it. Linear: no repetition inside another. */
	readonly pattern: RegExp;
	/** How many characters before the literal the pattern begins at most; it is then tried at the start of the token that the literal is in. */
	readonly back?: RegExp;
	/** How many characters `back` is given. */
	readonly mostBack?: number;
	/** What may not be right before it. Default: a letter or digit. Null: anything may. */
	readonly notAfter?: RegExp | null;
	/** Whether a text of that form is one. @param value the secret @param all what the pattern matched */
	accepts?(value: string, all: RegExpExecArray): boolean;
}

/** A rule that is given the text before the match, too. */
export interface NamedRule extends Rule {
	acceptsNamed(match: RegExpExecArray, before: string): boolean;
}

/** A token with a prefix of its own, and the number of characters after it. */
export function prefixed(id: string, literals: readonly string[], body: string, accepts?: Rule["accepts"]): Rule {
	const prefix = literals.map((literal) => literal.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("|");
	return { id, literals, pattern: new RegExp(`(?:${prefix})(?<body>${body})`, "y"), ...(accepts ? { accepts } : {}) };
}

export const hasVariety = (value: string): boolean => characterClasses(value) >= 2 && new Set(value).size >= 8;

/** Rules with a prefix are placeholders where what follows the prefix is one. */
export function bodyOf(match: RegExpExecArray): string {
	return match.groups?.body ?? match.groups?.value ?? match[0];
}
