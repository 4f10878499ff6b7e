import type { Problem } from "../findings.ts";
import type { AlertEvent, AlertRecord } from "../lifecycle/alert-record.ts";
import { type LifecycleInput, step } from "../lifecycle/step.ts";

/** Walks alerts through time, without files, channels or timers. */
export class LifecycleDriver {
	now = Date.UTC(2026, 1, 18, 2, 0, 0);
	records: AlertRecord[] = [];
	readonly events: (AlertEvent & { sentAt: number })[] = [];
	readonly settings: Pick<LifecycleInput, "cooldownMs" | "resolveAfterMs" | "isSilenced"> & { silenced: string[] } = {
		cooldownMs: 300_000,
		resolveAfterMs: 30_000,
		silenced: [],
		isSilenced: (id) => this.settings.silenced.includes(id),
	};

	/** Runs one step after `ms`. Returns the notifications of that step. */
	look(ms: number, problems: readonly Problem[], afterGap = false): AlertEvent[] {
		this.now += ms;
		const result = step(this.records, { ...this.settings, now: this.now, problems, afterGap });
		// Records pass through a file between two rounds.
		this.records = JSON.parse(JSON.stringify(result.records)) as AlertRecord[];
		this.events.push(...result.events.map((event) => ({ ...event, sentAt: this.now })));
		return result.events;
	}

	record(id: string): AlertRecord | undefined {
		return this.records.find((record) => record.id === id);
	}
}

export function problem(id: string, changes: Partial<Problem> = {}): Problem {
	return { id, severity: "critical", title: `${id} is bad`, detail: `${id} is bad in this way.`, ...changes };
}
