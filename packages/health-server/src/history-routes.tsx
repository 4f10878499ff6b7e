import type { IncomingMessage, ServerResponse } from "node:http";
import { displayPath } from "@robust-sync/git";
import { send, sendJson, sendPage } from "./answer.ts";
import { type HistoryReader, isObjectId } from "./history-reader.ts";
import { diffView, largestShownBytes, versionOf } from "./page/diff-view.tsx";
import { commitView, decodePath, entriesShown, historyUrl, historyView } from "./page/history.tsx";
import { formPolicy } from "./page/page.tsx";
import { h } from "./page/vnode.ts";
import { largestSavedBytes } from "./saved-routes.ts";

/** Limit of concurrent queries: each costs a git process, and a long history takes a while. */
const mostQuestions = 4;
const tooMany = { error: "too many questions about the history at once: ask again" };

/** The history for people: `/history`, `/history/<commit>[/<path>]` and `/version/<commit>/<path>`. The caller checks the access. */
export class HistoryRoutes {
	readonly #history: HistoryReader;
	#questions = 0;

	constructor(history: HistoryReader) {
		this.#history = history;
	}

	/** `/history`: commits by node, newest first. */
	async list(request: IncomingMessage, response: ServerResponse, query: string): Promise<void> {
		const asked = new URLSearchParams(query);
		// A name with bytes that are not UTF-8 can be reached by its address alone.
		const raw = /(?:^|&)path=([^&]*)/.exec(query)?.[1]?.replaceAll("+", "%20") ?? "";
		const path = raw === "" ? null : decodePath(raw.replace(/%2F/gi, "/").replace(/\/+$/, ""));
		const before = asked.get("before");
		if ((raw !== "" && path === null) || (before !== null && !isObjectId(before)))
			return sendJson(request, response, 400, { error: "path is a path of the workspace, before the id of a commit" });
		const filter = { path, node: asked.get("node") || null };
		const entries = await this.#inTurn(() => this.#history.entries({ ...filter, before, limit: entriesShown + 1 }));
		if (entries === null) return sendJson(request, response, 503, tooMany);
		const view = historyView(entries.slice(0, entriesShown), filter, entries.length > entriesShown);
		sendPage(request, response, "History", view, formPolicy);
	}

	/**
	 * `/history/<commit>`, `/history/<commit>/<path>` (before and after side by side), `/version/<commit>/<path>` (as it is).
	 * @returns whether `path` names one of these, and was answered
	 */
	async past(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
		const [, kind, commit = "", encoded] = /^\/(history|version)\/([0-9a-f]{40,64})(?:\/(.+))?$/.exec(path) ?? [];
		if (kind === undefined) return false;
		const name = encoded === undefined ? null : decodePath(encoded);
		if ((encoded !== undefined && name === null) || (kind === "version" && name === null)) return false;
		const found = await this.#inTurn(async () => {
			const entry = await this.#history.entry(commit);
			const file = name === null ? undefined : entry?.files.find((one) => one.path === name);
			if (!entry || (name !== null && !file)) return { entry: null, file: undefined, before: null, after: null };
			const limit = kind === "version" ? largestSavedBytes : largestShownBytes;
			const read = async (oid: string | null | undefined) => (oid ? await this.#history.blob(oid, limit) : null);
			return { entry, file, before: kind === "version" ? null : await read(file?.before), after: await read(file?.after) };
		});
		if (found === null) {
			sendJson(request, response, 503, tooMany);
			return true;
		}
		const { entry, file, before, after } = found;
		if (entry === null) return false;
		if (file === undefined) {
			sendPage(request, response, "One change", commitView(entry));
			return true;
		}
		if (kind === "version") {
			if (after?.content == null) return false;
			const base = displayPath(file.path).split("/").at(-1) ?? "file";
			const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(Buffer.from(base).toString("utf8")).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;
			send(request, response, 200, "application/octet-stream", after.content, ["Content-Disposition", disposition]);
			return true;
		}
		const shown = (version: typeof before) =>
			version === null ? versionOf(null) : versionOf(version.content ?? Buffer.alloc(0), version.size);
		const title = `${displayPath(file.path)} by ${entry.node}`;
		const names = {
			ours: file.from === null ? "before" : `before, as ${displayPath(file.from)}`,
			theirs: `after (${entry.commit.slice(0, 8)})`,
		};
		const back = (
			<p>
				<a href={historyUrl({ path: file.path, node: null })}>All versions</a>
			</p>
		);
		const piece = (
			<div>
				{back}
				{diffView(title, shown(before), shown(after), null, names)}
			</div>
		);
		sendPage(request, response, title, piece);
		return true;
	}

	/** Runs a query of the history, which costs a process. Null: too many are running. */
	async #inTurn<T>(ask: () => Promise<T>): Promise<T | null> {
		if (this.#questions >= mostQuestions) return null;
		this.#questions++;
		try {
			return await ask();
		} finally {
			this.#questions--;
		}
	}
}
