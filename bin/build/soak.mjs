// Lives through a simulated day: `npm run soak -- --hours 24 --svg docs/soak.svg`.
import { readArguments } from "./arguments.mjs";
import { runEndToEnd } from "./end-to-end.mjs";

const usage = `usage: npm run soak -- [--hours H] [--svg FILE]
       npm run soak -- --history COMMITS [--rounds N]
  --hours    length of the simulated day (default 24)
  --svg      draws memory, descriptors, cycle time and size into this file
  --history  measures what a cycle costs after this many commits, beside one after the first
  --rounds   cycles of each (default 30)
`;

const options = {
	hours: { type: "string", default: "24" },
	svg: { type: "string" },
	history: { type: "string" },
	rounds: { type: "string", default: "30" },
};

function problemOf({ hours, history, rounds }) {
	if (!(Number(hours) > 0)) return `invalid --hours '${hours}': expected a number above 0`;
	for (const [name, value] of Object.entries({ history, rounds }))
		if (value !== undefined && !(Number.isInteger(Number(value)) && Number(value) >= 1))
			return `invalid --${name} '${value}': expected a whole number above 0`;
	return null;
}

const found = readArguments({ usage, options, problemOf });
if (found !== null) {
	const { hours, svg, history, rounds } = found.values;
	const run = history === undefined ? { hours: Number(hours), svg } : { history: Number(history), rounds: Number(rounds) };
	process.exitCode = await runEndToEnd("soak", run);
}
