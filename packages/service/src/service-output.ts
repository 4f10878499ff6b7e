import path from "node:path";
import { LogFile } from "./log-file.ts";

/** Set in unit files: the file for a copy of the service's output to the journal. */
const serviceLogVariable = "ROBUST_SYNC_SERVICE_LOG";

// deploy/robust-sync.logrotate rotates earlier, where it is installed.
const maxBytes = 64 * 1024 * 1024;
const keep = 2;

/**
 * Copies what this process prints into the file that the unit names. The process opens it itself, with its own rights: the service
 * manager would open it as root, and follow any link that the workspace's owner had put in its place. A copy that fails is left out:
 * the journal has the line.
 *
 * @param env where the variable is looked up; it is removed from there, so that processes started by this one do not write there
 */
export function copyOutput(): void {
	const file = process.env[serviceLogVariable];
	delete process.env[serviceLogVariable];
	if (!file || !path.isAbsolute(file)) return;
	const log = new LogFile({ path: file, maxBytes, keep });
	for (const stream of [process.stdout, process.stderr]) {
		const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
		stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
			if (chunk.length > 0) copy(log, chunk);
			return write(chunk, ...rest);
		};
	}
}

function copy(log: LogFile, chunk: string | Uint8Array): void {
	try {
		log.write(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
	} catch {
		// The journal has this output already.
	}
}
