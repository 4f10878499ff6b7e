import { expect, test } from "@jest/globals";
import { runExplorer } from "./explore.mjs";
import { explorerMutants, modelMutants, tracesOf } from "./explorer-mutants.mjs";

const share = Number(process.env.SLOW_SHARE ?? 1);

/** Runs the explorer, and collects what it prints. */
async function runQuietly(args: readonly string[], mutant?: string): Promise<{ status: number; output: string }> {
	return await runExplorer(args, { mutant, stdio: ["ignore", "pipe", "ignore"] });
}

test("explorer: one and two acts, two files, and kills → nothing lost", async () => {
	const traces = [
		["--bound", "1", "--kind", "notes", "--incoming", "pair", "--narrow", "--share", String(0.8 * share)],
		["--bound", "2", "--kind", "notes", "--incoming", "change", "--narrow", "--share", String(0.0005 * share), "--seed", "3"],
		["--bound", "1", "--kind", "json", "--incoming", "pair", "--share", String(0.2 * share)],
		["--bound", "1", "--kind", "notes", "--incoming", "change", "--share", String(0.5 * share)],
	];
	for (const args of traces) {
		const { status, output } = await runQuietly(args);
		expect(output).toMatch(/^\d{2,} traces, \d+ of them with every act carried out, 0 failed\n$/);
		expect(status).toBe(0);
	}
});

test.each(Object.entries(explorerMutants))("explorer: a build with the mistake %s → found, and no loss without", async (name, mutant) => {
	let found = 0;
	for (const traces of tracesOf(mutant)) {
		const args = traces.flatMap((trace) => ["--only", trace]);
		const { status, output } = await runQuietly(args, name);
		if (status === 0) continue;
		found++;
		expect(output).toMatch(/^FAILED | is lost/m);
		expect((await runQuietly(args)).status).toBe(0);
		break;
	}
	expect(found).toBe(1);
});

test.each(Object.entries(modelMutants))("explorer in memory: a build with the mistake %s → found", async (name, mutant) => {
	const tried =
		mutant.trace === null ? [["--stop", "--pairs", "0"]] : tracesOf(mutant).map((part) => part.flatMap((trace) => ["--only", trace]));
	const outputs: string[] = [];
	for (const args of tried) {
		const { status, output } = await runQuietly(["--model", ...args], name);
		expect(status).toBeLessThan(2);
		outputs.push(output);
		if (status === 1) break;
	}
	expect(outputs.at(-1)).toMatch(/^FAILED /m);
});
