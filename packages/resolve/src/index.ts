export { type DecidingCommit, saveDecidedForUpstream } from "./decided-for-upstream.ts";
export * from "./integrate.ts";
export { kindAttributes } from "./kind-attributes.ts";
export { pruneSavedVersions } from "./prune-saved-versions.ts";
export type { Resolution, ResolvedFile, Role, Strategy } from "./resolution.ts";
export { type EarlierResolution, resolutionsBetween } from "./resolutions-between.ts";
export { resolveMerge } from "./resolve-merge.ts";
export { resolveStages, type UnmergedPaths } from "./resolve-stages.ts";
export { type SavedHeader, saveVersions, saveVersionsOf, type VersionContent, type VersionsToSave } from "./save-versions.ts";
