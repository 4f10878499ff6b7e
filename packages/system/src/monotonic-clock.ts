import { kernelProcessTable } from "./process-table.ts";

/** A clock that cannot be set, the same for all processes until the machine is started again. */
export interface MonotonicClock {
	/** The boot that its times belong to. */
	readonly bootId: string;
	/** Milliseconds since an arbitrary time of that boot. */
	now(): number;
}

/** CLOCK_MONOTONIC (clock_gettime(2)) with the kernel's boot id (random(4)). */
export const monotonicClock: MonotonicClock = {
	bootId: kernelProcessTable.bootId(),
	now: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
};
