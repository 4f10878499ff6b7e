import { printable } from "@robust-sync/service/printable";

/** Attributes of an element; false, null and undefined leave one out, true writes it without value. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * An element of the page: text, or an element as `[tag, attributes, ...children]`. The server renders it as HTML, and sends
 * the same as JSON to an open page, which makes DOM nodes of it: text can only ever become a text node.
 */
export type VNode = string | readonly [tag: string, attributes: Attributes, ...children: VNode[]];

/** The children that h() accepts: lists are flattened, false and null are left out. */
export type Child = VNode | number | false | null | undefined | readonly Child[];

function isNode(child: readonly unknown[]): child is Exclude<VNode, string> {
	return typeof child[0] === "string" && child.length > 1 && typeof child[1] === "object" && child[1] !== null && !Array.isArray(child[1]);
}

function flatten(children: readonly Child[], into: VNode[]): VNode[] {
	for (const child of children) {
		if (child === false || child === null || child === undefined || child === "") continue;
		if (typeof child === "object" && !isNode(child)) flatten(child as readonly Child[], into);
		else if (typeof child === "object") into.push(child);
		else {
			const last = into.at(-1);
			// Adjacent texts are one text node in HTML.
			if (typeof last === "string") into[into.length - 1] = last + printableText(String(child));
			else into.push(printableText(String(child)));
		}
	}
	return into;
}

/** Text of a page: printable, with the tabs of a file's lines. */
function printableText(text: string): string {
	return text.split("\t").map(printable).join("\t");
}

/** The types for TSX: any element, with the attributes and children that {@link h} accepts. */
export declare namespace h {
	namespace JSX {
		type Element = VNode;
		interface IntrinsicElements {
			[tag: string]: { readonly [name: string]: Child | boolean };
		}
		interface ElementChildrenAttribute {
			children: unknown;
		}
	}
}

/** An element, also for TSX. Text and attributes become printable here, so that no input is shown raw. */
export function h(tag: string, attributes: Attributes | null, ...children: Child[]): VNode {
	const shown: Record<string, string | number | true> = {};
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value !== false && value !== null && value !== undefined) shown[name] = typeof value === "string" ? printableText(value) : value;
	}
	return [tag, shown, ...flatten(children, [])];
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text escaped for HTML. A NUL, which HTML cannot hold, becomes U+FFFD. */
function escapeHtml(text: string): string {
	return text.replaceAll("\0", "\ufffd").replaceAll(/[&<>"']/g, (character) => escapes[character] as string);
}

const voidElements = new Set(["br", "col", "hr", "img", "input", "link", "meta", "wbr"]);

/** The HTML of a node. */
export function toHtml(node: VNode): string {
	if (typeof node === "string") return escapeHtml(node);
	const [tag, attributes, ...children] = node;
	let html = `<${tag}`;
	for (const [name, value] of Object.entries(attributes)) html += value === true ? ` ${name}` : ` ${name}="${escapeHtml(String(value))}"`;
	html += ">";
	if (voidElements.has(tag)) return html;
	for (const child of children) html += toHtml(child);
	return `${html}</${tag}>`;
}
