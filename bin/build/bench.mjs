// Measures: `npm run bench [-- name…]`. Each bench/<name>.ts runs in a process of its own; tables are printed, and written to bench/results/ as JSON.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "./bootstrap.mjs";
import { build } from "./build.mjs";

const benches = path.join(root, "bench");
const results = path.join(benches, "results");

/** The files that export `run(): Promise<BenchTable>`. */
function benchNames() {
	return readdirSync(benches)
		.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
		.filter((name) => /^export async function run\b|^export const run\b/m.test(readFileSync(path.join(benches, name), "utf8")))
		.map((name) => name.slice(0, -".ts".length));
}

/** A table for people: columns aligned, numbers to the right. */
export function formatTable({ name, rows, notes = [], columns = ["what", "ours", "floor", "ratio", "target"] }) {
	const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))];
	const widths = columns.map((_, index) => Math.max(...lines.map((line) => [...line[index]].length)));
	const format = (line) => line.map((cell, index) => (index === 0 ? cell.padEnd(widths[index]) : cell.padStart(widths[index]))).join("  ");
	const [head, ...body] = lines.map(format);
	return [`\n${name}`, head, widths.map((width) => "-".repeat(width)).join("  "), ...body, ...notes.map((note) => `  ${note}`)].join("\n");
}

/** The machine of the measurement, for comparisons. */
function machine() {
	const git = spawnSync("git", ["--version"], { encoding: "utf8" }).stdout.trim();
	const [cpu] = os.cpus();
	return {
		cpu: `${os.cpus().length} × ${cpu?.model ?? "unknown"}`,
		node: process.version,
		git,
		load: os.loadavg().map((load) => Math.round(load * 10) / 10),
	};
}

function runOne(name) {
	const started = performance.now();
	const file = path.join(results, `${name}.json`);
	const { status } = spawnSync(
		process.execPath,
		["--import", pathToFileURL(path.join(root, "bin/build/typescript-hook.mjs")).href, fileURLToPath(import.meta.url), "--one", name, file],
		{ cwd: root, stdio: "inherit", env: { ...process.env, NODE_NO_WARNINGS: "1", BENCH_FLAGS: flags.join(" ") } },
	);
	if (status !== 0) {
		process.stderr.write(`bench ${name}: ended with ${status}\n`);
		return false;
	}
	if (flags.includes("--json")) return true;
	const result = JSON.parse(readFileSync(file, "utf8"));
	process.stdout.write(
		`${formatTable(result)}\n  (${Math.round((performance.now() - started) / 1000)} s, load ${result.machine.load.join(" ")})\n`,
	);
	return true;
}

const args = process.argv.slice(2);
/** `--json` prints one document in place of tables; other options are passed to the bench. */
const flags = args.filter((arg) => /^--(json|install|only=.*|commits=\d+)$/.test(arg));
if (args[0] === "--one") {
	const [, name, file] = args;
	const before = machine();
	const { run } = await import(pathToFileURL(path.join(benches, `${name}.ts`)).href);
	writeFileSync(file, `${JSON.stringify({ ...(await run()), at: new Date().toISOString(), machine: before }, null, "\t")}\n`);
	process.exit(0);
} else {
	const all = benchNames();
	const named = args.filter((arg) => !flags.includes(arg));
	const unknown = named.filter((name) => !all.includes(name));
	if (unknown.length > 0) {
		process.stderr.write(`no bench '${unknown[0]}': ${all.join(", ")}\n`);
		process.exit(2);
	}
	await build();
	mkdirSync(results, { recursive: true });
	const chosen = named.length > 0 ? named : all;
	const failed = chosen.filter((name) => !runOne(name));
	if (flags.includes("--json")) {
		const tables = chosen
			.filter((name) => !failed.includes(name))
			.map((name) => JSON.parse(readFileSync(path.join(results, `${name}.json`), "utf8")));
		process.stdout.write(`${JSON.stringify(tables, null, "\t")}\n`);
	}
	process.exitCode = failed.length === 0 ? 0 : 1;
}
