/** The names that robust-sync reserves in a workspace. */
const made =
	/^(?:\.sync_env$|sync\/(?:pending|conflicts|backups|staging|versions)\/|sync\/[^/]*(?:\.(?:json|lock|ring|sock)|_token|-lost)$|logs\/(?:sync|heartbeat|health_server|monitor|conflict_resolver|[^/]*_service)\.log)/;

/** Names that are read as state of this node, or sent in its name. Locks and state files of a running node are its own, even if a user tracks them. */
const state = /^sync\/(?:(?:pending|conflicts|backups|staging|versions)\/|(?:outbox|journal|forget)\.json$)/;

/** Whether robust-sync itself writes a file of this path: a person who has tracked such a file need not rename it. */
export const isMadeByUs = (name: string): boolean => made.test(name);

/** Whether a file of this path is read as pending work of this node. */
export const isReadAsState = (name: string): boolean => state.test(name);

/** Names that no unrelated directory called `sync` or `logs` contains. */
export const unmistakableNames: readonly string[] = [
	".sync_env",
	"logs/sync.log",
	...["cycle.lock", "sync_state.json", "pending", "conflicts", "backups", "staging", "versions"].map((name) => `sync/${name}`),
];
