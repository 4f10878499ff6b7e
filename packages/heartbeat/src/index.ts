export { HeartbeatDaemon, type HeartbeatDaemonOptions } from "./daemon.ts";
export { HeartbeatNode, type NodeSettings, type PeerView } from "./heartbeat-node.ts";
export { heartbeatOnce, type OnceResult } from "./once.ts";
export { type HeartbeatFlags, heartbeatConfig } from "./settings.ts";
