export { createHealthServer, type HealthServer, type HealthServerOptions } from "./http-server.ts";
export { listen } from "./listen.ts";
export { metricNames } from "./metrics.ts";
export { healthServerProgram } from "./program.ts";
export { gitReader, type RepositoryReader } from "./repository.ts";
export { type SnapshotOptions, SnapshotReader } from "./snapshot.ts";
