import { trimBlanks } from "../blanks.ts";
import { spend } from "../budget.ts";
import { givenNames, identityKeys } from "../identity-keys.ts";
import type { Block, Flow, Item, Value } from "./item.ts";

/** Words with another meaning in quotes. */
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n|inf|nan)$/i;

/** The value of a list element: its text; if that is one word, without the quotes around it. */
export function elementName(text: string): string {
	const name = normalized(text);
	const last = name[name.length - 1];
	if (last !== '"' && last !== "'") return name;
	const found = /^(-[ \t]+)?(["'])([A-Za-z_][\w./@+-]*)\2$/.exec(name);
	return found === null || RESERVED.test(found[3]!) ? name : (found[1] ?? "") + found[3];
}

/**
 * Whether a list element with a single key and value (`- Home: index.md`) has another key in a side. Then key and value
 * are merged separately.
 */
export function isRenamed(base: Block | Flow, older: Block | Flow, later: Block | Flow): boolean {
	if (![base, older, later].every((version) => isOnDash(version) && version.items.length === 1)) return false;
	const [before, mine, theirs] = [base.items[0]!, older.items[0]!, later.items[0]!];
	if ((mine.key === before.key && theirs.key === before.key) || !isTelling(before.value)) return false;
	return [mine, theirs].every((item) => item.key === before.key || saysAsMuch(item, before));
}

/** Are two maps of a list equal but for the item that names them, with a value that identifies them? */
export function hasOtherName(one: Value, other: Value): boolean {
	const [mine, theirs] = [membersOf(one), membersOf(other)];
	if (mine.length !== theirs.length || mine.length === 0) return false;
	spend(one.text.length + other.text.length);
	const texts = new Map(theirs.map(({ key, text }) => [key, normalized(text)]));
	const different = mine.filter(({ key, text }) => texts.get(key) !== normalized(text)).map(({ key }) => key);
	if (different.length !== 1 || !givenNames.includes(different[0]!) || !texts.has(different[0]!)) return false;
	return mine.some(({ key, value }) => key !== different[0] && isTelling(value));
}

/** A map that starts on the line of its dash. */
function isOnDash(value: Value): boolean {
	return value.type === "block" && value.compact && !value.list;
}

/** A number or a truth value can be the value of many keys. */
function isTelling({ text }: Value): boolean {
	const plain = trimBlanks(text);
	return plain.length >= 4 && !RESERVED.test(plain) && /[A-Za-z\x80-\xff]/.test(plain);
}

/** Have two items the same value, or a collection of mostly the same items? */
function saysAsMuch(one: Item, other: Item): boolean {
	const [mine, theirs] = [one.value, other.value];
	if (normalized(mine.text) === normalized(theirs.text)) return true;
	if (mine.type === "leaf" || theirs.type === "leaf" || mine.list !== theirs.list) return false;
	spend(mine.text.length + theirs.text.length);
	const texts = new Set(theirs.items.map(({ text }) => normalized(text)));
	const shared = mine.items.filter(({ text }) => texts.has(normalized(text))).length;
	return 2 * shared > Math.max(mine.items.length, theirs.items.length);
}

/** The part of an element's text that identifies it. */
export function normalized(text: string): string {
	return trimBlanks(text).replace(/\n[ \t]+/g, "\n");
}

/** The keys of a map. If a version repeats one (a setting with several values), each value is an item of its own. */
export function mapKeys(versions: readonly (readonly Item[])[]): string[][] {
	const repeated = new Set<string>();
	for (const items of versions) {
		const seen = new Set<string>();
		for (const { key } of items) {
			if (seen.has(key)) repeated.add(key);
			seen.add(key);
		}
	}
	if (repeated.size === 0) return versions.map((items) => items.map(({ key }) => key));
	const found = versions.map((items) => {
		const times = new Map<string, number>();
		return items.map(({ key, text }) => {
			if (!repeated.has(key)) return key;
			const own = `${key}\0${normalized(text)}`;
			const before = times.get(own) ?? 0;
			times.set(own, before + 1);
			return before === 0 ? own : `${own}\0${before}`;
		});
	});
	joinReplaced(versions, found, repeated);
	return found;
}

/** Where both sides replaced the same values of a repeated key, each by as many, the new ones are the old ones, changed: only one version can stay. */
function joinReplaced(versions: readonly (readonly Item[])[], keys: readonly string[][], repeated: ReadonlySet<string>): void {
	const [inBase, inOlder, inLater] = keys.map((own) => new Set(own)) as [Set<string>, Set<string>, Set<string>];
	const placesOf = (version: number, isReplaced: (own: string) => boolean) => {
		const places = new Map<string, number[]>();
		for (const [i, { key }] of versions[version]!.entries()) {
			if (!repeated.has(key) || !isReplaced(keys[version]![i]!)) continue;
			const known = places.get(key);
			if (known === undefined) places.set(key, [i]);
			else known.push(i);
		}
		return places;
	};
	const gone = placesOf(0, (own) => !inOlder.has(own) && !inLater.has(own));
	if (gone.size === 0) return;
	const [byOlder, byLater] = [placesOf(1, (own) => !inBase.has(own)), placesOf(2, (own) => !inBase.has(own))];
	for (const [key, places] of gone) {
		const [mine, theirs] = [byOlder.get(key) ?? [], byLater.get(key) ?? []];
		if (mine.length !== places.length || theirs.length !== places.length) continue;
		for (const [k, place] of places.entries()) keys[1]![mine[k]!] = keys[2]![theirs[k]!] = keys[0]![place]!;
	}
}

/** The key that names the elements of a list in all versions, or null. */
export function identities(versions: readonly (readonly Item[])[]): string[][] | null {
	if (versions.every((items) => items.length === 0)) return null;
	for (const name of identityKeys) {
		const found = versions.map((items) => items.map((element) => memberText(element.value, name)));
		if (found.every((ids) => !ids.includes(null) && new Set(ids).size === ids.length)) return found as string[][];
	}
	const resources = versions.map((items) => items.map(({ key }) => key));
	return resources.every((keys) => !keys.includes("") && new Set(keys).size === keys.length) ? resources : null;
}

function memberText(value: Value, name: string): string | null {
	const items = membersOf(value);
	const found = items.find((member) => member.key === name);
	return found?.value.type === "leaf" && found.value.text !== "" ? found.value.text.replace(/^(["'])(.*)\1$/, "$2") : null;
}

/** The members of a map; in TOML a table's keys are a block of their own. */
function membersOf(value: Value): readonly Item[] {
	if (value.type === "leaf" || value.list) return [];
	return value.items.flatMap((member) => (member.key === "" && member.value.type === "block" ? member.value.items : [member]));
}

/** The likelihood that two elements of a list are one element, changed. 0: they are two. */
export function likeness(one: Value, other: Value): number {
	if (one.type !== other.type) return 0;
	if (one.type === "leaf") return 0.05;
	if (one.list !== (other as Block | Flow).list) return 0;
	if (one.list) return 0.1;
	const [mine, theirs] = [membersOf(one), membersOf(other)];
	if (mine.length === 1 && theirs.length === 1) {
		if (mine[0]!.key === theirs[0]!.key) return 0.05 + likeness(mine[0]!.value, theirs[0]!.value) / 2;
		return isOnDash(one) && isOnDash(other) && isTelling(mine[0]!.value) && saysAsMuch(mine[0]!, theirs[0]!) ? 0.5 : 0;
	}
	// One step for every member, and one for each compared character of it.
	spend(one.text.length + (other as Block | Flow).text.length);
	const texts = new Set(theirs.map(({ text }) => normalized(text)));
	const shared = mine.filter(({ text }) => texts.has(normalized(text))).length / Math.max(mine.length, theirs.length, 1);
	// Two maps with less in common would give a map that no side wrote.
	return shared >= 0.5 ? shared : 0;
}
