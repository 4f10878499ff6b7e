import { loadConfig } from "./config.ts";

/**
 * What a service that is started now in `workspace` would refuse in its configuration, in one line; null: nothing. Never throws.
 * The line may quote values, but none of a secret.
 */
export function configurationProblem(workspace: string): string | null {
	try {
		loadConfig({ workspace });
		return null;
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		return message
			.split(/\s*[\r\n]+\s*/)
			.filter(Boolean)
			.join("; ");
	}
}
