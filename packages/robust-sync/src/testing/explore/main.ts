import { type ParseArgsConfig, parseArgs } from "node:util";
import { hideLine } from "@robust-sync/service/terminal-line";
import { WorkProgress } from "@robust-sync/service/work-progress";
import { printFailed, printSteps, runExplorer } from "@robust-sync/system/testing/explorer-command";
import { progressText } from "@robust-sync/workspace";
import { fieldsOf } from "../../context/progress.ts";
import { type Kind, kinds } from "./contents.ts";
import { explore, type Outcome } from "./explorer.ts";
import { complete, exploreWithin, quickTraces } from "./schedules.ts";
import { type Incoming, incomings, parseTrace, traceText, type Way, ways } from "./traces.ts";

// `npm run explore`: every interleaving of a checkout with concurrent writes of programs (docs/design/concurrent-writes.md).

const usage = `usage: npm run explore -- [--bound 1|2] [--kind ${kinds.join("|")}] [--incoming ${incomings.join("|")}] [--way ${ways.join("|")}]
                          [--share 0..1] [--seed N] [--narrow] [--stop] [--quick] [--only "TRACE"]
  --bound     acts a trace (default 1)
  --kind, --incoming  only these; all by default
  --way       how files are replaced: exchange (default), or link, as on file systems that cannot exchange them
  --share     runs this part of the traces, chosen by --seed (default 1 and 1)
  --narrow    without kills, a person's git, a second commit and clock steps: each of these takes cycles of its own
  --stop      ends at the first batch with a failing trace
  --quick     what npm test runs: one act at each call of a checkout of notes, and the traces that have failed once
  --only      runs one trace, as it was printed, and shows its steps; given several times, runs all of them
`;

const options = {
	bound: { type: "string", default: "1" },
	kind: { type: "string" },
	incoming: { type: "string" },
	way: { type: "string", default: "exchange" },
	share: { type: "string", default: "1" },
	seed: { type: "string", default: "1" },
	only: { type: "string", multiple: true },
	narrow: { type: "boolean", default: false },
	quick: { type: "boolean", default: false },
	stop: { type: "boolean", default: false },
	help: { type: "boolean", default: false },
} satisfies ParseArgsConfig["options"];

const failed = (outcomes: readonly Outcome[]) => outcomes.filter(({ problems }) => problems.length > 0);

const explored = ({ trace, problems }: Outcome) => ({ trace: traceText(trace), problems });

async function only(text: string): Promise<number> {
	const [outcome] = (await explore([parseTrace(text)])) as [Outcome];
	const { events } = outcome.trace;
	const actsAt = (at: string) => events.filter(({ step }) => step === at).map(({ act }) => act);
	const steps = [...outcome.steps].map(([step, call]) => ({ step, call, acts: actsAt(step) }));
	return printSteps(explored(outcome), steps, outcome.done, events.length);
}

const parse = () => parseArgs({ options }).values;

async function main(values: ReturnType<typeof parse>): Promise<number> {
	const [first, ...others] = values.only ?? [];
	if (first !== undefined && others.length === 0) return await only(first);
	const [bound, share, seed] = [Number(values.bound), Number(values.share), Number(values.seed)];
	const isOne = <T extends string>(value: string | undefined, all: readonly T[]) =>
		value === undefined || (all as readonly string[]).includes(value);
	if (!(bound === 1 || bound === 2) || !(share >= 0 && share <= 1) || !Number.isInteger(seed)) throw new Error("a number is out of range");
	if (!isOne(values.kind, kinds) || !isOne(values.incoming, incomings) || !isOne(values.way, ways))
		throw new Error("no such kind or incoming change");
	let [count, whole, bad] = [0, 0, 0];
	const work = new WorkProgress({
		text: (measured) => `${progressText(fieldsOf(measured))}, ${bad} failed`,
		log: (line, isShown) => {
			if (!isShown) process.stderr.write(`${line}\n`);
		},
	});
	let [ofKind, kindNow] = [0, "some traces"];
	work.begin();
	const report = (outcomes: readonly Outcome[], left: number) => {
		[count, whole] = [count + outcomes.length, whole + complete(outcomes)];
		for (const outcome of failed(outcomes)) {
			bad++;
			hideLine();
			printFailed(explored(outcome));
		}
		if (values.quick)
			for (const { trace } of outcomes.filter((outcome) => complete([outcome]) === 0)) {
				hideLine();
				process.stderr.write(`not carried out: ${traceText(trace)}\n`);
			}
		ofKind += outcomes.length;
		work.report({ what: `exploring ${kindNow}`, done: ofKind, total: ofKind + left, unit: "traces" });
	};
	const traces = values.quick ? quickTraces() : first === undefined ? null : [first, ...others].map(parseTrace);
	if (traces !== null) await explore(traces, (outcomes) => report(outcomes, traces.length - ofKind - outcomes.length));
	else
		for (const kind of values.kind === undefined ? kinds : [values.kind as Kind])
			for (const incoming of values.incoming === undefined ? incomings : [values.incoming as Incoming]) {
				const bounds = { way: values.way as Way, kind, incoming, bound, share, seed, wide: !values.narrow } as const;
				[ofKind, kindNow] = [0, `${kind} ${incoming}`];
				await exploreWithin(bounds, report, () => values.stop && bad > 0);
			}
	await work.end();
	process.stdout.write(`${count} traces, ${whole} of them with every act carried out, ${bad} failed\n`);
	return bad > 0 ? 1 : 0;
}

await runExplorer(usage, parse, main);
