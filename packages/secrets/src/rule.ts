import type { Assigned } from "./assignments.ts";
import { characterClasses } from "./randomness.ts";

/** A kind of secret with a form of its own. */
export interface Rule {
	readonly id: string;
	/** Literals that its values contain. At each occurrence `pattern` is tried. At least two characters. */
	readonly literals: readonly string[];
	readonly anyCase?: boolean;
	/** The characters that may follow its literals; only for literals of two characters. */
	readonly next?: string;
	/** Sticky. The secret is the group `value`, or else all of it. Linear: no repetition inside another. */
	readonly pattern: RegExp;
	/** The most characters between the start of the token and the literal; the pattern is then tried at the start of the token. */
	readonly back?: RegExp;
	/** The number of characters that `back` gets. */
	readonly mostBack?: number;
	/** Forbidden before the match. Default: a letter or digit. Null: nothing is forbidden. */
	readonly notAfter?: RegExp | null;
	/** Whether a text of that form is a secret. @param value the secret @param all the whole match */
	accepts?(value: string, all: RegExpExecArray): boolean;
}

/** A rule that also gets the text before the match. */
export interface NamedRule extends Rule {
	acceptsNamed(match: RegExpExecArray, before: string): boolean;
}

/** A rule that may find several values at one place. */
export interface ListRule {
	readonly id: string;
	readonly literals: readonly string[];
	readonly anyCase?: boolean;
	readonly next?: string;
	findAll(text: string, offset: number): Assigned[];
}

/** The part of a pattern that matches one of some texts: the first one that is there. */
export const alternatives = (texts: readonly string[]): string =>
	texts.map((text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("|");

/** A token with a prefix of its own, and the number of characters after it. */
export function prefixed(id: string, literals: readonly string[], body: string, accepts?: Rule["accepts"]): Rule {
	return { id, literals, pattern: new RegExp(`(?:${alternatives(literals)})(?<body>${body})`, "y"), ...(accepts ? { accepts } : {}) };
}

export const hasVariety = (value: string): boolean => characterClasses(value) >= 2 && new Set(value).size >= 8;

/** A placeholder after the prefix of a rule makes the whole value a placeholder. */
export function bodyOf(match: RegExpExecArray): string {
	return match.groups?.body ?? match.groups?.value ?? match[0];
}
