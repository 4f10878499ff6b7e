export * from "./log.ts";
export * from "./moment.ts";
export * from "./restore.ts";
export * from "./selected-paths.ts";
export * from "./shallow.ts";
export * from "./trailers.ts";
export * from "./undo.ts";
export * from "./versions.ts";
