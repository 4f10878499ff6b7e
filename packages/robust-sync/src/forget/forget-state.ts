import fs from "node:fs";
import path from "node:path";
import { type GitPath, idLengthOf, type Oid, OidSet, type Repository } from "@robust-sync/git";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { objectId, readState, type SkippedFile, type WorkspacePaths } from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { KnownMaps } from "./find-maps.ts";
import { type ForgetMap, mapId } from "./forget-map.ts";
import type { MadeHistory, Rewritten } from "./rewrite-all.ts";
import { withoutValues } from "./value.ts";
import { nothingWaits, type WaitingFiles } from "./waiting-files.ts";

export const forgetStateSchema = z.object({
	schema: z.literal(1),
	/** Maps that this node has applied. */
	applied: z.array(mapId),
	/** Maps that it was applying; the next start continues with them. */
	running: z.array(mapId),
	/** A tip of the hub with forgotten content, and its replacement; null: the hub has none. */
	returned: z.nullable(z.object({ tip: objectId, clean: objectId })),
});
export type ForgetState = z.infer<typeof forgetStateSchema>;

const nothing: ForgetState = { schema: 1, applied: [], running: [], returned: null };

/** Reads `sync/forget.json`. If it is missing or invalid, nothing counts as applied, and the state is computed again. */
export function readForgetState(paths: WorkspacePaths): ForgetState {
	const read = readState(paths.forgetState, forgetStateSchema);
	return read.kind === "ok" ? read.state : nothing;
}

/** Writes it durably. @throws the file system's error */
export function writeForgetState(paths: WorkspacePaths, state: ForgetState): void {
	writeAtomicSync(paths.forgetState, `${JSON.stringify(state)}\n`);
}

/** A process's memory of it from cycle to cycle. */
export class ForgetMemory {
	/** The last tip whose maps were read, and that needs no work. */
	examined: Oid | null = null;
	/** Maps by which its history was searched: one that came later may be about it. */
	searched: ReadonlySet<string> = new Set();
	/** The remote's ref of maps, by its last answer; null: it has none, or was not asked. */
	announced: Oid | null = null;
	/** The last one of these that was examined. */
	read: Oid | null = null;
	/** When this process first saw each announced pause, milliseconds since 1970. */
	readonly pausesSeen: Map<string, number> = new Map();
	/** Maps that were read: a large one takes a second. */
	readonly maps: KnownMaps = new Map();
	/** Maps that are not applied, and why. */
	refused: readonly { readonly path: string; readonly reason: string }[] = [];
	/** The maps of the hub's tip and of this node, when they were last read. */
	current: readonly ForgetMap[] = [];
	/** Files that still have forgotten values, when they were last read, and when this was tried to change (`now`). */
	waiting: WaitingFiles = nothingWaits;
	triedAt = Number.NEGATIVE_INFINITY;
	/** Whether a command forgets, which cleans the hub at its end. */
	isCommand = false;
	/** Whether this process has applied a map. */
	hasApplied = false;
	/** Maps whose old objects are on no hub of this machine, or that cannot be removed there. */
	readonly cleaned: Set<string> = new Set();
	/** The history that this process rewrote when it made a map; null: none. */
	made: MadeHistory | null = null;
	/** The result of applying that map; null: none. */
	applied: Rewritten | null = null;

	/** Whether a file must not be published, because it waits to be cleaned. */
	isWaiting(name: GitPath): boolean {
		return this.waiting.paths.has(name);
	}

	/** A content that may be published: a copy of a database whose file waits. */
	withoutWaiting(content: Buffer): Buffer {
		return withoutValues(content, this.waiting.values);
	}

	/** The keys may be other ones: maps are examined again. */
	keysChanged(): void {
		this.examined = null;
		this.read = null;
	}
}

/** At most this many refused maps are reported. */
const mostReported = 100;

/** Maps that this node does not apply, as `skipped` reports them. */
export function forgetSkipped({ refused }: ForgetMemory): SkippedFile[] {
	return refused.slice(0, mostReported).map(({ path: file, reason }) => ({
		path: file,
		reason: "forget-refused",
		remedy: `it is not applied here, and the old history stays: ${reason}`,
	}));
}

const dropFile = (repository: Repository) => path.join(repository.commonDirectory, "robust-sync/forget-objects");

/** Records the objects to remove: from here on nothing else is needed to finish. @throws the file system's error */
export function writeDropList(repository: Repository, oids: OidSet): void {
	fs.mkdirSync(path.dirname(dropFile(repository)), { recursive: true });
	writeAtomicSync(dropFile(repository), oids.lines);
}

/** The objects that remain to be removed; null: there is no list. */
export function readDropList(repository: Repository): OidSet | null {
	try {
		const text = fs.readFileSync(dropFile(repository), "latin1");
		const idLength = idLengthOf(repository);
		return new OidSet(
			idLength,
			text.split("\n").filter((line) => line.length === 2 * idLength && /^[0-9a-f]+$/.test(line)),
		);
	} catch {
		return null;
	}
}

/** All of them are removed. */
export function removeDropList(repository: Repository): void {
	fs.rmSync(dropFile(repository), { force: true });
}
