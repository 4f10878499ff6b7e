export { type Allowed, covers, newSalt, notAllowed, parseAllowed, patternOf, withAllowed } from "./allowed.ts";
export { describe, type Finding, type Match, SecretFinder, slowRule } from "./finder.ts";
export { credentialSecrets, isSearchable, isSecretName, netrcSecrets, type OwnSecret, ownRule, secretsOf } from "./own-secrets.ts";
export { findingsIn, type ScanJob } from "./scan.ts";
export { ScanError, ScanThread } from "./scan-thread.ts";
