/** The terminal that shows a line now; it is taken away before anything else is written there. */
let shownOn: NodeJS.WriteStream | null = null;

/** Shows one line at the bottom of a terminal, in place of the one before; it is cut at the terminal's width. Does nothing elsewhere. */
export function showLine(text: string, stream: NodeJS.WriteStream = process.stderr): void {
	if (!stream.isTTY) return;
	// A line that wraps could not be taken away again.
	const width = Math.max(1, (stream.columns || 80) - 1);
	stream.write(`\r\u001b[K${text.slice(0, width)}`);
	shownOn = stream;
}

/** Takes that line away, if there is one: before a line that is to stay. */
export function hideLine(): void {
	shownOn?.write("\r\u001b[K");
	shownOn = null;
}
