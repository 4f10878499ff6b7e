import { displayPath, type GitPath } from "@robust-sync/git";
import { printable } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import type { Items } from "@robust-sync/system/items";

/**
 * One line for people: `helios: 3 files (notes.md, state.json, …)`; deletions are named: `helios: 22 files deleted
 * (a, b, …)`, or `helios: 3 files (a, b, …), 22 deleted`.
 * @param gone the deleted ones of the paths
 */
export function snapshotMessage(node: string, paths: Items<GitPath>, gone: ReadonlySet<GitPath> = new Set()): string {
	const left = gone.size === 0 ? paths : paths.filter((name) => !gone.has(name));
	const deleted = paths.length - left.length;
	const listed = left.length > 0 ? left : paths;
	const shown = listed.slice(0, 2).map((name) => printable(displayPath(name)));
	const names = listed.length > shown.length ? [...shown, "…"] : shown;
	const list = `(${names.join(", ")})`;
	if (left.length === 0 && deleted > 0) return `${node}: ${counted(deleted, "file")} deleted ${list}`;
	return `${node}: ${counted(left.length, "file")} ${list}${deleted > 0 ? `, ${deleted} deleted` : ""}`;
}
