import type { SavedDirectory } from "@robust-sync/workspace";
import type { NodeSnapshot } from "../snapshot.ts";
import { alerts, outbox, services, skipped } from "./concerns.tsx";
import { cycles } from "./cycles.tsx";
import { facts, headline, title } from "./headline.tsx";
import { nodes } from "./nodes.tsx";
import { savedVersions } from "./saved.tsx";
import type { VNode } from "./vnode.ts";

/** The content of the page at one time, for HTML and for open pages alike. */
export interface View {
	readonly title: string;
	readonly status: string;
	/** Top-level elements, each with an id. */
	readonly sections: readonly VNode[];
}

/** The page's content. @param older the resolutions before the newest ones, if requested */
export function viewOf(snapshot: NodeSnapshot, older: readonly SavedDirectory[] | null = null): View {
	return {
		title: title(snapshot),
		status: snapshot.health.status,
		sections: [
			headline(snapshot),
			facts(snapshot),
			nodes(snapshot),
			cycles(snapshot),
			alerts(snapshot),
			services(snapshot),
			savedVersions(snapshot, older ?? snapshot.saved.newest, older !== null),
			outbox(snapshot),
			skipped(snapshot),
		],
	};
}
