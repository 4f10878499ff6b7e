/** How git marks what the other side wrote (its hooks, its git): git-receive-pack(1), and the error packet of gitprotocol-common(5). */
const marks = /^(?:remote: ?|(?:fatal|error): remote error: |error: remote unpack failed: )/;

const linesOf = (stderr: string) => stderr.split(/[\r\n]+/).filter((line) => line !== "");

/** git's own lines on stderr, without those of the remote: only these may decide the name of a failure. */
export function withoutRemoteText(stderr: string): string {
	return linesOf(stderr)
		.filter((line) => !marks.test(line))
		.join("\n");
}

// A disconnect carries a text of the server's, and so does a line in place of its identification. Of the former the number remains (RFC 4253, 11.1).
const ofServer =
	/^(Received disconnect from \S+ port \d+:\d+: |kex_exchange_identification: banner line \d+: |.*?Remote protocol version ).*$/;

/** What the ssh client wrote for itself, without the words of the server that it repeats. */
export function sshClientText(log: string): string {
	return linesOf(log)
		.map((line) => line.replace(ofServer, "$1"))
		.join("\n");
}

/**
 * What the remote wrote, in its own words, one line after the other; null: nothing. Not printable yet. git ends such lines with blanks, or
 * with an escape sequence, to clear what stood there.
 * @param overSsh what the remote's programs wrote to the standard error of ssh
 */
export function remoteText(stderr: string, overSsh = ""): string | null {
	const lines = [...linesOf(overSsh), ...linesOf(stderr).filter((line) => marks.test(line))]
		.map((line) => line.replace(marks, "").replace(/(?:\x1b\[K|\s)+$/, ""))
		.filter((line) => line !== "");
	return lines.length === 0 ? null : lines.join("\n");
}
