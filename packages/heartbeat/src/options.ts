import type { HeartbeatFlags } from "./settings.ts";

/** The flags of heartbeat, as the command line hands them over. */
export interface Options extends HeartbeatFlags {
	workspace?: string;
	verbose?: boolean;
	json?: boolean;
}
