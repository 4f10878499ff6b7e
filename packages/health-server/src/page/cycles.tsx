import { exactDuration } from "@robust-sync/system/format-duration";
import { type CycleSlot, withRemoteMessage } from "@robust-sync/workspace";
import { joinSlots } from "../cycle-slots.ts";
import type { NodeSnapshot } from "../snapshot.ts";
import { count, empty, table, time } from "./text.tsx";
import { h, type VNode } from "./vnode.ts";

const barMs = 5 * 60_000;
const hourMs = 60 * 60_000;
const bars = 288;
// In units of the picture: durations grow up from the ground line, failures hang below it.
const ground = 44;
const height = 56;

/** 100 ms and 100 s both have to be visible: the height is logarithmic. */
function barHeight(ms: number, longest: number): number {
	return Math.round(10 * (3 + ((ground - 4) * Math.log1p(ms)) / Math.log1p(Math.max(longest, 1)))) / 10;
}

function strip(history: readonly CycleSlot[], now: number, summary: string): VNode {
	const end = Math.floor(now / barMs) * barMs + barMs;
	const start = end - bars * barMs;
	const joined = [...joinSlots(history, barMs).values()].filter((bar) => bar.at >= start && bar.at < end);
	const longest = Math.max(...joined.map((bar) => bar.longest_ms));
	return (
		<svg class="strip" viewBox={`0 0 ${bars} ${height}`} preserveAspectRatio="none" role="img" aria-label={summary}>
			<rect class="ground" x={0} y={ground} width={bars} height={0.5} />
			{joined.map((bar) => {
				const x = (bar.at - start) / barMs;
				const tall = barHeight(bar.longest_ms, longest);
				const label = `${new Date(bar.at).toISOString().slice(11, 16)} UTC: ${count(bar.cycles, "cycle")}, longest ${exactDuration(bar.longest_ms)}, ${bar.failures} failed`;
				return (
					<g>
						<title>{label}</title>
						<rect class={bar.failures > 0 ? "bar failed" : "bar"} x={x} y={ground - tall} width={0.8} height={tall} />
						{bar.failures > 0 && <rect class="bar failed" x={x} y={ground + 2} width={0.8} height={height - ground - 2} />}
					</g>
				);
			})}
		</svg>
	);
}

/** The cycles of the last 24 hours: their duration and failures. */
export function cycles({ history, now, node, view }: NodeSnapshot): VNode {
	const total = history.reduce((sum, slot) => sum + slot.cycles, 0);
	const failures = history.reduce((sum, slot) => sum + slot.failures, 0);
	const longest = Math.max(0, ...history.map((slot) => slot.longest_ms));
	const summary = `${count(total, "cycle")} in the last 24 hours, ${failures} failed, the longest took ${exactDuration(longest)}.`;
	const last = view.sync.kind === "ok" ? view.sync.state.last_cycle : null;
	const error = view.sync.kind === "ok" ? view.sync.state.last_error : null;
	const byHour = [...joinSlots(history, hourMs).values()].sort((a, b) => b.at - a.at);
	return (
		<section id="cycles" class="card wide" aria-labelledby="cycles-title">
			<h2 id="cycles-title">Last 24 hours</h2>
			{total === 0
				? empty(
						"No cycle yet. Start syncing with ",
						<code>{`systemctl start ${node}-sync`}</code>,
						" or with ",
						<code>robust-sync</code>,
						" in a terminal.",
					)
				: [
						<p>{summary}</p>,
						strip(history, now, summary),
						<div class="axis" aria-hidden="true">
							{["24 h ago", "18 h", "12 h", "6 h", "now"].map((mark) => (
								<span>{mark}</span>
							))}
						</div>,
						last && (
							<p class="note">{`Last cycle: ${exactDuration(last.duration_ms)}; ${count(last.committed - (last.deleted ?? 0), "file")} committed,${last.deleted ? ` ${count(last.deleted, "file")} deleted,` : ""} ${count(last.pulled, "commit")} pulled,${last.removed ? ` ${count(last.removed, "file")} deleted by it,` : ""} ${count(last.pushed, "commit")} pushed, ${count(last.resolved, "file")} resolved.`}</p>
						),
						<details id="hours">
							<summary>By hour</summary>
							{table(
								"Cycles by hour",
								["Hour", "Cycles", "Failed", "Longest"],
								byHour.map((hour) => (
									<tr>
										<th scope="row">{`${new Date(hour.at).toISOString().slice(0, 13).replace("T", " ")}:00 UTC`}</th>
										{[hour.cycles, hour.failures, exactDuration(hour.longest_ms)].map((cell) => (
											<td>{cell}</td>
										))}
									</tr>
								)),
							)}
						</details>,
					]}
			{error && (
				<p class="note">
					{"Last error "}
					{time(error.at)}
					{": "}
					<code>{error.code}</code> {withRemoteMessage(error.message, error.remote_message)}
				</p>
			)}
		</section>
	);
}
