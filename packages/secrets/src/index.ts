export { type Allowed, covers, newSalt, parseAllowed, patternOf, withAllowed } from "./allowed.ts";
export { describe, type Finding, type Match, SecretFinder, slowRule } from "./finder.ts";
export { credentialSecrets, netrcSecrets, type OwnSecret, ownRule, secretsOf } from "./own-secrets.ts";
export { ScanError, ScanThread } from "./scan-thread.ts";
