import { ChannelError } from "./channel.ts";

/** What came back. */
export interface HttpReply {
	readonly status: number;
	/** The first 64 KiB. */
	readonly body: string;
	/** `Retry-After`, milliseconds. */
	readonly retryAfterMs: number | null;
}

const timeoutMs = 15_000;
const longestBody = 65_536;

/**
 * POSTs JSON, through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). The HTTP client is loaded
 * when it is first needed and its connections closed after: a monitor that has nothing to say stays small.
 * @throws ChannelError when no answer came. Its message never holds the address, which may be a secret.
 */
export async function postJson(url: string, body: unknown, signal?: AbortSignal): Promise<HttpReply> {
	const { EnvHttpProxyAgent, request } = await import("undici");
	let dispatcher: InstanceType<typeof EnvHttpProxyAgent> | undefined;
	const timeout = AbortSignal.timeout(timeoutMs);
	try {
		dispatcher = new EnvHttpProxyAgent({ connect: { timeout: timeoutMs } });
		const reply = await request(url, {
			method: "POST",
			headers: { "content-type": "application/json", "user-agent": "robust-sync" },
			body: JSON.stringify(body),
			dispatcher,
			headersTimeout: timeoutMs,
			bodyTimeout: timeoutMs,
			signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
		});
		const chunks: Buffer[] = [];
		let length = 0;
		for await (const chunk of reply.body as AsyncIterable<Buffer>) {
			chunks.push(chunk);
			length += chunk.length;
			if (length >= longestBody) break;
		}
		return {
			status: reply.statusCode,
			body: Buffer.concat(chunks).subarray(0, longestBody).toString("utf8"),
			retryAfterMs: parseRetryAfter(reply.headers["retry-after"]),
		};
	} catch (error) {
		throw new ChannelError(reasonOf(error, timeout.aborted));
	} finally {
		await dispatcher?.destroy().catch(() => undefined);
	}
}

/** Seconds; the other form, a date, is not used by the services that are spoken to here (RFC 9110, 10.2.3). */
function parseRetryAfter(header: string | string[] | undefined): number | null {
	const text = Array.isArray(header) ? header[0] : header;
	return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : null;
}

/** In words of our own: a client's message may hold the address. */
function reasonOf(error: unknown, timedOut: boolean): string {
	if (timedOut) return `no answer within ${timeoutMs / 1000} s`;
	const codes: string[] = [];
	for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
		const { code } = at as NodeJS.ErrnoException;
		if (typeof code === "string") codes.push(code);
		if (at instanceof AggregateError) for (const inner of at.errors) if (typeof inner?.code === "string") codes.push(inner.code);
	}
	const code = codes.find((candidate) => candidate in reasons) ?? codes[0];
	if (code === undefined) return error instanceof Error && error.name === "AbortError" ? "stopped" : "the request failed";
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
	CERT_HAS_EXPIRED: "its certificate has expired",
	DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
	SELF_SIGNED_CERT_IN_CHAIN: "its certificate is self-signed",
	UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
	ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};
