import { spawn } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ensureToken } from "./access.ts";
import { userOf, userOfPeer } from "./client-user.ts";
import { listen } from "./listen.ts";
import { NodeFixture, type Served } from "./testing/node-fixture.ts";

const unprivilegedUser = 65_534;
const isRoot = process.getuid?.() === 0;

/** A copy of this Node that every user can run: one that npx or nvm installed is below a home that only its owner enters. */
let nodeForAll: string;
let directory: string;
beforeAll(() => {
	directory = mkdtempSync(path.join(tmpdir(), "health-access-"));
	chmodSync(directory, 0o755);
	nodeForAll = path.join(directory, "node");
	copyFileSync(process.execPath, nodeForAll);
	chmodSync(nodeForAll, 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The answers to a process of another user for each of these paths, over one connection each. */
async function asUser(
	uid: number,
	port: number,
	paths: readonly string[],
	{ host = "127.0.0.1", headers = {} } = {},
): Promise<{ code: number; text: string }[]> {
	const script = `const http = require("node:http");
		const [host, port, headers, ...paths] = JSON.parse(process.argv[1]);
		const ask = (path) => new Promise((done, fail) => http.get({ host, port, path, headers: { Host: "localhost", ...headers } }, (response) => {
			let text = ""; response.on("data", (chunk) => { text += chunk; }); response.on("end", () => done({ code: response.statusCode, text }));
			setTimeout(() => response.destroy(), 500).unref();
			response.on("error", () => done({ code: response.statusCode, text }));
		}).on("error", fail));
		Promise.all(paths.map(ask)).then((all) => process.stdout.write(JSON.stringify(all)));`;
	const child = spawn(nodeForAll, ["-e", script, JSON.stringify([host, port, headers, ...paths])], {
		cwd: "/",
		stdio: ["ignore", "pipe", "inherit"],
		...(uid === process.getuid?.() ? {} : { uid, gid: uid }),
	});
	let output = "";
	for await (const chunk of child.stdout) output += chunk;
	return JSON.parse(output);
}

describe("access to names and contents", () => {
	let node: NodeFixture;
	let served: Served;
	let paths: string[];
	const secret = "the-secret-name";

	beforeEach(async () => {
		node = new NodeFixture();
		node.healthy();
		node.sync({
			status: "failed",
			last_error: { code: "INTERNAL", message: `unexpected: ${secret}`, at: new Date().toISOString() },
			skipped: [{ path: secret, reason: "too-large" }],
		});
		node.pending(`${secret}.txt`, secret);
		node.monitor({ checks: [{ name: "sync", status: "critical", message: secret, since: new Date().toISOString() }] });
		const saved = node.saved(Date.now(), { [secret]: { ours: secret, theirs: secret } });
		paths = ["/", "/view", "/status", "/saved", `/saved/${saved}/files/${secret}.ours`, `/diff/${saved}/0`];
		served = await node.serve();
	});
	afterEach(() => node.remove());

	const others = isRoot ? test : test.skip;

	test("health server: the workspace's owner asks → everything is shown", async () => {
		const answers = await asUser(process.getuid?.() ?? 0, served.port, paths);
		expect(answers.map(({ code }) => code)).toEqual(paths.map(() => 200));
		for (const { text } of answers) expect(text).toContain(secret);
	});

	others("health server: another user asks → no names, no contents, by any path", async () => {
		const all = [...paths, "/events", "/health", "/metrics", "/livez", "/readyz", "/nothing"];
		for (const host of ["127.0.0.1", "::ffff:127.0.0.1"]) {
			const answers = await asUser(unprivilegedUser, served.port, all, { host });
			for (const { text } of answers) expect(text).not.toContain(secret);
			expect(answers.map(({ code }) => code)).toEqual([403, 403, 200, 403, 403, 403, 403, 503, 200, 200, 200, 403]);
		}
	});

	others("health server: that user owns the workspace → everything is shown", async () => {
		chmodSync(node.paths.root, 0o700);
		chownSync(node.paths.root, unprivilegedUser, unprivilegedUser);
		const answers = await asUser(unprivilegedUser, served.port, paths, { host: "::ffff:127.0.0.1" });
		expect(answers.map(({ code }) => code)).toEqual(paths.map(() => 200));
	});

	others("health server: another user with the token of the 0600 file → everything, a wrong one nothing", async () => {
		ensureToken(node.paths);
		ensureToken(node.paths);
		expect(statSync(node.paths.healthToken).mode & 0o777).toBe(0o600);
		const token = readFileSync(node.paths.healthToken, "utf8").trim();
		const ask = async (shown: string) =>
			(await asUser(unprivilegedUser, served.port, ["/saved"], { headers: { Authorization: shown } }))[0]?.code;
		expect([await ask(`Bearer ${token}`), await ask(`Bearer ${token}x`), await ask("Bearer"), await ask(token)]).toEqual([
			200, 403, 403, 403,
		]);
		chmodSync(node.paths.healthToken, 0o644);
		expect(await ask(`Bearer ${token}`)).toBe(403);
	});
});

describe("the user of a connection", () => {
	const servers: Server[] = [];
	afterEach(() => {
		for (const server of servers.splice(0)) server.close();
	});

	test.each([
		["127.0.0.1", "127.0.0.1"],
		["127.0.0.1", "::ffff:127.0.0.1"],
		["127.7.7.7", "127.7.7.7"],
		["::1", "::1"],
		["::", "127.0.0.1"],
	])("client user: server at %s, client to %s → the client's user", async (address, host) => {
		const server = createServer((request, response) => response.end(String(userOf(request.socket))));
		servers.push(server);
		await listen(server, 0, address);
		for (const uid of isRoot ? [0, unprivilegedUser, 1234] : [process.getuid?.() ?? 0]) {
			const [answer] = await asUser(uid, (server.address() as AddressInfo).port, ["/"], { host });
			expect(answer?.text).toBe(String(uid));
		}
	});

	const ends = { remoteAddress: "127.0.0.1", remotePort: 0xd431, localAddress: "127.0.0.1", localPort: 8080 };
	const row = (local: string, remote: string, state: string, uid: number, inode: number) =>
		`   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1`;

	test.each<[string, string[], number | null]>([
		["the client's end", [row("0100007F:D431", "0100007F:1F90", "01", 1000, 77)], 1000],
		[
			"the client's end as an IPv6 socket",
			[row("0000000000000000FFFF00000100007F:D431", "0000000000000000FFFF00000100007F:1F90", "01", 1000, 77)],
			1000,
		],
		["our own end only", [row("0100007F:1F90", "0100007F:D431", "01", 0, 77)], null],
		["an end that no process holds", [row("0100007F:D431", "0100007F:1F90", "01", 0, 0)], null],
		["an end in TIME_WAIT", [row("0100007F:D431", "0100007F:1F90", "06", 0, 0)], null],
		["another port", [row("0100007F:D432", "0100007F:1F90", "01", 0, 77)], null],
		["another server of the same client port", [row("0100007F:D431", "0100007F:1F91", "01", 0, 77)], null],
		[
			"two that claim to be it",
			[
				row("0100007F:D431", "0100007F:1F90", "01", 0, 77),
				row("0000000000000000FFFF00000100007F:D431", "0000000000000000FFFF00000100007F:1F90", "01", 1000, 78),
			],
			null,
		],
		["nothing", [], null],
	])("client user: the table has %s → the user it lists", (_name, rows, user) => {
		expect(userOfPeer(ends, [["  sl  local_address rem_address   st", ...rows].join("\n"), ""])).toBe(user);
	});
});
