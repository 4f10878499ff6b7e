export { type AttributeKind, type Kind, maxMergedBytes } from "./kind.ts";
export { hasLineConflict } from "./line-conflict.ts";
export { kindOf, mergeContents, type Side } from "./merge.ts";
export { containsAddition, inferBase, isLostUpdate, mayDeriveFrom } from "./stale.ts";
