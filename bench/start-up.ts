// What starting costs: whole processes, in turns with node doing nothing.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { inLab, root } from "./lab.ts";
import { type BenchTable, median, timeRow } from "./table.ts";

const rounds = 40;
const ticksPerSecond = 100;

/** CPU time of all children that have ended, which a busy machine does not change. */
function childrenCpuSeconds(): number {
	const fields = readFileSync("/proc/self/stat", "utf8")
		.replace(/^.*\) /s, "")
		.split(" ")
		.map(Number);
	return ((fields[13] ?? 0) + (fields[14] ?? 0)) / ticksPerSecond;
}

export async function run(): Promise<BenchTable> {
	return await inLab(async (lab) => {
		const workspace = await lab.workspace("helios");
		workspace.fill(1);
		await workspace.start();
		const bare = path.join(lab.directory, "bare.mjs");
		await build({
			stdin: {
				contents:
					'import { Command } from "commander"; import chalk from "chalk"; new Command("x").option("--status").parse(); console.log(chalk.green("ok"));',
				resolveDir: path.join(root, "packages/service"),
			},
			outfile: bare,
			bundle: true,
			platform: "node",
			format: "esm",
			minify: true,
			banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
		});
		const commands: Record<string, string[]> = {
			node: ["-e", "0"],
			"commander and chalk alone, bundled": [bare],
			"robust-sync --status": [path.join(root, "bin/robust-sync"), "--status"],
			"robust-sync --version": [path.join(root, "bin/robust-sync"), "--version"],
			"health-server --help": [path.join(root, "bin/health-server"), "--help"],
			"monitor --help": [path.join(root, "bin/monitor"), "--help"],
		};
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, SYNC_WORKSPACE: workspace.directory };
		const cpu = new Map<string, number>(Object.keys(commands).map((name) => [name, 0]));
		const taken = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]));
		for (let round = -3; round < rounds; round++) {
			for (const [name, args] of Object.entries(commands)) {
				const cpuBefore = childrenCpuSeconds();
				const started = performance.now();
				spawnSync(process.execPath, args, { cwd: workspace.directory, env, stdio: "ignore" });
				const time = performance.now() - started;
				if (round < 0) continue;
				taken.get(name)?.push(time);
				cpu.set(name, (cpu.get(name) ?? 0) + childrenCpuSeconds() - cpuBefore);
			}
		}
		const of = (name: string) => median(taken.get(name) ?? []);
		const cpuOf = (name: string) => ((cpu.get(name) ?? 0) * 1000) / rounds;
		const targets: Record<string, string> = { "robust-sync --status": "≤ 1.3 ×" };
		return {
			name: `Start-up (medians of ${rounds}, in turns)`,
			rows: Object.keys(commands)
				.filter((name) => name !== "node")
				.flatMap((name) => [
					timeRow(name, of(name), of("node"), targets[name] ?? "-"),
					timeRow("  CPU time of it", cpuOf(name), cpuOf("node"), "-"),
				]),
			notes: ["floor: node -e 0"],
		};
	});
}
