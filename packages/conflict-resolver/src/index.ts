export { type AbortReport, abortOperation } from "./abort.ts";
export { type Conflict, listConflicts, type UnresolvedConflicts } from "./conflicts.ts";
export { makeReport, type Report } from "./report.ts";
export { resolveConflicts } from "./resolve.ts";
export type { ResolveReport } from "./resolve-report.ts";
export { openWorkspace, type ResolverContext } from "./resolver-context.ts";
export { type RestoreReport, restoreVersions } from "./restore.ts";
