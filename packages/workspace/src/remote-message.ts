/** More than this is for the log of who wrote it. */
const maxShown = 500;

/**
 * A failure's message with what the remote wrote for people behind it, as one line.
 * @param remoteMessage lines; null or absent: it wrote nothing
 */
export function withRemoteMessage(message: string, remoteMessage: string | null | undefined): string {
	if (!remoteMessage) return message;
	const line = remoteMessage.split("\n").join(" / ");
	if (message.includes(line)) return message;
	return `${message}; the remote says: ${line.length > maxShown ? `${line.slice(0, maxShown).replace(/[\ud800-\udbff]$/, "")}…` : line}`;
}
