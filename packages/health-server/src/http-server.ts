import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { printableJson } from "@robust-sync/service/printable";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { ownersOnly } from "./access.ts";
import { type Answer, beforeOf, dataHeaders, json, send, sendHtml, sendJson, sendTagged } from "./answer.ts";
import { healthDocument, publicStatusDocument, statusDocument } from "./documents.ts";
import { EventStream, mostListeners, viewMessage } from "./event-stream.ts";
import type { HistoryReader } from "./history-reader.ts";
import { HistoryRoutes } from "./history-routes.tsx";
import { metricsRenderer } from "./metrics.ts";
import { dashboardPage } from "./page/page.tsx";
import { type View, viewOf } from "./page/view.ts";
import type { RepositoryReader } from "./repository.ts";
import { pathOf, refusalOf } from "./request-guard.ts";
import { SavedRoutes } from "./saved-routes.ts";
import type { NodeSnapshot, SnapshotReader } from "./snapshot.ts";

export interface HealthServerOptions {
	paths: WorkspacePaths;
	snapshots: SnapshotReader;
	repository: RepositoryReader;
	/** For the pages of the history; without it there are none. */
	history?: HistoryReader;
	/** The version for `build_info` and the page. */
	version: string;
	/** Milliseconds since the epoch. */
	now?: () => number;
	/** Called with errors of our own code; the client gets no details. */
	onError?: (error: unknown) => void;
	/** Time limit of a client's request, and of a connection's silence. Default 9.5 s. */
	clientTimeoutMs?: number;
}

/** A server that does not listen yet, and a way to close everything that it holds open. */
export interface HealthServer {
	readonly server: Server;
	/** Ends open streams and idle connections, and lets running answers finish for 2 s. */
	close(): Promise<void>;
}

// Slow-loris: checked twice a second, so that a connection is gone after 10 s.
const defaultClientTimeoutMs = 9_500;
const checkEveryMs = 500;
const keepAliveMs = 5_000;
const mostConnections = 256;
const mostHeaderBytes = 8 * 1024;
const closeGraceMs = 2_000;

const endpoints = ["/", "/health", "/status", "/metrics", "/livez", "/readyz", "/events", "/view", "/saved", "/history"];

const nothingHere = { error: "there is nothing at this path", endpoints };

/** Answers without names or contents of files: any user of this machine may read them. `/status` omits the names for others. */
const forEverybody = new Set(["/health", "/status", "/metrics", "/livez", "/readyz"]);
const isForEverybody = (path: string) => forEverybody.has(path);
const ownersOnlyText =
	"names and contents of files are shown to the workspace's owner and to root only; a web server in front of this one shows the token of sync/health_token (Authorization: Bearer)";

/**
 * The HTTP view of a node. Reads only, for this machine only: GET and HEAD, loopback Host names, no CORS.
 * node:http itself: ten fixed paths need no framework, and its limits on time and size are all that is needed.
 */
export function createHealthServer(options: HealthServerOptions): HealthServer {
	const { paths, snapshots, repository, version, now = Date.now, onError = () => {}, clientTimeoutMs = defaultClientTimeoutMs } = options;
	/** The owner of the workspace, root, and any client with the token may see names and contents of files. */
	const mayRead = ownersOnly(paths);

	const health = remembered((snapshot) => `${printableJson(healthDocument(snapshot), 2)}\n`);
	const status = remembered((snapshot) => `${printableJson(statusDocument(snapshot), 2)}\n`);
	const publicStatus = remembered((snapshot) => `${printableJson(publicStatusDocument(snapshot), 2)}\n`);
	const metrics = remembered(metricsRenderer(version));

	const currentView = async (before: string | null): Promise<View> => {
		const snapshot = await snapshots.read();
		return viewOf(snapshot, before === null ? null : snapshots.savedBefore(before));
	};
	const events = new EventStream({ view: currentView, now });

	const saved = new SavedRoutes({ paths, snapshots, repository });
	const history = options.history && new HistoryRoutes(options.history);
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
			sendHtml(request, response, dashboardPage(await currentView(beforeOf(query)), version));
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
			if (!history) return sendJson(request, response, 404, nothingHere);
			await history.list(request, response, query);
		},
		"/saved": (request, response, query) => saved.list(request, response, query),
	};

	function handle(request: IncomingMessage, response: ServerResponse): Promise<void> | void {
		const refusal = refusalOf(request);
		if (refusal) {
			// Further data of such a client is not read.
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
		if (saved.file(request, response, path) || (await saved.diff(request, response, path))) return;
		if (await history?.past(request, response, path)) return;
		sendJson(request, response, 404, nothingHere);
	}

	function fail(response: ServerResponse, request: IncomingMessage, error: unknown): void {
		onError(error);
		if (response.headersSent) response.destroy();
		else sendJson(request, response, 500, { error: "internal error: see logs/health_server.log" });
	}

	const server = createServer(
		{
			maxHeaderSize: mostHeaderBytes,
			headersTimeout: clientTimeoutMs,
			requestTimeout: clientTimeoutMs,
			keepAliveTimeout: Math.min(keepAliveMs, clientTimeoutMs),
			connectionsCheckingInterval: checkEveryMs,
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
	// The same limit for a client that does not read its answer; streams send a beat more often than this.
	server.timeout = clientTimeoutMs;
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
			const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
			await closed;
			clearTimeout(timer);
		},
	};
}

/** Continues synchronously with a value that is known: most answers need no turn of the event loop. */
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

function rawAnswer(status: string, error: string, headers = ""): string {
	const body = `${JSON.stringify({ error })}\n`;
	return `HTTP/1.1 ${status}\r\nContent-Type: ${json}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n${headers}Connection: close\r\n\r\n${body}`;
}

/** A request that is not HTTP, too long or too slow gets one line, and its connection is closed. */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
	if (error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	if (error.code === "HPE_HEADER_OVERFLOW")
		socket.end(rawAnswer("431 Request Header Fields Too Large", `more than ${mostHeaderBytes} bytes of headers`));
	else if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") socket.end(rawAnswer("408 Request Timeout", "the request took too long"));
	else socket.end(rawAnswer("400 Bad Request", "this is no HTTP request"));
	// A client that does not close either is cut off.
	setTimeout(() => socket.destroy(), 500).unref();
}
