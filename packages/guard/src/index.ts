export * from "./approval.ts";
export * from "./content-loss.ts";
export * from "./loss.ts";
export * from "./possible-loss.ts";
export * from "./recently-touched.ts";
export { findSlowLoss, joinLosses, slowLossWindowMs } from "./slow-loss.ts";
