import { readFileSync } from "node:fs";
import { parse } from "dotenv";

/** `.sync_env` exists but cannot be read. Exit code 2. */
export class EnvFileError extends Error {
	readonly exitCode = 2;
	override readonly name = "EnvFileError";
}

// A shell takes `#` inside a word literally; dotenv starts a comment there. Such words are quoted first.
const wordWithHash = /^(\s*(?:export\s+)?[A-Za-z_]\w*=)([^\s'"`#][^\s'"`]*#[^\s'"`]*)(\s+#.*|\s*)$/gm;

/** The assignments of a file written for a shell (`export NAME=value  # comment`, quotes allowed). Nothing is executed or expanded. */
export function parseEnvText(text: string): Record<string, string> {
	return parse(text.replaceAll(wordWithHash, "$1'$2'$3"));
}

/** The assignments in `file`; none when it does not exist. @throws EnvFileError when it cannot be read. */
export function readEnvFile(file: string | Buffer): Record<string, string> {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") return {};
		throw new EnvFileError(`${file} cannot be read (${code}): make it a file that this user may read (chmod 600)`, { cause: error });
	}
	return parseEnvText(text);
}
