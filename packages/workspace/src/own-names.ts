/** What robust-sync itself keeps in a workspace, and nobody else names so. */
const made =
	/^(?:\.sync_env$|sync\/(?:pending|conflicts|backups|staging|versions)\/|sync\/[^/]*(?:\.(?:json|lock|ring|sock)|_token|-lost)$|logs\/(?:sync|heartbeat|health_server|monitor|conflict_resolver|[^/]*_service)\.log)/;

/** What is read as state of this node, or sent in its name. Locks and state files of a running node are its own, whoever tracks them. */
const state = /^sync\/(?:(?:pending|conflicts|backups|staging|versions)\/|(?:outbox|journal|rescue|forget)\.json$)/;

/** Whether robust-sync keeps a file of this path itself: a person who has tracked it has nothing to rename. */
export const isMadeByUs = (name: string): boolean => made.test(name);

/** Whether a file of this path is read as what this node has still to do. */
export const isReadAsState = (name: string): boolean => state.test(name);

/** Files and directories that are in no directory of another kind that happens to be called `sync` or `logs`. */
export const unmistakableNames: readonly string[] = [
	".sync_env",
	"logs/sync.log",
	...["cycle.lock", "sync_state.json", "pending", "conflicts", "backups", "staging", "versions"].map((name) => `sync/${name}`),
];
