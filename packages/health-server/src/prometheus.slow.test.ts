import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { metricNames } from "./metrics.ts";
import { eventually, NodeFixture } from "./testing/node-fixture.ts";

const deploy = fileURLToPath(new URL("../../../deploy/prometheus", import.meta.url));

function havePrometheus(): boolean {
	if (!existsSync("/usr/bin/prometheus") && process.getuid?.() === 0) {
		try {
			execFileSync("sh", ["-c", "apt-get update -q && apt-get install -y -q --no-install-recommends prometheus"], { stdio: "ignore" });
		} catch {
			// Reported below.
		}
	}
	return existsSync("/usr/bin/prometheus") && existsSync("/usr/bin/promtool");
}

const available = havePrometheus();
if (!available) process.stderr.write("prometheus.slow.test.ts: no prometheus, and it cannot be installed here: nothing is scraped\n");

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

function promtool(args: string[], input = ""): { code: number | null; output: string } {
	const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: deploy, input, encoding: "utf8" });
	return { code: status, output: stdout + stderr };
}

(available ? describe : describe.skip)("with Debian's Prometheus", () => {
	test.each([
		["check", "rules", "alerts.yml", "recording.yml"],
		["test", "rules", "rules.test.yml"],
		["check", "config", "prometheus.yml"],
		["check", "config", "--agent", "--syntax-only", "agent.yml"],
	])("promtool: %s %s → passes", (...args) => {
		const { code, output } = promtool(args);
		expect([code, code === 0 ? "" : output]).toEqual([0, ""]);
	});

	test("promtool: check metrics, any state → no complaint", async () => {
		const served = await node.serve({ peers: "nova=192.0.2.9" });
		expect(promtool(["check", "metrics"], (await served.ask("/metrics")).text)).toEqual({ code: 0, output: "" });
		node.healthy();
		expect(promtool(["check", "metrics"], (await served.ask("/metrics")).text)).toEqual({ code: 0, output: "" });
	});

	test("Prometheus: a minute of scrapes → every metric arrives, alerts fire", async () => {
		node.healthy();
		const served = await node.serve();
		// As deployed, only faster and at this test's port.
		const directory = path.join(node.paths.root, "prometheus");
		mkdirSync(directory);
		for (const file of ["alerts.yml", "recording.yml"]) writeFileSync(path.join(directory, file), readFileSync(path.join(deploy, file)));
		const config = readFileSync(path.join(deploy, "prometheus.yml"), "utf8")
			.replace("127.0.0.1:8080", `127.0.0.1:${served.port}`)
			.replaceAll("15s", "2s");
		writeFileSync(path.join(directory, "prometheus.yml"), config);
		const port = 19_090 + (process.pid % 500);
		const prometheus: ChildProcess = spawn(
			"prometheus",
			[`--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=127.0.0.1:${port}`],
			{ stdio: "ignore" },
		);
		node.onCleanup(async () => {
			const ended = new Promise((resolve) => prometheus.once("exit", resolve));
			prometheus.kill();
			await ended;
		});
		// biome-ignore lint/suspicious/noExplicitAny: Prometheus's own answers
		const api = async (target: string): Promise<any> => (await (await fetch(`http://127.0.0.1:${port}/api/v1/${target}`)).json()).data;
		const query = async (expression: string): Promise<number[]> =>
			(await api(`query?query=${encodeURIComponent(expression)}`)).result.map((sample: { value: [number, string] }) =>
				Number(sample.value[1]),
			);

		await eventually(async () => (await query('up{job="robust-sync"}').catch(() => []))[0] === 1, 30_000);
		const mirror = { name: "spare", head: "a".repeat(40), pushed_at: new Date().toISOString(), error: null };
		node.sync({ consecutive_failures: 3, status: "retrying", mirrors: [mirror] });
		const start = performance.now();
		while (performance.now() - start < 60_000) {
			node.heartbeat();
			node.monitor();
			node.health();
			node.peer("chad");
			await new Promise((resolve) => setTimeout(resolve, 1_000));
		}
		const names: string[] = await api("label/__name__/values");
		expect(metricNames.filter((name) => !names.includes(name))).toEqual([]);
		expect(await query("count_over_time(up[1m])")).toEqual([expect.any(Number)]);
		expect(await query("min_over_time(up[1m])")).toEqual([1]);
		expect((await query("max_over_time(scrape_duration_seconds[1m])"))[0]).toBeLessThan(5);
		expect(await query("robust_sync_consecutive_failures")).toEqual([3]);
		const { alerts } = await api("alerts");
		expect(alerts.map((alert: { labels: { alertname: string }; state: string }) => `${alert.labels.alertname} ${alert.state}`)).toEqual([
			"RobustSyncFailing firing",
		]);
	});
});
