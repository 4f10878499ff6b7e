import type { NetworkAnswer } from "./network-log.ts";
import { remoteText, sshClientText, withoutRemoteText } from "./remote-text.ts";

/** Failures of a git process that callers distinguish: the codes of docs/contract.md, section 5, and two internal ones. */
export type GitErrorCode =
	| "NOT_A_REPOSITORY"
	| "NO_REMOTE"
	| "REMOTE_UNREACHABLE"
	| "AUTH_FAILED"
	| "PUSH_REJECTED"
	| "PUSH_RACE"
	| "PUSH_TOO_LARGE"
	| "RATE_LIMITED"
	| "INDEX_LOCKED"
	| "DISK_FULL"
	| "PERMISSION_DENIED"
	| "GIT_TOO_OLD"
	| "GIT_TIMEOUT"
	| "HOOK_FAILED"
	| "CORRUPT_REPOSITORY"
	| "INTERNAL";

/** A git process failed. `message` is one line with the remedy; `detail` is git's output, for the log. */
export class GitError extends Error {
	override readonly name = "GitError";
	readonly code: GitErrorCode;
	/** The last lines git printed on stderr. May hold a URL: redact before showing. */
	readonly detail: string;
	readonly exitCode: number | null;
	/** What killed it; null: it ended by itself. */
	readonly signal: NodeJS.Signals | null;
	/** The remote's text for people, unchanged: it decides nothing, and must be made printable first. */
	readonly remoteMessage: string | null;
	/** The remote's Retry-After, milliseconds; null: it gave none. */
	readonly retryAfterMs: number | null;
	/** The remote took a push in and could not, or would not, store it: for its size, a limit of its disk, or an object that it refuses. */
	readonly notStored: boolean;
	/** The remote took a push in, and a hook or rule of it refuses the branch's update. */
	readonly declined: boolean;
	/** The connection ended while a push was being sent: also how a web server refuses its size that does not read it to the end. */
	readonly cutOff: boolean;

	constructor(
		code: GitErrorCode,
		message: string,
		detail = "",
		exitCode: number | null = null,
		options: ErrorOptions & {
			signal?: NodeJS.Signals | null;
			remoteMessage?: string | null;
			retryAfterMs?: number | null;
			notStored?: boolean;
			declined?: boolean;
			cutOff?: boolean;
		} = {},
	) {
		super(message, options);
		this.code = code;
		this.detail = detail;
		this.exitCode = exitCode;
		this.signal = options.signal ?? null;
		this.remoteMessage = options.remoteMessage ?? null;
		this.retryAfterMs = options.retryAfterMs ?? null;
		this.notStored = options.notStored ?? false;
		this.declined = options.declined ?? false;
		this.cutOff = options.cutOff ?? false;
	}
}

interface Symptom {
	readonly code: GitErrorCode;
	readonly pattern: RegExp;
	readonly advice: string;
}

// git has no machine-readable failures: these texts are its, curl's and OpenSSH's own, in the C locale, and the order decides.
const symptoms: readonly Symptom[] = [
	{
		code: "DISK_FULL",
		pattern: /no space left on device|disk quota exceeded|ENOSPC/i,
		advice: "free some space (here, or on the remote if the message names it)",
	},
	{
		code: "AUTH_FAILED",
		pattern: /host key verification failed|remote host identification has changed|no .* host key is known/i,
		advice: "the host key of the remote is unknown or has changed: check it, then add it with ssh-keyscan or by connecting once by hand",
	},
	{
		code: "AUTH_FAILED",
		pattern:
			/permission denied \((publickey|password|keyboard|gssapi|hostbased)|authentication failed|could not read (username|password)|terminal prompts disabled|access denied|invalid username or (password|token)|returned error: 40[13]|too many authentication failures|^received disconnect from \S+ port \d+:(?:2|14): $|sign_and_send_pubkey|load key .*: /im,
		advice: "the remote refused our credentials: install a key without passphrase, or a credential helper, that works without a terminal",
	},
	{
		code: "REMOTE_UNREACHABLE",
		pattern: /smudge error: error downloading/i,
		advice: "Git LFS cannot get a file: check that its server answers, and that the node that has the file could upload it",
	},
	{
		code: "REMOTE_UNREACHABLE",
		pattern:
			/could not resolve|couldn't resolve|name or service not known|temporary failure in name resolution|connection (refused|timed out|reset|closed)|network is unreachable|no route to host|operation timed out|failed to connect|couldn't connect|kex_exchange_identification|returned error: (429|5\d\d)|ssl_error|gnutls_handshake|tls connect|early eof|unexpected disconnect|the remote end hung up|broken pipe|empty reply from server|recv failure|transfer closed|repository (?:'.*' )?not found|does not appear to be a git repository|unable to access/i,
		advice: "the remote cannot be reached: check the network and the address (git remote -v)",
	},
	{
		code: "CORRUPT_REPOSITORY",
		pattern:
			/object file .* is empty|loose object .* (is )?corrupt|unable to (read|parse) (tree|blob|object|commit|sha1 file)|could not read [0-9a-f]{40}|bad object|missing (blob|tree|commit|object)|invalid object|pack .* (is|has) (corrupt|bad|far too short)|packfile .* does not match index|inflate: data stream error|index file (corrupt|smaller than expected)|bad (index file|signature)|object .* (cannot be read|is corrupted)|did not send all necessary objects|failed to (read|load) object|could not (read|parse) .*object|does not point to a valid object|hash mismatch|not a valid object|invalid sha1 pointer|unable to find/i,
		advice: "the repository is damaged: run git fsck --full, then fetch the missing objects from another node",
	},
	{
		code: "INDEX_LOCKED",
		pattern:
			/unable to create '.*\.lock': file exists|unable to (lock|write)( new)?( |_)index|cannot lock ref|could not lock|another git process seems to be running/i,
		advice: "another git command holds a lock: it is waited for and tried again",
	},
	{
		code: "PERMISSION_DENIED",
		pattern: /dubious ownership/i,
		advice:
			"the repository that git names (the hub, where it is on this machine) belongs to another user: run as its owner, or allow it with 'git config --global --add safe.directory <its path>'",
	},
	{
		code: "PERMISSION_DENIED",
		pattern: /permission denied|read-only file system|insufficient permission|operation not permitted|could not open .*: EACCES/i,
		advice: "a file cannot be read or written: run as the owner of the workspace (or see git's safe.directory)",
	},
	{ code: "HOOK_FAILED", pattern: /hook declined|hook .*failed|pre-receive hook/i, advice: "a hook refused: see what it printed" },
	{
		code: "NOT_A_REPOSITORY",
		pattern: /not a git repository|must be run in a work tree/i,
		advice: "make it a repository: git init, then git remote add origin <url>",
	},
	{
		code: "NO_REMOTE",
		pattern: /no such remote|'.*' does not appear to be a git|no configured push destination/i,
		advice: "name a remote: git remote add origin <url>",
	},
	{
		code: "REMOTE_UNREACHABLE",
		pattern: /could not read from remote repository/i,
		advice: "the remote did not answer as git does: check its address (git remote -v) and its message",
	},
];

const limited = "the remote limits requests: waiting, then trying again (if this repeats, raise SYNC_PUSH_INTERVAL and SYNC_INTERVAL)";

/** The meaning of an HTTP status (RFC 9110; RFC 6585 for 429) for a command that failed with it. null: it has no special one. */
function httpSymptom(command: string, { http }: NetworkAnswer): { code: GitErrorCode; advice: string } | null {
	const status = http?.status ?? 0;
	if (status < 400) return null;
	if (status === 429 || status === 503 || (status === 403 && http?.isLimited)) return { code: "RATE_LIMITED", advice: limited };
	if (command === "push" && (status === 413 || status === 408))
		return { code: "PUSH_TOO_LARGE", advice: "the remote's web server refuses a push of this size: raise its limit, or push less at once" };
	if (status === 401 || status === 403 || status === 407)
		return {
			code: "AUTH_FAILED",
			advice: "the remote refused our credentials: install a token or a credential helper that works without a terminal",
		};
	const advice =
		status === 404
			? "the remote has no such repository, or hides it from this node: check the address (git remote -v) and the token"
			: `the remote's web server answers with an error: look at its log, and check the address (git remote -v)`;
	return { code: "REMOTE_UNREACHABLE", advice };
}

// OpenSSH's message when a server hangs up before it has identified itself: MaxStartups and PerSourcePenalties of sshd_config(5).
const turnedAway = /^kex_exchange_identification: /m;

/** The cause that only the ssh client can report; null: it reported none. */
function sshSymptom({ ssh }: NetworkAnswer): { code: GitErrorCode; advice: string } | null {
	return ssh !== null && turnedAway.test(ssh) ? { code: "RATE_LIMITED", advice: limited } : null;
}

// git's own lines when the other side is gone while it sends objects, or before the answer to them (curl's codes for that: libcurl-errors(3)).
const cutOffWhileSending =
	/^error: RPC failed; curl (?:18|52|55|56|65|92) |^send-pack: unexpected disconnect|^(?:fatal|error): .*write error: broken pipe|^error: pack-objects died/im;

/** What a failure's code may follow from: what git and the ssh client wrote for themselves. */
function ownText(stderr: string, network: NetworkAnswer | null): string {
	const own = withoutRemoteText(stderr);
	return network?.ssh ? `${sshClientText(network.ssh)}\n${own}` : own;
}

/**
 * The one-line advice and the code for a git process that ended with `exitCode`, or by `signal`, and printed `stderr`. What the remote
 * wrote there is shown, and decides nothing.
 * @param network messages of ssh and the web server, for a command on the network
 */
export function classify(
	command: string,
	stderr: string,
	exitCode: number | null,
	signal: NodeJS.Signals | null = null,
	network: NetworkAnswer | null = null,
): GitError {
	const everything = [network?.ssh ?? "", network?.remote ?? "", stderr].join("\n");
	const lines = everything.split(/[\r\n]+/).filter((line) => line.trim() !== "");
	const detail = lines.join("\n").slice(-2_000);
	const own = ownText(stderr, network);
	const symptom =
		(network && (httpSymptom(command, network) ?? sshSymptom(network))) ?? symptoms.find(({ pattern }) => pattern.test(own)) ?? null;
	const said = (lines.find((line) => /^(fatal|error|remote|ssh)/i.test(line)) ?? lines[0] ?? "").trim();
	const remoteMessage = remoteText(stderr, network?.remote);
	const isAnswered = (network?.http?.status ?? 0) >= 400;
	const cutOff =
		command === "push" && symptom?.code === "REMOTE_UNREACHABLE" && signal === null && !isAnswered && cutOffWhileSending.test(own);
	const options = { signal, remoteMessage, retryAfterMs: network?.http?.retryAfterMs ?? null, cutOff };
	if (symptom === null) {
		const message = `git ${command} failed (exit ${exitCode ?? "by signal"}): ${said || "no message"}`;
		return new GitError("INTERNAL", message, detail, exitCode, options);
	}
	const status = isAnswered ? `HTTP ${network?.http?.status}` : said;
	return new GitError(symptom.code, `git ${command}: ${symptom.advice}${status ? ` (${status})` : ""}`, detail, exitCode, options);
}
