export { backOffMs } from "./context/back-off.ts";
export { type CycleContext, type CycleMemory, openWorkspaceRepository } from "./context/cycle-context.ts";
export { SyncError, toSyncError } from "./context/sync-error.ts";
export { type CycleResult, runCycle } from "./cycle/cycle.ts";
export { newMemory } from "./daemon/new-memory.ts";
