// A hundred thousand files: the first snapshot, and a cycle in which nothing changed.
import { inLab, timed } from "./lab.ts";
import { type BenchTable, median, timeRow } from "./table.ts";

const files = 100_000;
const rounds = 7;

export async function run(): Promise<BenchTable> {
	return await inLab(async (ours) =>
		inLab(async (bare) => {
			const [a, c] = [await ours.workspace("helios"), await bare.workspace("one")];
			a.fill(files);
			c.fill(files);
			const floor = await timed(async () => {
				await c.git("add", "-A");
				await c.git("commit", "-q", "-m", "first");
				await c.git("push", "-q", "-u", "origin", "main");
			});
			const first = await timed(() => a.robustSync(["--once"]));
			await a.start({ SYNC_INTERVAL: "3600" });
			await a.cycle();
			const [idle, idleFloor, change, changeFloor]: number[][] = [[], [], [], []];
			for (let round = 0; round < rounds; round++) {
				idle?.push(await timed(() => a.cycle()));
				idleFloor?.push(
					await timed(async () => {
						await c.git("status", "--porcelain");
						await c.git("ls-remote", "-q", "origin", "refs/heads/main");
					}),
				);
			}
			await a.stop();
			await a.start({ SYNC_INTERVAL: "3600", SYNC_WATCH: "0" });
			for (let round = 0; round < rounds; round++) {
				a.write("d0/f0.txt", `changed ${round}\n`);
				change?.push(await timed(() => a.cycle()));
				c.write("d0/f0.txt", `changed ${round}\n`);
				changeFloor?.push(
					await timed(async () => {
						await c.git("add", "-A");
						await c.git("commit", "-q", "-m", "change");
						await c.git("push", "-q", "origin", "main");
					}),
				);
			}
			return {
				name: `${files} files in 1,000 directories`,
				rows: [
					timeRow("first snapshot, whole process --once, to the hub", first, floor, "≤ 1.5 ×"),
					timeRow("idle cycle", median(idle ?? []), median(idleFloor ?? []), "≤ 1.5 ×"),
					timeRow("one file changed, to the hub", median(change ?? []), median(changeFloor ?? []), "-"),
				],
				notes: ["floor: git add -A, commit, push; idle: git status, git ls-remote"],
			};
		}),
	);
}
