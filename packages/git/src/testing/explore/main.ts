import { parseArgs } from "node:util";
import { explore, type Outcome, oneMore, parseTrace, traceText, withFault } from "./explore-model.ts";
import { eachFault, eachPair, eachSingle } from "./schedules.ts";

// `npm run explore -- --model`: the checkout alone, on a file system in memory (docs/design/concurrent-writes.md).

const usage = `usage: npm run explore -- --model [--pairs N] [--seed N] [--stop] [--only "TRACE"]
  --pairs  the number of traces with two acts, and of those with an act and a fault, chosen by --seed (default 20,000 and 1), after all with one
  --stop   ends at the first failing trace
  --only   runs one trace, as it was printed, and shows its calls
`;

const options = {
	model: { type: "boolean" },
	pairs: { type: "string", default: "20000" },
	seed: { type: "string", default: "1" },
	stop: { type: "boolean", default: false },
	only: { type: "string" },
	help: { type: "boolean", default: false },
} as const;

function print({ trace, problems }: Outcome): void {
	process.stdout.write(`FAILED ${traceText(trace)}\n${problems.map((problem) => `  ${problem.replaceAll("\n", "\n  ")}\n`).join("")}`);
}

async function only(text: string): Promise<number> {
	const outcome = await explore(parseTrace(text));
	for (const [at, call] of outcome.calls.entries()) {
		const found = outcome.trace.events.filter((event) => event.at === at).map(({ act }) => act);
		process.stdout.write(`${String(at).padStart(5)}  ${call}${found.length > 0 ? `  <- ${found.join(", ")}` : ""}\n`);
	}
	if (outcome.problems.length > 0) print(outcome);
	else process.stdout.write(`nothing lost; ${outcome.done} of ${outcome.trace.events.length} acts were possible\n`);
	return outcome.problems.length > 0 ? 1 : 0;
}

/** @returns the exit code: 1 if a trace failed, 2 for invalid arguments */
async function main(): Promise<number> {
	const { values } = parseArgs({ options });
	if (values.help) {
		process.stdout.write(usage);
		return 0;
	}
	if (values.only !== undefined) return await only(values.only);
	const [pairs, seed] = [Number(values.pairs), Number(values.seed)];
	if (!Number.isInteger(pairs) || pairs < 0 || !Number.isInteger(seed)) throw new Error("a number is out of range");
	let [count, bad] = [0, 0];
	const report = (outcome: Outcome) => {
		count++;
		if (outcome.problems.length === 0) return;
		bad++;
		print(outcome);
	};
	const isOver = () => values.stop && bad > 0;
	await eachSingle(["exchange", "link"], report, isOver);
	if (!isOver()) await eachFault(["exchange", "link"], report);
	for (const second of [oneMore, withFault]) if (!isOver()) await eachPair(pairs, seed, report, isOver, second);
	process.stdout.write(`${count} traces, ${bad} failed\n`);
	return bad > 0 ? 1 : 0;
}

try {
	process.exitCode = await main();
} catch (error) {
	process.stderr.write(`explore: ${(error as Error).message}\n${usage}`);
	process.exitCode = 2;
}
