import { readFileSync, readlinkSync } from "node:fs";
import { type Timestamp, timestamp } from "./timestamps.ts";

/** The kernel's knowledge of processes. Injected, so that tests can have other tables. */
export interface ProcessTable {
	/** When process `pid` started, in clock ticks since boot; null when there is none (or only a zombie). */
	startTicks(pid: number): number | null;
	/** When the machine booted, milliseconds since the epoch, by the wall clock as it is now. */
	bootTimeMs(): number;
	/** A name for this boot of this machine. */
	bootId(): string;
	/** The pid namespace of its ids (pid_namespaces(7)); null: not known. Without it: the only one. */
	pidNamespace?(): string | null;
}

/** USER_HZ: the unit of /proc, 100 on every Linux that Node runs on (proc(5)). */
const ticksPerSecond = 100;

/** The table of this machine, from /proc (proc(5)). */
export const kernelProcessTable: ProcessTable = {
	startTicks(pid) {
		if (!Number.isInteger(pid) || pid <= 0) return null;
		try {
			const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
			// The second field is the program's name in parentheses and may itself contain parentheses.
			const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
			if (fields[0] === "Z" || fields[0] === "X") return null;
			return Number(fields[19]);
		} catch {
			return null;
		}
	},
	bootTimeMs() {
		return Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? 0) * 1000;
	},
	bootId() {
		try {
			return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
		} catch {
			return "unknown";
		}
	},
	pidNamespace() {
		try {
			return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? null;
		} catch {
			return null;
		}
	},
};

/** The writer's pid namespace as a field of a state file or lock: absent if not known. */
export function pidNamespaceField(table: ProcessTable = kernelProcessTable): { pid_namespace?: string } {
	const namespace = table.pidNamespace?.() ?? null;
	return namespace === null ? {} : { pid_namespace: namespace };
}

/** Whether process ids of a writer in `pidNamespace` (undefined: not recorded) can be looked up in `table`. */
export function sharesPidNamespace(pidNamespace: string | undefined, table: ProcessTable = kernelProcessTable): boolean {
	if (pidNamespace === undefined || table.pidNamespace === undefined) return true;
	return pidNamespace === table.pidNamespace();
}

/** When process `pid` started, or null when it does not run. Within a second or so: the kernel's boot time is in whole seconds. */
export function processStartedAt(pid: number, table: ProcessTable = kernelProcessTable): Timestamp | null {
	const ticks = table.startTicks(pid);
	return ticks === null ? null : timestamp(table.bootTimeMs() + (ticks * 1000) / ticksPerSecond);
}

// The boot time in whole seconds plus a slewing clock: the same process never differs by more.
const startToleranceMs = 2_500;

/**
 * Whether the process that wrote `{pid, pid_started_at}` still runs: the same pid and the same start, so that a reused pid
 * does not count.
 */
export function isSameProcess(pid: number, pidStartedAt: Timestamp, table: ProcessTable = kernelProcessTable): boolean {
	const startedAt = processStartedAt(pid, table);
	return startedAt !== null && Math.abs(Date.parse(startedAt) - Date.parse(pidStartedAt)) <= startToleranceMs;
}
