import fs from "node:fs";
import { textBytes } from "@robust-sync/git";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { minValueBytes } from "../forget/value-kinds.ts";

const maxValueBytes = 65_536;

/** The value in a file, or on standard input, without the line feeds at its end. @throws CommandError */
export function readValue(file: string): Buffer {
	let content: Buffer;
	try {
		content = fs.readFileSync(file === "-" ? 0 : textBytes(file));
	} catch (error) {
		throw new CommandError(
			`${printable(file)} cannot be read (${(error as NodeJS.ErrnoException).code}): name a file that holds the value`,
			ExitCode.usage,
			{
				cause: error,
			},
		);
	}
	let end = content.length;
	while (end > 0 && (content[end - 1] === 10 || content[end - 1] === 13)) end--;
	const value = content.subarray(0, end);
	if (value.length < minValueBytes || new Set(value).size < 3)
		throw new CommandError(
			`a value of ${minValueBytes} bytes or more is needed, with at least 3 different ones: a simpler one would match text that is not secret`,
			ExitCode.usage,
		);
	if (value.length > maxValueBytes) throw new CommandError(`a value has at most ${maxValueBytes} bytes`, ExitCode.usage);
	return value;
}
