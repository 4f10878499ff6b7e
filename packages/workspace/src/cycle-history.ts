import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import type { WorkspacePaths } from "./paths.ts";

/** The cycles in one slot of time. */
export interface CycleSlot {
	/** Start of the slot, milliseconds since the epoch. */
	readonly at: number;
	readonly cycles: number;
	readonly failures: number;
	/** The longest cycle of the slot. */
	readonly longest_ms: number;
}

// 24 hours in slots of 30 s, each a line of fixed width: the file never grows past 2,880 × 48 bytes and is written in place.
export const slotMs = 30_000;
const slots = 2_880;
const slotBytes = 48;

function parseSlot(line: string): CycleSlot | null {
	const match = /^(\d+) (\d+) (\d+) (\d+) *$/.exec(line);
	return match ? { at: Number(match[1]), cycles: Number(match[2]), failures: Number(match[3]), longest_ms: Number(match[4]) } : null;
}

// By position, not by counting lines: slots without cycles are holes without a line end.
function readSlot(fd: number, index: number): CycleSlot | null {
	const line = Buffer.alloc(slotBytes - 1);
	readSync(fd, line, 0, line.length, index * slotBytes);
	return parseSlot(line.toString("latin1"));
}

/** Counts one cycle that ended at `now` into the ring. A torn or missing file starts again. Never throws. */
export function recordCycle(paths: WorkspacePaths, now: number, durationMs: number, failed: boolean): void {
	const at = Math.floor(now / slotMs) * slotMs;
	const index = (at / slotMs) % slots;
	try {
		const fd = openSync(paths.cycleHistory, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
		try {
			const before = readSlot(fd, index);
			const slot = before?.at === at ? before : { at, cycles: 0, failures: 0, longest_ms: 0 };
			const line = `${at} ${slot.cycles + 1} ${slot.failures + (failed ? 1 : 0)} ${Math.max(slot.longest_ms, Math.round(durationMs))}`;
			writeSync(fd, `${line.slice(0, slotBytes - 1).padEnd(slotBytes - 1)}\n`, index * slotBytes, "latin1");
		} finally {
			closeSync(fd);
		}
	} catch {
		// The history is only drawn: it must not make a cycle fail.
	}
}

/** The slots of the last 24 hours before `now`, oldest first. */
export function readCycleHistory(paths: WorkspacePaths, now: number): CycleSlot[] {
	let text: string;
	try {
		text = readFileSync(paths.cycleHistory, "latin1");
	} catch {
		return [];
	}
	return text
		.split("\n")
		.map((line) => parseSlot(line.replaceAll("\0", "")))
		.filter((slot) => slot !== null)
		.filter((slot) => slot.at <= now && slot.at > now - slots * slotMs)
		.sort((a, b) => a.at - b.at);
}
