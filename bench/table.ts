/** What one bench found: our figure, the floor measured in the same run, their ratio, and what was asked for. */
export interface BenchTable {
	name: string;
	rows: BenchRow[] | Record<string, string>[];
	/** Where they are other columns than those of BenchRow. */
	columns?: string[];
	notes?: string[];
}

export interface BenchRow {
	what: string;
	ours: string;
	floor: string;
	ratio: string;
	target: string;
}

/** The value below which the share `p` of all values is. */
export function percentile(values: readonly number[], p: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Milliseconds for people. */
export function ms(value: number): string {
	return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : value >= 100 ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`;
}

export const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

export const ratio = (ours: number, floor: number): string => `${(ours / floor).toFixed(2)} ×`;

/** A row of two times. */
export function timeRow(what: string, ours: number, floor: number, target: string): BenchRow {
	return { what, ours: ms(ours), floor: ms(floor), ratio: ratio(ours, floor), target };
}
