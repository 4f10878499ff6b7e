import { displayPath, type GitPath, gitPathIfAllowed } from "@robust-sync/git";
import type { HistoryEntry, HistoryFile } from "@robust-sync/history/log";
import { count, empty, time } from "./text.tsx";
import { h, type VNode } from "./vnode.ts";

/** Entries of one page. */
export const entriesShown = 100;
const filesShown = 5;
/** With more lanes than this the names are too narrow to read: the other nodes share the last lane. */
const mostLanes = 6;

/** The filter of the timeline. */
export interface HistoryFilter {
	readonly path: GitPath | null;
	readonly node: string | null;
}

/** A path in an address, byte for byte. */
function encodePath(name: GitPath): string {
	const byte = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
	return name.replace(/[^A-Za-z0-9._~/-]/g, byte);
}

/** The inverse; null: not a valid form. @param text the form in an address */
export function decodePath(text: string): GitPath | null {
	if (/[^\x21-\x7e]/.test(text) || /%(?![0-9a-fA-F]{2})/.test(text)) return null;
	return gitPathIfAllowed(text.replace(/%([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}

/** The address of the timeline. */
export function historyUrl({ path, node }: HistoryFilter, before: string | null = null): string {
	const parts = [
		path === null ? "" : `path=${encodePath(path)}`,
		node === null ? "" : `node=${encodeURIComponent(node)}`,
		before === null ? "" : `before=${before}`,
	].filter((part) => part !== "");
	return `/history${parts.length > 0 ? `?${parts.join("&")}` : ""}`;
}

/** Address of a file's change by a commit, side by side. */
const changeUrl = (commit: string, name: GitPath): string => `/history/${commit}/${encodePath(name)}`;
/** Address of the version of a file in a commit. */
const versionUrl = (commit: string, name: GitPath): string => `/version/${commit}/${encodePath(name)}`;

function lines({ linesAdded, linesDeleted }: HistoryFile): string {
	return linesAdded === null || linesDeleted === null ? "not text" : `+${linesAdded} −${linesDeleted}`;
}

function fileRow(entry: HistoryEntry, file: HistoryFile, filter: HistoryFilter): VNode {
	const name = displayPath(file.path);
	return (
		<li>
			<a href={changeUrl(entry.commit, file.path)}>{file.change}</a>{" "}
			{filter.path === file.path ? (
				<code>{name}</code>
			) : (
				<a href={historyUrl({ ...filter, path: file.path })}>
					<code>{name}</code>
				</a>
			)}
			{file.from !== null && [" from ", <code>{displayPath(file.from)}</code>]}
			<span class="note">{` ${lines(file)}`}</span>
			{file.after !== null && [
				" ",
				<a href={versionUrl(entry.commit, file.path)} download>
					download
				</a>,
			]}
		</li>
	);
}

function what(entry: HistoryEntry, filter: HistoryFilter): VNode {
	const { files, text, agent, run, subject } = entry;
	const more = files.length - filesShown;
	return (
		<td>
			{files.length === 0 && subject}
			{files.length > 0 && <ul class="plain">{files.slice(0, filesShown).map((file) => fileRow(entry, file, filter))}</ul>}
			{more > 0 && (
				<p class="note">
					<a href={`/history/${entry.commit}`}>{`and ${count(more, "more file")}`}</a>
				</p>
			)}
			{(agent ?? run) !== null && (
				<p class="note">{[agent === null ? "" : `agent ${agent}`, run === null ? "" : `run ${run}`].filter(Boolean).join(", ")}</p>
			)}
			{text !== "" && <p class="note">{text}</p>}
		</td>
	);
}

/** The lanes: one for each node of the entries, those with the most entries first. */
function lanesOf(entries: readonly HistoryEntry[]): string[] {
	const seen = new Map<string, number>();
	for (const { node } of entries) seen.set(node, (seen.get(node) ?? 0) + 1);
	const names = [...seen].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
	return names.length <= mostLanes ? names : [...names.slice(0, mostLanes - 1), "others"];
}

/** The timeline, newest first: a row for each commit, a lane for each node. */
export function historyView(entries: readonly HistoryEntry[], filter: HistoryFilter, isMore: boolean): VNode {
	const lanes = lanesOf(entries);
	const last = entries.at(-1);
	return (
		<div id="history">
			<form action="/history" method="get" class="row">
				<label>
					{"File or directory "}
					<input name="path" value={filter.path === null ? "" : displayPath(filter.path)} />
				</label>{" "}
				<label>
					{"Node "}
					<input name="node" value={filter.node ?? ""} />
				</label>{" "}
				<button type="submit" class="filter">
					Show
				</button>{" "}
				{(filter.path !== null || filter.node !== null) && <a href="/history">all of it</a>}
			</form>
			{entries.length === 0 && empty("Nothing here: no commit fits.")}
			{entries.length > 0 && (
				<section class="scroll" aria-label="Timeline by node" tabindex={0}>
					<table class="timeline">
						<caption class="hidden">Timeline by node, newest first</caption>
						<thead>
							<tr>
								<th scope="col">Time</th>
								{lanes.map((node) => (
									<th scope="col">{node === "others" ? node : <a href={historyUrl({ ...filter, node })}>{node}</a>}</th>
								))}
								<th scope="col">What</th>
							</tr>
						</thead>
						<tbody>
							{entries.map((entry) => (
								<tr id={`commit-${entry.commit}`}>
									<th scope="row">
										{time(entry.at)}{" "}
										<a href={`/history/${entry.commit}`}>
											<code>{entry.commit.slice(0, 8)}</code>
										</a>
									</th>
									{lanes.map((lane) => (
										<td>
											{lane === entry.node
												? entry.kind
												: lane === "others" && !lanes.includes(entry.node)
													? `${entry.kind}, ${entry.node}`
													: ""}
										</td>
									))}
									{what(entry, filter)}
								</tr>
							))}
						</tbody>
					</table>
				</section>
			)}
			{isMore && last && (
				<p>
					<a href={historyUrl(filter, last.commit)}>Older</a>
				</p>
			)}
		</div>
	);
}

const filesOfCommit = 1_000;

/** All files of one commit. */
export function commitView(entry: HistoryEntry): VNode {
	const { files, node, kind, at, subject, text, commit } = entry;
	const none: HistoryFilter = { path: null, node: null };
	return (
		<div id="commit">
			<p>
				{time(at)}
				{` · ${node} · ${kind} · `}
				<code>{commit}</code>
			</p>
			<p>{subject}</p>
			{text !== "" && <p>{text}</p>}
			<p class="note">
				{"Take it back: "}
				<code>{`robust-sync --undo ${commit.slice(0, 12)} --dry-run`}</code>
			</p>
			{files.length === 0 &&
				empty(entry.parents.length > 1 ? "A merge: its files are in the commits that it brought together." : "It changes no file.")}
			<ul class="plain">{files.slice(0, filesOfCommit).map((file) => fileRow(entry, file, none))}</ul>
			{files.length > filesOfCommit && <p class="note">{`and ${count(files.length - filesOfCommit, "more file")}`}</p>}
		</div>
	);
}
