import { createHash } from "node:crypto";
import { client } from "./client.ts";
import { style } from "./style.ts";
import type { View } from "./view.ts";
import { h, toHtml, type VNode } from "./vnode.ts";

const script = `(${client.toString()})()`;

function sourceHash(text: string): string {
	return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * The Content-Security-Policy of every page (CSP Level 3): our one script and our one style sheet, by hash; nothing from
 * elsewhere; no string ever becomes markup.
 */
export const pagePolicy = [
	"default-src 'none'",
	`script-src ${sourceHash(script)}`,
	`style-src ${sourceHash(style)}`,
	"connect-src 'self'",
	"img-src data:",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"require-trusted-types-for 'script'",
	"trusted-types 'none'",
].join("; ");

/** The same for the page of the history, whose form queries this server. */
export const formPolicy = pagePolicy.replace("form-action 'none'", "form-action 'self'");

const icon =
	"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232458c6'/%3E%3Cpath d='M3 6h8l-2-2M13 10H5l2 2' stroke='white' stroke-width='1.6' fill='none'/%3E%3C/svg%3E";

function html(title: string, status: string, body: VNode[], withScript: boolean): string {
	// The content of script and style elements is not escaped; ours contain no closing tag.
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">${toHtml(<title>{title}</title>)}${toHtml(<link rel="icon" href={icon} />)}<style>${style}</style></head><body data-status="${status}">${body.map(toHtml).join("")}${withScript ? `<script>${script}</script>` : ""}</body></html>\n`;
}

const banner = (
	<header>
		<span>
			<b>robust-sync</b>
			{" health · "}
			<a href="/history">history</a>
			{" · "}
			<a href="/saved">saved versions</a>
		</span>
		<span id="live" role="status" />
	</header>
);

function footer(version: string): VNode {
	const links = ["/health", "/status", "/metrics"].flatMap((path) => [<a href={path}>{path}</a>, " · "]);
	return (
		<footer>
			{links}
			{`robust-sync ${version}`}
		</footer>
	);
}

/** The dashboard as HTML: complete without JavaScript, live with it. */
export function dashboardPage(view: View, version: string): string {
	return html(view.title, view.status, [banner, <main>{[...view.sections]}</main>, footer(version)], true);
}

/** A page without JavaScript: a card with the title, and perhaps sections below it. */
export function plainPage(title: string, piece: VNode | null, sections: readonly VNode[] = []): string {
	const card = (
		<section class="card">
			<h1>{title}</h1>
			<p>
				<a href="/">Back to the dashboard</a>
			</p>
			{piece}
		</section>
	);
	return html(title, "", [banner, <main>{[card, ...sections]}</main>], false);
}
