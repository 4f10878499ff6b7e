export { type CheckReport, checkOnce } from "./check-once.ts";
export { runChecks } from "./checks/all.ts";
export { monitorProgram } from "./program.ts";
export type { Facts } from "./readings/facts.ts";
export { readFacts, type Sources, systemSources } from "./readings/read-facts.ts";
