import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { type ServiceName, services } from "@robust-sync/workspace";
import type { UnitView } from "./facts.ts";

export type Units = Readonly<Record<ServiceName, UnitView | null>>;

const noUnits: Units = { sync: null, heartbeat: null, "health-server": null, monitor: null };

const properties = "Id,LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts";
const timeoutMs = 5_000;
/** Where systemd knows no unit of ours it is asked again at this interval only. */
const askAgainMs = 10 * 60_000;

/** What `systemctl show` printed for several units: blocks of `Name=value`, an empty line between them. */
export function parseUnits(output: string, node: string): Units {
	const units: Record<ServiceName, UnitView | null> = { ...noUnits };
	for (const block of output.split(/\n\s*\n/)) {
		const values = new Map(
			block
				.split("\n")
				.flatMap((line) => (line.includes("=") ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]] : [])),
		);
		const service = services.find((candidate) => values.get("Id") === `${node}-${candidate}.service`);
		if (service === undefined || values.get("LoadState") !== "loaded") continue;
		units[service] = {
			unit: `${node}-${service}`,
			activeState: values.get("ActiveState") ?? "unknown",
			subState: values.get("SubState") ?? "unknown",
			result: values.get("Result") ?? "success",
			enabled: /^(enabled|enabled-runtime|linked|static|generated)$/.test(values.get("UnitFileState") ?? ""),
			restarts: Number(values.get("NRestarts") ?? 0) || 0,
		};
	}
	return units;
}

function show(node: string, manager: readonly string[]): Promise<Units> {
	return new Promise((resolve) => {
		const names = services.map((service) => `${node}-${service}.service`);
		const args = [...manager, "show", "--no-pager", `--property=${properties}`, "--", ...names];
		execFile("systemctl", args, { timeout: timeoutMs, env: { ...process.env, LC_ALL: "C" } }, (error, stdout) =>
			// Without a service manager there are no units, which is no problem.
			resolve(error ? noUnits : parseUnits(stdout, node)),
		);
	});
}

/** A reader of systemd's view of the services of `node`: all null where systemd does not run, or has no such units. */
export function unitReader(node: string, now: () => number): () => Promise<Units> {
	let askAt = 0;
	return async () => {
		// sd_booted(3)
		if (!existsSync("/run/systemd/system") || now() < askAt) return noUnits;
		const known = (units: Units) => services.some((service) => units[service] !== null);
		let units = await show(node, ["--system"]);
		if (!known(units) && process.getuid?.() !== 0) units = await show(node, ["--user"]);
		if (!known(units)) askAt = now() + askAgainMs;
		return units;
	};
}
