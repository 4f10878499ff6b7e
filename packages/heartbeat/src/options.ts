import type { HeartbeatFlags } from "./settings.ts";

/** The flags of heartbeat, as parsed from the command line. */
export interface Options extends HeartbeatFlags {
	workspace?: string;
	verbose?: boolean;
	json?: boolean;
}
