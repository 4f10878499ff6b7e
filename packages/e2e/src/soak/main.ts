import fs from "node:fs";
import { parseArgs } from "node:util";
import { measureHistory } from "./long-history.ts";
import { plot } from "./plot.ts";
import { simulateDay } from "./simulated-day.ts";

const { values } = parseArgs({
	options: {
		hours: { type: "string", default: "24" },
		svg: { type: "string" },
		history: { type: "string" },
		rounds: { type: "string", default: "30" },
	},
});
const print = (line: string) => process.stdout.write(`${line}\n`);
if (values.history !== undefined) {
	const costs = await measureHistory([1, Number(values.history)], Number(values.rounds));
	for (const { commits, publishMs, mergeMs } of costs) print(`after ${commits} commits: publish ${publishMs} ms, merge ${mergeMs} ms`);
	const [first, last] = costs;
	if (first && last)
		print(`ratio: publish ${(last.publishMs / first.publishMs).toFixed(2)}, merge ${(last.mergeMs / first.mergeMs).toFixed(2)}`);
} else {
	const samples = await simulateDay({
		hours: Number(values.hours),
		onSample: (sample) =>
			print(
				Object.entries(sample)
					.map(([name, value]) => `${name} ${Math.round((value as number) * 10) / 10}`)
					.join("  "),
			),
	});
	const last = samples.at(-1);
	const caption = `A simulated day: ${last?.hours} h, ${last?.commits} commits, one change a minute, every ten minutes a conflict`;
	if (values.svg) fs.writeFileSync(values.svg, plot(samples, caption));
}
