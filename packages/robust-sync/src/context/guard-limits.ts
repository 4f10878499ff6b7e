import type { GuardLimits } from "@robust-sync/guard";
import type { Config } from "@robust-sync/workspace";

/** The limits above which a loss waits for a person's decision; null: never (GUARD=0). */
export function guardLimits({ guard, guardFiles, guardPercent }: Config): GuardLimits | null {
	return guard ? { files: guardFiles, percent: guardPercent } : null;
}
