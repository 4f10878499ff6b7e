export { HeartbeatDaemon, type HeartbeatDaemonOptions } from "./daemon.ts";
export { HeartbeatNode } from "./heartbeat-node.ts";
export type { NodeSettings } from "./node-state.ts";
export { heartbeatOnce, type OnceResult } from "./once.ts";
export type { PeerView } from "./peer-view.ts";
export { type HeartbeatFlags, heartbeatConfig } from "./settings.ts";
