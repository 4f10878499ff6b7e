import { joined } from "@robust-sync/secrets/sqlite-format";
import { firstDifference, hasFixedPlaces, sizedPlacesAt } from "./binary-value.ts";
import { chainsOf, offsetIn } from "./sqlite-chains.ts";
import { type Values, withoutValues } from "./value.ts";
import {
	brokenKind,
	decodedValue,
	encoder,
	isEscaped,
	isWide,
	type Kind,
	type MarkKind,
	markKinds,
	minValueBytes,
	nameOf,
	nestedKinds,
	placeholderOf,
} from "./value-kinds.ts";

// The values of maps, derived from contents and their cleaned versions.

const maxTries = 10_000;
/** Of a place with escapes, at most this many lengths are tried. */
const maxEnds = 64;
/** Places with escapes that differ from each other, each of which is searched by itself. */
const maxUnlike = 500;

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

/**
 * The values that were replaced, from a content and its cleaned version. Null: the second is not the first with placeholders for one value of
 * each forgetting, and nothing else.
 * @param ids of the forgettings, in their order
 */
export function valuesBetween(old: Buffer, cleaned: Buffer, ids: readonly string[]): Values | null {
	return valuesAs(old, cleaned, ids, new Set()) ?? valuesAs(old, cleaned, ids, unnestedAmong(old, cleaned, ids));
}

/** The forgettings that put no placeholder of a nested form into a content: with such a form in it, a release before 0.2.0 made the map. */
function unnestedAmong(old: Buffer, cleaned: Buffer, ids: readonly string[]): Set<string> {
	const isPut = (id: string, kind: Kind) => cleaned.includes(placeholderOf(id, kind)) && !old.includes(placeholderOf(id, kind));
	return new Set(ids.filter((id) => !nestedKinds.some((kind) => isPut(id, kind))));
}

function valuesAs(old: Buffer, cleaned: Buffer, ids: readonly string[], unnested: ReadonlySet<string>): Values | null {
	const inPlace = hasFixedPlaces(old) ? valuesInPlace(old, cleaned, ids, unnested, new Map()) : null;
	return inPlace ?? valuesOfText(old, cleaned, ids, unnested);
}

/** The same for contents that keep their length: the first difference is in a placeholder. */
function valuesInPlace(old: Buffer, cleaned: Buffer, ids: readonly string[], unnested: ReadonlySet<string>, known: Values): Values | null {
	const ordered = new Map(ids.flatMap((id) => (known.has(id) ? [[id, known.get(id) as Buffer] as const] : [])));
	const between = withoutValues(old, ordered, unnested);
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
					const found = valuesInPlace(old, cleaned, ids, unnested, new Map([...known, [id, value]]));
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

function valuesOfText(old: Buffer, cleaned: Buffer, ids: readonly string[], unnested: ReadonlySet<string>): Values | null {
	// A forgetting whose placeholders were all in the old content changed nothing here.
	const involved = ids.filter((id) =>
		markKinds.some((kind) => countOf(cleaned, placeholderOf(id, kind)) > countOf(old, placeholderOf(id, kind))),
	);
	const parts = split(cleaned, involved);
	const fits = (values: Values | null): values is Values => values !== null && withoutValues(old, values, unnested).equals(cleaned);
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
