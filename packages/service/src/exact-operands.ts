import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";

/** A byte that is no UTF-8, as a lone surrogate: U+DC80 to U+DCFF (PEP 383). */
const escaped = (byte: number) => String.fromCharCode(0xdc00 + byte);
const longestCharacter = 4;

/** Text that keeps all bytes: each that is no UTF-8 is a lone surrogate. The `textBytes` of the git package takes it back. */
export function textOfBytes(bytes: Buffer): string {
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

/** The arguments of this process as the kernel has them. */
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
 * Operands byte for byte: Node decodes arguments and puts U+FFFD in the place of what is no UTF-8, so two names that differ would be one.
 * @param operands as decoded, in the order of the arguments
 * @param raw the arguments of the process
 * @returns the same texts, those with bytes that are no UTF-8 by {@link textOfBytes}
 */
export function exactOperands(operands: readonly string[], raw: () => readonly Buffer[] = ownArguments): string[] {
	if (!operands.some((operand) => operand.includes("\ufffd"))) return [...operands];
	const known = raw().map((bytes) => ({ bytes, decoded: bytes.toString("utf8") }));
	let from = 0;
	return operands.map((operand) => {
		if (!operand.includes("\ufffd")) return operand;
		const at = known.findIndex(({ decoded }, index) => index >= from && decoded === operand);
		const bytes = known[at]?.bytes;
		if (bytes === undefined) return operand;
		from = at + 1;
		return textOfBytes(bytes);
	});
}
