import { isUtf8 } from "node:buffer";
import { joined } from "@robust-sync/secrets/sqlite-format";
import { hasFixedPlaces } from "./binary-value.ts";
import { type BrokenForm, brokenForm, brokenPlaces, withoutBroken } from "./broken-value.ts";
import { type EscapedKind, hasEscaped, mayHaveEscapes, withoutEscaped } from "./escaped-value.ts";
import { chainsOf, putJoined } from "./sqlite-chains.ts";
import { brokenKind, codecs, type Kind, kinds, nestedKinds, placeholderFor, placeholderOf } from "./value-kinds.ts";

/** One form of a value in files, each with its own placeholder, which determines the length of the value. */
interface Form {
	readonly value: Buffer;
	readonly placeholder: Buffer;
}

/** A value, however it is written, with what takes its place. */
export interface Forms {
	/** Of the forgetting. */
	readonly id: string;
	/** A content without any of these, one character a byte, does not have the value. */
	readonly needles: readonly string[];
	readonly written: ReadonlyMap<Kind, Form>;
	/** The same, searched in what the others leave. */
	readonly nested: ReadonlyMap<Kind, Form>;
	/** What is also searched in the forms that have escapes; null: it is no text. */
	readonly escaped: Buffer | null;
	/** null: the value has lines of its own. */
	readonly broken: BrokenForm | null;
}

const unnestedForms = (forms: Forms): Forms => ({ ...forms, nested: new Map() });
const isNested = (kind: Kind): boolean => (nestedKinds as readonly Kind[]).includes(kind);

const toText = (value: Buffer) => (isUtf8(value) ? value.toString("utf8") : null);

/** All forms of a value that differ. @param id of the forgetting: 12 hexadecimal digits; default: none, for a search */
export function formsOf(value: Buffer, id = "0".repeat(12)): Forms {
	const written = new Map<Kind, Form>([["a", { value, placeholder: placeholderOf(id, "a") }]]);
	const nested = new Map<Kind, Form>();
	const text = toText(value);
	for (const kind of text === null || text.includes("\0") ? [] : [...kinds, ...nestedKinds]) {
		if (kind === "a") continue;
		let encoded: Buffer;
		try {
			encoded = codecs[kind].encode(text ?? "");
		} catch {
			// Half a pair of UTF-16 has no address; not all characters are in Latin-1.
			continue;
		}
		if ([...written.values(), ...nested.values()].some((form) => form.value.equals(encoded))) continue;
		(isNested(kind) ? nested : written).set(kind, { value: encoded, placeholder: placeholderOf(id, kind) });
	}
	const broken = brokenForm(value, placeholderOf(id, brokenKind));
	const needles = [...[...written.values(), ...nested.values()].map((form) => form.value), ...(broken?.parts ?? [])];
	const escaped = text === null ? null : value;
	return { id, written, nested, escaped, broken, needles: needles.map((needle) => needle.toString("latin1")) };
}

/** In a short content, one search in a string takes a fifth of the time of one in bytes. */
const shortBytes = 2_048;

/** Whether a content has to be searched. */
function mayHold(content: Buffer, { needles, escaped }: Forms): boolean {
	if (content.length > shortBytes) return true;
	const text = content.toString("latin1");
	for (const needle of needles) if (text.includes(needle)) return true;
	return escaped !== null && text.length >= escaped.length && mayHaveEscapes(text);
}

/** Whether a content has the value in any form. */
export function holds(content: Buffer, forms: Forms): boolean {
	if (!mayHold(content, forms)) return false;
	return (
		isWritten(content, forms.written) ||
		isWritten(content, forms.nested) ||
		(forms.escaped !== null && hasEscaped(content, forms.escaped)) ||
		(forms.broken !== null && brokenPlaces(content, forms.broken).length > 0) ||
		isOnPages(content, forms)
	);
}

/** Whether an SQLite database has the value in parts, on several pages. */
function isOnPages(content: Buffer, forms: Forms): boolean {
	for (const chain of chainsOf(content)) if (isWritten(joined(content, chain), forms.written)) return true;
	return false;
}

function isWritten(content: Buffer, forms: ReadonlyMap<Kind, Form>): boolean {
	for (const { value } of forms.values()) if (content.includes(value)) return true;
	return false;
}

/**
 * Parts of the base64 of every text that has the value in it, by where it begins in its group of three bytes; in both alphabets (RFC 4648).
 * They are found, but not replaced: usually the whole text around them is in base64.
 */
export function base64Parts(value: Buffer): Buffer[] {
	const parts = new Set<string>();
	for (const before of [0, 1, 2]) {
		const text = Buffer.concat([Buffer.alloc(before), value]).toString("base64");
		// The first and last characters depend on the neighbours as well.
		const part = text.slice(Math.ceil((before * 4) / 3), Math.floor(((before + value.length) * 4) / 3));
		for (const one of [part, part.replaceAll("+", "-").replaceAll("/", "_")]) parts.add(one);
	}
	return [...parts].map((part) => Buffer.from(part));
}

/**
 * A content with placeholders for the value, wherever it is; itself where it is nowhere. One that is not text keeps its length, and every other
 * byte its place. A pure function.
 * @param keepsLength whether it does; default: by the content
 */
export function withoutValue(content: Buffer, forms: Forms, keepsLength?: boolean): Buffer {
	if (!holds(content, forms)) return content;
	const isFixed = keepsLength ?? hasFixedPlaces(content);
	const { id, escaped } = forms;
	const plain = withoutWritten(content, id, forms.written, isFixed);
	const inPlace = (kind: EscapedKind, bytes: number) => (isFixed ? placeholderFor(id, kind, bytes) : placeholderOf(id, kind));
	const cleaned = escaped === null ? plain : withoutEscaped(plain, escaped, inPlace);
	const sized = isFixed ? (bytes: number) => placeholderFor(id, brokenKind, bytes) : undefined;
	const unbroken = forms.broken === null ? cleaned : withoutBroken(cleaned, forms.broken, sized);
	const unnested = forms.nested.size > 0 ? withoutWritten(unbroken, id, forms.nested, isFixed) : unbroken;
	return isFixed ? withoutPages(unnested, forms) : unnested;
}

function withoutPages(content: Buffer, forms: Forms): Buffer {
	let cleaned: Buffer | null = null;
	for (const chain of chainsOf(content)) {
		const whole = joined(cleaned ?? content, chain);
		const wholeCleaned = withoutWritten(whole, forms.id, forms.written, true);
		if (wholeCleaned === whole) continue;
		cleaned ??= Buffer.from(content);
		putJoined(cleaned, chain, wholeCleaned);
	}
	return cleaned ?? content;
}

function withoutWritten(content: Buffer, id: string, written: ReadonlyMap<Kind, Form>, isFixed: boolean): Buffer {
	const next = [...written].map(([kind, form]) => ({ kind, form, at: content.indexOf(form.value) })).filter(({ at }) => at >= 0);
	if (next.length === 0) return content;
	const parts: Buffer[] = [];
	let done = 0;
	for (;;) {
		let first: (typeof next)[number] | undefined;
		for (const candidate of next) {
			if (candidate.at >= 0 && candidate.at < done) candidate.at = content.indexOf(candidate.form.value, done);
			if (candidate.at < 0) continue;
			const isFirst = first === undefined || candidate.at < first.at;
			if (isFirst || (candidate.at === first?.at && candidate.form.value.length > first.form.value.length)) first = candidate;
		}
		if (first === undefined) break;
		const { kind, form } = first;
		parts.push(content.subarray(done, first.at), isFixed ? placeholderFor(id, kind, form.value.length) : form.placeholder);
		done = first.at + form.value.length;
	}
	parts.push(content.subarray(done));
	return Buffer.concat(parts);
}

/** What was forgotten by each of some forgettings, in the order in which they were made. */
export type Values = ReadonlyMap<string, Buffer>;

const preparedForms = new WeakMap<Values, readonly Forms[]>();

/** The forms of each value. Prepared once: the same values are searched in many contents. */
function formsOfAll(values: Values): readonly Forms[] {
	const known = preparedForms.get(values);
	if (known !== undefined) return known;
	const forms = [...values].map(([id, value]) => formsOf(value, id));
	preparedForms.set(values, forms);
	return forms;
}

/** Whether a content has any of some values. */
export const holdsAny = (content: Buffer, values: Values): boolean => formsOfAll(values).some((forms) => holds(content, forms));

/** Whether a content has the value of one map in nested forms only, if at all. */
export const hasOnlyNested = (content: Buffer, values: Values, id: string): boolean =>
	formsOfAll(values).every((forms) => forms.id !== id || !holds(content, unnestedForms(forms)));

/**
 * A content without any of some values, as one forgetting after the other makes it; itself where it has none.
 * @param unnested ids of maps that a release before 0.2.0 made, which did not search nested forms: its results stay valid; default: none
 */
export const withoutValues = (content: Buffer, values: Values, unnested?: ReadonlySet<string>): Buffer =>
	formsOfAll(values).reduce((rest, forms) => withoutValue(rest, unnested?.has(forms.id) ? unnestedForms(forms) : forms), content);

/** The same with the length kept, whatever it is: a program that has the file open continues at the place where it was. */
export const withoutValuesInPlace = (content: Buffer, values: Values): Buffer =>
	formsOfAll(values).reduce((rest, forms) => withoutValue(rest, forms, true), content);
