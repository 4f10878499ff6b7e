import { isUtf8 } from "node:buffer";
import { readFileSync, readlinkSync } from "node:fs";

/** A byte that is not UTF-8, as a lone surrogate: U+DC80 to U+DCFF (PEP 383). */
const escaped = (byte: number) => String.fromCharCode(0xdc00 + byte);
const longestCharacter = 4;

/** Decodes without loss: each byte that is not UTF-8 becomes a lone surrogate. `textBytes` of the git package is the inverse. */
export function textOfBytes(bytes: Buffer): string {
	if (isUtf8(bytes)) return bytes.toString("utf8");
	let text = "";
	for (let at = 0; at < bytes.length; ) {
		let end = at + 1;
		while (end < at + longestCharacter && !isUtf8(bytes.subarray(at, end))) end++;
		const character = bytes.subarray(at, end);
		const isValid = isUtf8(character);
		text += isValid ? character.toString("utf8") : escaped(bytes[at] ?? 0);
		at += isValid ? character.length : 1;
	}
	return text;
}

/** The raw arguments of this process, from the kernel. */
function ownArguments(): Buffer[] {
	try {
		const bytes = readFileSync("/proc/self/cmdline");
		const found: Buffer[] = [];
		for (let at = 0; at < bytes.length; ) {
			const end = bytes.indexOf(0, at);
			if (end < 0) break;
			found.push(bytes.subarray(at, end));
			at = end + 1;
		}
		return found;
	} catch {
		return [];
	}
}

/**
 * Arguments byte for byte. Node replaces bytes that are not UTF-8 by U+FFFD, so that two different names would look the same.
 * @param args the last arguments of this process, as Node decoded them
 * @param raw all raw arguments of the process
 * @returns the arguments; those with bytes that are not UTF-8 in the form of {@link textOfBytes}
 */
export function exactArguments(args: readonly string[], raw: () => readonly Buffer[] = ownArguments): string[] {
	if (!args.some((one) => one.includes("\ufffd"))) return [...args];
	const known = raw();
	return args.map((one, at) => {
		const bytes = known.at(at - args.length);
		return bytes?.toString("utf8") === one ? textOfBytes(bytes) : one;
	});
}

/** The current directory, byte for byte in the same way. */
export function currentDirectory(): string {
	const shown = process.cwd();
	if (!shown.includes("\ufffd")) return shown;
	try {
		return textOfBytes(readlinkSync("/proc/self/cwd", "buffer"));
	} catch {
		return shown;
	}
}
