// What a daemon costs that has nothing to do.
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inLab } from "./lab.ts";
import { type BenchTable, mib } from "./table.ts";

const files = 10_000;
const restSeconds = 125;
const ticksPerSecond = 100;

interface Cost {
	/** Seconds of CPU of the process itself, and of the processes that it started and that have ended. */
	own: number;
	children: number;
	rss: number;
}

function costOf(pid: number): Cost {
	const fields = fs
		.readFileSync(`/proc/${pid}/stat`, "utf8")
		.replace(/^.*\) /s, "")
		.split(" ")
		.map(Number);
	const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
	const rss = Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
	return { own: (user + system) / ticksPerSecond, children: (childUser + childSystem) / ticksPerSecond, rss };
}

export async function run(): Promise<BenchTable> {
	return await inLab(async (lab) => {
		const workspace = await lab.workspace("helios");
		workspace.fill(files);
		const pid = await workspace.start();
		// The first cycle committed everything; what it needed for that is given back after a while.
		await sleep(20_000);
		const before = costOf(pid);
		await sleep(restSeconds * 1000);
		const after = costOf(pid);
		const share = (seconds: number) => `${((100 * seconds) / restSeconds).toFixed(3)} %`;
		const own = after.own - before.own;
		const children = after.children - before.children;
		return {
			name: `A daemon at rest, ${files} files, defaults (SYNC_INTERVAL=60), ${restSeconds} s`,
			rows: [
				{ what: "resident memory", ours: mib(after.rss), floor: "", ratio: "", target: "≤ 80 MiB" },
				{ what: "CPU of a core, the daemon itself", ours: share(own), floor: "", ratio: "", target: "≤ 0.1 %" },
				{ what: "CPU of a core, with its git processes", ours: share(own + children), floor: "", ratio: "", target: "≤ 0.1 %" },
			],
			notes: ["two idle cycles fall into the time; the kernel counts in steps of 10 ms"],
		};
	});
}
