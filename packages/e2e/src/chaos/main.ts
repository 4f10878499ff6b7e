import { type ChaosOptions, runChaos } from "./run-chaos.ts";

// Started by bin/build/chaos.mjs, which reads the command line.
const options = JSON.parse(process.argv[2] as string) as ChaosOptions;
const result = await runChaos({ ...options, log: (line) => process.stdout.write(`${line}\n`) });
process.stdout.write(
	result.problems.length === 0
		? `nothing lost: seed ${options.seed}, ${options.nodes} nodes, ${result.writes} writes, ${result.troubles} troubles, ${result.commits} commits\n`
		: `${result.problems.length} problems with seed ${options.seed}${process.env.CHAOS_KEEP === "1" ? `; everything is left in ${result.directory}` : " (CHAOS_KEEP=1 leaves everything for a look)"}\n`,
);
process.exit(result.problems.length === 0 ? 0 : 1);
