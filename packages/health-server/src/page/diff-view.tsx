import { formatSize } from "@robust-sync/system/format-size";
import { type Cell, type Row, sideBySide } from "../side-by-side.ts";
import { spreadJson } from "./json-lines.ts";
import { count } from "./text.tsx";
import { h, type VNode } from "./vnode.ts";

/** One version of a file as far as it can be shown. */
export type Version =
	| { readonly kind: "text"; readonly text: string }
	| { readonly kind: "binary"; readonly bytes: number }
	| { readonly kind: "too-large"; readonly bytes: number }
	/** Missing: this side did not have the file, or it cannot be found any more. */
	| { readonly kind: "none" };

/** The size limit of shown files; larger ones are for an editor. */
export const largestShownBytes = 512 * 1024;
const shownRows = 3_000;
/** Lines that are the same in all versions are folded beyond this many around each difference. */
const context = 3;

/** Whether the content is not text: a NUL, or bytes that are not UTF-8. */
export function versionOf(content: Buffer | null, bytes: number = content?.length ?? 0): Version {
	if (content === null) return { kind: "none" };
	if (bytes > largestShownBytes) return { kind: "too-large", bytes };
	try {
		const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
		return text.includes("\0") ? { kind: "binary", bytes } : { kind: "text", text };
	} catch {
		return { kind: "binary", bytes };
	}
}

const textOf = (version: Version) => (version.kind === "text" ? version.text : null);

function linesOf(text: string | null): string[] | null {
	if (text === null) return null;
	const lines = text.split("\n");
	if (lines.at(-1) === "") lines.pop();
	return lines;
}

/** The relation of a line to the result: kept or lost; or the origin of a line of the result. */
function kindOf(name: "ours" | "result" | "theirs", row: Row, hasResult: boolean): string {
	const cell = row[name];
	if (row.same) return "";
	if (!cell) return "absent";
	if (!hasResult) return "taken";
	const isIn = (side: Cell | null) => side !== null && side.text === row.result?.text;
	if (name === "result") return isIn(row.ours) || isIn(row.theirs) ? "taken" : "new";
	return isIn(cell) ? "taken" : "lost";
}

function cells(name: "ours" | "result" | "theirs", row: Row, hasResult: boolean): VNode[] {
	const cell = row[name];
	return [
		<td class="number">{cell ? cell.line : ""}</td>,
		<td class={`line ${kindOf(name, row, hasResult)}`.trim()}>{cell ? cell.text : ""}</td>,
	];
}

/** Runs of equal lines, folded. */
function fold(rows: readonly Row[]): (Row | number)[] {
	const near = new Uint8Array(rows.length);
	rows.forEach((row, index) => {
		if (!row.same) near.fill(1, Math.max(0, index - context), Math.min(rows.length, index + context + 1));
	});
	const folded: (Row | number)[] = [];
	rows.forEach((row, index) => {
		const last = folded.at(-1);
		if (near[index]) folded.push(row);
		else if (typeof last === "number") folded[folded.length - 1] = last + 1;
		else folded.push(1);
	});
	return folded;
}

function noteOf(name: string, version: Version): string | null {
	switch (version.kind) {
		case "text":
			return null;
		case "binary":
			return `${name}: not text, ${formatSize(version.bytes)}.`;
		case "too-large":
			return `${name}: ${formatSize(version.bytes)}, too large to show here.`;
		case "none":
			return name === "result" ? "The result is not known any more." : `${name}: did not have this file.`;
	}
}

const noVersion: Version = { kind: "none" };

/** Headings of the sides, with the name of the node. */
export type SideNames = Readonly<Partial<Record<"ours" | "theirs", string>>>;

/** Ours, result and theirs beside each other; an unknown result is left out. @param merged null: there is none, these are two versions */
export function diffView(file: string, ours: Version, theirs: Version, merged: Version | null, names: SideNames = {}): VNode {
	const result = merged ?? noVersion;
	const titles = { ours: "ours", theirs: "theirs", ...names, result: "result" };
	const notes = [noteOf(titles.ours, ours), merged === null ? null : noteOf("result", merged), noteOf(titles.theirs, theirs)].filter(
		(note) => note !== null,
	);
	const compared = spreadJson({ ours: textOf(ours), theirs: textOf(theirs), result: textOf(result) });
	const shown = { ours: linesOf(compared.ours), theirs: linesOf(compared.theirs), result: linesOf(compared.result) };
	const texts = Object.values(shown).filter((lines) => lines !== null).length;
	const columns = (["ours", "result", "theirs"] as const).filter((name) => shown[name] !== null);
	const rows = texts === 0 ? [] : fold(sideBySide(shown));
	const width = columns.length * 2;
	return (
		<div class="diff">
			{notes.length > 0 && <p class="note">{notes.join(" ")}</p>}
			{shown.result !== null && texts > 1 && (
				<p class="legend note">
					<span class="taken">from one side</span> <span class="lost">not in the result</span> <span class="new">in neither side</span>
				</p>
			)}
			{texts > 0 && (
				<section class="scroll" aria-label={`Versions of ${file} side by side`} tabindex={0}>
					<table class={`versions of-${columns.length}`}>
						<caption class="hidden">{`Versions of ${file} side by side`}</caption>
						<colgroup>{columns.map(() => [<col class="numbers" />, <col />])}</colgroup>
						<thead>
							<tr>
								{columns.map((name) => (
									<th scope="colgroup" colspan={2}>
										{titles[name]}
									</th>
								))}
							</tr>
						</thead>
						<tbody>
							{rows.length === 0 && (
								<tr>
									<td colspan={width} class="fold">
										all versions are empty
									</td>
								</tr>
							)}
							{rows.slice(0, shownRows).map((row) =>
								typeof row === "number" ? (
									<tr>
										<td colspan={width} class="fold">{`${count(row, "equal line")}`}</td>
									</tr>
								) : (
									<tr>{columns.flatMap((name) => cells(name, row, shown.result !== null))}</tr>
								),
							)}
							{rows.length > shownRows && (
								<tr>
									<td colspan={width} class="fold">{`and ${count(rows.length - shownRows, "more row")}: open the versions themselves`}</td>
								</tr>
							)}
						</tbody>
					</table>
				</section>
			)}
		</div>
	);
}
