/** How git marks what the other side wrote (its hooks, its git): git-receive-pack(1), and the error packet of gitprotocol-common(5). */
const marks = /^(?:remote: ?|(?:fatal|error): remote error: |error: remote unpack failed: )/;

const linesOf = (stderr: string) => stderr.split(/[\r\n]+/).filter((line) => line !== "");

/** What git wrote for itself on stderr, without what the remote wrote: only this may decide what a failure is called. */
export function withoutRemoteText(stderr: string): string {
	return linesOf(stderr)
		.filter((line) => !marks.test(line))
		.join("\n");
}

/**
 * What the remote wrote, in its own words, one line after the other; null: nothing. Not printable yet. git ends such lines with blanks, or
 * with an escape sequence, to clear what stood there.
 */
export function remoteText(stderr: string): string | null {
	const lines = linesOf(stderr)
		.filter((line) => line.startsWith("remote:"))
		.map((line) => line.replace(marks, "").replace(/(?:\x1b\[K|\s)+$/, ""))
		.filter((line) => line !== "");
	return lines.length === 0 ? null : lines.join("\n");
}
