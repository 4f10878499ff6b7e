import { shellPath, shellWord } from "@robust-sync/service/printable";
import { timestamp } from "@robust-sync/system/timestamps";
import { type Manifest, type SavedDirectory, sideText, winnerText } from "@robust-sync/workspace";
import type { NodeSnapshot } from "../snapshot.ts";
import { badge, command, commit, count, empty, time } from "./text.tsx";
import { h, type VNode } from "./vnode.ts";

/** One file of a saved resolution, as its manifest names it. */
export type SavedEntry = Manifest["files"][number];
/** A side of a conflict that may have been saved. */
export type Side = "ours" | "theirs" | "base";
const sides: readonly Side[] = ["ours", "theirs", "base"];

/** The list's place and size: how many files it shows, and how many of one merge. Pages stay small however many conflicts there are: older ones are a click away. */
const places = {
	"/": { files: 12, ofOne: 6, titles: ["Saved versions", "Saved versions, older"] },
	// Fewer than a list holds (50): the remainder shows that there are older ones.
	"/saved": { files: 40, ofOne: 40, titles: ["Newest merges", "Older merges"] },
} as const;

const outcomeOf = (file: SavedEntry) =>
	file.winner === "merged" ? "both changes are in the result" : file.winner === "both" ? "both were kept" : winnerText(file);

/** The file below the saved directory that holds `side` of `file`, or null when that side was not saved. */
export function savedName(file: SavedEntry, side: Side): string | null {
	return file.saved.find((name) => name.endsWith(`.${side}`)) ?? null;
}

/** Half a surrogate pair has no URL form. */
const wellFormed = (text: string) => Buffer.from(text, "utf8").toString("utf8");

/** The address of a saved file. */
function savedUrl(saved: string, name: string): string {
	return `/saved/${saved}/${wellFormed(name).split("/").map(encodeURIComponent).join("/")}`;
}

/** The command that restores one saved side as a new change, for a POSIX shell. */
function restoreCommand(workspace: string, saved: string, file: string, side: Side): string {
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
	return (
		<details id={`file-${saved.name}-${index}`} class="file" data-diff={url}>
			<summary>
				<code>{file.path}</code>{" "}
				{badge(
					file.winner === "merged" ? "ok" : "warn",
					file.winner === "both" ? "both kept" : file.winner === "merged" ? "merged" : sideText(file, file.winner),
				)}
				<span class="note">{` ${outcomeOf(file)} (${file.strategy})`}</span>
			</summary>
			<dl class="sides">
				{present.map(({ side, name }) => [
					<dt>
						<a href={savedUrl(saved.name, name)}>{sideText(file, side)}</a>
					</dt>,
					<dd>{command(restoreCommand(snapshot.workspace, saved.name, file.path, side))}</dd>,
				])}
			</dl>
			{present.length === 0 && <p class="note">No version of it was saved.</p>}
			<p class="without-script">
				<a href={url}>Compare side by side</a>
			</p>
			<div class="diff-here" data-keep />
		</details>
	);
}

/**
 * Every conflict that was resolved, newest first: both versions, and how to restore the other one.
 *
 * @param list the resolutions from some time on, newest first
 * @param isOlder whether the list begins after the newest resolution
 * @param place the address of the page that the list is on
 */
export function savedVersions(
	snapshot: NodeSnapshot,
	list: readonly SavedDirectory[],
	isOlder: boolean,
	place: keyof typeof places = "/",
): VNode {
	const limits = places[place];
	const shown: SavedDirectory[] = [];
	let files = 0;
	for (const saved of list) {
		if (shown.length > 0 && files >= limits.files) break;
		shown.push(saved);
		files += Math.min(saved.manifest?.files.length ?? 0, limits.ofOne) || 1;
	}
	const last = shown.at(-1);
	return (
		<section id="saved" class="card wide" aria-labelledby="saved-title">
			<h2 id="saved-title">{limits.titles[isOlder ? 1 : 0]}</h2>
			{snapshot.saved.count === 0 ? (
				empty("No conflict so far. When two nodes change the same file, both versions are kept and appear here.")
			) : (
				<p>{`${count(snapshot.saved.count, "resolution")} kept. Nothing of these is lost: put any version back with its command.`}</p>
			)}
			{isOlder && (
				<p>
					<a href={`${place}#saved-title`}>Back to the newest</a>
				</p>
			)}
			{shown.map((saved) => (
				<article id={`saved-${saved.name}`} class="resolution">
					<h3>
						{time(saved.manifest?.resolved_at ?? timestamp(saved.savedAt))}
						<span class="note">
							{" · "}
							{saved.manifest ? count(saved.manifest.files.length, "file") : "its manifest is gone"}
							{" · "}
							<code>{saved.name}</code>
						</span>
					</h3>
					{saved.manifest && (
						<p class="note">
							{"ours "}
							{commit(saved.manifest.ours, "–")}
							{", theirs "}
							{commit(saved.manifest.theirs, "–")}
							{", result "}
							{commit(saved.manifest.merge_commit, "–")}
						</p>
					)}
					{saved.manifest?.files.slice(0, limits.ofOne).map((file, index) => fileDetails(snapshot, saved, file, index))}
					{(saved.manifest?.files.length ?? 0) > limits.ofOne && (
						<p class="note">
							{`and ${count((saved.manifest?.files.length ?? 0) - limits.ofOne, "more file")}: see `}
							<code>conflict-resolver --report</code>.
						</p>
					)}
				</article>
			))}
			{list.length > shown.length && last && (
				<p>
					<a href={`${place}?before=${last.name}#saved-title`}>Older resolutions</a>
				</p>
			)}
		</section>
	);
}
