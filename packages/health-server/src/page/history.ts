import { displayPath, type GitPath, gitPathIfAllowed } from "@robust-sync/git";
import type { HistoryEntry, HistoryFile } from "@robust-sync/history/log";
import { count, empty, time } from "./text.ts";
import { h, type VNode } from "./vnode.ts";

/** Entries of one page. */
export const entriesShown = 100;
const filesShown = 5;
/** With more lanes than this the names are too narrow to read: the other nodes share the last lane. */
const mostLanes = 6;

/** What the timeline is narrowed to. */
export interface HistoryFilter {
	readonly path: GitPath | null;
	readonly node: string | null;
}

/** A path in an address, byte for byte. */
export function encodePath(name: GitPath): string {
	const byte = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
	return name.replace(/[^A-Za-z0-9._~/-]/g, byte);
}

/** The same back; null: it is none. @param text as it stands in an address */
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

/** Where a file's change by a commit is shown side by side. */
export const changeUrl = (commit: string, name: GitPath): string => `/history/${commit}/${encodePath(name)}`;
/** Where the version of a file that a commit left is to be had. */
export const versionUrl = (commit: string, name: GitPath): string => `/version/${commit}/${encodePath(name)}`;

function lines({ linesAdded, linesDeleted }: HistoryFile): string {
	return linesAdded === null || linesDeleted === null ? "not text" : `+${linesAdded} −${linesDeleted}`;
}

function fileRow(entry: HistoryEntry, file: HistoryFile, filter: HistoryFilter): VNode {
	const name = displayPath(file.path);
	return h(
		"li",
		null,
		h("a", { href: changeUrl(entry.commit, file.path) }, file.change),
		" ",
		filter.path === file.path ? h("code", null, name) : h("a", { href: historyUrl({ ...filter, path: file.path }) }, h("code", null, name)),
		file.from !== null && [" from ", h("code", null, displayPath(file.from))],
		h("span", { class: "note" }, ` ${lines(file)}`),
		file.after !== null && [" ", h("a", { href: versionUrl(entry.commit, file.path), download: true }, "download")],
	);
}

function what(entry: HistoryEntry, filter: HistoryFilter): VNode {
	const { files, text, agent, run, subject } = entry;
	const more = files.length - filesShown;
	return h(
		"td",
		null,
		files.length === 0 && subject,
		files.length > 0 &&
			h(
				"ul",
				{ class: "plain" },
				files.slice(0, filesShown).map((file) => fileRow(entry, file, filter)),
			),
		more > 0 && h("p", { class: "note" }, h("a", { href: `/history/${entry.commit}` }, `and ${count(more, "more file")}`)),
		(agent ?? run) !== null &&
			h("p", { class: "note" }, [agent === null ? "" : `agent ${agent}`, run === null ? "" : `run ${run}`].filter(Boolean).join(", ")),
		text !== "" && h("p", { class: "note" }, text),
	);
}

/** The nodes that are seen, those with the most entries first; each has a lane. */
function lanesOf(entries: readonly HistoryEntry[]): string[] {
	const seen = new Map<string, number>();
	for (const { node } of entries) seen.set(node, (seen.get(node) ?? 0) + 1);
	const names = [...seen].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
	return names.length <= mostLanes ? names : [...names.slice(0, mostLanes - 1), "others"];
}

/** Who changed what, newest first: a row for each commit, a lane for each node. */
export function historyView(entries: readonly HistoryEntry[], filter: HistoryFilter, isMore: boolean): VNode {
	const lanes = lanesOf(entries);
	const last = entries.at(-1);
	return h(
		"div",
		{ id: "history" },
		h(
			"form",
			{ action: "/history", method: "get", class: "row" },
			h("label", null, "File or directory ", h("input", { name: "path", value: filter.path === null ? "" : displayPath(filter.path) })),
			" ",
			h("label", null, "Node ", h("input", { name: "node", value: filter.node ?? "" })),
			" ",
			h("button", { class: "filter" }, "Show"),
			" ",
			(filter.path !== null || filter.node !== null) && h("a", { href: "/history" }, "all of it"),
		),
		entries.length === 0 && empty("Nothing here: no commit fits."),
		entries.length > 0 &&
			h(
				"div",
				{ class: "scroll", role: "region", "aria-label": "Timeline by node", tabindex: 0 },
				h(
					"table",
					{ class: "timeline" },
					h("caption", { class: "hidden" }, "Timeline by node, newest first"),
					h(
						"thead",
						null,
						h(
							"tr",
							null,
							h("th", { scope: "col" }, "Time"),
							lanes.map((node) =>
								h("th", { scope: "col" }, node === "others" ? node : h("a", { href: historyUrl({ ...filter, node }) }, node)),
							),
							h("th", { scope: "col" }, "What"),
						),
					),
					h(
						"tbody",
						null,
						entries.map((entry) =>
							h(
								"tr",
								{ id: `commit-${entry.commit}` },
								h(
									"th",
									{ scope: "row" },
									time(entry.at),
									" ",
									h("a", { href: `/history/${entry.commit}` }, h("code", null, entry.commit.slice(0, 8))),
								),
								lanes.map((lane) =>
									h(
										"td",
										null,
										lane === entry.node
											? entry.kind
											: lane === "others" && !lanes.includes(entry.node)
												? `${entry.kind}, ${entry.node}`
												: "",
									),
								),
								what(entry, filter),
							),
						),
					),
				),
			),
		isMore && last && h("p", null, h("a", { href: historyUrl(filter, last.commit) }, "Older")),
	);
}

const filesOfCommit = 1_000;

/** All files of one commit. */
export function commitView(entry: HistoryEntry): VNode {
	const { files, node, kind, at, subject, text, commit } = entry;
	const none: HistoryFilter = { path: null, node: null };
	return h(
		"div",
		{ id: "commit" },
		h("p", null, time(at), ` · ${node} · ${kind} · `, h("code", null, commit)),
		h("p", null, subject),
		text !== "" && h("p", null, text),
		h("p", { class: "note" }, "Take it back: ", h("code", null, `robust-sync --undo ${commit.slice(0, 12)} --dry-run`)),
		files.length === 0 &&
			empty(entry.parents.length > 1 ? "A merge: its files are in the commits that it brought together." : "It changes no file."),
		h(
			"ul",
			{ class: "plain" },
			files.slice(0, filesOfCommit).map((file) => fileRow(entry, file, none)),
		),
		files.length > filesOfCommit && h("p", { class: "note" }, `and ${count(files.length - filesOfCommit, "more file")}`),
	);
}
