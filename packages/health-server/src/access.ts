import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { userOf } from "./client-user.ts";

/** Decides which clients may see names and contents of files. */
export type AccessCheck = (request: IncomingMessage) => boolean;

const tokenPattern = /^[\w-]{32,}$/;

/** The token of `sync/health_token`, if only its owner can read the file; else null. */
function readToken(file: string): string | null {
	try {
		const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			const stats = fstatSync(fd);
			if (!stats.isFile() || stats.size > 1_024 || (stats.mode & 0o077) !== 0) return null;
			const token = readFileSync(fd, "utf8").trim();
			return tokenPattern.test(token) ? token : null;
		} finally {
			closeSync(fd);
		}
	} catch {
		return null;
	}
}

/**
 * Creates the token that a web server in front of this one sends, unless it exists.
 * @throws the file system's error
 */
export function ensureToken(paths: WorkspacePaths): void {
	let fd: number;
	try {
		fd = openSync(paths.healthToken, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
		throw error;
	}
	try {
		writeSync(fd, `${randomBytes(32).toString("base64url")}\n`);
	} finally {
		closeSync(fd);
	}
}

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Names and contents of files are for the workspace's owner, root, and the user that this server runs as, identified by the client's end of the
 * connection. Behind a web server every client is that server's user; it sends the token of `sync/health_token` instead
 * (`Authorization: Bearer …`), and decides itself which clients it admits.
 */
export function ownersOnly(paths: WorkspacePaths): AccessCheck {
	return (request) => {
		const user = userOf(request.socket);
		if (user === 0 || (user !== null && user === process.geteuid?.())) return true;
		if (user !== null && user === statSync(paths.root, { throwIfNoEntry: false })?.uid) return true;
		const shown = /^Bearer ([\w-]+)$/i.exec(request.headers.authorization ?? "")?.[1];
		if (shown === undefined) return false;
		const token = readToken(paths.healthToken);
		return token !== null && timingSafeEqual(digest(shown), digest(token));
	};
}
