import type { Manifest } from "./state-schemas.ts";

type File = Pick<Manifest["files"][number], "winner" | "strategy" | "nodes">;
type Side = "ours" | "theirs";

/** "ours" and "theirs" are swapped on the other node: never used without the node's name. */
const fallback = { ours: "this node's", theirs: "the other side's" } as const;

/** The node of a side's version; null: not known, or one node wrote both. Not printable yet. */
export function nodeOf({ nodes }: Pick<File, "nodes">, side: Side): string | null {
	return nodes?.ours === nodes?.theirs ? null : (nodes?.[side] ?? null);
}

/** A side by its name in files and commands, with the node: `ours (helios)`. Not printable yet. */
export function sideText(file: Pick<File, "nodes">, side: Side | "base"): string {
	const node = side === "base" ? null : nodeOf(file, side);
	return node === null ? side : `${side} (${node})`;
}

/** The winner of a conflict, by the name of the node: "helios's value won". Not printable yet. */
export function winnerText(file: File): string {
	if (file.winner === "merged") return "merged from both";
	if (file.winner === "both") return "both kept";
	const what = file.strategy === "json" || file.strategy === "keyed" ? "value" : "version";
	const node = nodeOf(file, file.winner);
	return node === null ? `${fallback[file.winner]} ${what} won (${file.winner})` : `${node}'s ${what} won`;
}
