import { Account } from "./account.ts";
import { makeHistory } from "./history-fixture.ts";
import { RandomWalk } from "./random-walk.ts";

/** How far a walk goes. `spoil` does damage before the audit, which must find it. */
export interface Walk {
	readonly nodes: number;
	readonly seed: number;
	readonly edits: number;
	readonly spoil?: (walk: RandomWalk) => void;
}

/** Lets nodes edit and merge at random, and follows all that they wrote. @returns what is wrong */
export async function walkAndAudit({ nodes, seed, edits, spoil }: Walk): Promise<readonly string[]> {
	const history = await makeHistory();
	try {
		const walk = new RandomWalk(history, seed, nodes);
		await walk.run(edits);
		await walk.againFromTheOtherSide(0.2);
		spoil?.(walk);
		return await new Account(history, walk).audit();
	} finally {
		history.remove();
	}
}
