import { Chalk, type ChalkInstance, supportsColor, supportsColorStderr } from "chalk";

/**
 * Colours for one stream: only when it is a terminal that can show them and NO_COLOR is unset (https://no-color.org).
 *
 * @param stream process.stdout or process.stderr
 * @param env the environment that is consulted
 * @returns a chalk instance, which leaves text unchanged without colour
 */
export function paint(stream: NodeJS.WriteStream): ChalkInstance {
	if (!stream.isTTY || process.env.NO_COLOR !== undefined || process.env.TERM === "dumb") return new Chalk({ level: 0 });
	const support = stream === process.stderr ? supportsColorStderr : supportsColor;
	return new Chalk({ level: support ? support.level : 1 });
}
