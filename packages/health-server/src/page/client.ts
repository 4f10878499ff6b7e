/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { VNode } from "./vnode.ts";

/** The message of `/view` and `/events`. */
export interface ViewMessage {
	/** The server's clock, milliseconds since the epoch. */
	readonly now: number;
	readonly title: string;
	readonly status: string;
	/** All sections, or only those that changed. */
	readonly sections: readonly VNode[];
}

/**
 * The script of the page. It is sent as this function's own source, so it must not use anything from outside itself.
 * Text from the server only ever becomes a text node or an attribute.
 */
export function client(): void {
	const svg = "http://www.w3.org/2000/svg";
	const main = document.querySelector("main") as HTMLElement;
	const live = document.getElementById("live") as HTMLElement;
	const pollEveryMs = 2_000;
	const silentAfterMs = 15_000;
	let clockAheadMs = 0;
	let lastHeard = performance.now();

	function relative(ms: number): string {
		const seconds = Math.round(Math.abs(ms) / 1000);
		if (seconds < 2) return "just now";
		const [n, unit] =
			seconds < 90
				? [seconds, "s"]
				: seconds < 5400
					? [Math.round(seconds / 60), "min"]
					: seconds < 129_600
						? [Math.round(seconds / 3600), "h"]
						: [Math.round(seconds / 86_400), "d"];
		return ms > 0 ? `${n} ${unit} ago` : `in ${n} ${unit}`;
	}

	function tick(scope: ParentNode): void {
		const now = Date.now() + clockAheadMs;
		for (const element of scope.querySelectorAll("time")) {
			const at = Date.parse(element.dateTime);
			const text = relative(now - at);
			if (element.textContent !== text) element.textContent = text;
			const exact = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
			if (element.title !== exact) element.title = exact;
		}
	}

	function create(tag: string, parent: Node): Element {
		const inSvg = tag === "svg" || (parent as Element).namespaceURI === svg;
		return inSvg ? document.createElementNS(svg, tag) : document.createElement(tag);
	}

	function patchElement(element: Element, node: Exclude<VNode, string>): void {
		const attributes = node[1];
		for (const name of Object.keys(attributes)) {
			const value = attributes[name] === true ? "" : String(attributes[name]);
			if (element.getAttribute(name) !== value) element.setAttribute(name, value);
		}
		for (const name of element.getAttributeNames()) {
			// Details that the reader opened stay open.
			if (!(name in attributes) && name !== "open" && name !== "title") element.removeAttribute(name);
		}
		if (element.tagName === "TIME" || "data-keep" in attributes) return;
		patchChildren(element, node.slice(2) as VNode[]);
	}

	function patchChildren(parent: Element, nodes: readonly VNode[]): void {
		const named = new Map<string, Element>();
		for (const child of parent.children) if (child.id) named.set(child.id, child);
		let cursor: ChildNode | null = parent.firstChild;
		for (const node of nodes) {
			let match: ChildNode | null = null;
			if (typeof node === "string") {
				if (cursor && cursor.nodeType === Node.TEXT_NODE) match = cursor;
				else match = document.createTextNode(node);
				if (match.nodeValue !== node) match.nodeValue = node;
			} else {
				const id = node[1].id;
				const candidate = typeof id === "string" ? named.get(id) : cursor instanceof Element && !cursor.id ? cursor : null;
				const element = candidate && candidate.localName === node[0] ? candidate : create(node[0], parent);
				patchElement(element, node);
				match = element;
			}
			if (match === cursor) cursor = cursor.nextSibling;
			else parent.insertBefore(match, cursor);
		}
		while (cursor) {
			const next: ChildNode | null = cursor.nextSibling;
			cursor.remove();
			cursor = next;
		}
	}

	function setTitle(text: string): void {
		if (document.title !== text) document.title = text;
	}

	function show(message: ViewMessage): void {
		lastHeard = performance.now();
		clockAheadMs = message.now - Date.now();
		setTitle(message.title);
		document.body.dataset.status = message.status;
		const changed = new Map(message.sections.map((section) => [(section as Exclude<VNode, string>)[1].id, section]));
		for (const section of main.children) {
			const node = changed.get(section.id);
			if (node) patchElement(section, node as Exclude<VNode, string>);
		}
		tick(main);
	}

	function showConnection(kind: string, text: string): void {
		live.dataset.kind = kind;
		if (live.textContent !== text) live.textContent = text;
	}

	// Events if possible, else a poll every two seconds; both start again by themselves.
	let polling: number | undefined;
	let etag = "";
	async function poll(): Promise<void> {
		try {
			const response = await fetch(`/view${location.search}`, { headers: etag ? { "If-None-Match": etag } : {} });
			if (response.status === 304) lastHeard = performance.now();
			else if (response.ok) {
				etag = response.headers.get("ETag") ?? "";
				show(await response.json());
			}
		} catch {
			// A failure that lasts is shown below.
		}
		// Events may have come back meanwhile.
		if (polling !== undefined) polling = window.setTimeout(poll, pollEveryMs);
	}
	function startPolling(): void {
		polling ??= window.setTimeout(poll, 0);
	}
	function stopPolling(): void {
		window.clearTimeout(polling);
		polling = undefined;
	}
	function listen(): void {
		if (!("EventSource" in window)) {
			startPolling();
			return;
		}
		const events = new EventSource(`/events${location.search}`);
		events.addEventListener("view", (event) => {
			stopPolling();
			show(JSON.parse((event as MessageEvent<string>).data));
		});
		events.addEventListener("beat", () => {
			lastHeard = performance.now();
		});
		events.addEventListener("error", () => {
			startPolling();
			if (events.readyState === EventSource.CLOSED) window.setTimeout(listen, 10_000);
		});
	}

	setInterval(() => {
		tick(main);
		const silentMs = performance.now() - lastHeard;
		if (silentMs > silentAfterMs) {
			showConnection("lost", "No answer from the health server: this page is out of date");
			setTitle(`? ${document.title.replace(/^\S+ /, "")}`);
		} else showConnection(polling === undefined ? "live" : "polling", polling === undefined ? "Live" : "Polling every 2 s");
	}, 1_000);

	main.addEventListener("click", (event) => {
		const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
		if (!button) return;
		const done = (word: string) => {
			button.textContent = word;
			window.setTimeout(() => {
				button.textContent = "Copy";
			}, 2_000);
		};
		const select = () => {
			getSelection()?.selectAllChildren(button.previousElementSibling as Element);
			done("Press Ctrl+C");
		};
		if (navigator.clipboard) navigator.clipboard.writeText(button.dataset.copy ?? "").then(() => done("Copied"), select);
		else select();
	});

	// "toggle" does not bubble.
	main.addEventListener(
		"toggle",
		async (event) => {
			const details = event.target as HTMLDetailsElement;
			const url = details.dataset.diff;
			const place = details.querySelector(".diff-here");
			if (!url || !place || !details.open || place.hasChildNodes()) return;
			patchChildren(place, ["Loading …"]);
			try {
				const response = await fetch(url, { headers: { Accept: "application/json" } });
				patchChildren(place, response.ok ? [await response.json()] : ["These versions are not there any more."]);
			} catch {
				patchChildren(place, []);
				details.open = false;
			}
		},
		true,
	);

	document.documentElement.classList.add("script");
	tick(main);
	showConnection("live", "Live");
	listen();
}
