import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { textBytes } from "@robust-sync/git";
import { fsyncDirectory } from "@robust-sync/system/atomic-write";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import type { WorkspacePaths } from "@robust-sync/workspace";

/**
 * Puts a complete message into the outbox: written under a hidden name, then renamed.
 * @param name as an operand, whose bytes it gets (`textBytes`)
 * @returns its name in `sync/pending/`
 */
export function enqueueMessage(paths: WorkspacePaths, name: string, content: Buffer): string {
	makeOwnDirectory(paths.sync);
	makeOwnDirectory(paths.pending);
	const temporary = path.join(paths.pending, `.${randomUUID()}.tmp`);
	const file = fs.openSync(temporary, "wx", 0o600);
	try {
		fs.writeFileSync(file, content);
		fs.fsyncSync(file);
	} finally {
		fs.closeSync(file);
	}
	for (let attempt = 0; ; attempt++) {
		const parsed = path.parse(name);
		const free = attempt === 0 ? name : `${parsed.name}-${attempt}${parsed.ext}`;
		try {
			// link, not rename: a waiting message with the same name is not overwritten.
			fs.linkSync(temporary, textBytes(path.join(paths.pending, free)));
			fs.rmSync(temporary);
			fsyncDirectory(paths.pending);
			return free;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
				fs.rmSync(temporary, { force: true });
				throw error;
			}
		}
	}
}
