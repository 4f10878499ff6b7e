import { createLogger } from "./log.ts";

/**
 * Loads a service's configuration. A refused configuration ends the service at once. The reason is logged to the service's own file, too, because people
 * look for it there.
 *
 * @param name the service's name in its log
 * @param file the log file
 * @param load throws the problem of the configuration
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
