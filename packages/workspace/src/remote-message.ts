/** The rest of a longer message is for the log. */
const maxShown = 500;

/**
 * A failure's message, followed by the remote's text for people, as one line.
 * @param remoteMessage lines; null or absent: there is none
 */
export function withRemoteMessage(message: string, remoteMessage: string | null | undefined): string {
	if (!remoteMessage) return message;
	const line = remoteMessage.split("\n").join(" / ");
	if (message.includes(line)) return message;
	return `${message}; the remote says: ${line.length > maxShown ? `${line.slice(0, maxShown).replace(/[\ud800-\udbff]$/, "")}…` : line}`;
}
