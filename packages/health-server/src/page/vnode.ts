import { printable } from "@robust-sync/service/printable";

/** Attributes of an element; false, null and undefined leave one out, true writes it without value. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * A piece of the page: text, or an element as `[tag, attributes, ...children]`. The server writes it as HTML, and sends
 * the same as JSON to a page that is open, which makes nodes of it: text can only ever become a text node.
 */
export type VNode = string | readonly [tag: string, attributes: Attributes, ...children: VNode[]];

/** What h() takes as a child: lists are flattened, what is false or null is left out. */
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
			// Text beside text is one text node once it was HTML.
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

/** What TSX is checked against: any element, its attributes and children as {@link h} takes them. */
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

/** An element, as TSX makes it too. Text and attributes become printable here, so that nothing on a page is shown as it came. */
export function h(tag: string, attributes: Attributes | null, ...children: Child[]): VNode {
	const shown: Record<string, string | number | true> = {};
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value !== false && value !== null && value !== undefined) shown[name] = typeof value === "string" ? printableText(value) : value;
	}
	return [tag, shown, ...flatten(children, [])];
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text as HTML shows it. A NUL, which HTML cannot hold, becomes U+FFFD. */
export function escapeHtml(text: string): string {
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
