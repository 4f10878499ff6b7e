import { loadConfig } from "./config.ts";

/**
 * The first value of the configuration that a service would refuse at its start in `workspace`, in one line; null: none. Never throws.
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
