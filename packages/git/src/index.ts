export * from "./diff.ts";
export * from "./errors.ts";
export * from "./exec.ts";
export * from "./git-environment.ts";
export * from "./git-path.ts";
export * from "./objects.ts";
export * from "./repository.ts";
