// Many JSON files that both sides changed, in one merge: conflict-resolver --resolve beside git's own merge of the same commits.
import fs from "node:fs";
import path from "node:path";
import { command, inLab, type Lab, root, timed, type Workspace } from "./lab.ts";
import { type BenchTable, median, mib, ratio, timeRow } from "./table.ts";

const sizes = [100, 1_000, 10_000] as const;
const rounds = 3;

/** A state file of an agent, 1 KiB. The line that both sides change conflicts in git; each also changes one of its own. */
function stateFile(index: number, { ours = 0, theirs = 0 }): string {
	const state = {
		id: `task-${index}`,
		revision: ours + 2 * theirs,
		title: `what agent ${index % 7} has to do`,
		...(ours ? { helios: ours } : {}),
		items: Array.from({ length: 6 }, (_, item) => ({ id: item, text: `step ${item} of task ${index}`, done: item < index % 6 })),
		...(theirs ? { chad: theirs } : {}),
		notes: "",
	};
	const short = Buffer.byteLength(JSON.stringify(state, null, "\t"));
	return `${JSON.stringify({ ...state, notes: "n".repeat(Math.max(0, 1_023 - short)) }, null, "\t")}\n`;
}

interface Diverged {
	readonly lab: Lab;
	readonly workspace: Workspace;
	readonly ours: string;
	readonly theirs: string;
}

async function diverge(lab: Lab, files: number): Promise<Diverged> {
	const workspace = await lab.workspace("helios");
	await workspace.git("config", "gc.auto", "0");
	const commit = async (sides: { ours?: number; theirs?: number }) => {
		for (let i = 0; i < files; i++) workspace.write(`d${Math.floor(i / 100)}/state${i}.json`, stateFile(i, sides));
		await workspace.git("add", "-A");
		await workspace.git("commit", "-q", "-m", "change");
		return (await workspace.git("rev-parse", "HEAD")).trim();
	};
	await commit({});
	const theirs = await commit({ theirs: 1 });
	await workspace.git("update-ref", "refs/remotes/origin/main", theirs);
	await workspace.git("reset", "-q", "--hard", "HEAD^");
	const ours = await commit({ ours: 1 });
	await workspace.git("repack", "-q", "-a", "-d");
	await workspace.git("prune");
	fs.cpSync(path.join(workspace.directory, ".git/objects"), path.join(lab.directory, "objects"), { recursive: true });
	return { lab, workspace, ours, theirs };
}

/**
 * Back to before the merge; everything that was written for it is on disk and out of the way. It is not removed: for minutes ext4 does not
 * give the inodes of removed files to new ones, and looks through all of them for each new file.
 */
async function reset({ lab, workspace, ours }: Diverged): Promise<void> {
	await workspace.git("reset", "-q", "--hard", ours);
	const objects = path.join(workspace.directory, ".git/objects");
	const away = fs.mkdtempSync(path.join(lab.directory, "away-"));
	fs.renameSync(objects, path.join(away, "objects"));
	fs.cpSync(path.join(lab.directory, "objects"), objects, { recursive: true });
	for (const name of ["conflicts", "backups"]) {
		const directory = path.join(workspace.directory, "sync", name);
		if (fs.existsSync(directory)) fs.renameSync(directory, path.join(away, name));
	}
	await workspace.git("status", "--porcelain");
	await command("sync", ["-f", workspace.directory]);
}

/** git's part alone: the merge with its conflicts, and its tree in index and working tree. */
async function bareMerge({ workspace, ours, theirs }: Diverged): Promise<void> {
	// It ends with 1: there are conflicts.
	const merged = await command("sh", ["-c", `git merge-tree --write-tree ${ours} ${theirs} || test $? = 1`], { cwd: workspace.directory });
	await workspace.git("read-tree", "-m", "-u", ours, merged.slice(0, merged.indexOf("\n")));
}

interface Figures {
	readonly ours: number;
	readonly floor: number;
	readonly processes: number;
	readonly rss: number;
}

async function measure(files: number): Promise<Figures> {
	return await inLab(async (lab) => {
		const diverged = await diverge(lab, files);
		const { workspace } = diverged;
		const peak = path.join(lab.directory, "peak");
		const hook = path.join(lab.directory, "peak.mjs");
		fs.writeFileSync(
			hook,
			`import { writeFileSync } from "node:fs";\nprocess.on("exit", () => writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)));\n`,
		);
		const resolve = (env: Record<string, string> = {}) =>
			command(path.join(root, "bin/conflict-resolver"), ["--resolve", "--json"], {
				cwd: workspace.directory,
				env: { NODE_NAME: "helios", SYNC_WORKSPACE: workspace.directory, ...env },
			});
		const taken = { ours: [] as number[], floor: [] as number[], rss: [] as number[] };
		for (let round = 0; round < rounds; round++) {
			await reset(diverged);
			taken.floor.push(await timed(() => bareMerge(diverged)));
			await reset(diverged);
			let report = "";
			taken.ours.push(
				await timed(async () => {
					report = await resolve({ NODE_OPTIONS: `--import=${hook}` });
				}),
			);
			taken.rss.push(Number(fs.readFileSync(peak, "utf8")) * 1024);
			const merged = workspace.read("d0/state0.json") ?? "";
			const [saved] = fs.readdirSync(path.join(workspace.directory, "sync/conflicts"));
			const versions = fs.readdirSync(path.join(workspace.directory, "sync/conflicts", saved ?? "", "files/d0")).length;
			if (JSON.parse(report).files.length !== files || !/helios[\s\S]*chad/.test(merged) || versions !== 300)
				throw new Error("the merge is not what it should be");
		}
		await reset(diverged);
		const counter = lab.gitCounter();
		await resolve(counter.env);
		return { ours: median(taken.ours), floor: median(taken.floor), processes: counter.count(), rss: Math.max(...taken.rss) };
	});
}

export async function run(): Promise<BenchTable> {
	const figures: Figures[] = [];
	for (const files of sizes) figures.push(await measure(files));
	const [, , largest] = figures as [Figures, Figures, Figures];
	const growth = figures.slice(1).map((figure, index) => ratio(figure.ours, figures[index]?.ours ?? 0));
	return {
		name: `Conflicted JSON files of 1 KiB in one merge (medians of ${rounds})`,
		rows: [
			...figures.map(({ ours, floor }, index) =>
				timeRow(`${sizes[index]} files, conflict-resolver --resolve, whole process`, ours, floor, index === 2 ? "≤ 4 ×" : "-"),
			),
			{ what: "growth, 100 → 1,000 → 10,000 files", ours: growth.join(", "), floor: "", ratio: "", target: "≤ 11 × each" },
			{
				what: "git processes for 100, 1,000, 10,000 files",
				ours: figures.map(({ processes }) => processes).join(", "),
				floor: "2",
				ratio: "",
				target: "constant",
			},
			{ what: "peak memory with 10,000 files", ours: mib(largest.rss), floor: "", ratio: "", target: "≤ 300 MiB" },
		],
		notes: [
			"floor: git merge-tree --write-tree of the same commits (its conflicts left in the files) and git read-tree -m -u of the result.",
			"ours also merges every file by its kind, saves three versions of each in sync/conflicts/, keeps the replaced files, and makes all of it durable.",
		],
	};
}
