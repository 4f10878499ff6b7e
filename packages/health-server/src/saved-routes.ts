import type { IncomingMessage, ServerResponse } from "node:http";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import { type SavedDirectory, sideText, type WorkspacePaths } from "@robust-sync/workspace";
import { beforeOf, send, sendHtml, sendJson, sendPage } from "./answer.ts";
import { savedDocument } from "./documents.ts";
import { diffView, largestShownBytes, type Version, versionOf } from "./page/diff-view.tsx";
import { plainPage } from "./page/page.tsx";
import { type SavedEntry, type Side, savedName, savedVersions } from "./page/saved.tsx";
import { gitWaitMs, type RepositoryReader } from "./repository.ts";
import { readSavedFile } from "./saved-files.ts";
import type { SnapshotReader } from "./snapshot.ts";

export const largestSavedBytes = 64 * 1024 * 1024;

export interface SavedRoutesOptions {
	readonly paths: WorkspacePaths;
	readonly snapshots: SnapshotReader;
	readonly repository: RepositoryReader;
}

/** Whether a client asks for a page, as browsers do and programs do not (RFC 9110, section 12.5.1). */
const wantsPage = (request: IncomingMessage) => request.headers.accept?.includes("text/html") ?? false;

/** The saved versions: `/saved`, `/saved/<directory>/<file>` and `/diff/<directory>/<n>`. The caller checks the access. */
export class SavedRoutes {
	readonly #options: SavedRoutesOptions;

	constructor(options: SavedRoutesOptions) {
		this.#options = options;
	}

	/** `/saved`: the saved versions, newest first; a page for a browser, JSON for programs. */
	async list(request: IncomingMessage, response: ServerResponse, query: string): Promise<void> {
		const { snapshots } = this.#options;
		const before = beforeOf(query);
		const vary = { Vary: "Accept" };
		if (wantsPage(request)) {
			const snapshot = await snapshots.read();
			const list = before === null ? snapshot.saved.newest : snapshots.savedBefore(before);
			const section = savedVersions(snapshot, list, before !== null, "/saved");
			sendHtml(request, response, plainPage("Saved versions", null, [section]), undefined, vary);
			return;
		}
		const list = before === null ? (await snapshots.read()).saved.newest : snapshots.savedBefore(before);
		sendJson(request, response, 200, { saved: list.map(savedDocument) }, Object.entries(vary).flat());
	}

	/** Sends one saved version unchanged. @returns whether `path` names one, and was answered */
	file(request: IncomingMessage, response: ServerResponse, path: string): boolean {
		const [, saved, encoded] = /^\/saved\/([^/]+)\/(.+)$/.exec(path) ?? [];
		if (!saved || !encoded) return false;
		const segments = encoded.split("/").map(decodeSegment);
		if (segments.some((segment) => segment === null)) return false;
		const file = readSavedFile(this.#options.paths, saved, segments.join("/"), largestSavedBytes);
		if (!file || file.size > largestSavedBytes) return false;
		const isText = versionOf(file.content).kind !== "binary";
		send(request, response, 200, isText ? "text/plain; charset=utf-8" : "application/octet-stream", file.content);
		return true;
	}

	/** The versions of the n-th file of a manifest side by side, as a page or for a page that is open. @returns as {@link file} */
	async diff(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
		const [, name, index] = /^\/diff\/([^/]+)\/(\d{1,6})$/.exec(path) ?? [];
		const saved = name === undefined ? null : this.#directory(name);
		const file = saved?.manifest?.files[Number(index)];
		if (!saved?.manifest || !file) return false;
		const side = (which: Side) => this.#version(saved.name, file, which);
		const result = await this.#result(saved.manifest.merge_commit, file.path);
		const piece = diffView(file.path, side("ours"), side("theirs"), result, {
			ours: sideText(file, "ours"),
			theirs: sideText(file, "theirs"),
		});
		if (request.headers.accept?.includes("application/json")) sendJson(request, response, 200, piece);
		else sendPage(request, response, file.path, piece);
		return true;
	}

	#directory(name: string): SavedDirectory | null {
		const at = parseCompactTimestamp(name);
		if (at === null) return null;
		// The list is newest first: the resolutions before the next millisecond begin with this one.
		const next = new Date(at + 1).toISOString().replaceAll(/[-:]/g, "");
		return this.#options.snapshots.savedBefore(next, 1).find((saved) => saved.name === name) ?? null;
	}

	#version(saved: string, file: SavedEntry, side: Side): Version {
		const name = savedName(file, side);
		const read = name === null ? null : readSavedFile(this.#options.paths, saved, name, largestShownBytes);
		return read ? versionOf(read.content, read.size) : versionOf(null);
	}

	async #result(commit: string | null, file: string): Promise<Version> {
		if (commit === null) return { kind: "none" };
		let timer: NodeJS.Timeout | undefined;
		const timeout = new Promise<null>((resolve) => {
			timer = setTimeout(resolve, gitWaitMs, null);
		});
		const read = this.#options.repository.fileAt(commit, file, largestShownBytes).catch(() => null);
		return versionOf(await Promise.race([read, timeout]).finally(() => clearTimeout(timer)));
	}
}

function decodeSegment(segment: string): string | null {
	try {
		const decoded = decodeURIComponent(segment);
		return decoded.includes("/") ? null : decoded;
	} catch {
		return null;
	}
}
