import { createLogger } from "./log.ts";

/**
 * Loads a service's configuration. One that is not accepted ends the service at once; so that people find the reason where they look for
 * its words, it is logged to the service's own file, too.
 *
 * @param name of the service, as its log has it
 * @param file the log file
 * @param load throws what is wrong with the configuration
 */
export function loadOrLog<T>(name: string, file: string, load: () => T): T {
	try {
		return load();
	} catch (error) {
		const logger = createLogger({ name, level: "info", format: "text", file, stderr: false, secrets: [] });
		logger.error(`not started: ${error instanceof Error ? error.message : String(error)}`);
		throw error;
	}
}
