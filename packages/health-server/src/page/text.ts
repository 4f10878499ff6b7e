import { type Child, h, type VNode } from "./vnode.ts";

/** A time as the page shows it: exact in HTML; a page with JavaScript makes it relative and keeps the exact one on hover. */
export function time(at: string | number): VNode {
	const iso = new Date(at).toISOString();
	return h("time", { datetime: iso }, `${iso.slice(0, 19).replace("T", " ")} UTC`);
}

/** The same, or a word for never. */
export function timeOr(at: string | number | null | undefined, otherwise: string): VNode {
	return at === null || at === undefined ? otherwise : time(at);
}

/** A duration for people: 12 ms, 1.4 s, 3 min 5 s. */
export function duration(ms: number): string {
	if (ms < 1) return `${ms.toFixed(2)} ms`;
	if (ms < 10) return `${ms.toFixed(1)} ms`;
	if (ms < 1_000) return `${Math.round(ms)} ms`;
	if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
	const seconds = Math.round(ms / 1_000);
	return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `1 file`, `2,000 files`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
	return `${n.toLocaleString("en-US")} ${n === 1 ? noun : plural}`;
}

/** A commit's short id; the whole one on hover. */
export function commit(id: string | null | undefined, otherwise = "none yet"): VNode {
	return id ? h("code", { title: id }, id.slice(0, 8)) : otherwise;
}

/** A coloured word. The word says it too: colour is never the only sign. */
export function badge(kind: "ok" | "warn" | "bad" | "quiet", word: string): VNode {
	return h("span", { class: `badge ${kind}` }, word);
}

/** A command to run, with a button that copies it (shown where there is JavaScript). */
export function command(text: string): VNode {
	return h("span", { class: "command" }, h("code", null, text), h("button", { type: "button", class: "copy", "data-copy": text }, "Copy"));
}

/** A table that may be wider than the screen: it scrolls by itself, by keyboard too. */
export function table(label: string, head: readonly string[], rows: readonly VNode[]): VNode {
	return h(
		"div",
		{ class: "scroll", role: "region", "aria-label": label, tabindex: 0 },
		h(
			"table",
			null,
			h("caption", { class: "hidden" }, label),
			h(
				"thead",
				null,
				h(
					"tr",
					null,
					head.map((title) => h("th", { scope: "col" }, title)),
				),
			),
			h("tbody", null, rows),
		),
	);
}

/** What stands where there is nothing: what that means and what to do. */
export function empty(...text: Child[]): VNode {
	return h("p", { class: "empty" }, text);
}
