import { diskFiles } from "@robust-sync/system/disk-files";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { PlacedFiles } from "../checkout/placed-files.ts";
import { ReplacedFiles } from "../checkout/replaced-files.ts";
import type { CycleMemory } from "../context/cycle-context.ts";
import { ForgetMemory } from "../forget/forget-state.ts";
import { HubPace } from "../remote/hub-pace.ts";
import { SecretMemory } from "../secrets/memory.ts";
import { DirtySet } from "../snapshot/dirty-set.ts";
import { ChangeWindow } from "./change-window.ts";

/** An empty memory, for a new process. */
export function newMemory(paths: WorkspacePaths, deferHot: boolean, clock: MonotonicClock = monotonicClock): CycleMemory {
	return {
		branch: null,
		lastBranch: null,
		resumed: false,
		hasScanned: false,
		damaged: false,
		indexChecked: false,
		synced: null,
		knownHead: null,
		tipAtStart: null,
		hasMoved: false,
		announced: new Set(),
		hot: new Map(),
		vanished: new Map(),
		deferHot,
		scannedAt: Number.NEGATIVE_INFINITY,
		specialFiles: [],
		bareLinks: [],
		databaseCopiedAt: new Map(),
		ownTrackedChecked: false,
		publishable: null,
		refused: [],
		ownTracked: [],
		retriedAt: 0,
		tidiedAt: Number.NEGATIVE_INFINITY,
		changes: new ChangeWindow(clock),
		guarded: null,
		heldReported: "",
		clock,
		dirty: new DirtySet(clock),
		firstChanges: new Map(),
		mirrors: null,
		pace: new HubPace(),
		placed: new PlacedFiles(paths, diskFiles),
		steps: null,
		search: null,
		excluded: { stamp: null, files: 0 },
		validStates: new Map(),
		secrets: new SecretMemory(),
		forget: new ForgetMemory(),
		replaced: new ReplacedFiles(paths, diskFiles, clock),
	};
}
