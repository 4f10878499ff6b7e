import type { IncomingMessage } from "node:http";
import { isLoopback } from "@robust-sync/workspace";

/** Why a request is refused. */
export interface Refusal {
	readonly code: 400 | 403 | 405;
	readonly error: string;
}

const loopbackNames = new Set(["localhost", "localhost.", "ip6-localhost", "ip6-loopback"]);

/** Whether `host` (a Host header: name or address, with or without port) means this machine. */
function isLoopbackHost(host: string): boolean {
	const match = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(?::\d{0,5})?$/i.exec(host);
	const name = match?.[1]?.toLowerCase();
	if (name === undefined) return false;
	return loopbackNames.has(name) || isLoopback(name);
}

// Almost every request carries one of a few values.
const judged = new Map<string, boolean>();

function isAllowedHost(host: string): boolean {
	const known = judged.get(host);
	if (known !== undefined) return known;
	const allowed = isLoopbackHost(host);
	if (judged.size < 100) judged.set(host, allowed);
	return allowed;
}

/** @param raw names and values, alternating */
function countHosts(raw: readonly string[]): number {
	let hosts = 0;
	for (let at = 0; at < raw.length; at += 2) if (raw[at]?.length === 4 && raw[at]?.toLowerCase() === "host") hosts++;
	return hosts;
}

/**
 * Why this request is refused, or null. A page of another site that resolves its own name to 127.0.0.1 (DNS rebinding)
 * sends that name as Host, so only loopback names and addresses are answered. HTTP/1.0 has no Host and no browsers.
 */
export function refusalOf(request: IncomingMessage): Refusal | null {
	const host = request.headers.host;
	// RFC 9112, 3.2; node itself uses the first of several.
	if (countHosts(request.rawHeaders) > 1) return { code: 400, error: "more than one Host header" };
	if (host === undefined ? request.httpVersionMinor > 0 : !isAllowedHost(host)) {
		return { code: 403, error: "this host name is not answered: use localhost or a loopback address" };
	}
	if (request.method !== "GET" && request.method !== "HEAD") return { code: 405, error: "only GET and HEAD" };
	return null;
}

/**
 * The path of a request target without its query, or null if it is not a plain path. An absolute target
 * (`GET http://host/health`) must name a loopback host too.
 */
export function pathOf(target: string): { path: string; query: string } | null {
	let rest = target;
	const absolute = target.startsWith("/") ? null : /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
	if (absolute) {
		if (!isLoopbackHost(absolute[1] ?? "")) return null;
		rest = absolute[2] || "/";
	}
	if (!rest.startsWith("/")) return null;
	const at = rest.indexOf("?");
	return at < 0 ? { path: rest, query: "" } : { path: rest.slice(0, at), query: rest.slice(at + 1) };
}
