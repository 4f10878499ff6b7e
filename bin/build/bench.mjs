// Measures: `npm run bench [-- NAME…]`. Each bench/<name>.ts runs in a process of its own; tables are printed, and written to bench/results/ as JSON.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readArguments } from "./arguments.mjs";
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

/** @param flags options for the bench, in BENCH_FLAGS @returns whether it succeeded */
function runOne(name, flags) {
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

const usage = `usage: npm run bench -- [NAME…] [--json] [--install] [--only=PART,…] [--commits=N]
  NAME       ${benchNames().join(", ")} (default: all)
  --json     prints one document in place of tables
  --install  peers: installs what is missing, from Debian
  --only     peers, scale: takes some parts
  --commits  forget: length of the history
`;

const options = { json: { type: "boolean" }, install: { type: "boolean" }, only: { type: "string" }, commits: { type: "string" } };

function problemOf(_values, names) {
	const unknown = names.find((name) => !benchNames().includes(name));
	return unknown === undefined ? null : `no bench '${unknown}'`;
}

/** Runs the named benches, one after the other, all by default. @returns the exit code */
async function main({ values, positionals }) {
	const flags = Object.entries(values).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
	await build();
	mkdirSync(results, { recursive: true });
	const chosen = positionals.length > 0 ? positionals : benchNames();
	const failed = chosen.filter((name) => !runOne(name, flags));
	if (values.json) {
		const tables = chosen
			.filter((name) => !failed.includes(name))
			.map((name) => JSON.parse(readFileSync(path.join(results, `${name}.json`), "utf8")));
		process.stdout.write(`${JSON.stringify(tables, null, "\t")}\n`);
	}
	return failed.length === 0 ? 0 : 1;
}

if (process.argv[2] === "--one") {
	const [name, file] = process.argv.slice(3);
	const before = machine();
	const { run } = await import(pathToFileURL(path.join(benches, `${name}.ts`)).href);
	writeFileSync(file, `${JSON.stringify({ ...(await run()), at: new Date().toISOString(), machine: before }, null, "\t")}\n`);
	// What a bench left open must not keep the next one waiting.
	process.exit(0);
} else {
	const found = readArguments({ usage, options, positionals: true, problemOf });
	if (found !== null) process.exitCode = await main(found);
}
