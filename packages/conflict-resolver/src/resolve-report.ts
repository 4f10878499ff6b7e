import type { Oid } from "@robust-sync/git";
import type { Strategy } from "@robust-sync/resolve";
import type { Manifest } from "@robust-sync/workspace";
import type { Operation } from "./operation-state.ts";

/** The result of `--resolve`, or its plan. */
export interface ResolveReport {
	/** The operation of git that was in progress; `upstream`: none, and the fetched upstream was merged. */
	readonly operation: Operation | "upstream";
	/** HEAD afterwards; null: nothing was committed. */
	readonly commit: Oid | null;
	readonly files: readonly {
		readonly path: string;
		readonly type: string;
		readonly strategy: Strategy;
		readonly winner: Manifest["files"][number]["winner"];
	}[];
	/** Names below sync/conflicts/. */
	readonly saved: readonly string[];
	/** Name below sync/backups/ of the backup; null: none. */
	readonly setAside: string | null;
	/** The git command that continues from here; null: none is needed. */
	readonly next: string | null;
}
