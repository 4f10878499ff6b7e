import { statSync } from "node:fs";
import { secretVariables } from "./config.ts";
import { readEnvFile } from "./env-file.ts";

/**
 * A `.sync_env` with secrets that other users can read, in one line with the command that repairs it; null: no problem, or the file
 * cannot be checked. Never throws.
 * @param shown the file as a word of that command
 */
export function exposedSecrets(file: string, shown: string): string | null {
	try {
		const mode = statSync(file).mode & 0o777;
		if ((mode & 0o044) === 0) return null;
		const values = readEnvFile(file);
		const secrets = [...secretVariables].filter((name) => values[name]);
		if (secrets.length === 0) return null;
		return `.sync_env has mode ${mode.toString(8).padStart(4, "0")}: other users can read its secrets (${secrets.join(", ")}): chmod 600 ${shown}`;
	} catch {
		return null;
	}
}
