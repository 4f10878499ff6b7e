import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Repository } from "./repository.ts";
import { parseRetryAfter } from "./retry-after.ts";

/** The last answer of a web server to one git command. */
export interface HttpAnswer {
	/** 100 to 599. */
	readonly status: number;
	/** The server's Retry-After, milliseconds; null: it gave none. */
	readonly retryAfterMs: number | null;
	/** The answer reports that the rate limit is used up. */
	readonly isLimited: boolean;
}

/** What a command on the network left beside its standard error: each field holds the words of one side only. */
export interface NetworkAnswer {
	/** null: not over HTTP, or it never answered. */
	readonly http: HttpAnswer | null;
	/** The ssh client's own messages; null: not separable from the remote's. */
	readonly ssh: string | null;
	/** What programs on the remote wrote to standard error over ssh. */
	readonly remote: string;
}

/** No longer wait is obeyed: a server that names a year has made a mistake. */
const longestRetryAfterMs = 24 * 3_600_000;
/** Far more than the headers of one push. */
const maxLogBytes = 1_048_576;
const prefix = "rs-net-";

/**
 * The last answer in a curl trace of git (GIT_TRACE_CURL, git(1)). Bodies are not in such a trace, and each of its lines begins
 * with git's own words, so that no server can write a status that it did not send.
 * @param now milliseconds since 1970, for a Retry-After that is a date
 */
export function readHttpTrace(trace: string, now: number): HttpAnswer | null {
	let status: number | null = null;
	let headers = new Map<string, string>();
	for (const line of trace.split("\n")) {
		const received = /^\S+ \S+:\d+\s+<= Recv header: ?(.*?)\r?$/.exec(line)?.[1];
		if (received === undefined) continue;
		const answered = /^HTTP\/\d(?:\.\d)? (\d{3})(?: |$)/.exec(received)?.[1];
		if (answered !== undefined) {
			status = Number(answered);
			headers = new Map();
			continue;
		}
		const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(received) ?? [];
		if (name !== undefined && value !== undefined) headers.set(name.toLowerCase(), value.trim());
	}
	if (status === null || status > 599) return null;
	const remaining = headers.get("x-ratelimit-remaining") ?? headers.get("ratelimit-remaining");
	const retryAfterMs = parseRetryAfter(headers.get("retry-after"), headers.get("date"), now);
	return {
		status,
		retryAfterMs: retryAfterMs === null ? null : Math.min(retryAfterMs, longestRetryAfterMs),
		isLimited: remaining === "0" || retryAfterMs !== null,
	};
}

let directory: string | null | undefined;
let files = 0;

/** A private directory of this process; null: there is no place for one. */
function logDirectory(): string | null {
	if (directory !== undefined && (directory === null || fs.existsSync(directory))) return directory;
	removeAbandoned();
	try {
		const made = fs.mkdtempSync(path.join(os.tmpdir(), `${prefix}${process.pid}-`));
		process.once("exit", () => fs.rmSync(made, { recursive: true, force: true }));
		// It becomes part of a shell command.
		directory = /^[\w./-]+$/.test(made) ? made : null;
	} catch {
		directory = null;
	}
	return directory;
}

/** Removes what processes of ours left that were killed. */
function removeAbandoned(): void {
	try {
		for (const name of fs.readdirSync(os.tmpdir())) {
			const pid = /^rs-net-(\d+)-[A-Za-z0-9]{6}$/.exec(name)?.[1];
			if (pid === undefined || fs.existsSync(`/proc/${pid}`)) continue;
			const left = path.join(os.tmpdir(), name);
			const stats = fs.lstatSync(left, { throwIfNoEntry: false });
			if (stats?.isDirectory() && stats.uid === process.geteuid?.()) fs.rmSync(left, { recursive: true, force: true });
		}
	} catch {
		// Another one does it.
	}
}

function readLog(file: string): string | null {
	try {
		const { size } = fs.statSync(file);
		const fd = fs.openSync(file, "r");
		try {
			// The last answer counts.
			const bytes = Buffer.alloc(Math.min(size, maxLogBytes));
			return bytes.toString("utf8", 0, fs.readSync(fd, bytes, 0, bytes.length, size - bytes.length));
		} finally {
			fs.closeSync(fd);
		}
	} catch {
		return null;
	}
}

/** Separates the messages of git, ssh, a web server and the remote's programs during one git command. */
export class NetworkLog {
	/** Variables for the command. */
	readonly env: Readonly<Record<string, string>>;
	readonly #base: string | null;
	readonly #isSshSeparate: boolean;

	constructor({ env }: Repository) {
		const place = logDirectory();
		this.#base = place === null ? null : path.join(place, String(files++));
		const ssh = env.GIT_SSH_COMMAND;
		// Only OpenSSH has our options in it (git-environment.ts).
		this.#isSshSeparate = this.#base !== null && ssh?.includes(" -o BatchMode=yes ") === true;
		this.env =
			this.#base === null
				? {}
				: {
						GIT_TRACE_CURL: `${this.#base}.http`,
						GIT_TRACE_CURL_NO_DATA: "1",
						GIT_TRACE_REDACT: "1",
						// ssh(1): -E takes its own messages; what is left on its standard error is the remote's.
						...(this.#isSshSeparate ? { GIT_SSH_COMMAND: `${ssh} -E ${this.#base}.ssh 2>>${this.#base}.remote` } : {}),
					};
	}

	/** The messages so far. */
	read(): NetworkAnswer {
		if (this.#base === null) return { http: null, ssh: null, remote: "" };
		const trace = readLog(`${this.#base}.http`);
		return {
			http: trace === null ? null : readHttpTrace(trace, Date.now()),
			ssh: this.#isSshSeparate ? readLog(`${this.#base}.ssh`) : null,
			remote: readLog(`${this.#base}.remote`) ?? "",
		};
	}

	/** Removes the files. */
	end(): void {
		if (this.#base === null) return;
		for (const kind of ["http", "ssh", "remote"]) fs.rmSync(`${this.#base}.${kind}`, { force: true });
	}
}
