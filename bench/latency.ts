// From a write to the hub with a daemon that watches, beside the bare commands typed without a pause.
import { inLab, timed, until } from "./lab.ts";
import { type BenchTable, median, ms, percentile, ratio } from "./table.ts";

const rounds = 60;

export async function run(): Promise<BenchTable> {
	return await inLab(async (ours) =>
		inLab(async (bare) => {
			const [a, c] = [await ours.workspace("helios"), await bare.workspace("one")];
			for (const workspace of [a, c]) {
				workspace.fill(100);
				await workspace.git("add", "-A");
				await workspace.git("commit", "-q", "-m", "first");
				await workspace.git("push", "-q", "-u", "origin", "main");
			}
			await a.start();
			const taken: number[] = [];
			const floor: number[] = [];
			for (let round = 0; round < rounds; round++) {
				const before = ours.hubHead;
				taken.push(
					await timed(async () => {
						a.write(`d0/f${round}.txt`, `changed ${round}\n`);
						await until("the hub", () => ours.hubHead !== before);
					}),
				);
				await until("the end of the cycle", () => a.state?.status === "idle" && a.state.head === ours.hubHead);
				floor.push(
					await timed(async () => {
						c.write(`d0/f${round}.txt`, `changed ${round}\n`);
						await c.git("add", "-A");
						await c.git("commit", "-q", "-m", "change");
						await c.git("push", "-q", "origin", "main");
					}),
				);
			}
			const [p50, floor50] = [median(taken), median(floor)];
			return {
				name: `Write → on the hub (watching daemon, file://, ${rounds} writes)`,
				rows: [
					{
						what: "p50",
						ours: ms(p50),
						floor: ms(floor50),
						ratio: ratio(p50, floor50),
						target: `≤ 2 × floor + 30 ms = ${ms(2 * floor50 + 30)}`,
					},
					{
						what: "p95",
						ours: ms(percentile(taken, 0.95)),
						floor: ms(percentile(floor, 0.95)),
						ratio: ratio(percentile(taken, 0.95), percentile(floor, 0.95)),
						target: "-",
					},
				],
				notes: ["floor: write, git add -A, commit, push. Ours includes the 20 ms of quiet that a daemon waits for."],
			};
		}),
	);
}
