import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { printableJson } from "@robust-sync/service/printable";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import { pagePolicy, plainPage } from "./page/page.tsx";
import type { VNode } from "./page/vnode.ts";

/** The answer of one path; `query` is the part after the `?`. */
export type Answer = (request: IncomingMessage, response: ServerResponse, query: string) => Promise<void> | void;

export const json = "application/json; charset=utf-8";
const html = "text/html; charset=utf-8";
const dataPolicy = "default-src 'none'; frame-ancestors 'none'; sandbox";

/** Headers of every answer that is not a page. */
export const dataHeaders: readonly string[] = [
	"Cache-Control",
	"no-store",
	"X-Content-Type-Options",
	"nosniff",
	"Content-Security-Policy",
	dataPolicy,
	"Cross-Origin-Resource-Policy",
	"same-origin",
];

/** Text is sent together with its head in one write; a buffer would take two (writev(2)). */
export function send(
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

export function sendJson(
	request: IncomingMessage,
	response: ServerResponse,
	code: number,
	value: unknown,
	more: readonly string[] = [],
): void {
	send(request, response, code, json, `${printableJson(value)}\n`, more);
}

/** Answers with an ETag, and without the body if the client has it already (RFC 9110, section 13.1.2). */
export function sendTagged(
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

/** Sends a page as HTML. */
export function sendHtml(
	request: IncomingMessage,
	response: ServerResponse,
	page: string,
	policy = pagePolicy,
	more: Record<string, string> = {},
): void {
	sendTagged(request, response, html, page, { "Content-Security-Policy": policy, "Cache-Control": "no-cache", ...more });
}

/** Sends a page with one section. */
export function sendPage(request: IncomingMessage, response: ServerResponse, title: string, piece: VNode, policy = pagePolicy): void {
	sendHtml(request, response, plainPage(title, piece), policy);
}

/** The query's `before`: the name of a directory of saved versions; null if it is not a valid one. */
export function beforeOf(query: string): string | null {
	const before = new URLSearchParams(query).get("before");
	return before !== null && parseCompactTimestamp(before) !== null ? before : null;
}
