import { statSync } from "node:fs";
import { secretVariables } from "./config.ts";
import { readEnvFile } from "./env-file.ts";

/**
 * A `.sync_env` with secrets in it that other users may read, in one line with the command that repairs it; null: nothing is wrong, or it
 * cannot be looked at. Never throws.
 * @param shown the file as a word of that command
 */
export function exposedSecrets(file: string, shown: string): string | null {
	try {
		const mode = statSync(file).mode & 0o777;
		if ((mode & 0o044) === 0) return null;
		const values = readEnvFile(file);
		const secrets = [...secretVariables].filter((name) => values[name]);
		if (secrets.length === 0) return null;
		return `.sync_env has mode ${mode.toString(8).padStart(4, "0")}: other users can read what is secret in it (${secrets.join(", ")}): chmod 600 ${shown}`;
	} catch {
		return null;
	}
}
