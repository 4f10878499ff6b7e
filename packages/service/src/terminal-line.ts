/** The terminal that shows a line now; the line is erased before anything else is written there. */
let shownOn: NodeJS.WriteStream | null = null;

/** Shows one line at the bottom of a terminal, in place of the one before; it is cut at the terminal's width. Does nothing elsewhere. */
export function showLine(text: string, stream: NodeJS.WriteStream = process.stderr): void {
	if (!stream.isTTY) return;
	// A line that wraps could not be erased.
	const width = Math.max(1, (stream.columns || 80) - 1);
	stream.write(`\r\u001b[K${text.slice(0, width)}`);
	shownOn = stream;
}

/** Erases that line, if there is one: before output that is to stay. */
export function hideLine(): void {
	shownOn?.write("\r\u001b[K");
	shownOn = null;
}
