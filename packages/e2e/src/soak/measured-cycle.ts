import type { Node } from "../fixture/node.ts";

export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** How long a node's last cycle took, where that one had something to do. */
export function cycleMsOf(node: Node): number | null {
	const cycle = node.state()?.last_cycle;
	return cycle && cycle.committed + cycle.pulled + cycle.pushed > 0 ? cycle.duration_ms : null;
}
