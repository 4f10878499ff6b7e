import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { becomes, Executable } from "./testing/executable.ts";
import { HttpReceiver } from "./testing/http-receiver.ts";

// The real Alertmanager of Debian accepts our alerts, groups them, and resolves them.

const program = "/usr/bin/prometheus-alertmanager";

/** Debian's package; installed where that is possible. */
function isInstalled(): boolean {
	if (existsSync(program)) return true;
	if (process.getuid?.() !== 0) return false;
	try {
		execFileSync("apt-get", ["install", "-y", "--no-install-recommends", "prometheus-alertmanager"], { stdio: "ignore", timeout: 300_000 });
	} catch {
		return false;
	}
	return existsSync(program);
}

interface Notification {
	status: "firing" | "resolved";
	alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}

const installed = isInstalled();
if (!installed)
	process.stderr.write("alertmanager.slow.test.ts: not run: prometheus-alertmanager is not installed, and only root can install it\n");

let directory: string;
let alertmanager: ChildProcess;
let monitor: Executable;
let receiver: HttpReceiver;
let api: string;

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

beforeAll(async () => {
	if (!installed) return;
	monitor = new Executable();
	directory = mkdtempSync(path.join(tmpdir(), "robust-sync-alertmanager-"));
	receiver = await HttpReceiver.listen({ status: 200 });
	const port = await freePort();
	api = `http://127.0.0.1:${port}/api/v2`;
	const config = {
		route: { receiver: "test", group_by: ["node"], group_wait: "1s", group_interval: "1s", repeat_interval: "1h" },
		receivers: [{ name: "test", webhook_configs: [{ url: receiver.url, send_resolved: true }] }],
	};
	writeFileSync(path.join(directory, "alertmanager.yml"), JSON.stringify(config));
	alertmanager = spawn(
		program,
		[
			`--config.file=${directory}/alertmanager.yml`,
			`--storage.path=${directory}/data`,
			`--web.listen-address=127.0.0.1:${port}`,
			"--cluster.listen-address=",
			"--log.level=error",
		],
		{ stdio: "ignore" },
	);
	let ready = false;
	for (const deadline = performance.now() + 20_000; !ready && performance.now() < deadline; ) {
		ready = await fetch(`http://127.0.0.1:${port}/-/ready`).then(
			(reply) => reply.ok,
			() => false,
		);
		if (!ready) await new Promise((resolve) => setTimeout(resolve, 100));
	}
	expect(ready).toBe(true);
});

afterAll(async () => {
	if (!installed) return;
	alertmanager.kill("SIGKILL");
	await receiver.close();
	await monitor.remove();
	rmSync(directory, { recursive: true, force: true });
});

(installed ? test : test.skip)("takes, groups and resolves ours", async () => {
	const paths = monitor.workspace({ ALERT_WEBHOOK_URL: `${api}/alerts`, MONITOR_INTERVAL: "1" });
	const [sync, heartbeat] = [monitor.service(paths, "sync"), monitor.service(paths, "heartbeat")];
	monitor.service(paths, "health-server");
	const daemon = monitor.start(paths, ["--daemon"]);
	await becomes(() => existsSync(paths.monitorStatus));
	sync.kill("SIGKILL");
	heartbeat.kill("SIGKILL");

	const notifications = () => receiver.bodies() as Notification[];
	const named = (status: string) =>
		new Set(
			notifications().flatMap((notification) =>
				notification.alerts.filter((alert) => alert.status === status).map((alert) => alert.labels.instance),
			),
		);
	await becomes(() => named("firing").size === 2, 30_000);
	const groups = (await (await fetch(`${api}/alerts/groups`)).json()) as {
		labels: object;
		alerts: { labels: object; annotations: object }[];
	}[];
	expect(groups).toHaveLength(1);
	expect(groups[0]).toMatchObject({ labels: { node: "helios" } });
	expect(groups[0]?.alerts).toHaveLength(2);
	expect(groups[0]?.alerts).toContainEqual(
		expect.objectContaining({
			labels: { alertname: "RobustSyncProcessDown", instance: "process:sync", node: "helios", severity: "critical" },
			annotations: expect.objectContaining({ summary: "helios: sync died" }),
			status: expect.objectContaining({ state: "active" }),
		}),
	);

	monitor.service(paths, "sync");
	monitor.service(paths, "heartbeat");
	await becomes(() => named("resolved").size === 2, 30_000);
	expect(((await (await fetch(`${api}/alerts`)).json()) as unknown[]).length).toBe(0);
	expect(readFileSync(paths.logFile("monitor"), "utf8")).not.toMatch(/cannot be sent|not sent/);
	daemon.kill("SIGTERM");
	await becomes(() => daemon.exitCode === 0);
});
