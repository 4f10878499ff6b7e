import type { Logger } from "./log.ts";
import { printable } from "./printable.ts";

/**
 * Reports a problem once and stops nothing: in the log of a service, or as a line on standard error for a command that ends at once.
 *
 * @param problem one line; null: none
 * @param to the service's logger, or the command's name
 */
export function warnAtStart(problem: string | null, to: Logger | string): void {
	if (problem === null) return;
	if (typeof to === "string") process.stderr.write(`${to}: ${printable(problem)}\n`);
	else to.warn(problem);
}
