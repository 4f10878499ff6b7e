import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { displayPath } from "@robust-sync/git";
import { printableJson } from "@robust-sync/service/printable";
import { parseCompactTimestamp, type SavedDirectory, sideText, type WorkspacePaths } from "@robust-sync/workspace";
import { type AccessCheck, ownersOnly } from "./access.ts";
import { healthDocument, publicStatusDocument, savedDocument, statusDocument } from "./documents.ts";
import { EventStream, mostListeners, viewMessage } from "./event-stream.ts";
import { type HistoryReader, isObjectId } from "./history-reader.ts";
import { metricsRenderer } from "./metrics.ts";
import { diffView, largestShown_bytes, type Version, versionOf } from "./page/diff-view.ts";
import { commitView, decodePath, entriesShown, historyUrl, historyView } from "./page/history.ts";
import { dashboardPage, formPolicy, pagePolicy, plainPage } from "./page/page.ts";
import { type SavedEntry, type Side, savedName } from "./page/saved.ts";
import { type View, viewOf } from "./page/view.ts";
import { h, type VNode } from "./page/vnode.ts";
import { gitWaitMs, type RepositoryReader } from "./repository.ts";
import { pathOf, refusalOf } from "./request-guard.ts";
import { readSavedFile } from "./saved-files.ts";
import type { NodeSnapshot, SnapshotReader } from "./snapshot.ts";

export interface HealthServerOptions {
	paths: WorkspacePaths;
	snapshots: SnapshotReader;
	repository: RepositoryReader;
	/** For the pages of the history; without it there are none. */
	history?: HistoryReader;
	/** What `build_info` and the page say. */
	version: string;
	/** Who may see names and contents of files. Default: the owner of the workspace, root, and who shows the token. */
	mayRead?: AccessCheck;
	/** Milliseconds since the epoch. */
	now?: () => number;
	/** Told of errors in our own code; the client gets no details. */
	onError?: (error: unknown) => void;
	/** How long a client may take for its request, and a connection may be silent. Default 9.5 s. */
	patienceMs?: number;
	/** How often open pages are told of changes. */
	eventIntervalMs?: number;
}

/** A server that is not listening yet, and the end of everything it holds open. */
export interface HealthServer {
	readonly server: Server;
	/** Ends open streams and idle connections, lets answers under way finish for 2 s. */
	close(): Promise<void>;
}

// Slow-loris: checked twice a second, so that a connection is gone after 10 s.
const patience_ms = 9_500;
const checkEvery_ms = 500;
const keepAlive_ms = 5_000;
const mostConnections = 256;
const mostHeader_bytes = 8 * 1024;
const largestSaved_bytes = 64 * 1024 * 1024;
const closeGrace_ms = 2_000;
/** At once: each costs a git process, and a long history takes a while. */
const mostQuestions = 4;

const json = "application/json; charset=utf-8";
const dataPolicy = "default-src 'none'; frame-ancestors 'none'; sandbox";

const endpoints = ["/", "/health", "/status", "/metrics", "/livez", "/readyz", "/events", "/view", "/saved", "/history"];

/** Answers without names or contents of files: any user of this machine may have them. `/status` leaves the names out for others. */
const forEverybody = new Set(["/health", "/status", "/metrics", "/livez", "/readyz"]);
const isForEverybody = (path: string) => forEverybody.has(path);
const ownersOnlyText =
	"names and contents of files are shown to the workspace's owner and to root only; a web server in front of this one shows the token of sync/health_token (Authorization: Bearer)";

type Answer = (request: IncomingMessage, response: ServerResponse, query: string) => Promise<void> | void;

/**
 * The HTTP view of a node. Reads only, for this machine only: GET and HEAD, loopback Host names, no CORS.
 * node:http itself: ten fixed paths need no framework, and its limits on time and size are the ones that count.
 */
export function createHealthServer(options: HealthServerOptions): HealthServer {
	const { paths, snapshots, repository, version, now = Date.now, onError = () => {}, patienceMs = patience_ms } = options;
	const mayRead = options.mayRead ?? ownersOnly(paths);

	const health = remembered((snapshot) => `${printableJson(healthDocument(snapshot), 2)}\n`);
	const status = remembered((snapshot) => `${printableJson(statusDocument(snapshot), 2)}\n`);
	const publicStatus = remembered((snapshot) => `${printableJson(publicStatusDocument(snapshot), 2)}\n`);
	const metrics = remembered(metricsRenderer(version));

	const currentView = async (before: string | null): Promise<View> => {
		const snapshot = await snapshots.read();
		return viewOf(snapshot, before === null ? null : snapshots.savedBefore(before));
	};
	const events = new EventStream({
		view: currentView,
		now,
		...(options.eventIntervalMs === undefined ? {} : { intervalMs: options.eventIntervalMs }),
	});

	const answers: Readonly<Record<string, Answer>> = {
		"/health": (request, response) =>
			when(snapshots.read(), (snapshot) => send(request, response, snapshot.health.status === "error" ? 503 : 200, json, health(snapshot))),
		"/status": (request, response) =>
			when(snapshots.read(), (snapshot) =>
				send(request, response, 200, json, mayRead(request) ? status(snapshot) : publicStatus(snapshot)),
			),
		"/metrics": (request, response) =>
			when(snapshots.read(), (snapshot) =>
				when(metrics(snapshot), ({ body, contentType }) => send(request, response, 200, contentType, body)),
			),
		"/livez": (request, response) => sendJson(request, response, 200, { status: "ok" }),
		"/readyz": (request, response) => {
			const isReady = snapshots.canReadState();
			sendJson(
				request,
				response,
				isReady ? 200 : 503,
				isReady ? { status: "ok" } : { status: "error", error: `${paths.sync} cannot be read` },
			);
		},
		"/": async (request, response, query) => {
			const page = dashboardPage(await currentView(beforeOf(query)), version);
			const headers = { "Content-Security-Policy": pagePolicy, "Cache-Control": "no-cache" };
			sendTagged(request, response, "text/html; charset=utf-8", page, headers);
		},
		"/view": async (request, response, query) => {
			const view = await currentView(beforeOf(query));
			const tag = JSON.stringify([view.title, view.status, view.sections]);
			sendTagged(request, response, json, JSON.stringify(viewMessage(view, now())), { "Cache-Control": "no-store" }, tag);
		},
		"/events": (request, response, query) => {
			if (events.listeners >= mostListeners) {
				sendJson(request, response, 503, { error: `more than ${mostListeners} pages are open` });
				return;
			}
			response.writeHead(200, ["Content-Type", "text/event-stream; charset=utf-8", ...dataHeaders]);
			if (request.method === "HEAD") response.end();
			else events.add(response, beforeOf(query));
		},
		"/history": async (request, response, query) => {
			const { history } = options;
			if (!history) return sendJson(request, response, 404, { error: "there is nothing at this path", endpoints });
			const asked = new URLSearchParams(query);
			// A name with bytes that are no UTF-8 is found by its address alone.
			const raw = /(?:^|&)path=([^&]*)/.exec(query)?.[1]?.replaceAll("+", "%20") ?? "";
			const path = raw === "" ? null : decodePath(raw.replace(/%2F/gi, "/").replace(/\/+$/, ""));
			const before = asked.get("before");
			if ((raw !== "" && path === null) || (before !== null && !isObjectId(before)))
				return sendJson(request, response, 400, { error: "path is a path of the workspace, before the id of a commit" });
			const filter = { path, node: asked.get("node") || null };
			const entries = await inTurn(() => history.entries({ ...filter, before, limit: entriesShown + 1 }));
			if (entries === null) return sendJson(request, response, 503, { error: "too many questions about the history at once: ask again" });
			const view = historyView(entries.slice(0, entriesShown), filter, entries.length > entriesShown);
			sendPage(request, response, "History", view, formPolicy);
		},
		"/saved": async (request, response, query) => {
			const before = beforeOf(query);
			const list = before === null ? (await snapshots.read()).saved.newest : snapshots.savedBefore(before);
			sendJson(request, response, 200, { saved: list.map(savedDocument) });
		},
	};

	/** `/saved/<directory>/<file>`: one saved version, as it is. */
	function savedFile(request: IncomingMessage, response: ServerResponse, path: string): boolean {
		const [, saved, encoded] = /^\/saved\/([^/]+)\/(.+)$/.exec(path) ?? [];
		if (!saved || !encoded) return false;
		const segments = encoded.split("/").map(decodeSegment);
		if (segments.some((segment) => segment === null)) return false;
		const file = readSavedFile(paths, saved, segments.join("/"), largestSaved_bytes);
		if (!file || file.size > largestSaved_bytes) return false;
		const isText = versionOf(file.content).kind !== "binary";
		send(request, response, 200, isText ? "text/plain; charset=utf-8" : "application/octet-stream", file.content);
		return true;
	}

	/** `/diff/<directory>/<n>`: the versions of its n-th file side by side, as a page or for a page that is open. */
	async function diff(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
		const [, name, index] = /^\/diff\/([^/]+)\/(\d{1,6})$/.exec(path) ?? [];
		const saved = name === undefined ? null : findSaved(name);
		const file = saved?.manifest?.files[Number(index)];
		if (!saved?.manifest || !file) return false;
		const side = (which: Side) => savedVersion(saved.name, file, which);
		const result = await resultOf(saved.manifest.merge_commit, file.path);
		const piece = diffView(file.path, side("ours"), side("theirs"), result, {
			ours: sideText(file, "ours"),
			theirs: sideText(file, "theirs"),
		});
		if (request.headers.accept?.includes("application/json")) sendJson(request, response, 200, piece);
		else {
			const page = plainPage(file.path, piece);
			sendTagged(request, response, "text/html; charset=utf-8", page, {
				"Content-Security-Policy": pagePolicy,
				"Cache-Control": "no-cache",
			});
		}
		return true;
	}

	let questions = 0;
	/** Questions about the history cost a process each. Null: enough of them are under way. */
	async function inTurn<T>(ask: () => Promise<T>): Promise<T | null> {
		if (questions >= mostQuestions) return null;
		questions++;
		try {
			return await ask();
		} finally {
			questions--;
		}
	}

	function sendPage(request: IncomingMessage, response: ServerResponse, title: string, piece: VNode, policy = pagePolicy): void {
		sendTagged(request, response, "text/html; charset=utf-8", plainPage(title, piece), {
			"Content-Security-Policy": policy,
			"Cache-Control": "no-cache",
		});
	}

	/** `/history/<commit>`, `/history/<commit>/<path>` (before and after side by side), `/version/<commit>/<path>` (as it is). */
	async function past(request: IncomingMessage, response: ServerResponse, path: string): Promise<boolean> {
		const { history } = options;
		const [, kind, commit = "", encoded] = /^\/(history|version)\/([0-9a-f]{40,64})(?:\/(.+))?$/.exec(path) ?? [];
		if (!history || kind === undefined) return false;
		const name = encoded === undefined ? null : decodePath(encoded);
		if ((encoded !== undefined && name === null) || (kind === "version" && name === null)) return false;
		const found = await inTurn(async () => {
			const entry = await history.entry(commit);
			const file = name === null ? undefined : entry?.files.find((one) => one.path === name);
			if (!entry || (name !== null && !file)) return { entry: null, file: undefined, before: null, after: null };
			const limit = kind === "version" ? largestSaved_bytes : largestShown_bytes;
			const read = async (oid: string | null | undefined) => (oid ? await history.blob(oid, limit) : null);
			return { entry, file, before: kind === "version" ? null : await read(file?.before), after: await read(file?.after) };
		});
		if (found === null) {
			sendJson(request, response, 503, { error: "too many questions about the history at once: ask again" });
			return true;
		}
		const { entry, file, before, after } = found;
		if (entry === null) return false;
		if (file === undefined) {
			sendPage(request, response, "One change", commitView(entry));
			return true;
		}
		if (kind === "version") {
			if (after?.content == null) return false;
			const base = displayPath(file.path).split("/").at(-1) ?? "file";
			const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(Buffer.from(base).toString("utf8")).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;
			send(request, response, 200, "application/octet-stream", after.content, ["Content-Disposition", disposition]);
			return true;
		}
		const shown = (version: typeof before) =>
			version === null ? versionOf(null) : versionOf(version.content ?? Buffer.alloc(0), version.size);
		const title = `${displayPath(file.path)} by ${entry.node}`;
		const names = {
			ours: file.from === null ? "before" : `before, as ${displayPath(file.from)}`,
			theirs: `after (${entry.commit.slice(0, 8)})`,
		};
		const back = h("p", null, h("a", { href: historyUrl({ path: file.path, node: null }) }, "All versions"));
		sendPage(request, response, title, h("div", null, back, diffView(title, shown(before), shown(after), null, names)));
		return true;
	}

	function findSaved(name: string): SavedDirectory | null {
		const at = parseCompactTimestamp(name);
		if (at === null) return null;
		// The list is read newest first: what comes before the next millisecond begins with this one.
		const next = new Date(at + 1).toISOString().replaceAll(/[-:]/g, "");
		return snapshots.savedBefore(next, 1).find((saved) => saved.name === name) ?? null;
	}

	function savedVersion(saved: string, file: SavedEntry, side: Side): Version {
		const name = savedName(file, side);
		const read = name === null ? null : readSavedFile(paths, saved, name, largestShown_bytes);
		return read ? versionOf(read.content, read.size) : versionOf(null);
	}

	async function resultOf(commit: string | null, file: string): Promise<Version> {
		if (commit === null) return { kind: "none" };
		let timer: NodeJS.Timeout | undefined;
		const patience = new Promise<null>((resolve) => {
			timer = setTimeout(resolve, gitWaitMs, null);
		});
		const asked = repository.fileAt(commit, file, largestShown_bytes).catch(() => null);
		return versionOf(await Promise.race([asked, patience]).finally(() => clearTimeout(timer)));
	}

	function handle(request: IncomingMessage, response: ServerResponse): Promise<void> | void {
		const refusal = refusalOf(request);
		if (refusal) {
			// Whatever else such a client sends is not waited for.
			const allow = refusal.code === 405 ? ["Allow", "GET, HEAD"] : [];
			return sendJson(request, response, refusal.code, { error: refusal.error }, ["Connection", "close", ...allow]);
		}
		const target = pathOf(request.url ?? "");
		if (!target) {
			return sendJson(request, response, 403, { error: "this host name is not answered: use localhost or a loopback address" });
		}
		const answer = Object.hasOwn(answers, target.path) ? answers[target.path] : undefined;
		if (!isForEverybody(target.path) && !mayRead(request)) return sendJson(request, response, 403, { error: ownersOnlyText });
		return answer ? answer(request, response, target.query) : file(request, response, target.path);
	}

	async function file(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
		if (savedFile(request, response, path) || (await diff(request, response, path)) || (await past(request, response, path))) return;
		sendJson(request, response, 404, { error: "there is nothing at this path", endpoints });
	}

	function fail(response: ServerResponse, request: IncomingMessage, error: unknown): void {
		onError(error);
		if (response.headersSent) response.destroy();
		else sendJson(request, response, 500, { error: "internal error: see logs/health_server.log" });
	}

	const server = createServer(
		{
			maxHeaderSize: mostHeader_bytes,
			headersTimeout: patienceMs,
			requestTimeout: patienceMs,
			keepAliveTimeout: Math.min(keepAlive_ms, patienceMs),
			connectionsCheckingInterval: checkEvery_ms,
			noDelay: true,
		},
		(request, response) => {
			try {
				handle(request, response)?.catch((error: unknown) => fail(response, request, error));
			} catch (error) {
				fail(response, request, error);
			}
		},
	);
	server.maxConnections = mostConnections;
	// A client that does not take its answer is not waited for either; streams send a beat more often than this.
	server.timeout = patienceMs;
	server.on("clientError", refuseUnparsed);
	server.on("connect", (_request, socket: Duplex) => {
		socket.end(rawAnswer("405 Method Not Allowed", "only GET and HEAD", "Allow: GET, HEAD\r\n"));
	});

	return {
		server,
		async close() {
			events.close();
			const closed = new Promise<void>((resolve) => server.close(() => resolve()));
			server.closeIdleConnections();
			const timer = setTimeout(() => server.closeAllConnections(), closeGrace_ms);
			await closed;
			clearTimeout(timer);
		},
	};
}

/** Goes on at once with what is there already: most answers need no turn of the event loop. */
function when<T>(value: T | Promise<T>, use: (value: T) => Promise<void> | void): Promise<void> | void {
	return value instanceof Promise ? value.then(use) : use(value);
}

/** Computes once for each snapshot: requests of one turn of the event loop share it. */
function remembered<T>(compute: (snapshot: NodeSnapshot) => T): (snapshot: NodeSnapshot) => T {
	let last: { snapshot: NodeSnapshot; value: T } | null = null;
	return (snapshot) => {
		if (last?.snapshot !== snapshot) last = { snapshot, value: compute(snapshot) };
		return last.value;
	};
}

const dataHeaders: readonly string[] = [
	"Cache-Control",
	"no-store",
	"X-Content-Type-Options",
	"nosniff",
	"Content-Security-Policy",
	dataPolicy,
	"Cross-Origin-Resource-Policy",
	"same-origin",
];

/** Text goes out with its head in one write; a buffer would take two (writev(2)). */
function send(
	request: IncomingMessage,
	response: ServerResponse,
	code: number,
	contentType: string,
	body: string | Buffer,
	more: readonly string[] = [],
): void {
	response.writeHead(code, ["Content-Type", contentType, ...dataHeaders, "Content-Length", String(Buffer.byteLength(body)), ...more]);
	if (request.method === "HEAD") response.end();
	else response.end(body);
}

function sendJson(request: IncomingMessage, response: ServerResponse, code: number, value: unknown, more: readonly string[] = []): void {
	send(request, response, code, json, `${printableJson(value)}\n`, more);
}

/** With an ETag, and without the body for whoever has it already (RFC 9110, section 13.1.2). */
function sendTagged(
	request: IncomingMessage,
	response: ServerResponse,
	contentType: string,
	body: string,
	headers: Record<string, string>,
	tagged: string = body,
): void {
	const etag = `"${createHash("sha256").update(tagged).digest("base64url").slice(0, 27)}"`;
	const all = {
		...headers,
		ETag: etag,
		"X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy": "no-referrer",
	};
	const known = request.headers["if-none-match"];
	if (known !== undefined && (known.trim() === "*" || known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag))) {
		response.writeHead(304, all);
		response.end();
		return;
	}
	response.writeHead(200, { ...all, "Content-Type": contentType, "Content-Length": Buffer.byteLength(body) });
	if (request.method === "HEAD") response.end();
	else response.end(body);
}

function beforeOf(query: string): string | null {
	const before = new URLSearchParams(query).get("before");
	return before !== null && parseCompactTimestamp(before) !== null ? before : null;
}

function decodeSegment(segment: string): string | null {
	try {
		const decoded = decodeURIComponent(segment);
		return decoded.includes("/") ? null : decoded;
	} catch {
		return null;
	}
}

function rawAnswer(status: string, error: string, headers = ""): string {
	const body = `${JSON.stringify({ error })}\n`;
	return `HTTP/1.1 ${status}\r\nContent-Type: ${json}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n${headers}Connection: close\r\n\r\n${body}`;
}

/** What is no HTTP, too long or too slow gets one line and is gone. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
	if (error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	if (error.code === "HPE_HEADER_OVERFLOW")
		socket.end(rawAnswer("431 Request Header Fields Too Large", `more than ${mostHeader_bytes} bytes of headers`));
	else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") socket.end(rawAnswer("408 Request Timeout", "the request took too long"));
	else socket.end(rawAnswer("400 Bad Request", "this is no HTTP request"));
	// A client that does not close either is cut off.
	setTimeout(() => socket.destroy(), 500).unref();
}
