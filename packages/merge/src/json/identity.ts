import { spend } from "../budget.ts";
import { identityKeys } from "../identity-keys.ts";
import type { Interner } from "../interner.ts";
import { type Alike, twin } from "./alike.ts";
import { ARRAY, type JsonTree, NONE, NUMBER, OBJECT, STRING } from "./tree.ts";
import { member, scalarValue, writtenScalar } from "./value.ts";

/** Steps to find an element's name, and to look it up. */
const stepsPerIdentity = 80;

/** One version of an array: its elements in their tree. */
export interface Elements {
	readonly tree: JsonTree;
	readonly nodes: readonly number[];
	/** An earlier version, and the elements at both ends that are identical to its own. */
	readonly like?: { readonly version: number; readonly alike: Alike };
}

/**
 * Numbers the elements of several versions. An element that is identical to one of an earlier version gets that one's number without a comparison.
 *
 * @param number gives equal elements equal numbers; null: an element cannot be numbered.
 * @returns null if `number` gave null.
 */
export function numberElements(
	versions: readonly Elements[],
	number: (tree: JsonTree, node: number) => number | null,
): Int32Array[] | null {
	const numbers: Int32Array[] = [];
	for (const { tree, nodes, like } of versions) {
		const ofVersion = new Int32Array(nodes.length);
		const known = like === undefined ? null : numbers[like.version]!;
		for (let i = 0; i < nodes.length; i++) {
			const there = known === null ? NONE : twin(i, like!.alike, known.length, nodes.length);
			const found = there === NONE ? number(tree, nodes[i]!) : known![there]!;
			if (found === null) return null;
			ofVersion[i] = found;
		}
		numbers.push(ofVersion);
	}
	return numbers;
}

/**
 * The correspondence of the elements of three versions of an array, if each has an identity: for arrays of objects a member that
 * names them, for scalars themselves.
 *
 * @param values numbers for identities, shared by the versions.
 * @param names members that may name an element, the most specific first.
 * @returns for each version one number an element, equal for the same element and distinct within the version; or null: the array is a sequence.
 */
export function identities(
	versions: readonly Elements[],
	keys: Interner,
	values: Interner,
	names: readonly string[] = identityKeys,
): Int32Array[] | null {
	const all = versions.filter(({ nodes }) => nodes.length > 0);
	if (all.length === 0) return null;
	if (all.every(({ tree, nodes }) => nodes.every((node) => tree.type[node] === OBJECT))) {
		for (const name of names) {
			const key = keys.id(name);
			const numbers = distinct(versions, (tree, node) => identity(tree, member(tree, node, key)), values);
			if (numbers !== null) return numbers;
		}
		return null;
	}
	return distinct(versions, (tree, node) => (tree.type[node]! < ARRAY ? writtenScalar(tree, node) : null), values);
}

/** The value of a member that names an element; null: it is no name. */
export function identity(tree: JsonTree, node: number): string | null {
	return node !== NONE && (tree.type[node] === STRING || tree.type[node] === NUMBER) ? scalarValue(tree, node) : null;
}

function distinct(
	versions: readonly Elements[],
	read: (tree: JsonTree, node: number) => string | null,
	values: Interner,
): Int32Array[] | null {
	const numbers = numberElements(versions, (tree, node) => {
		spend(stepsPerIdentity);
		const value = read(tree, node);
		return value === null ? null : values.id(value);
	});
	return numbers !== null && areDistinct(numbers) ? numbers : null;
}

/** Is every number unique within its version? */
function areDistinct(versions: readonly Int32Array[]): boolean {
	/** For each number the last version that has it. */
	const seenIn: number[] = [];
	for (const [version, numbers] of versions.entries()) {
		for (let i = 0; i < numbers.length; i++) {
			if (seenIn[numbers[i]!] === version) return false;
			seenIn[numbers[i]!] = version;
		}
	}
	return true;
}
