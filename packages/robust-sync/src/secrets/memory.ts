import path from "node:path";
import type { GitPath, Oid } from "@robust-sync/git";
import { type Allowed, type Finding, newSalt, ScanThread } from "@robust-sync/secrets";
import type { CycleContext } from "../context/cycle-context.ts";

// Nothing that looks like a secret is published. Two looks: at files before they are committed, so that a secret gets into no commit; and at
// the blobs of all that was not published yet, before anything is: whatever door they came in by.

/** Where deliberate values are listed, at the top of the workspace. */
export const allowFile = ".secretsallow";

/** The same for this machine's own secrets: it does not travel, so no peer can allow them. */
export const localAllowFile = (commonDirectory: string): string => path.join(commonDirectory, "robust-sync", "secretsallow");

/** A file that is held, or was published, because of what is in it. */
export interface Noted {
	/** The file on disk when it was searched (`statStamp`). */
	readonly stamp: string;
	/** Its path as shown to people: a secret in it is masked. */
	readonly shown: string;
	readonly rule: string;
	readonly line: number;
}

/** What a process remembers of what it searched. Losing it costs time only. */
export class SecretMemory {
	readonly thread = new ScanThread();
	/** For hashes of values that are compared in this process, and leave it nowhere. */
	readonly salt = newSalt();
	/** What decides about findings: the mode, `.secretsallow`, this machine's own secrets. */
	policy = "";
	allowed: readonly Allowed[] = [];
	/** Blobs that were searched under this policy and hold nothing. */
	readonly clean = new Set<string>();
	/** HEAD, whose commits hold nothing that is to be held. */
	checked: Oid | null = null;
	readonly held = new Map<GitPath, Noted>();
	readonly published = new Map<string, Noted>();
	/** Messages that are held, by their names in the outbox and blobs: where the secret is, and the path for people. */
	readonly messages = new Map<string, { readonly finding: Finding; readonly path: string }>();
	/** When this machine's own secrets were last read, by the clock that nobody sets. */
	ownReadAt: number | null = null;
	ownKey = "";
}

/** More blobs than this are forgotten, and searched again when they turn up. */
const maxClean = 200_000;

/** What is allowed at one path is not at another. */
export function cleanKey({ memory }: CycleContext, oid: Oid, path: string): string {
	return memory.secrets.allowed.length === 0 ? oid : `${oid} ${path}`;
}

/** Notes that a blob holds no secret at a path, under the policy of now. */
export function noteClean(context: CycleContext, oid: Oid, path: string): void {
	const { clean } = context.memory.secrets;
	if (clean.size >= maxClean) clean.clear();
	clean.add(cleanKey(context, oid, path));
}
