// What the commands of the explorers of a checkout have in common (docs/design/concurrent-writes.md).

/** A trace that was run. */
export interface Explored {
	/** In the syntax of `--only`. */
	readonly trace: string;
	/** Several lines each; none: nothing was lost. */
	readonly problems: readonly string[];
}

/** Prints a failed trace. */
export function printFailed({ trace, problems }: Explored): void {
	process.stdout.write(`FAILED ${trace}\n${problems.map((problem) => `  ${problem.replaceAll("\n", "\n  ")}\n`).join("")}`);
}

/** A step of a trace: the call of the checkout, and the acts of the trace there. */
export interface ExploredStep {
	readonly step: string;
	readonly call: string;
	readonly acts: readonly string[];
}

/**
 * Prints one trace with its steps.
 * @param done the number of possible acts @param events the number of all @returns the exit code
 */
export function printSteps(explored: Explored, steps: Iterable<ExploredStep>, done: number, events: number): number {
	for (const { step, call, acts } of steps)
		process.stdout.write(`${step.padStart(6)}  ${call}${acts.length > 0 ? `  <- ${acts.join(", ")}` : ""}\n`);
	if (explored.problems.length === 0) {
		process.stdout.write(`nothing lost; ${done} of ${events} acts were possible\n`);
		return 0;
	}
	printFailed(explored);
	return 1;
}

/**
 * Runs an explorer, and sets the exit code: 1 if a trace failed, 2 for invalid arguments.
 * @param parse reads the arguments @param main returns the exit code
 */
export async function runExplorer<Values extends { readonly help: boolean }>(
	usage: string,
	parse: () => Values,
	main: (values: Values) => Promise<number>,
): Promise<void> {
	try {
		const values = parse();
		if (values.help) process.stdout.write(usage);
		else process.exitCode = await main(values);
	} catch (error) {
		process.stderr.write(`explore: ${(error as Error).message}\n${usage}`);
		process.exitCode = 2;
	}
}
