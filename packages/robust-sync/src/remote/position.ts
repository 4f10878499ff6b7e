import { aheadBehind, countCommits, readHead } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { knownTip } from "./upstream.ts";

/** This node's position relative to the last known tip of the remote. */
export interface Position {
	readonly head?: string | null;
	readonly branch?: string | null;
	readonly ahead?: number;
	readonly behind?: number;
}

/** For the state after a failure: the position, as far as it is known without the remote. Never throws. */
export async function readPosition(context: CycleContext): Promise<Position> {
	const { repository, memory } = context;
	const { branch } = memory;
	if (branch === null) return {};
	try {
		const { oid: head } = await readHead(repository);
		if (head === null) return { branch, head, ahead: 0, behind: 0 };
		const tip = await knownTip(context);
		if (tip === null) return { branch, head, ahead: await countCommits(repository, null, head), behind: 0 };
		return { branch, head, ...(await aheadBehind(repository, head, tip)) };
	} catch {
		return { branch };
	}
}
