import type { CycleSlot } from "@robust-sync/workspace";

/** Joins slots into longer ones of `lengthMs`, by their start times. */
export function joinSlots(slots: readonly CycleSlot[], lengthMs: number): Map<number, CycleSlot> {
	const joined = new Map<number, CycleSlot>();
	for (const slot of slots) {
		const at = Math.floor(slot.at / lengthMs) * lengthMs;
		const known = joined.get(at);
		joined.set(at, {
			at,
			cycles: (known?.cycles ?? 0) + slot.cycles,
			failures: (known?.failures ?? 0) + slot.failures,
			longest_ms: Math.max(known?.longest_ms ?? 0, slot.longest_ms),
		});
	}
	return joined;
}
