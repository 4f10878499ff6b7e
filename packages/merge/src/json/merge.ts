import { spend } from "../budget.ts";
import { choose } from "../choose.ts";
import { givenNames } from "../identity-keys.ts";
import { Interner } from "../interner.ts";
import { BOM } from "../lines.ts";
import { greatest } from "../moves.ts";
import { alikeEnds } from "./alike.ts";
import { type ContainerMerge, writeContainer } from "./container.ts";
import type { Entry } from "./entry.ts";
import { type Elements, identities, numberElements } from "./identity.ts";
import { mergeKeyed } from "./keyed.ts";
import { comments, type Layout, layout } from "./layout.ts";
import { areScalars, byPlace, onlyReplaced, scalarList } from "./places.ts";
import { type IsRenamed, joinRenamed } from "./renamed.ts";
import { joinSameNames } from "./same-name.ts";
import { mergeSequence, withoutRepetitions } from "./sequence.ts";
import { mergeTextLines, type TextNode } from "./text-lines.ts";
import { ARRAY, type JsonTree, NONE, NUMBER, OBJECT, valueText } from "./tree.ts";
import { isTelling, sameText, Values } from "./value.ts";

export interface MergedJson {
	readonly text: string;
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}

/**
 * Merges two versions of a JSON document structurally: objects member by member, arrays by identity or as sequences, scalars by the later
 * rule. The result is spliced together from the versions' own bytes.
 *
 * Idea: T. Lindholm, "A Three-way Merge for XML Documents" (2004).
 *
 * @param base null: both sides added the document.
 * @param keys the key numbers that all three were parsed with.
 * @param isText which values are texts, to be merged line by line.
 */
export function mergeTrees(
	base: JsonTree | null,
	older: JsonTree,
	later: JsonTree,
	keys: Interner,
	isText: (node: TextNode) => boolean = () => false,
): MergedJson {
	return new TreeMerge(base, older, later, keys, isText).run();
}

type Versions = Pick<ContainerMerge, "base" | "older" | "later" | "olderAlike" | "laterAlike">;

const notAlike = { start: 0, end: 0 };

/** The greatest number of an element, as a multiple of the count of elements. */
const tablePerElement = 8;

/** The cost of the merge of a value that both sides changed, without its text. */
const stepsPerValue = 500;
/** A container costs more: three layouts, alignment, and the joined text (70 µs measured for one with a single element). */
const stepsPerContainer = 12_000;

/** The merge of two versions of a JSON document; see {@link mergeTrees}. */
export class TreeMerge {
	readonly #base: JsonTree | null;
	readonly #older: JsonTree;
	readonly #later: JsonTree;
	readonly #keys: Interner;
	readonly #isText: (node: TextNode) => boolean;
	readonly #identities = new Interner();
	readonly #values = new Values();
	#olderLost = false;
	#laterLost = false;

	/**
	 * @param base null: the base has no such document.
	 * @param isText which values are texts, to be merged line by line.
	 */
	constructor(base: JsonTree | null, older: JsonTree, later: JsonTree, keys: Interner, isText: (node: TextNode) => boolean = () => false) {
		this.#isText = isText;
		this.#base = base;
		this.#older = older;
		this.#later = later;
		this.#keys = keys;
	}

	/** Merges one value of each document; `b` is NONE if the base has none. A value that both sides added is one side's whole. */
	merge(b: number, o: number, l: number): MergedJson {
		this.#olderLost = this.#laterLost = false;
		const text = b === NONE ? this.#oneOf(o, l) : this.#value(b, o, l, 1);
		return { text, olderLost: this.#olderLost, laterLost: this.#laterLost };
	}

	run(): MergedJson {
		const around = (read: (tree: JsonTree) => string) => {
			const [older, later] = [read(this.#older), read(this.#later)];
			const base = this.#base === null ? undefined : read(this.#base);
			if (older !== later && older !== base && later !== base && comments(older).some((comment) => !later.includes(comment)))
				this.#olderLost = true;
			return choose(base, older, later);
		};
		const bom = choose(this.#base?.text.startsWith(BOM), this.#older.text.startsWith(BOM), this.#later.text.startsWith(BOM));
		const before = around((tree) => tree.text.slice(tree.text.startsWith(BOM) ? BOM.length : 0, tree.start[0]!));
		const after = around((tree) => tree.text.slice(tree.end[0]!));
		const value = this.#value(this.#base === null ? NONE : 0, 0, 0, 1);
		return { text: (bom ? BOM : "") + before + value + after, olderLost: this.#olderLost, laterLost: this.#laterLost };
	}

	/** Merges one value of both sides. `b` is NONE if the base has none here. */
	#value(b: number, o: number, l: number, depth: number): string {
		const [base, older, later] = [this.#base!, this.#older, this.#later];
		// Every byte of a container is read here and when it is written, again at each level around it.
		spend((older.end[o]! - older.start[o]! + later.end[l]! - later.start[l]!) >> 4);
		if (sameText(older, o, later, l)) return valueText(later, l);
		if (b !== NONE && sameText(base, b, older, o)) return valueText(later, l);
		if (b !== NONE && sameText(base, b, later, l)) return valueText(older, o);
		// The cost of a container without its text: layouts, styles, alignment.
		spend(stepsPerValue);
		const text = this.#text(b, o, l);
		if (text !== null) return text;
		const type = older.type[o]!;
		if (type === later.type[l] && type >= ARRAY) {
			spend(stepsPerContainer);
			const like = b !== NONE && base.type[b] === type ? b : NONE;
			return type === OBJECT ? this.#object(like, o, l, depth) : this.#array(like, o, l, depth);
		}
		return this.#scalar(b, o, l);
	}

	/** Merges a value that is a text; null: it is no text. */
	#text(b: number, o: number, l: number): string | null {
		const [older, later] = [
			{ tree: this.#older, node: o },
			{ tree: this.#later, node: l },
		];
		if (!this.#isText(older) || !this.#isText(later)) return null;
		const base = b === NONE ? null : { tree: this.#base!, node: b };
		const merged = mergeTextLines(base !== null && this.#isText(base) ? base : null, older, later);
		if (merged?.olderLost) this.#olderLost = true;
		return merged?.text ?? null;
	}

	/** Both sides changed a scalar, or the type of a value: the later side's stays, unless one of the two only changed its notation. */
	#scalar(b: number, o: number, l: number): string {
		const [base, older, later] = [this.#base!, this.#older, this.#later];
		if (this.#values.same(older, o, later, l)) {
			if (later.type[l] === NUMBER) this.#olderLost = true;
			return valueText(later, l);
		}
		if (b !== NONE && this.#values.same(base, b, older, o)) {
			if (older.type[o] === NUMBER) this.#olderLost = true;
			return valueText(later, l);
		}
		if (b !== NONE && this.#values.same(base, b, later, l)) {
			if (later.type[l] === NUMBER) this.#laterLost = true;
			return valueText(older, o);
		}
		this.#olderLost = true;
		return valueText(later, l);
	}

	#object(b: number, o: number, l: number, depth: number): string {
		const versions = this.#layouts(b, o, l);
		const keysOf = (version: Layout | null) => Int32Array.from(version?.kids ?? [], (kid) => version!.tree.key[kid]!);
		const entries = mergeKeyed(keysOf(versions.base), keysOf(versions.older), keysOf(versions.later), ...this.#changed(versions));
		return this.#write(entries, versions, depth);
	}

	/**
	 * Two new elements with one name were made independently: one of them stays whole, never a mixture. It is the one that contains
	 * the other, else the later.
	 */
	#oneOf(o: number, l: number): string {
		const [older, later] = [this.#older, this.#later];
		if (sameText(older, o, later, l) || this.#hasAllOf(later, l, older, o)) return valueText(later, l);
		if (this.#hasAllOf(older, o, later, l)) return valueText(older, o);
		this.#olderLost = true;
		return valueText(later, l);
	}

	#hasAllOf(whole: JsonTree, x: number, part: JsonTree, y: number): boolean {
		if (whole.type[x] !== OBJECT || part.type[y] !== OBJECT || part.size[y]! > whole.size[x]!) return false;
		const [mine, theirs] = [this.#values.members(whole, x), this.#values.members(part, y)];
		let i = 0;
		for (const [j, key] of theirs.keys.entries()) {
			while (i < mine.keys.length && mine.keys[i]! < key) i++;
			if (mine.keys[i] !== key || mine.values[i] !== theirs.values[j]) return false;
		}
		return true;
	}

	#array(b: number, o: number, l: number, depth: number): string {
		const versions = this.#layouts(b, o, l);
		const { base, older, later } = versions;
		const like = base === null ? 1 : 0;
		const elements: Elements[] = [
			{ tree: base?.tree ?? this.#later, nodes: base?.kids ?? [] },
			{ tree: older.tree, nodes: older.kids, ...(base !== null && { like: { version: like, alike: versions.olderAlike } }) },
			{ tree: later.tree, nodes: later.kids, like: { version: like, alike: versions.laterAlike } },
		];
		const scalars = areScalars(elements);
		if (scalars && base !== null && this.#onlyReplaced(elements, versions))
			return this.#write(byPlace(older.kids.length, true), versions, depth);
		const numbers = scalars ? this.#numbered(elements) : null;
		const list = numbers === null ? null : scalarList(elements, numbers, base !== null);
		if (list === "new places") return this.#write(byPlace(older.kids.length, false), versions, depth);
		if (list === "places") return this.#write(byPlace(older.kids.length, base !== null), versions, depth);
		const ids = list === "sequence" ? null : identities(elements, this.#keys, this.#identities);
		if (ids !== null) {
			const keyed = mergeKeyed(ids[0]!, ids[1]!, ids[2]!, ...this.#changed(versions));
			const entries = scalars || base === null ? keyed : joinRenamed(keyed, base.kids.length, this.#isRenamed(versions));
			return this.#write(entries, versions, depth, () => !scalars);
		}
		const [inBase, inOlder, inLater] = numbers ?? this.#numbered(elements);
		const likeness = (one: Layout | null, other: Layout) => (i: number, j: number) => this.#likeness(one!, i, other, j);
		const entries = mergeSequence(inBase!, inOlder!, inLater!, likeness(base, older), likeness(base, later), likeness(older, later));
		if (scalars) return this.#write(withoutRepetitions(entries, inBase!, inOlder!, inLater!, true), versions, depth);
		const named = joinSameNames(entries, elements[1]!, elements[2]!, this.#keys);
		return this.#write(named.entries, versions, depth, (entry) => named.joined.has(entry));
	}

	/** Are two objects equal but for the member that names them, with a value that identifies them? */
	#isRenamed(versions: Versions): IsRenamed {
		return (version, at, side, to) => {
			const [one, other] = [versions[version]!, versions[side]!];
			const [x, y] = [one.kids[at]!, other.kids[to]!];
			const [mine, theirs] = [this.#values.members(one.tree, x), this.#values.members(other.tree, y)];
			if (mine.keys.length !== theirs.keys.length) return false;
			spend(mine.keys.length);
			const different: number[] = [];
			for (const [i, key] of mine.keys.entries()) {
				if (theirs.keys[i] !== key) return false;
				if (mine.values[i] !== theirs.values[i]) different.push(key);
			}
			if (different.length !== 1 || !givenNames.some((name) => this.#keys.id(name) === different[0])) return false;
			return this.#values.kids(one.tree, x).some((kid) => one.tree.key[kid] !== different[0] && isTelling(one.tree, kid));
		};
	}

	/** Did both sides only replace elements in place? Most of a long list is identical, and is skipped. */
	#onlyReplaced(elements: readonly Elements[], { olderAlike, laterAlike }: Versions): boolean {
		const { length } = elements[0]!.nodes;
		const [start, end] = [Math.min(olderAlike.start, laterAlike.start), Math.min(olderAlike.end, laterAlike.end)];
		if (start + end === 0 || elements.some(({ nodes }) => nodes.length !== length)) return false;
		const middle = elements.map(({ tree, nodes, like }) => {
			const inMiddle = { tree, nodes: nodes.slice(start, length - end) };
			return like === undefined
				? inMiddle
				: { ...inMiddle, like: { version: 0, alike: { start: like.alike.start - start, end: like.alike.end - end } } };
		});
		return onlyReplaced(this.#numbered(middle));
	}

	/** Numbers for the elements of three versions of an array, from zero on: equal numbers are equal elements, written alike. */
	#numbered(versions: readonly Elements[]): Int32Array[] {
		const numbers = numberElements(versions, (tree, node) => this.#values.written(tree, node))!;
		// They are the indices of tables, so those of a small array in a large document are made small.
		const count = versions.reduce((sum, { nodes }) => sum + nodes.length, 0);
		if (Math.max(...numbers.map(greatest)) < tablePerElement * count) return numbers;
		const small = new Map<number, number>();
		return numbers.map((ofVersion) =>
			ofVersion.map((value) => {
				const known = small.get(value) ?? small.size;
				if (known === small.size) small.set(value, known);
				return known;
			}),
		);
	}

	#layouts(b: number, o: number, l: number): Versions {
		const base = b === NONE ? null : layout(this.#base!, b);
		const [older, later] = [layout(this.#older, o), layout(this.#later, l)];
		return {
			base,
			older,
			later,
			olderAlike: base === null ? notAlike : alikeEnds(base, older),
			laterAlike: alikeEnds(base ?? older, later),
		};
	}

	#changed({ base, older, later }: Versions) {
		const changed = (side: Layout) => (inBase: number, inSide: number) =>
			!this.#values.same(base!.tree, base!.kids[inBase]!, side.tree, side.kids[inSide]!);
		return [changed(older), changed(later)] as const;
	}

	/** The likelihood that elements of two versions are the same one, changed: by the common content of two objects or arrays. 0: different elements. */
	#likeness(one: Layout, i: number, side: Layout, j: number): number {
		const [node, other] = [one.kids[i]!, side.kids[j]!];
		const type = one.tree.type[node]!;
		const isScalar = type < ARRAY;
		if (isScalar ? side.tree.type[other]! >= ARRAY : type !== side.tree.type[other]) return 0;
		if (isScalar) return 0.05;
		const longer = Math.max(one.tree.size[node]!, side.tree.size[other]!, 1);
		spend(longer);
		const shared =
			type === OBJECT ? this.#sharedMembers(one.tree, node, side.tree, other) : this.#sharedPlaces(one.tree, node, side.tree, other);
		if (type === OBJECT && shared === 0 && one.tree.size[node]! > 0 && side.tree.size[other]! > 0) return 0;
		return 0.1 + (0.8 * shared) / longer;
	}

	/** The number of common members of two objects: one with another value counts little. */
	#sharedMembers(one: JsonTree, x: number, other: JsonTree, y: number): number {
		const [mine, theirs] = [this.#values.members(one, x), this.#values.members(other, y)];
		let [shared, i, j] = [0, 0, 0];
		while (i < mine.keys.length && j < theirs.keys.length) {
			const difference = mine.keys[i]! - theirs.keys[j]!;
			if (difference === 0) shared += mine.values[i] === theirs.values[j] ? 1 : 0.1;
			if (difference <= 0) i++;
			if (difference >= 0) j++;
		}
		return shared;
	}

	/** The number of equal elements in the same places of two arrays. */
	#sharedPlaces(one: JsonTree, x: number, other: JsonTree, y: number): number {
		const [mine, theirs] = [this.#values.kids(one, x), this.#values.kids(other, y)];
		let shared = 0;
		for (let k = 0; k < Math.min(mine.length, theirs.length); k++) if (this.#values.same(one, mine[k]!, other, theirs[k]!)) shared++;
		return shared;
	}

	#write(entries: readonly Entry[], versions: Versions, depth: number, isNamed: (entry: Entry) => boolean = () => false): string {
		const { base, older, later } = versions;
		return writeContainer(entries, {
			...versions,
			depth,
			value: (entry) => {
				const [o, l] = [older.kids[entry.older]!, later.kids[entry.later]!];
				if (entry.base !== NONE) return this.#value(base!.kids[entry.base]!, o, l, depth + 1);
				return isNamed(entry) ? this.#oneOf(o, l) : this.#value(NONE, o, l, depth + 1);
			},
			commentLost: () => {
				this.#olderLost = true;
			},
		});
	}
}
