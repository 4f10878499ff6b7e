// What the search for secrets costs: a megabyte of it, and its part of a cycle.
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SecretFinder } from "@robust-sync/secrets";
import { writtenSecrets } from "@robust-sync/secrets/fixtures/written";
import { inLab, root, timed, type Workspace } from "./lab.ts";
import { type BenchTable, median, ms, timeRow } from "./table.ts";

const rounds = 40;
const files = 100;
const quietMs = 100;
const mostBytes = 64_000_000;

/** Sources, documents and data that npm packages ship. */
function corpus(): Buffer[] {
	const contents: Buffer[] = [];
	let bytes = 0;
	const directories = [path.join(root, "docs"), path.join(root, "packages"), path.join(root, "node_modules/.pnpm")];
	for (let directory = directories.shift(); directory !== undefined && bytes < mostBytes; directory = directories.shift())
		for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
			const file = path.join(directory, entry.name);
			if (entry.isDirectory()) directories.push(file);
			else if (entry.isFile() && /\.(?:[cm]?[jt]s|json|md|map|ya?ml)$/.test(entry.name)) {
				const content = fs.readFileSync(file);
				bytes += content.length;
				contents.push(content);
			}
		}
	return contents;
}

/** CPU of a megabyte, milliseconds. */
function perMegabyte(contents: readonly Buffer[], work: (content: Buffer) => unknown): number {
	const bytes = contents.reduce((sum, { length }) => sum + length, 0);
	const started = process.cpuUsage();
	for (const content of contents) work(content);
	const { user, system } = process.cpuUsage(started);
	return (user + system) / 1000 / (bytes / 1_000_000);
}

/** How many of the random values of each kind are found, in percent: `token, bare 98.2 of 1008`. */
function recall(finder: SecretFinder): string[] {
	const counts = new Map<string, { all: number; found: number }>();
	for (const { kind, content } of writtenSecrets(1)) {
		const { all, found } = counts.get(kind) ?? { all: 0, found: 0 };
		counts.set(kind, { all: all + 1, found: found + finder.matches(Buffer.from(content), 1).length });
	}
	return [...counts].map(([kind, { all, found }]) => `${kind} ${((100 * found) / all).toFixed(1)} of ${all}`);
}

async function cycles(workspaces: readonly Workspace[]): Promise<number[]> {
	const taken: number[][] = workspaces.map(() => []);
	for (let round = 0; round < rounds; round++)
		for (const [index, workspace] of workspaces.entries()) {
			workspace.write(`d0/f${round % files}.txt`, `changed ${round}, with a token count of ${round}\n`);
			await sleep(quietMs);
			taken[index]?.push(await timed(() => workspace.cycle()));
		}
	return taken.map(median);
}

export async function run(): Promise<BenchTable> {
	const contents = corpus();
	const finder = new SecretFinder([{ name: "own", value: "q7-Zk.w2Lx" }]);
	const search = perMegabyte(contents, (content) => finder.inspect(content));
	const hash = perMegabyte(contents, (content) => createHash("sha1").update(content).digest("hex"));
	const [on = Number.NaN, off = Number.NaN] = await inLab(async (one) =>
		inLab(async (other) => {
			const [searched, plain] = [await one.workspace("helios"), await other.workspace("helios")];
			for (const workspace of [searched, plain]) workspace.fill(files);
			const still = { SYNC_WATCH: "0", SYNC_INTERVAL: "3600" };
			await searched.start({ ...still, SYNC_SECRETS: "hold" });
			await plain.start({ ...still, SYNC_SECRETS: "off" });
			const medians = await cycles([searched, plain]);
			await searched.stop();
			await plain.stop();
			return medians;
		}),
	);
	return {
		name: `The search for secrets: ${contents.length} files; cycles of one change, ${rounds} each`,
		rows: [
			{ what: "searched, CPU of a megabyte", ours: ms(search), floor: `${ms(hash)}, SHA-1 of the same`, ratio: "", target: "≤ 15 ms" },
			{ what: "random values found, %", ours: recall(finder).join("; "), floor: "", ratio: "", target: "≥ 96 of each kind" },
			{
				what: "files with a finding",
				ours: `${contents.filter((content) => finder.matches(content, 1).length > 0).length} of ${contents.length}`,
				floor: "",
				ratio: "",
				target: "test keys only",
			},
			timeRow("a cycle with one change, hold beside off", on, off, "≤ 1.05 ×"),
		],
	};
}
