/**
 * Checks of the invariants of a merge, each by its own reckoning: contents are split into pieces and counted. None of this uses
 * the merge's own code; only its inputs and outputs.
 */
import type { Node } from "jsonc-parser";
import type { MergeInput, MergeOutput } from "../merge.ts";
import { comments, count, idOf, isStrictJson, leaves, lines, type Pieces, plainValue, text, tree } from "./pieces.ts";

export type Merge = (input: MergeInput) => MergeOutput;

export type Invariant =
	| "symmetric"
	| "identity"
	| "nothing-lost"
	| "nothing-invented"
	| "nothing-resurrected"
	| "valid"
	| "in-order"
	| "faithful"
	| "stable";

export interface Violation {
	readonly invariant: Invariant;
	readonly what: string;
}

export interface Triple {
	readonly path: string;
	readonly base: Uint8Array | null;
	readonly ours: Uint8Array;
	readonly theirs: Uint8Array;
	readonly later: "ours" | "theirs";
}

/** The checks that apply to a triple. Its generator knows whether its sides moved things or changed the layout. */
export interface Fitness {
	readonly moves?: boolean;
	/** A sequence has an element twice, or elements without identity were changed: their correspondence cannot be known for sure. */
	readonly ambiguous?: boolean;
	readonly relaid?: boolean;
}

/** All faults of a merge of a triple. */
export function violations(merge: Merge, triple: Triple, fitness: Fitness = {}): Violation[] {
	const input: MergeInput = {
		path: triple.path,
		base: triple.base,
		a: triple.ours,
		b: triple.theirs,
		later: triple.later === "ours" ? "a" : "b",
	};
	const output = merge(input);
	const found: Violation[] = [];
	const report = (invariant: Invariant) => (what: string | null) => {
		if (what !== null) found.push({ invariant, what });
	};
	report("symmetric")(symmetric(merge, input, output));
	report("identity")(identity(merge, input));
	if (output.strategy !== "later") {
		const pieces = piecesOf(input, output);
		report("nothing-lost")(nothingLost(fitness, output, pieces));
		report("nothing-invented")(nothingInvented(fitness, output, pieces));
		if (fitness.moves !== true) {
			report("nothing-resurrected")(nothingResurrected(input, output, pieces));
			report("in-order")(inOrder(input, output));
		}
		if (fitness.relaid !== true) report("faithful")(faithful(input, output));
	}
	report("nothing-invented")(idTwice(input, output));
	report("valid")(valid(input, output));
	if (fitness.ambiguous !== true) report("stable")(stable(merge, input, output, fitness));
	return found;
}

/** 1: the order of the sides does not matter. */
function symmetric(merge: Merge, input: MergeInput, output: MergeOutput): string | null {
	const swapped = merge({ ...input, a: input.b, b: input.a, later: input.later === "a" ? "b" : "a" });
	if (!same(swapped.content, output.content)) return `swapped sides give ${show(swapped.content)} instead of ${show(output.content)}`;
	if (swapped.lost.a !== output.lost.b || swapped.lost.b !== output.lost.a) return "swapped sides lose something else";
	return null;
}

/** 1: a change of one side alone is the result. */
function identity(merge: Merge, input: MergeInput): string | null {
	const { base, a, b } = input;
	const both = merge({ ...input, b: a });
	if (!same(both.content, a) || both.lost.a || both.lost.b) return "the same change on both sides is not that change";
	if (base === null) return null;
	for (const later of ["a", "b"] as const) {
		const onlyA = merge({ ...input, b: base, later });
		if (!same(onlyA.content, a) || onlyA.lost.a || onlyA.lost.b) return `a change of one side alone (later: ${later}) is not that change`;
		const onlyB = merge({ ...input, a: base, later });
		if (!same(onlyB.content, b) || onlyB.lost.a || onlyB.lost.b)
			return `a change of the other side alone (later: ${later}) is not that change`;
	}
	return null;
}

interface InPieces {
	readonly base: Pieces;
	readonly a: Pieces;
	readonly b: Pieces;
	readonly result: Pieces;
}

function piecesOf({ base, a, b }: MergeInput, output: MergeOutput): InPieces {
	const json = output.strategy === "json";
	// In front matter in JSON a member gets a comma when another follows it.
	const hasMembers = output.strategy === "prose" && [base, a, b].some((content) => content !== null && text(content).startsWith("{"));
	// Both sides' additions to a blank note are templates: the blank lines are each side's own.
	const isBlank = ["append", "prose"].includes(output.strategy) && base !== null && text(base).trim() === "";
	const linesOf = (content: Uint8Array) => {
		if (hasMembers) return lines(content).map((line) => line.replace(/,$/, ""));
		// Keys and values do not depend on the lines between them.
		return output.strategy === "keyed" || isBlank ? lines(content).filter((line) => line.trim() !== "") : lines(content);
	};
	const split = (content: Uint8Array | null): Pieces =>
		content === null ? new Map() : json ? (tree(content) === null ? new Map() : leaves(content)) : count(linesOf(content));
	return { base: split(base), a: split(a), b: split(b), result: split(output.content) };
}

/** 2: a side's additions and changes are in the result, or the side is reported as lost. */
function nothingLost({ moves }: Fitness, output: MergeOutput, { base, a, b, result }: InPieces): string | null {
	for (const [side, pieces] of [
		["a", a],
		["b", b],
	] as const) {
		if (output.lost[side]) continue;
		for (const piece of pieces.keys()) {
			// An empty line has no content.
			if (!base.has(piece) && piece.trim() !== "" && !result.has(piece))
				return `${piece} of side ${side} is neither in the result nor said to be lost`;
		}
	}
	// Records and appended lines also by number: three equal ones are three.
	if (output.strategy !== "append" && output.strategy !== "records") return null;
	for (const [side, pieces, other] of [
		["a", a, b],
		["b", b, a],
	] as const) {
		for (const [piece, times] of pieces) {
			const before = base.get(piece) ?? 0;
			// The other side may have removed one and added one: if both added it, it is there once.
			if (moves === true && before > 0) continue;
			const wanted = times - Math.max(0, before - (other.get(piece) ?? 0));
			if (times > before && !output.lost[side] && (result.get(piece) ?? 0) < wanted)
				return `${piece} is there ${result.get(piece)} times instead of ${wanted}`;
		}
	}
	return null;
}

/** 3: every piece of the result is in an input, and not more often than the inputs account for. */
function nothingInvented({ moves }: Fitness, output: MergeOutput, { base, a, b, result }: InPieces): string | null {
	for (const [piece, times] of result) {
		// A block without an end includes the empty lines below it.
		if (output.strategy === "prose" && moves === true && piece.trim() === "") continue;
		const [before, inA, inB] = [base.get(piece) ?? 0, a.get(piece) ?? 0, b.get(piece) ?? 0];
		if (inA + inB === 0) return `${piece} is in neither side`;
		// A leaf can be in an element that one side removed and the other changed, and once more in the first side's additions.
		const added = Math.max(0, inA - before) + Math.max(0, inB - before);
		const most =
			output.strategy === "records"
				? Math.max(before, inA, inB)
				: output.strategy === "json" || moves === true
					? inA + inB
					: before + added;
		if (times > most) return `${piece} is there ${times} times; the inputs account for ${most}`;
	}
	return null;
}

/** 3: no array has a repeated id that is unique in both sides. */
function idTwice(input: MergeInput, output: MergeOutput): string | null {
	if (output.strategy !== "json") return null;
	const twice = (content: Uint8Array) =>
		[...(named(content) ?? [])].flatMap(([path, items]) =>
			items.filter((item, i) => items.indexOf(item) !== i).map((item) => `${item} in ${path}`),
		);
	const known = new Set([...twice(input.a), ...twice(input.b)]);
	const invented = twice(output.content).find((item) => !known.has(item));
	return invented === undefined ? null : `${invented} is there twice`;
}

/** 3: a piece that one side removed and the other left alone is gone. */
function nothingResurrected(input: MergeInput, output: MergeOutput, { base, a, b, result }: InPieces): string | null {
	if (input.base === null) return null;
	if (output.strategy === "json") {
		const [inBase, inA, inB, inResult] = [tree(input.base), tree(input.a), tree(input.b), tree(output.content)];
		if (inBase === null || inA === null || inB === null || inResult === null) return null;
		const values = [input.base, input.a, input.b, output.content].map((content) => untouched(content));
		const [valuesInBase, valuesInA, valuesInB, valuesInResult] = values as [
			Map<string, string>,
			Map<string, string>,
			Map<string, string>,
			Map<string, string>,
		];
		for (const [path, value] of valuesInBase) {
			for (const [keeper, remover] of [
				[valuesInA, valuesInB],
				[valuesInB, valuesInA],
			] as const) {
				if (keeper.get(path) !== value || remover.has(path) || !valuesInResult.has(path)) continue;
				const parent = path.slice(0, path.lastIndexOf("\0"));
				const bracket = (value: string | undefined) => (value !== undefined && /^[{[]/.test(value) ? value[0] : null);
				const [kept, removed] = [bracket(keeper.get(parent)), bracket(remover.get(parent))];
				if (kept !== null && kept === removed) return `${path.replaceAll("\0", "/")} was removed and is back`;
			}
		}
		return null;
	}
	// A file was emptied by a crash: the other side's version stays.
	const isLog = output.strategy === "records" && !/\.[ct]sv$/.test(String(input.path));
	if (!isLog && [input.a, input.b].some((content) => text(content).trim() === "")) return null;
	// Front matter without an end: that side is a torn write, and the other one stays whole.
	if (
		output.strategy === "prose" &&
		[input.a, input.b].some((content) => lines(content)[0] === "---" && !lines(content).slice(1).includes("---"))
	)
		return null;
	if (output.strategy === "code") return null; // The later side's version of a stretch stays.
	for (const [piece, before] of base) {
		for (const [keeper, remover] of [
			[a, b],
			[b, a],
		] as const) {
			if ((keeper.get(piece) ?? 0) === before && !remover.has(piece) && result.has(piece)) return `${piece} was removed and is back`;
		}
	}
	return null;
}

/** Every value with a name at each level (keys and ids, no positions), by its path. */
function untouched(content: Uint8Array): Map<string, string> {
	const source = text(content).replace(/^\uFEFF/, "");
	const values = new Map<string, string>();
	const walk = (node: Node, path: string): void => {
		values.set(path, plainValue(node, source));
		if (node.type === "object")
			for (const property of node.children!) walk(property.children![1]!, `${path}\0${property.children![0]!.value}`);
		if (node.type === "array" && node.children!.length > 0 && node.children!.every((element) => idOf(element) !== null)) {
			for (const element of node.children!) walk(element, `${path}\0#${idOf(element)}`);
		}
	};
	walk(tree(content)!, "");
	return values;
}

/** 4: valid in, valid out; and no marker that was not in a side. */
function valid(input: MergeInput, output: MergeOutput): string | null {
	const marker = /^(?:<{7}|\|{7}|={7}|>{7})/;
	const known = new Set([...lines(input.a), ...lines(input.b)]);
	for (const line of lines(output.content)) if (marker.test(line) && !known.has(line)) return `the marker ${line}`;
	if (!/\.json$/.test(String(input.path))) return null;
	// A change of one side alone stays, torn or not.
	if (input.base !== null && (same(input.base, input.a) || same(input.base, input.b))) return null;
	const sides = [input.a, input.b].filter(isStrictJson).length;
	if (output.strategy !== "json" && sides === 1) return null;
	return sides > 0 && !isStrictJson(output.content) ? `not JSON: ${show(output.content)}` : null;
}

/** An order that is the same in the base and both sides, or in the only side with these pieces, is the same in the result. */
function inOrder({ base, a, b }: MergeInput, output: MergeOutput): string | null {
	const sequences = output.strategy === "json" ? named : unique;
	const result = sequences(output.content);
	if (result === null) return null;
	const before = base === null ? null : sequences(base);
	const sides = [sequences(a), sequences(b)];
	for (const [list, inResult] of result) {
		const position = new Map(inResult.map((item, i) => [item, i]));
		const others = [...sides, before].map((side) => side?.get(list) ?? []);
		const placedTwice = inTwoOrders(others);
		for (const side of sides) {
			const mine = (side?.get(list) ?? []).filter((item) => position.has(item));
			for (let i = 1; i < mine.length; i++) {
				const [first, second] = [mine[i - 1]!, mine[i]!];
				const contested = others.some(
					(other) => other.includes(first) && other.includes(second) && other.indexOf(first) > other.indexOf(second),
				);
				// A piece whose neighbour has different places in the versions cannot follow it in each of them.
				if (placedTwice.has(first) || placedTwice.has(second)) continue;
				// In a file of keys a comment belongs to the key below it, or to the head of the file.
				if (output.strategy === "keyed" && [first, second].some((line) => /^\s*[#;!]/.test(line))) continue;
				if (!contested && position.get(first)! > position.get(second)!) return `${first} and ${second} changed places in ${list}`;
			}
		}
	}
	return null;
}

/** The pieces that two versions have in different orders. */
function inTwoOrders(versions: readonly (readonly string[])[]): Set<string> {
	const found = new Set<string>();
	for (const one of versions) {
		for (const other of versions) {
			const places = new Map(other.map((item, i) => [item, i]));
			const common = one.filter((item) => places.has(item));
			for (const [i, first] of common.entries()) {
				for (const second of common.slice(i + 1)) if (places.get(first)! > places.get(second)!) found.add(first).add(second);
			}
		}
	}
	return found;
}

/** Lines that occur once. */
function unique(content: Uint8Array): Map<string, string[]> {
	const all = lines(content);
	const counts = count(all);
	return new Map([["the file", all.filter((line) => counts.get(line) === 1 && line.trim() !== "")]]);
}

/** The keys of every object, and the ids of every array of elements with ids, by path. */
function named(content: Uint8Array): Map<string, string[]> | null {
	const root = tree(content);
	if (root === null) return null;
	const sequences = new Map<string, string[]>();
	const walk = (node: Node, path: string): void => {
		if (node.type === "object") {
			sequences.set(
				path,
				node.children!.map((property) => String(property.children![0]!.value)),
			);
			for (const property of node.children!) walk(property.children![1]!, `${path}.${property.children![0]!.value}`);
		}
		if (node.type === "array" && node.children!.length > 0 && node.children!.every((element) => idOf(element) !== null)) {
			sequences.set(
				path,
				node.children!.map((element) => idOf(element)!),
			);
			for (const element of node.children!) walk(element, `${path}[${idOf(element)}]`);
		}
	};
	walk(root, "");
	return sequences;
}

/** Fidelity: every line of the result is a line of a side, and common comments of both sides are there. */
function faithful({ a, b }: MergeInput, output: MergeOutput): string | null {
	if (output.strategy !== "json") return null;
	// Without the parts whose number of children can have changed on this line.
	const bare = (line: string) => line.replace(/,$/, "").replace(/(?:\[.*\]|\{\}|[[{])$/, "");
	const known = new Set([...lines(a), ...lines(b)].map(bare));
	// Elements of an array on one line get lines of their own if the other side's array has them so.
	const element = (line: string) => [...lines(a), ...lines(b)].some((other) => other.includes("[") && other.includes(bare(line).trim()));
	const pretty = [a, b].every((side) => lines(side).length > 1);
	if (pretty) {
		for (const line of lines(output.content)) {
			if (!known.has(bare(line)) && !element(line)) return `the line ${JSON.stringify(line)} is written by neither side`;
		}
	}
	const [inA, inB, inResult] = [new Set(comments(a)), new Set(comments(b)), new Set(comments(output.content))];
	for (const comment of inA) if (inB.has(comment) && !inResult.has(comment)) return `the comment ${comment} is gone`;
	return null;
}

/** 5: a merge of the result with either parent changes nothing (except, for sides with different layouts, perhaps the layout). */
function stable(merge: Merge, input: MergeInput, output: MergeOutput, { relaid }: Fitness): string | null {
	// The two sides undid each other: then the result is the base, and against the base any side is right.
	if (input.base !== null && same(output.content, input.base)) return null;
	// Each removed what the other left: an empty file is nearly always the result of a crash, and any side is better.
	if (text(output.content).trim() === "") return null;
	for (const side of [input.a, input.b]) {
		const again = merge({ ...input, a: side, b: output.content, later: "b" });
		if (same(again.content, output.content) || (relaid === true && sameValue(again.content, output.content))) continue;
		// Blank lines belong to the key below them, which may be another one now.
		if (output.strategy === "keyed" && filledLines(again.content) === filledLines(output.content)) continue;
		return `merged again it becomes ${show(again.content)} instead of ${show(output.content)}`;
	}
	return null;
}

function filledLines(content: Uint8Array): string {
	return lines(content)
		.filter((line) => line.trim() !== "")
		.join("\n");
}

function sameValue(a: Uint8Array, b: Uint8Array): boolean {
	const [one, other] = [tree(a), tree(b)];
	const source = (content: Uint8Array) => text(content).replace(/^\uFEFF/, "");
	return one !== null && other !== null && plainValue(one, source(a)) === plainValue(other, source(b));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
	return Buffer.from(a).equals(Buffer.from(b));
}

function show(content: Uint8Array): string {
	return JSON.stringify(Buffer.from(content).toString("latin1"));
}
