import { createHash } from "node:crypto";
import type { Oid, Repository } from "../process/repository.ts";

/** An object that is to be written. */
export interface NewObject {
	readonly type: "commit" | "tree" | "blob" | "tag";
	readonly content: Buffer;
	/** Objects with the same key are likely to have much in common: the versions of one directory. In a pack, each is stored as a delta on the last. */
	readonly series?: string;
}

/** The id that an object gets. */
export function objectOid({ type, content }: NewObject, format: Repository["objectFormat"]): Oid {
	return createHash(format).update(`${type} ${content.length}\0`).update(content).digest("hex");
}
