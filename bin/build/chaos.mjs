// Runs the chaos test by hand: `npm run chaos -- --nodes 5 --minutes 10 --seed 7`.
import { readArguments } from "./arguments.mjs";
import { runEndToEnd } from "./end-to-end.mjs";
import { sabotageNames } from "./sabotage.mjs";

const usage = `usage: npm run chaos -- [--nodes 2..12] [--minutes M] [--seed N|random] [--loopback] [--one-liner | --sabotage FAULT]
  --nodes      number of nodes (default 3)
  --minutes    how long it goes on (default 2)
  --seed       repeats the troubles of a run; random by default
  --loopback   without namespaces, ssh and disks of their own
  --one-liner  tests the git commands of a crontab in place of robust-sync
  --sabotage   tests a build that loses data on purpose: ${sabotageNames.join(", ")}
`;

const options = {
	nodes: { type: "string", default: "3" },
	minutes: { type: "string", default: "2" },
	seed: { type: "string", default: "random" },
	loopback: { type: "boolean", default: false },
	"one-liner": { type: "boolean", default: false },
	sabotage: { type: "string" },
};

function problemOf({ nodes, minutes, seed, sabotage }) {
	if (!(Number(nodes) >= 2 && Number(nodes) <= 12)) return `invalid --nodes '${nodes}': expected a number from 2 to 12`;
	if (!(Number(minutes) > 0)) return `invalid --minutes '${minutes}': expected a number above 0`;
	if (seed !== "random" && !Number.isInteger(Number(seed))) return `invalid --seed '${seed}': expected a whole number, or random`;
	if (sabotage !== undefined && !sabotageNames.includes(sabotage)) return `invalid --sabotage '${sabotage}'`;
	return null;
}

const found = readArguments({ usage, options, problemOf });
if (found !== null) {
	const { nodes, minutes, seed, loopback, sabotage } = found.values;
	const run = {
		nodes: Number(nodes),
		seconds: Number(minutes) * 60,
		seed: seed === "random" ? Date.now() % 2 ** 31 : Number(seed),
		isReal: !loopback,
		...(found.values["one-liner"] ? { system: "one-liner" } : {}),
	};
	process.exitCode = await runEndToEnd("chaos", run, sabotage);
}
