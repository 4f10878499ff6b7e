import { expect, test } from "@jest/globals";
import { classify } from "./errors.ts";
import { type HttpAnswer, readHttpTrace } from "./network-log.ts";
import { remoteText } from "./remote-text.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
/** The format of git 2.39. */
const trace = (...lines: string[]) =>
	lines.map((line, index) => `10:01:43.71${6135 + index} http.c:684              <= Recv header: ${line}\n`).join("");

test.each<[string, string[], HttpAnswer | null]>([
	["nothing", [], null],
	["one answer", ["HTTP/1.1 200 OK", "content-type: x"], { status: 200, retryAfterMs: null, isLimited: false }],
	["HTTP/2, without a reason", ["HTTP/2 429", "retry-after: 7"], { status: 429, retryAfterMs: 7_000, isLimited: true }],
	[
		"the last of two counts",
		["HTTP/1.1 429 x", "Retry-After: 9", "HTTP/1.1 200 OK"],
		{ status: 200, retryAfterMs: null, isLimited: false },
	],
	["after a password", ["HTTP/1.1 401 x", "HTTP/1.1 413 x"], { status: 413, retryAfterMs: null, isLimited: false }],
	["quota used up", ["HTTP/1.1 403 x", "X-RateLimit-Remaining: 0"], { status: 403, retryAfterMs: null, isLimited: true }],
	["quota left", ["HTTP/1.1 403 x", "RateLimit-Remaining: 10"], { status: 403, retryAfterMs: null, isLimited: false }],
	[
		"a date against the server's clock",
		["HTTP/1.1 503 x", "Date: Thu, 01 Jan 2015 00:00:00 GMT", "Retry-After: Thu, 01 Jan 2015 00:02:00 GMT"],
		{ status: 503, retryAfterMs: 120_000, isLimited: true },
	],
	[
		"a date against ours",
		["HTTP/1.1 503 x", "Retry-After: Thu, 01 Jan 2026 00:01:30 GMT"],
		{ status: 503, retryAfterMs: 90_000, isLimited: true },
	],
	["a fraction of a second", ["HTTP/1.1 429 x", "Retry-After: 0.35"], { status: 429, retryAfterMs: 350, isLimited: true }],
	[
		"a date of the older form",
		["HTTP/1.1 503 x", "Retry-After: Thursday, 01-Jan-26 00:01:30 GMT"],
		{ status: 503, retryAfterMs: 90_000, isLimited: true },
	],
	[
		"a date that is over",
		["HTTP/1.1 429 x", "Retry-After: Wed, 31 Dec 2025 00:00:00 GMT"],
		{ status: 429, retryAfterMs: 0, isLimited: true },
	],
	["a year", ["HTTP/1.1 429 x", "Retry-After: 31536000"], { status: 429, retryAfterMs: 86_400_000, isLimited: true }],
	["nonsense", ["HTTP/1.1 429 x", "Retry-After: soon"], { status: 429, retryAfterMs: null, isLimited: false }],
	["negative", ["HTTP/1.1 429 x", "Retry-After: -5"], { status: 429, retryAfterMs: null, isLimited: false }],
	[
		"a header that looks like a status",
		["HTTP/1.1 403 x", "x: HTTP/1.1 429 y", "y: <= Recv header: HTTP/1.1 429"],
		{ status: 403, retryAfterMs: null, isLimited: false },
	],
	["no status", ["HTTP/1.1 999 x"], null],
])("curl trace: %s → the last answer", (_what, lines, expected) => {
	expect(readHttpTrace(trace(...lines), now)).toEqual(expected);
});

test("curl trace: lines that are not received headers → nothing", () => {
	expect(
		readHttpTrace("HTTP/1.1 429 x\n10:0:0 http.c:1   => Send header: HTTP/1.1 429\n10:0:0 http.c:1   == Info: HTTP/1.1 429\n", now),
	).toBeNull();
});

const http = (status: number, isLimited = false, retryAfterMs: number | null = null) => ({
	http: { status, retryAfterMs, isLimited },
	ssh: null,
	remote: "",
});
const ssh = (log: string, remote = "") => ({ http: null, ssh: log, remote });
const lies =
	"no space left on device\npermission denied (publickey).\nfatal: could not resolve host: x\nkex_exchange_identification: \nerror: object file x is empty\n";
const ended = "fatal: Could not read from remote repository.\n";

test.each([
	["push", "", http(429), "RATE_LIMITED"],
	["ls-remote", "", http(503), "RATE_LIMITED"],
	["fetch", "", http(403, true), "RATE_LIMITED"],
	["push", "", http(403), "AUTH_FAILED"],
	["push", "", http(407), "AUTH_FAILED"],
	["push", "", http(413), "PUSH_TOO_LARGE"],
	["push", "", http(408), "PUSH_TOO_LARGE"],
	["fetch", "", http(413), "REMOTE_UNREACHABLE"],
	["push", "", http(404), "REMOTE_UNREACHABLE"],
	["push", "", http(502), "REMOTE_UNREACHABLE"],
	["push", "remote: HTTP 429\nfatal: nothing known\n", http(200), "INTERNAL"],
	["fetch", "fatal: write error: No space left on device", http(200), "DISK_FULL"],
	[
		"push",
		ended,
		ssh("kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port 22\n"),
		"RATE_LIMITED",
	],
	["push", ended, ssh("kex_exchange_identification: read: Connection reset by peer\n"), "RATE_LIMITED"],
	["push", ended, ssh("git@x: Permission denied (publickey).\r\n"), "AUTH_FAILED"],
	[
		"push",
		ended,
		ssh("Received disconnect from 1.2.3.4 port 22:2: no space left on device\r\nDisconnected from 1.2.3.4 port 22\n"),
		"AUTH_FAILED",
	],
	["push", ended, ssh("Received disconnect from 1.2.3.4 port 22:11: permission denied (publickey)\r\n"), "REMOTE_UNREACHABLE"],
	["push", ended, ssh("ssh: connect to host x port 22: Connection refused\r\n"), "REMOTE_UNREACHABLE"],
	["push", ended, ssh("", lies), "REMOTE_UNREACHABLE"],
	["push", "", ssh("", lies), "INTERNAL"],
] as const)("a failure: %s, stderr %j, %j → %s", (command, stderr, network, code) => {
	const failure = classify(command, stderr, 128, null, network);
	expect(failure.code).toBe(code);
	expect(failure.message).not.toMatch(/[\r\n]/);
});

const reset = "error: RPC failed; curl 55 Send failure: Connection reset by peer\n";
const disconnect = "send-pack: unexpected disconnect while reading sideband packet\nfatal: the remote end hung up unexpectedly\n";

test.each([
	["push", `${reset}${disconnect}`, http(200), true],
	["push", "error: RPC failed; curl 56 Recv failure: Connection reset by peer\n", http(200), true],
	["push", disconnect, ssh("Connection to hub closed by remote host.\n"), true],
	["push", "fatal: sha1 file '<stdout>' write error: Broken pipe\nfatal: the remote end hung up unexpectedly\n", ssh(""), true],
	["fetch", `${reset}${disconnect}`, http(200), false],
	["push", `${reset}${disconnect}`, http(502), false],
	["push", `${reset}${disconnect}`, http(413), false],
	["push", "fatal: unable to access 'http://x/': Failed to connect to x port 80: Connection refused\n", null, false],
	["push", "fatal: the remote end hung up unexpectedly\n", ssh("ssh: connect to host x port 22: Connection refused\r\n"), false],
	["push", `${disconnect.replace("send-pack", "remote: send-pack")}`, ssh(""), false],
] as const)("a failure: %s, stderr %j, %j → cut off while it sent: %s", (command, stderr, network, expected) => {
	expect(classify(command, stderr, 128, null, network)).toMatchObject({ cutOff: expected });
	expect(classify(command, stderr, 128, "SIGKILL", network)).toMatchObject({ cutOff: false });
});

test("remote message: over ssh and by sideband → both, in order", () => {
	expect(remoteText("remote: two \nfatal: x\nfatal: remote error: three\n", "one\r\n\n")).toBe("one\ntwo\nthree");
});
