// Lives through a simulated day: `npm run soak -- --hours 24 --svg docs/soak.svg`; with `--history 100000` measures what a cycle
// costs after that many commits.
import { runEndToEnd } from "./end-to-end.mjs";

process.exit(await runEndToEnd("soak", process.argv.slice(2)));
