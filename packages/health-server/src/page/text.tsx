import { type Child, h, type VNode } from "./vnode.ts";

/** A time as the page shows it: exact in HTML; JavaScript makes it relative and keeps the exact one on hover. */
export function time(at: string | number): VNode {
	const iso = new Date(at).toISOString();
	return <time datetime={iso}>{`${iso.slice(0, 19).replace("T", " ")} UTC`}</time>;
}

/** The same, or a word for never. */
export function timeOr(at: string | number | null | undefined, otherwise: string): VNode {
	return at === null || at === undefined ? otherwise : time(at);
}

/** `1 file`, `2,000 files`. */
export function count(n: number, noun: string): string {
	return `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;
}

/** A commit's short id; the whole one on hover. */
export function commit(id: string | null | undefined, otherwise = "none yet"): VNode {
	return id ? <code title={id}>{id.slice(0, 8)}</code> : otherwise;
}

/** A coloured word: the word has the meaning, the colour is never the only sign. */
export function badge(kind: "ok" | "warn" | "bad" | "quiet", word: string): VNode {
	return <span class={`badge ${kind}`}>{word}</span>;
}

/** A command to run, with a button that copies it (shown where there is JavaScript). */
export function command(text: string): VNode {
	return (
		<span class="command">
			<code>{text}</code>
			<button type="button" class="copy" data-copy={text}>
				Copy
			</button>
		</span>
	);
}

/** A table that may be wider than the screen: it scrolls by itself, by keyboard too. */
export function table(label: string, head: readonly string[], rows: readonly VNode[]): VNode {
	return (
		<section class="scroll" aria-label={label} tabindex={0}>
			<table>
				<caption class="hidden">{label}</caption>
				<thead>
					<tr>
						{head.map((title) => (
							<th scope="col">{title}</th>
						))}
					</tr>
				</thead>
				<tbody>{rows}</tbody>
			</table>
		</section>
	);
}

/** The text in place of an empty list: its meaning and the next step. */
export function empty(...text: Child[]): VNode {
	return <p class="empty">{text}</p>;
}
