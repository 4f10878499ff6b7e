// Runs the chaos test by hand: `npm run chaos -- --nodes 5 --minutes 10 --seed 7`. With `--sabotage NAME` against a build that
// loses data on purpose, with `--one-liner` against the git commands of a crontab.
import { runEndToEnd } from "./end-to-end.mjs";
import { sabotageNames } from "./sabotage.mjs";

const args = process.argv.slice(2);
const at = args.indexOf("--sabotage");
const [, sabotage] = at < 0 ? [] : args.splice(at, 2);
if (at >= 0 && !sabotageNames.includes(sabotage)) {
	process.stderr.write(`chaos: --sabotage is one of ${sabotageNames.join(", ")}\n`);
	process.exit(2);
}
process.exit(await runEndToEnd("chaos", args, sabotage));
