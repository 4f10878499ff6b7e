import { parseRetryAfter } from "@robust-sync/git";
import type { Dispatcher, Pool } from "undici";
import { ChannelError } from "../delivery/channel.ts";

/** The answer of the server. */
export interface HttpReply {
	readonly status: number;
	/** The first 64 KiB. */
	readonly body: string;
	/** `Retry-After`, milliseconds. */
	readonly retryAfterMs: number | null;
}

export interface PostOptions {
	readonly signal?: AbortSignal | undefined;
	readonly timeoutMs?: number;
}

const defaultTimeoutMs = 15_000;
const longestBody = 65_536;

/**
 * POSTs JSON, through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). The HTTP client is loaded
 * when it is first needed and its connections closed after: a monitor without alerts to send stays small.
 * @throws ChannelError when there was no answer. Its message never holds the address, which may be a secret.
 */
export async function postJson(url: string, body: unknown, { signal, timeoutMs = defaultTimeoutMs }: PostOptions = {}): Promise<HttpReply> {
	const { EnvHttpProxyAgent, Pool, request } = await import("./undici.ts");
	let dispatcher: InstanceType<typeof EnvHttpProxyAgent> | undefined;
	const limit = new Deadline(timeoutMs, signal);
	try {
		dispatcher = new EnvHttpProxyAgent({
			connect: { timeout: timeoutMs },
			clientFactory: (origin, options) => proxyClient(new Pool(origin, options)),
		});
		// The client obeys an abort only once it has a connection, so the time before needs a limit of our own.
		const exchange = request(url, {
			method: "POST",
			headers: { "content-type": "application/json", "user-agent": "robust-sync" },
			body: JSON.stringify(body),
			dispatcher,
			headersTimeout: timeoutMs,
			bodyTimeout: timeoutMs,
		}).then(async (reply) => ({
			status: reply.statusCode,
			body: await readText(reply.body),
			retryAfterMs: parseRetryAfter(firstOf(reply.headers["retry-after"]), firstOf(reply.headers.date), Date.now()),
		}));
		return await Promise.race([exchange, limit.reached]);
	} catch (error) {
		throw new ChannelError(limit.isOver ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error));
	} finally {
		limit.cancel();
		// Ends a request that is still running.
		await dispatcher?.destroy().catch(() => undefined);
	}
}

/** Rejects when the time is over, or the signal is aborted. */
class Deadline {
	isOver = false;
	readonly reached: Promise<never>;
	readonly cancel: () => void;

	constructor(ms: number, signal?: AbortSignal) {
		let reject: (reason: Error) => void = () => undefined;
		this.reached = new Promise((_resolve, rejectWith) => {
			reject = rejectWith;
		});
		this.reached.catch(() => undefined);
		const timer = setTimeout(() => {
			this.isOver = true;
			reject(new Error("late"));
		}, ms);
		const abort = () => reject(Object.assign(new Error("stopped"), { code: "ABORT_ERR" }));
		signal?.addEventListener("abort", abort, { once: true });
		if (signal?.aborted) abort();
		this.cancel = () => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", abort);
		};
	}
}

/** A proxy that hangs up on CONNECT is a failure and not, as undici 7 takes it (nodejs/undici#3897), a reason to dial again at once, for ever. */
function proxyClient(pool: Pool): Pool {
	const connect = pool.connect.bind(pool) as (options: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;
	pool.connect = ((options: Dispatcher.ConnectOptions) =>
		connect(options).catch((cause: NodeJS.ErrnoException) => {
			throw cause.code === "UND_ERR_SOCKET" ? Object.assign(new Error("proxy"), { code: "EPROXY" }) : cause;
		})) as Pool["connect"];
	return pool;
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of body) {
		chunks.push(chunk);
		length += chunk.length;
		if (length >= longestBody) break;
	}
	return Buffer.concat(chunks).subarray(0, longestBody).toString("utf8");
}

const firstOf = (header: string | string[] | undefined) => (Array.isArray(header) ? header[0] : header);

/** Why there was no answer, in words of our own: a client's message may hold the address. */
export function reasonOf(error: unknown): string {
	const codes: string[] = [];
	let at = error as { code?: unknown; cause?: unknown; errors?: unknown } | undefined;
	for (let depth = 0; at && typeof at === "object" && depth < 5; at = at.cause as typeof at, depth++) {
		// Several addresses of one host that all failed are one error with several inside.
		for (const one of [at, ...(Array.isArray(at.errors) ? at.errors : [])]) if (typeof one?.code === "string") codes.push(one.code);
	}
	const code = codes.find((candidate) => candidate in reasons) ?? codes[0];
	if (code === undefined) return "the request failed";
	return reasons[code] ? `${reasons[code]} (${code})` : `the request failed (${code})`;
}

const reasons: Readonly<Record<string, string>> = {
	ECONNREFUSED: "the connection was refused",
	ECONNRESET: "the connection was cut",
	EPIPE: "the connection was cut",
	ENOTFOUND: "the host name is not known",
	EAI_AGAIN: "the name server does not answer",
	ENETUNREACH: "the network is unreachable",
	EHOSTUNREACH: "the host is unreachable",
	ETIMEDOUT: "the connection timed out",
	UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
	UND_ERR_HEADERS_TIMEOUT: "no answer in time",
	UND_ERR_BODY_TIMEOUT: "no answer in time",
	UND_ERR_SOCKET: "the connection was cut",
	UND_ERR_ABORTED: "the proxy refused, or the request was cut off",
	EPROXY: "the proxy hung up",
	ABORT_ERR: "stopped",
	CERT_HAS_EXPIRED: "its certificate has expired",
	DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
	SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed",
	UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
	ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};
