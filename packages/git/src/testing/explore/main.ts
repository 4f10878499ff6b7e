import { parseArgs } from "node:util";
import { printFailed, printSteps, runExplorer } from "@robust-sync/system/testing/explorer-command";
import { explore, type Outcome, oneMore, parseTrace, traceText, withCut, withFault } from "./explore-model.ts";
import { eachCut, eachFault, eachPair, eachSingle } from "./schedules.ts";

// `npm run explore -- --model`: the checkout alone, on a file system in memory (docs/design/concurrent-writes.md).

const usage = `usage: npm run explore -- --model [--pairs N] [--seed N] [--stop] [--only "TRACE"]
  --pairs  the number of traces with two acts, with an act and a fault, and with an act and a power cut, chosen by --seed (default 20,000 and 1), after all with one
  --stop   ends at the first failing trace
  --only   runs one trace, as it was printed, and shows its calls; given several times, runs them up to the first that fails
`;

const options = {
	model: { type: "boolean" },
	pairs: { type: "string", default: "20000" },
	seed: { type: "string", default: "1" },
	stop: { type: "boolean", default: false },
	only: { type: "string", multiple: true },
	help: { type: "boolean", default: false },
} as const;

const explored = ({ trace, problems }: Outcome) => ({ trace: traceText(trace), problems });

async function only(text: string): Promise<number> {
	const outcome = await explore(parseTrace(text));
	const { events } = outcome.trace;
	const actsAt = (at: number) => events.filter((event) => event.at === at).map(({ act }) => act);
	const steps = outcome.calls.map((call, at) => ({ step: String(at), call, acts: actsAt(at) }));
	return printSteps(explored(outcome), steps, outcome.done, events.length);
}

const parse = () => parseArgs({ options }).values;

async function main(values: ReturnType<typeof parse>): Promise<number> {
	const [first, ...others] = values.only ?? [];
	if (first !== undefined && others.length === 0) return await only(first);
	const [pairs, seed] = [Number(values.pairs), Number(values.seed)];
	if (!Number.isInteger(pairs) || pairs < 0 || !Number.isInteger(seed)) throw new Error("a number is out of range");
	let [count, bad] = [0, 0];
	const report = (outcome: Outcome) => {
		count++;
		if (outcome.problems.length === 0) return;
		bad++;
		printFailed(explored(outcome));
	};
	const isOver = () => values.stop && bad > 0;
	if (values.only) {
		for (const text of values.only) if (bad === 0) report(await explore(parseTrace(text)));
	} else await exploreAll(pairs, seed, report, isOver);
	process.stdout.write(`${count} traces, ${bad} failed\n`);
	return bad > 0 ? 1 : 0;
}

async function exploreAll(pairs: number, seed: number, report: (outcome: Outcome) => void, isOver: () => boolean): Promise<void> {
	await eachSingle(["exchange", "link"], report, isOver);
	if (!isOver()) await eachFault(["exchange", "link"], report);
	if (!isOver()) await eachCut(["exchange", "link"], report);
	for (const second of [oneMore, withFault, withCut]) if (!isOver()) await eachPair(pairs, seed, report, isOver, second);
}

await runExplorer(usage, parse, main);
