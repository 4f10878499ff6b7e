import fs from "node:fs";
import { measureHistory } from "./long-history.ts";
import { plot } from "./plot.ts";
import { simulateDay } from "./simulated-day.ts";

// Started by bin/build/soak.mjs, which reads the command line.
type Run = { readonly history: number; readonly rounds: number } | { readonly hours: number; readonly svg?: string };
const run = JSON.parse(process.argv[2] as string) as Run;
const print = (line: string) => process.stdout.write(`${line}\n`);
if ("history" in run) {
	const costs = await measureHistory([1, run.history], run.rounds);
	for (const { commits, publishMs, mergeMs } of costs) print(`after ${commits} commits: publish ${publishMs} ms, merge ${mergeMs} ms`);
	const [first, last] = costs;
	if (first && last)
		print(`ratio: publish ${(last.publishMs / first.publishMs).toFixed(2)}, merge ${(last.mergeMs / first.mergeMs).toFixed(2)}`);
} else {
	const samples = await simulateDay({
		hours: run.hours,
		onSample: (sample) =>
			print(
				Object.entries(sample)
					.map(([name, value]) => `${name} ${Math.round((value as number) * 10) / 10}`)
					.join("  "),
			),
	});
	const last = samples.at(-1);
	const caption = `A simulated day: ${last?.hours} h, ${last?.commits} commits, one change a minute, every ten minutes a conflict`;
	if (run.svg) fs.writeFileSync(run.svg, plot(samples, caption));
}
