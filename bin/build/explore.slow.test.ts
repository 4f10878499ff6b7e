import { expect, test } from "@jest/globals";
import { runExplorer } from "./explore.mjs";
import { explorerMutants } from "./explorer-mutants.mjs";

const share = Number(process.env.SLOW_SHARE ?? 1);

/** Runs the explorer, and collects what it prints. */
async function runQuietly(args: readonly string[], mutant?: string): Promise<{ status: number; output: string }> {
	return await runExplorer(args, { mutant, stdio: ["ignore", "pipe", "ignore"] });
}

test("explorer: two acts at any steps of a checkout, and kills → nothing lost", async () => {
	const traces = [
		["--bound", "2", "--kind", "notes", "--incoming", "change", "--narrow", "--share", String(0.05 * share)],
		["--bound", "2", "--kind", "json", "--incoming", "delete", "--narrow", "--share", String(0.05 * share)],
		["--bound", "1", "--kind", "notes", "--incoming", "change", "--share", String(0.5 * share)],
	];
	for (const args of traces) {
		const { status, output } = await runQuietly(args);
		expect(output).toMatch(/^\d+ traces, \d+ of them with every act carried out, 0 failed\n$/);
		expect(status).toBe(0);
	}
});

test("explorer: builds with a mistake in them → each found, and none without", async () => {
	const mutants = Object.entries(explorerMutants);
	const sound = await runQuietly(mutants.flatMap(([, { trace }]) => ["--only", trace]));
	expect(sound.output).toMatch(new RegExp(`^${mutants.length} traces, \\d+ of them with every act carried out, 0 failed\n$`));
	for (const [name, { trace }] of mutants) {
		const { status, output } = await runQuietly(["--only", trace], name);
		expect({ name, status, output }).toEqual({ name, status: 1, output: expect.stringContaining(`FAILED ${trace}`) });
	}
});
