/** Thrown by {@link spend} when a merge has used up its steps; only {@link bounded} catches it. */
class OutOfSteps extends Error {}

let left = Number.POSITIVE_INFINITY;

/**
 * Runs a merge with a budget of steps. Steps are counted, never measured, so that every node gives up on the same contents.
 * A merge inside another one spends the budget of the outer one.
 *
 * @param steps limit for the work; one is about one turn of a tight loop.
 * @returns the result of the work, or null if its steps are used up.
 */
export function bounded<T>(steps: number, work: () => T): T | null {
	if (left !== Number.POSITIVE_INFINITY) return work();
	left = steps;
	try {
		return work();
	} catch (error) {
		if (error instanceof OutOfSteps) return null;
		throw error;
	} finally {
		left = Number.POSITIVE_INFINITY;
	}
}

/**
 * Counts steps of the running merge. Outside of {@link bounded} nothing is counted.
 *
 * @throws if fewer are left: the merge ends.
 */
export function spend(steps: number): void {
	left -= steps;
	if (left < 0) throw new OutOfSteps();
}
