// The command lines of `npm run chaos`, `soak`, `bench` and the others in this directory.
import { parseArgs } from "node:util";

/**
 * Reads the arguments of a command, and sets the exit code where it has nothing to do: 0 after `--help`, 2 after an invalid argument, with
 * one line and the usage.
 * @param usage lines for people; the first begins with `usage: `
 * @param options as those of parseArgs (node:util); `--help` is added
 * @param positionals whether arguments that are no options are allowed
 * @param problemOf gets the values and the other arguments; returns the problem with one of them, or null
 * @returns `{ values, positionals }`; null: nothing to do
 */
export function readArguments({ usage, options = {}, positionals = false, problemOf = () => null }) {
	let problem = null;
	try {
		const found = parseArgs({ options: { ...options, help: { type: "boolean" } }, allowPositionals: positionals });
		if (found.values.help) {
			process.stdout.write(usage);
			return null;
		}
		problem = problemOf(found.values, found.positionals);
		if (problem === null) return found;
	} catch (error) {
		// Node appends advice about arguments that begin with a dash.
		[problem] = error.message.split(". To specify");
	}
	process.stderr.write(`${problem}\n${usage}`);
	process.exitCode = 2;
	return null;
}
