export { createHealthServer, type HealthServer, type HealthServerOptions } from "./http-server.ts";
export { metricNames } from "./metrics.ts";
export { listen } from "./port-holder.ts";
export { gitReader, type RepositoryReader } from "./repository.ts";
export { type SnapshotOptions, SnapshotReader } from "./snapshot.ts";
