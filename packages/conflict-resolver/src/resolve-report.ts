import type { Oid } from "@robust-sync/git";
import type { Strategy } from "@robust-sync/resolve";
import type { Manifest } from "@robust-sync/workspace";
import type { Operation } from "./operation-state.ts";

/** What `--resolve` did, or would do. */
export interface ResolveReport {
	/** What git was in the middle of; `upstream`: nothing, and the fetched upstream was merged. */
	readonly operation: Operation | "upstream";
	/** Where HEAD is now; null: nothing was committed. */
	readonly commit: Oid | null;
	readonly files: readonly {
		readonly path: string;
		readonly type: string;
		readonly strategy: Strategy;
		readonly winner: Manifest["files"][number]["winner"];
	}[];
	/** Names below sync/conflicts/. */
	readonly saved: readonly string[];
	/** Name below sync/backups/ of what was set aside; null: nothing. */
	readonly setAside: string | null;
	/** The git command that goes on from here; null: none is needed. */
	readonly next: string | null;
}
