export { backOffMs } from "./back-off.ts";
export { type CycleResult, runCycle } from "./cycle.ts";
export { type CycleContext, type CycleMemory, openWorkspaceRepository } from "./cycle-context.ts";
export { newMemory } from "./daemon.ts";
export { SyncError, toSyncError } from "./sync-error.ts";
