import { until } from "./command.ts";
import { type Lab, workspace } from "./lab.ts";
import type { Machine } from "./machine.ts";

export const services = ["sync", "heartbeat", "health-server", "monitor"] as const;
export type Service = (typeof services)[number];

/** The fields of `sync_state.json` that these tests read. */
export interface SyncState {
	status: string;
	head: string | null;
	last_sync: string | null;
	started_at: string;
	pid: number;
	messages_pending: number;
	totals: { cycles: number; commits: number };
}

/** Runs a script in the node's workspace. */
export function inWorkspace(node: Machine, script: string): Promise<string> {
	return node.run(`cd ${workspace} && ${script}`);
}

export async function syncState(node: Machine): Promise<SyncState | undefined> {
	const { code, stdout } = await node.attempt(`cat ${workspace}/sync/sync_state.json`);
	return code === 0 ? (JSON.parse(stdout) as SyncState) : undefined;
}

/** A property of a unit (systemctl-show(1)). */
export function property(node: Machine, service: Service, name: string): Promise<string> {
	return node.run(`systemctl show -p ${name} --value ${node.name}-${service}`);
}

export async function mainPid(node: Machine, service: Service): Promise<number> {
	return Number(await property(node, service, "MainPID"));
}

/** All four services of a node are up. */
export async function allActive(node: Machine): Promise<boolean> {
	return node.is(services.map((service) => `systemctl is-active -q ${node.name}-${service}`).join(" && "));
}

export async function health(node: Machine): Promise<{ status: string; node: string } | undefined> {
	const { code, stdout } = await node.attempt("curl -s --max-time 5 http://localhost:8080/health");
	return code === 0 ? JSON.parse(stdout) : undefined;
}

/** Waits until both nodes and the hub are at one commit with nothing uncommitted. @returns its tree, and how long that took */
export async function converged(lab: Lab, deadlineMs = 60_000): Promise<{ tree: string; tookMs: number }> {
	const { seen, tookMs } = await until(
		"helios, chad and the hub are the same",
		async () => {
			const look = "git rev-parse HEAD && git --no-optional-locks status --porcelain";
			const hub = await lab.hub.attempt("git -C /srv/workspace.git rev-parse main");
			for (const node of lab.nodes) {
				const { stdout, code } = await node.attempt(`cd ${workspace} && ${look}`);
				if (code !== 0 || stdout.trim() !== hub.stdout.trim()) return false;
			}
			return inWorkspace(lab.helios, "git rev-parse 'HEAD^{tree}'");
		},
		{ deadlineMs, pauseMs: 100 },
	);
	return { tree: seen, tookMs };
}

/** Writes a file on one node. @returns after how many milliseconds the other had it */
export async function crossing(from: Machine, to: Machine, name: string, text = name): Promise<number> {
	const begun = performance.now();
	await inWorkspace(from, `printf '%s' '${text}' > ${name}.part && mv ${name}.part ${name}`);
	await until(`${name} on ${to.name}`, async () => (await to.attempt(`cat ${workspace}/${name}`)).stdout === text, { pauseMs: 10 });
	return Math.round(performance.now() - begun);
}
