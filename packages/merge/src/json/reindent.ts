import { spend } from "../budget.ts";

/**
 * Moves a value to another place's indentation and line ends. Only whitespace between tokens can hold a line end in JSON, so every line of the
 * text may be treated alike.
 *
 * @param from the text before the value's siblings at the source: line end and indentation.
 * @param to the same at the destination.
 * @param depth number of containers around the siblings: determines the size of one step of indentation.
 */
export function reindent(text: string, from: string, to: string, depth: number): string {
	if (from === to || !text.includes("\n") || !from.includes("\n") || !to.includes("\n")) return text;
	const [fromIndent, toIndent] = [indentation(from), indentation(to)];
	const end = to.includes("\r\n") ? "\r\n" : "\n";
	const [fromStep, toStep] = [step(fromIndent, depth), step(toIndent, depth)];
	return text.replace(/\r?\n([ \t]*)/g, (_, indent: string) => {
		// Deep indentation with few steps would make a small text large.
		spend((toIndent.length + (indent.length / Math.max(1, fromStep?.length ?? 1)) * (toStep?.length ?? 0)) / 4);
		if (fromStep !== null && toStep !== null && fromStep !== "" && indent.length % fromStep.length === 0) {
			return end + toStep.repeat(indent.length / fromStep.length);
		}
		return end + (indent.startsWith(fromIndent) ? toIndent + indent.slice(fromIndent.length) : indent);
	});
}

function indentation(lineStart: string): string {
	return lineStart.slice(lineStart.lastIndexOf("\n") + 1);
}

/** One step of indentation; null if the indentation is no whole number of steps. */
function step(indent: string, depth: number): string | null {
	return indent.length % depth === 0 ? indent.slice(0, indent.length / depth) : null;
}
