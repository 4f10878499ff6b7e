import fs from "node:fs";
import path from "node:path";
import { textBytes } from "@robust-sync/git";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { NotOursError } from "@robust-sync/system/own-directory";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";
import { enqueueMessage } from "../outbox/enqueue.ts";

async function readStandardInput(): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks);
}

/** A name that starts with a dot or ends in .tmp would count as incomplete. */
function pendingName(name: string): string {
	return name.replace(/^\.+/, "").replace(/\.tmp$/, ".txt") || "message.txt";
}

/**
 * Puts a file, or standard input (`-`), into the outbox. @returns its name there
 * @throws CommandError when the file cannot be read or the outbox not written
 */
export async function sendMessage(paths: WorkspacePaths, source: string): Promise<string> {
	let content: Buffer;
	let name: string;
	try {
		content = source === "-" ? await readStandardInput() : fs.readFileSync(textBytes(source));
		name = source === "-" ? `message-${compactTimestamp(Date.now())}.txt` : pendingName(path.basename(source));
	} catch (error) {
		throw new CommandError(
			`${source} cannot be read (${(error as NodeJS.ErrnoException).code}): name a file, or - for standard input`,
			ExitCode.failed,
			{ cause: error },
		);
	}
	if (source === "-" && content.length === 0) {
		throw new CommandError("nothing to send: standard input was empty", ExitCode.usage);
	}
	try {
		return enqueueMessage(paths, name, content);
	} catch (error) {
		if (error instanceof NotOursError) throw error;
		throw new CommandError(`the outbox ${paths.pending} cannot be written (${(error as NodeJS.ErrnoException).code})`, ExitCode.failed, {
			cause: error,
		});
	}
}
