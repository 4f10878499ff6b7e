import { type GitPath, readHead, withObjectReader } from "@robust-sync/git";
import { type HistoryEntry, readHistory } from "@robust-sync/history/log";
import { openOnce } from "./open-once.ts";

/** The queries of the page to the history. Each costs a git process, and is ended after ten seconds. */
export interface HistoryReader {
	/**
	 * Commits, newest first.
	 * @param before only commits older than this one, which is left out
	 * @throws GitError
	 */
	entries(query: { path: GitPath | null; node: string | null; before: string | null; limit: number }): Promise<HistoryEntry[]>;
	/** One commit; null: there is none of this id. @throws GitError */
	entry(commit: string): Promise<HistoryEntry | null>;
	/** A blob, or null if it is larger than `maxBytes`, with its size. @throws GitError */
	blob(oid: string, maxBytes: number): Promise<{ readonly content: Buffer | null; readonly size: number } | null>;
}

const timeoutMs = 10_000;
/** Commits and blobs are named by whole ids only. */
export const isObjectId = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** The history of the repository in `root`, opened at the first query. */
export function gitHistory(root: string, node: string): HistoryReader {
	const repository = openOnce(root, node);
	return {
		async entries({ path, node: by, before, limit }) {
			const from = await repository();
			const { oid } = await readHead(from);
			const head = before ?? oid;
			if (head === null) return [];
			const entries = await readHistory(from, {
				head,
				...(path === null ? {} : { paths: [path] }),
				node: by,
				limit: before === null ? limit : limit + 1,
				timeoutMs,
			});
			return entries.filter(({ commit }) => commit !== before).slice(0, limit);
		},
		async entry(commit) {
			if (!isObjectId(commit)) return null;
			const from = await repository();
			const isCommit = await withObjectReader(from, async (reader) => (await reader.infos([commit]))[0]?.type === "commit");
			return isCommit ? ((await readHistory(from, { head: commit, limit: 1, timeoutMs }))[0] ?? null) : null;
		},
		async blob(oid, maxBytes) {
			if (!isObjectId(oid)) return null;
			let found: { content: Buffer | null; size: number } | null = null;
			await withObjectReader(await repository(), (reader) =>
				reader.each(
					[oid],
					(info, content) => {
						if (info?.type === "blob") found = { content: content === null ? null : Buffer.from(content), size: info.size };
					},
					maxBytes,
				),
			);
			return found;
		},
	};
}
