import type { GuardLimits } from "@robust-sync/guard";
import type { Config } from "@robust-sync/workspace";

/** From which loss on a person is asked; null: never (GUARD=0). */
export function guardLimits({ guard, guardFiles, guardPercent }: Config): GuardLimits | null {
	return guard ? { files: guardFiles, percent: guardPercent } : null;
}
