import { parseArgs } from "node:util";
import { runChaos } from "./run-chaos.ts";

const { values } = parseArgs({
	options: {
		nodes: { type: "string", default: "3" },
		minutes: { type: "string", default: "2" },
		seed: { type: "string" },
		loopback: { type: "boolean", default: false },
		"one-liner": { type: "boolean", default: false },
		dist: { type: "string" },
	},
});
const options = {
	nodes: Number(values.nodes),
	seconds: Number(values.minutes) * 60,
	seed: values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed),
	isReal: !values.loopback,
	...(values["one-liner"] ? { system: "one-liner" as const } : values.dist ? { system: { dist: values.dist } } : {}),
};
if (!(options.nodes >= 2 && options.nodes <= 12) || !(options.seconds > 0) || !Number.isInteger(options.seed)) {
	process.stderr.write("chaos: give --nodes 2 to 12, --minutes more than 0, --seed a whole number\n");
	process.exit(2);
}
const result = await runChaos({ ...options, log: (line) => process.stdout.write(`${line}\n`) });
process.stdout.write(
	result.problems.length === 0
		? `nothing lost: seed ${options.seed}, ${options.nodes} nodes, ${result.writes} writes, ${result.troubles} troubles, ${result.commits} commits\n`
		: `${result.problems.length} problems with seed ${options.seed}${process.env.CHAOS_KEEP === "1" ? `; everything is left in ${result.directory}` : " (CHAOS_KEEP=1 leaves everything for a look)"}\n`,
);
process.exit(result.problems.length === 0 ? 0 : 1);
