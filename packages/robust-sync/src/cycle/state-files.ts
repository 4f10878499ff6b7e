import fs from "node:fs";
import path from "node:path";
import { printable } from "@robust-sync/service/printable";
import { fileStamp } from "@robust-sync/system/file-stamp";
import {
	annotationSchema,
	guardNotesSchema,
	healthStateSchema,
	heartbeatStateSchema,
	heldStateSchema,
	journalSchema,
	monitorStatusSchema,
	pauseFileSchema,
	peerStateSchema,
	readOwnState,
	readState,
	silencesSchema,
	unsavedMergesSchema,
	WorkspacePaths,
} from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { forgetStateSchema } from "../forget/forget-state.ts";
import { outboxSchema } from "../outbox/outbox.ts";
import { refusedSchema } from "../remote/refused-list.ts";

/** An invalid state file. */
export interface InvalidState {
	/** Its name in `sync/`. */
	readonly name: string;
	readonly problem: string;
	/** What fixes it. */
	readonly fix: string;
}

type Schema = Parameters<typeof readState>[1];

/** The files in which a cycle remembers its remaining work. */
const ofCycles = (paths: WorkspacePaths): readonly (readonly [file: string, schema: Schema])[] => [
	[paths.outboxNames, outboxSchema],
	[paths.journal, journalSchema],
	[paths.held, heldStateSchema],
	[paths.refusedFiles, refusedSchema],
	[paths.unsavedMerges, unsavedMergesSchema],
	[paths.guardNotes, guardNotesSchema],
	[paths.annotation, annotationSchema],
];

function peerFiles(paths: WorkspacePaths): string[] {
	try {
		return fs
			.readdirSync(paths.sync)
			.filter((name) => WorkspacePaths.peerOfFile(name) !== null)
			.map((name) => path.join(paths.sync, name));
	} catch {
		return [];
	}
}

/** All invalid state files except `sync_state.json`. Changes nothing, never throws. */
export function invalidStates(paths: WorkspacePaths): InvalidState[] {
	const table: (readonly [file: string, schema: Schema, fix: string])[] = [
		...ofCycles(paths).map(([file, schema]) => [file, schema, "robust-sync --once moves it aside and starts a new one"] as const),
		[paths.pause, pauseFileSchema, "robust-sync --resume"],
		[paths.silences, silencesSchema, "monitor --silence starts a new one: until then every alert is sent"],
		[paths.forgetState, forgetStateSchema, "rm sync/forget.json: it is rebuilt from the history"],
		[paths.heartbeatState, heartbeatStateSchema, "restart heartbeat"],
		[paths.healthState, healthStateSchema, "restart health-server"],
		[paths.monitorStatus, monitorStatusSchema, "restart monitor"],
		...peerFiles(paths).map((file) => [file, peerStateSchema, "restart heartbeat"] as const),
	];
	return table.flatMap(([file, schema, fix]) => {
		const read = readState(file, schema);
		return read.kind === "invalid" ? [{ name: path.basename(file), problem: printable(read.problem), fix }] : [];
	});
}

/**
 * Moves invalid files with remaining work away, and reports each of them.
 * @returns the moved files, for the log; null: none
 * @throws NotOursError; the file system's error
 */
export async function setAsideInvalidStates({ paths, memory, now }: CycleContext): Promise<string | null> {
	const moved: string[] = [];
	for (const [file, schema] of ofCycles(paths)) {
		const stamp = fileStamp(file, fs.lstatSync);
		if (stamp === null || memory.validStates.get(file) === stamp) continue;
		readOwnState(file, schema, {
			now,
			onCorrupt: (to, problem) => moved.push(`sync/${path.basename(file)} was not valid (${problem}): moved to ${path.basename(to)}`),
		});
		memory.validStates.set(file, stamp);
	}
	return moved.length > 0 ? printable(moved.join("; ")) : null;
}
