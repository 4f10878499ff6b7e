import { type GitPath, gitPathIfAllowed, nulRecords, type Oid, openMergeStore, type Repository } from "@robust-sync/git";
import { maxCommits, slowLossWindowMs } from "./slow-loss.ts";

/** A file that a commit changed or deleted. */
export interface Touched {
	readonly path: GitPath;
	/** How long ago, milliseconds. */
	readonly ago: number;
}

/**
 * Which files a node's own commits changed or deleted within the last ten minutes, oldest first.
 * @param to the newest commit
 * @param node whose commits
 * @param now milliseconds since the epoch
 * @throws GitError
 */
export async function recentlyTouched(
	repository: Repository,
	{ to, node, now }: { readonly to: Oid; readonly node: string; readonly now: number },
): Promise<Touched[]> {
	const touched: Touched[] = [];
	let ago: number | null = null;
	let isPath = false;
	const { onOutput, end } = nulRecords((record) => {
		const token = record.toString("latin1");
		if (isPath) {
			isPath = false;
			const path = gitPathIfAllowed(token);
			if (path !== null && ago !== null) touched.push({ path, ago });
			return;
		}
		const text = token.trimStart();
		if (text.startsWith(":")) isPath = true;
		else if (text.startsWith("\u0002")) {
			const [seconds = "", by = ""] = text.slice(1).split("\n");
			ago = Buffer.from(by.trim(), "latin1").toString("utf8") === node ? now - Number(seconds) * 1000 : null;
		}
	});
	const since = Math.floor((now - slowLossWindowMs) / 1000);
	await openMergeStore(repository).run(
		[
			...["log", "-z", "--no-merges", "--raw", "--no-abbrev", "--no-renames", "--no-show-signature", "--diff-filter=DMT"],
			...[`--max-count=${maxCommits}`, `--since=@${since} +0000`],
			"--format=%x02%ct%n%(trailers:key=Robust-Sync-Node,valueonly,separator=%x2C)",
			...["--end-of-options", to, "--"],
		],
		{ onOutput },
	);
	end();
	return touched.reverse();
}
