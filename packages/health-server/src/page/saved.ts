import { shellPath, shellWord } from "@robust-sync/service/printable";
import { type Manifest, type SavedDirectory, sideText, timestamp, winnerText } from "@robust-sync/workspace";
import type { NodeSnapshot } from "../snapshot.ts";
import { badge, command, commit, count, empty, time } from "./text.ts";
import { h, type VNode } from "./vnode.ts";

/** One file of a saved resolution, as its manifest names it. */
export type SavedEntry = Manifest["files"][number];
/** A side of a conflict that may have been saved. */
export type Side = "ours" | "theirs" | "base";
export const sides: readonly Side[] = ["ours", "theirs", "base"];

// The page stays small however many conflicts there were: older ones are a click away.
const shownFiles = 12;
const shownPerResolution = 6;

const outcomeOf = (file: SavedEntry) =>
	file.winner === "merged" ? "both changes are in the result" : file.winner === "both" ? "both were kept" : winnerText(file);

/** The file below the saved directory that holds `side` of `file`, or null when that side was not saved. */
export function savedName(file: SavedEntry, side: Side): string | null {
	return file.saved.find((name) => name.endsWith(`.${side}`)) ?? null;
}

/** Half a surrogate pair has no URL form. */
const wellFormed = (text: string) => Buffer.from(text, "utf8").toString("utf8");

/** The address of a saved file. */
export function savedUrl(saved: string, name: string): string {
	return `/saved/${saved}/${wellFormed(name).split("/").map(encodeURIComponent).join("/")}`;
}

/** The command that puts one saved side back as a new change, for a POSIX shell. */
export function restoreCommand(workspace: string, saved: string, file: string, side: Side): string {
	const operands = file.startsWith("-") ? ["--side", side, "--restore", saved, "--", file] : ["--restore", saved, file, "--side", side];
	return ["conflict-resolver", "--workspace", workspace, ...operands]
		.map((word) => (word === file ? shellPath(word) : shellWord(word)))
		.join(" ");
}

function fileDetails(snapshot: NodeSnapshot, saved: SavedDirectory, file: SavedEntry, index: number): VNode {
	const present = sides.flatMap((side) => {
		const name = savedName(file, side);
		return name === null ? [] : [{ side, name }];
	});
	const url = `/diff/${saved.name}/${index}`;
	return h(
		"details",
		{ id: `file-${saved.name}-${index}`, class: "file", "data-diff": url },
		h(
			"summary",
			null,
			h("code", null, file.path),
			" ",
			badge(
				file.winner === "merged" ? "ok" : "warn",
				file.winner === "both" ? "both kept" : file.winner === "merged" ? "merged" : sideText(file, file.winner),
			),
			h("span", { class: "note" }, ` ${outcomeOf(file)} (${file.strategy})`),
		),
		h(
			"dl",
			{ class: "sides" },
			present.map(({ side, name }) => [
				h("dt", null, h("a", { href: savedUrl(saved.name, name) }, sideText(file, side))),
				h("dd", null, command(restoreCommand(snapshot.workspace, saved.name, file.path, side))),
			]),
		),
		present.length === 0 && h("p", { class: "note" }, "No version of it was saved."),
		h("p", { class: "without-script" }, h("a", { href: url }, "Compare side by side")),
		h("div", { class: "diff-here", "data-keep": true }),
	);
}

/** Every conflict that was resolved, newest first: both versions, and how to get the other one back. */
export function savedVersions(snapshot: NodeSnapshot, list: readonly SavedDirectory[], isOlder: boolean): VNode {
	const shown: SavedDirectory[] = [];
	let files = 0;
	for (const saved of list) {
		if (shown.length > 0 && files >= shownFiles) break;
		shown.push(saved);
		files += Math.min(saved.manifest?.files.length ?? 0, shownPerResolution) || 1;
	}
	const last = shown.at(-1);
	return h(
		"section",
		{ id: "saved", class: "card wide", "aria-labelledby": "saved-title" },
		h("h2", { id: "saved-title" }, isOlder ? "Saved versions, older" : "Saved versions"),
		snapshot.saved.count === 0
			? empty("No conflict so far. When two nodes change the same file, both versions are kept and appear here.")
			: h("p", null, `${count(snapshot.saved.count, "resolution")} kept. Nothing of these is lost: put any version back with its command.`),
		isOlder && h("p", null, h("a", { href: "/#saved-title" }, "Back to the newest")),
		shown.map((saved) =>
			h(
				"article",
				{ id: `saved-${saved.name}`, class: "resolution" },
				h(
					"h3",
					null,
					time(saved.manifest?.resolved_at ?? timestamp(saved.savedAt)),
					h(
						"span",
						{ class: "note" },
						" · ",
						saved.manifest ? count(saved.manifest.files.length, "file") : "its manifest is gone",
						" · ",
						h("code", null, saved.name),
					),
				),
				saved.manifest &&
					h(
						"p",
						{ class: "note" },
						"ours ",
						commit(saved.manifest.ours, "–"),
						", theirs ",
						commit(saved.manifest.theirs, "–"),
						", result ",
						commit(saved.manifest.merge_commit, "–"),
					),
				saved.manifest?.files.slice(0, shownPerResolution).map((file, index) => fileDetails(snapshot, saved, file, index)),
				(saved.manifest?.files.length ?? 0) > shownPerResolution &&
					h(
						"p",
						{ class: "note" },
						`and ${count((saved.manifest?.files.length ?? 0) - shownPerResolution, "more file")}: see `,
						h("code", null, "conflict-resolver --report"),
						".",
					),
			),
		),
		list.length > shown.length && last && h("p", null, h("a", { href: `/?before=${last.name}#saved-title` }, "Older resolutions")),
	);
}
