import path from "node:path";
import type { GitPath, Oid } from "@robust-sync/git";
import { type Allowed, type Finding, newSalt, ScanThread } from "@robust-sync/secrets";
import type { CycleContext } from "../context/cycle-context.ts";
import { EnvFileSearch } from "../context/env-files.ts";
import { CleanBlobs } from "./clean-blobs.ts";

// Nothing that looks like a secret is published. Two searches: of files before they are committed, so that a secret gets into no commit; and of
// all unpublished blobs before a push, however they got into a commit.

/** The list of deliberate values, at the top of the workspace. */
export const allowFile = ".secretsallow";

/** The same for this machine's own secrets: it is not synced, so no peer can allow them. */
export const localAllowFile = (commonDirectory: string): string => path.join(commonDirectory, "robust-sync", "secretsallow");

/** A file that is held, or was published, because of its content. */
export interface Noted {
	/** The file on disk when it was searched (`statStamp`). */
	readonly stamp: string;
	/** Its path as shown to people: a secret in it is masked. */
	readonly shown: string;
	readonly rule: string;
	readonly line: number;
}

/** A process's memory of its searches. Losing it costs time only. */
export class SecretMemory {
	readonly thread = new ScanThread();
	/** For hashes of values that are compared in this process only. */
	readonly salt = newSalt();
	/** The rules for findings: the mode, `.secretsallow`, this machine's own secrets. */
	policy = "";
	allowed: readonly Allowed[] = [];
	/** Blobs that were searched under this policy, without findings. */
	readonly clean = new CleanBlobs();
	/** The HEAD whose commits contain nothing to hold. */
	checked: Oid | null = null;
	readonly held = new Map<GitPath, Noted>();
	readonly published = new Map<string, Noted>();
	/** Messages that are held, by their names in the outbox and blobs: the place of the secret, and the path for people. */
	readonly messages = new Map<string, { readonly finding: Finding; readonly path: string }>();
	/** When this machine's own secrets were last read, by the monotonic clock. */
	ownReadAt: number | null = null;
	ownKey = "";
	/** The files that they were read from, and their stamp then (`filesStamp`). */
	ownFiles: readonly string[] = [];
	readonly envFiles = new EnvFileSearch();
	ownStamp = "";
}

/** A value that is allowed at one path is not at another. */
export function cleanKey({ memory }: CycleContext, oid: Oid, path: string): string {
	return memory.secrets.allowed.length === 0 ? oid : `${oid} ${path}`;
}

/** Records that a blob holds no secret at a path, under the present policy. */
export function noteClean(context: CycleContext, oid: Oid, path: string): void {
	context.memory.secrets.clean.add(cleanKey(context, oid, path));
}
