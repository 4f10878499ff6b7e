import { existsSync, renameSync } from "node:fs";
import path from "node:path";
import { writeAtomic } from "@robust-sync/system/atomic-write";
import { assertOurs } from "@robust-sync/system/own-directory";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import type * as z from "zod/mini";
import { readState } from "./read-state.ts";

/**
 * For the one service that owns the file: its content, or null to start again. A file that does not parse is moved
 * to `<name>.corrupt-<time>` first, and `onCorrupt` is called with that name.
 */
export function readOwnState<S extends z.ZodMiniType>(
	file: string,
	schema: S,
	{ now = Date.now, onCorrupt }: { now?: () => number; onCorrupt?: (movedTo: string, problem: string) => void } = {},
): z.infer<S> | null {
	const read = readState(file, schema);
	if (read.kind === "ok") return read.state;
	if (read.kind === "invalid") {
		assertOurs(path.dirname(file));
		let at = now();
		while (existsSync(`${file}.corrupt-${compactTimestamp(at)}`)) at++;
		const movedTo = `${file}.corrupt-${compactTimestamp(at)}`;
		renameSync(file, movedTo);
		onCorrupt?.(movedTo, read.problem);
	}
	return null;
}

const notAscii = /[\u007f-\uffff]/g;
const unit = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * Writes a state file whole (see writeAtomic), in ASCII: names stay whole, and a terminal that shows the file cannot interpret them as commands.
 * @throws NotOursError; the file system's error
 */
export async function writeState(file: string, state: object): Promise<void> {
	await writeAtomic(file, `${JSON.stringify(state, null, "\t").replace(notAscii, unit)}\n`);
}
