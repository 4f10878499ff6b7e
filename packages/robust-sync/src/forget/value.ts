import { isUtf8 } from "node:buffer";
import { joined } from "@robust-sync/secrets/sqlite-format";
import { firstDifference, hasFixedPlaces, sizedPlacesAt } from "./binary-value.ts";
import { type BrokenForm, brokenForm, brokenPlaces, withoutBroken } from "./broken-value.ts";
import { type EscapedKind, hasEscaped, mayHaveEscapes, withoutEscaped } from "./escaped-value.ts";
import { chainsOf, offsetIn, putJoined } from "./sqlite-chains.ts";
import {
	brokenKind,
	codecs,
	decodedValue,
	encoder,
	isEscaped,
	isWide,
	type Kind,
	kinds,
	type MarkKind,
	markKinds,
	minValueBytes,
	nameOf,
	nestedKinds,
	placeholderFor,
	placeholderOf,
} from "./value-kinds.ts";

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

const isNested = (kind: Kind): boolean => (nestedKinds as readonly Kind[]).includes(kind);

const maxTries = 10_000;
/** Of a place with escapes, at most this many lengths are tried. */
const maxEnds = 64;
/** Places with escapes that differ from each other, each of which is searched by itself. */
const maxUnlike = 500;

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

/** One place of a placeholder: which forgetting, and how the value was written there. */
interface Mark {
	readonly id: string;
	readonly kind: MarkKind;
}

/** Literal text, and the placeholders between its parts. */
interface Split {
	readonly literals: readonly Buffer[];
	readonly found: readonly Mark[];
}

/** A cleaned content as literal text between placeholders. */
function split(cleaned: Buffer, ids: readonly string[]): Split {
	const literals: Buffer[] = [];
	const found: Mark[] = [];
	const next = ids
		.flatMap((id) => markKinds.map((kind) => ({ mark: { id, kind }, text: placeholderOf(id, kind), at: -1 })))
		.map((candidate) => ({ ...candidate, at: cleaned.indexOf(candidate.text) }))
		.filter(({ at }) => at >= 0);
	let done = 0;
	for (;;) {
		let first: (typeof next)[number] | undefined;
		for (const candidate of next) {
			if (candidate.at >= 0 && candidate.at < done) candidate.at = cleaned.indexOf(candidate.text, done);
			if (candidate.at >= 0 && (first === undefined || candidate.at < first.at)) first = candidate;
		}
		if (first === undefined) break;
		literals.push(cleaned.subarray(done, first.at));
		found.push(first.mark);
		done = first.at + first.text.length;
	}
	literals.push(cleaned.subarray(done));
	return { literals, found };
}

function countOf(content: Buffer, part: Buffer): number {
	let count = 0;
	for (let at = content.indexOf(part); at >= 0; at = content.indexOf(part, at + part.length)) count++;
	return count;
}

type Encoded = ReadonlyMap<string, { readonly mark: Mark; readonly bytes: Buffer }>;
const keyOf = ({ id, kind }: Mark) => `${kind}${id}`;
/**
 * The places with the same bytes as one of a mark: of a value that is broken over lines only this one, and so where it has escapes.
 * @param isAlike whether escapes are the same in all places, as one program writes them
 */
function keyAt(mark: Mark, index: number, isAlike: boolean): string {
	return mark.kind === brokenKind || (isEscaped(mark.kind) && !isAlike) ? `${keyOf(mark)} ${index}` : keyOf(mark);
}

/** What stood in the places of the placeholders, where there is an answer that fits. */
function encodedIn(old: Buffer, { literals, found }: Split, isAlike: boolean): Encoded | null {
	let tries = 0;
	const fit = (start: number, from: number, before: Encoded): Encoded | null => {
		let at = from;
		let known = before;
		// Places whose length is known need no step of their own.
		for (let index = start; ; index++) {
			const literal = literals[index] as Buffer;
			if (!old.subarray(at, at + literal.length).equals(literal)) return null;
			at += literal.length;
			const mark = found[index];
			if (mark === undefined) return at === old.length ? known : null;
			const key = keyAt(mark, index, isAlike);
			const value = known.get(key)?.bytes;
			if (value !== undefined) {
				if (!old.subarray(at, at + value.length).equals(value)) return null;
				at += value.length;
				continue;
			}
			const rest = found.slice(index).map((other, further) => keyAt(other, index + further, isAlike));
			if (rest.every((other) => other === key || known.has(other))) {
				// The only length that is left.
				let others = literals.slice(index + 1).reduce((sum, one) => sum + one.length, 0);
				for (const other of rest) others += known.get(other)?.bytes.length ?? 0;
				const bytes = (old.length - at - others) / rest.filter((other) => other === key).length;
				if (!Number.isInteger(bytes) || bytes <= 0) return null;
				known = new Map([...known, [key, { mark, bytes: old.subarray(at, at + bytes) }]]);
				at += bytes;
			} else {
				const next = literals[index + 1] as Buffer;
				for (let end = at + minValueBytes; end <= old.length && tries < maxTries; end++) {
					if (!old.subarray(end, end + next.length).equals(next)) continue;
					tries++;
					const answer = fit(index + 1, end, new Map([...known, [key, { mark, bytes: old.subarray(at, end) }]]));
					if (answer) return answer;
				}
				return null;
			}
		}
	};
	return found.length === 0 ? null : fit(0, 0, new Map());
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

/** A content without any of some values, as one forgetting after the other makes it; itself where it has none. */
export const withoutValues = (content: Buffer, values: Values): Buffer =>
	formsOfAll(values).reduce((rest, forms) => withoutValue(rest, forms), content);

/** The same with the length kept, whatever it is: a program that has the file open continues at the place where it was. */
export const withoutValuesInPlace = (content: Buffer, values: Values): Buffer =>
	formsOfAll(values).reduce((rest, forms) => withoutValue(rest, forms, true), content);

/**
 * The values that were replaced, from a content and its cleaned version. Null: the second is not the first with placeholders for one value of
 * each forgetting, and nothing else.
 * @param ids of the forgettings, in their order
 */
export function valuesBetween(old: Buffer, cleaned: Buffer, ids: readonly string[]): Values | null {
	return (hasFixedPlaces(old) ? valuesInPlace(old, cleaned, ids, new Map()) : null) ?? valuesOfText(old, cleaned, ids);
}

/** The same for contents that keep their length: the first difference is in a placeholder. */
function valuesInPlace(old: Buffer, cleaned: Buffer, ids: readonly string[], known: Values): Values | null {
	const ordered = new Map(ids.flatMap((id) => (known.has(id) ? [[id, known.get(id) as Buffer] as const] : [])));
	const between = withoutValues(old, ordered);
	if (between.length !== cleaned.length) return null;
	const offset = firstDifference(between, cleaned);
	if (offset === cleaned.length) return ordered;
	const unknown = ids.filter((id) => !known.has(id));
	const tried = new Set<string>();
	for (const { before, after, at } of viewsOf(between, cleaned, offset))
		for (const id of unknown)
			for (const kind of markKinds)
				for (const { start, end } of sizedPlacesAt(after, at, nameOf(id, kind), encoder(kind), isWide(kind) ? 2 : 1)) {
					const value = decodedOrNull(kind, before.subarray(start, end));
					const key = `${id} ${value?.toString("latin1")}`;
					if (value === null || tried.has(key)) continue;
					tried.add(key);
					const found = valuesInPlace(old, cleaned, ids, new Map([...known, [id, value]]));
					if (found !== null) return found;
				}
	return null;
}

/** The surroundings of an offset in two versions: the file as it is, and the rows of a database that are there. */
function* viewsOf(before: Buffer, after: Buffer, offset: number): Generator<{ before: Buffer; after: Buffer; at: number }> {
	yield { before, after, at: offset };
	for (const chain of chainsOf(after)) {
		const at = offsetIn(chain, offset);
		if (at !== null) yield { before: joined(before, chain), after: joined(after, chain), at };
	}
}

/** The value in one of its forms; null: it is not in that form. */
function decodedOrNull(kind: MarkKind, bytes: Buffer): Buffer | null {
	try {
		const value = kind === "a" ? Buffer.from(bytes) : decodedValue(kind, bytes);
		return value.length >= minValueBytes ? value : null;
	} catch {
		return null;
	}
}

function valuesOfText(old: Buffer, cleaned: Buffer, ids: readonly string[]): Values | null {
	// A forgetting whose placeholders were all in the old content changed nothing here.
	const involved = ids.filter((id) =>
		markKinds.some((kind) => countOf(cleaned, placeholderOf(id, kind)) > countOf(old, placeholderOf(id, kind))),
	);
	const parts = split(cleaned, involved);
	const fits = (values: Values | null): values is Values => values !== null && withoutValues(old, values).equals(cleaned);
	const alike = valuesOf(encodedIn(old, parts, true), ids);
	if (fits(alike)) return alike;
	if (!parts.found.some(({ kind }) => isEscaped(kind))) return null;
	for (const values of valuesOfFirst(old, parts)) if (fits(values)) return values;
	const each = parts.found.length > maxUnlike ? null : valuesOf(encodedIn(old, parts, false), ids);
	return fits(each) ? each : null;
}

/** The values of places. Where the bytes of one cannot be read, another kind may decide. */
function valuesOf(encoded: Encoded | null, ids: readonly string[]): Values | null {
	if (encoded === null) return null;
	const ordered = [...encoded.values()].sort((one, other) => markKinds.indexOf(one.mark.kind) - markKinds.indexOf(other.mark.kind));
	const values = new Map<string, Buffer>();
	for (const id of ids)
		for (const { mark, bytes } of ordered.filter((one) => one.mark.id === id)) {
			const value = values.has(id) ? null : decodedOrNull(mark.kind, bytes);
			if (value !== null) values.set(id, value);
		}
	return values;
}

/** The values that the first place of a content can have had, where there is only one forgetting: it determines all other places. */
function* valuesOfFirst(old: Buffer, { literals, found }: Split): Generator<Values> {
	const [mark] = found;
	const [before = Buffer.alloc(0), next = Buffer.alloc(0)] = literals;
	if (mark === undefined || found.some(({ id }) => id !== mark.id)) return;
	const start = before.length;
	for (let end = start + minValueBytes, tries = 0; tries < maxEnds; end++, tries++) {
		end = old.indexOf(next, end);
		if (end < 0) return;
		const value = decodedOrNull(mark.kind, old.subarray(start, end));
		if (value !== null) yield new Map([[mark.id, value]]);
	}
}
