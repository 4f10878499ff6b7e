// Above 400 lines: three machines that boot once for all tests.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { until } from "./command.ts";
import { cloneInside, Lab, workspace } from "./lab.ts";
import type { Machine } from "./machine.ts";
import { allActive, converged, crossing, health, inWorkspace, mainPid, property, services, syncState } from "./node-view.ts";
import { mayBootMachines } from "./root-file-system.ts";

const setup = `bash ${cloneInside}/deploy/setup.sh`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const report = (line: string) => process.stderr.write(`    ${line}\n`);

/** Shorter times than the defaults, so that retries and alerts can be waited for. */
const answers = [
	"HEARTBEAT_KEY=the-key-of-these-tests",
	"HEARTBEAT_INTERVAL=2",
	"PEER_TIMEOUT=40",
	"SYNC_INTERVAL=30",
	"GIT_TIMEOUT=5",
	"MONITOR_INTERVAL=2",
	"ALERT_WEBHOOK_URL=http://hub:9093/alerts",
].join(" ");
const peers: Record<string, string> = { helios: "CHAD_HOST=chad", chad: "HELIOS_HOST=helios" };
const environment = (node: Machine) => `${answers} NODE_NAME=${node.name} ${peers[node.name]}`;

if (!mayBootMachines) process.stderr.write("skipped: the systemd suite needs root on Linux, to make containers and network namespaces\n");

(mayBootMachines ? describe : describe.skip)("three hosts with systemd: hub, helios, chad", () => {
	let lab: Lab;
	let hub: Machine;
	let helios: Machine;
	let chad: Machine;
	/** The content of the alert receiver's file: one JSON document a line. */
	const alerts = async () => (await hub.attempt("cat /tmp/alerts")).stdout.split("\n").filter((line) => line !== "");

	beforeAll(async () => {
		lab = await Lab.make();
		({ hub, helios, chad } = lab);
		await hub.run(`systemd-run -q --unit alert-receiver node -e '
			require("node:http").createServer((request, response) => {
				let body = "";
				request.on("data", (part) => (body += part)).on("end", () => {
					require("node:fs").appendFileSync("/tmp/alerts", body.replace(/\\s+/g, " ") + "\\n");
					response.end("{}");
				});
			}).listen(9093, "::")'`);
		for (const node of lab.nodes) {
			await node.run(
				`mkdir -p ${workspace} && cd ${workspace} && git init -q -b main && git remote add origin root@hub:/srv/workspace.git`,
			);
		}
	});
	afterAll(async () => lab?.remove());

	describe("setup", () => {
		test("setup: requirements missing → all reported at once, nothing changed, exit 2", async () => {
			await helios.run('systemd-run -q --unit squatter node -e \'require("node:net").createServer().listen(8080, "127.0.0.1")\'');
			const { code, stderr } = await helios.attempt(`cd ${workspace} && HEARTBEAT_PORT=99999 NODE_NAME=helios ${setup} --yes`);
			expect(code).toBe(2);
			expect(stderr).toContain("HEARTBEAT_PORT");
			expect(stderr).toContain("the ssh host key of hub is not known");
			const second = await helios.attempt(`cd ${workspace} && NODE_NAME=helios ${setup} --yes`);
			expect(second.code).toBe(2);
			expect(second.stderr).toMatch(/tcp port 8080 is taken/);
			expect(second.stderr).toContain("the ssh host key of hub is not known");
			expect(await helios.is(`test -e ${workspace}/.sync_env || test -e /opt/robust-sync || test -e ${workspace}/sync`)).toBe(false);
			await helios.run("systemctl stop squatter");
		});

		test("setup: an unknown host key → taken only when a person confirms it", async () => {
			const refused = await chad.attempt(`cd ${workspace} && ${environment(chad)} ${setup}`, { input: "no\n" });
			expect(refused.code).toBe(2);
			expect(refused.stdout).toContain(
				(await chad.run("ssh-keyscan -t ed25519 hub 2>/dev/null | ssh-keygen -lf - | cut -d' ' -f2")).trim(),
			);
			expect(await chad.is("test -e /root/.ssh/known_hosts")).toBe(false);
			const taken = await chad.attempt(`cd ${workspace} && ${environment(chad)} ${setup}`, { input: "yes\n\n\n\n\n\n\n\n" });
			expect(`${taken.stdout}${taken.stderr}`).toContain("chad-sync runs and has synced");
			expect(taken.code).toBe(0);
		});

		test("setup: a clean clone → all four services start", async () => {
			await helios.run(`printf '%s' '${lab.hubKey()}' > /root/.ssh/known_hosts`);
			await inWorkspace(helios, "echo 'written before anything was installed' > README.md");
			const begun = performance.now();
			const { code, stdout, stderr } = await helios.attempt(`cd ${workspace} && ${environment(helios)} ${setup} --yes`);
			const tookMs = performance.now() - begun;
			report(`setup took ${(tookMs / 1000).toFixed(1)} s`);
			expect(`${code}\n${stdout}${stderr}`).toMatch(/^0\n/);
			expect(await allActive(helios)).toBe(true);
			expect(await helios.run(`stat -c '%a %U' ${workspace}/.sync_env`)).toBe("600 root");
		});

		test("setup: run again → changes nothing", async () => {
			const pids = await Promise.all(services.map((service) => mainPid(helios, service)));
			const before = await helios.run(
				`cat ${workspace}/.sync_env /etc/systemd/system/helios-* /etc/cron.d/helios-*; ls -l /opt/robust-sync`,
			);
			const { code } = await helios.attempt(`cd ${workspace} && ${environment(helios)} ${setup} --yes`);
			expect(code).toBe(0);
			expect(await Promise.all(services.map((service) => mainPid(helios, service)))).toEqual(pids);
			expect(await helios.run(`cat ${workspace}/.sync_env /etc/systemd/system/helios-* /etc/cron.d/helios-*; ls -l /opt/robust-sync`)).toBe(
				before,
			);
		});

		test("setup: a unit changed by hand → kept, its own laid beside it", async () => {
			const unit = "/etc/systemd/system/helios-monitor.service";
			// As `systemctl edit --full` leaves it.
			await helios.run(`cp ${unit} /root/unit && sed -i 's/^RestartSec=1$/RestartSec=2/' ${unit} && systemctl daemon-reload`);
			const { code, stdout } = await helios.attempt(`cd ${workspace} && ${setup} --yes`);
			expect(code).toBe(0);
			expect(stdout).toContain(`${unit} was changed by hand and is kept`);
			expect(await helios.run(`grep ^RestartSec ${unit}; cmp ${unit}.new /root/unit`)).toBe("RestartSec=2");
			await helios.run(`mv ${unit}.new ${unit} && systemctl daemon-reload`);
		});

		test("setup: a reboot → all eight services run, health ok, files and messages cross", async () => {
			await converged(lab);
			for (const node of lab.nodes) await node.powerOff();
			for (const node of lab.nodes) {
				const begun = Date.now();
				await node.boot();
				const { seen } = await until(`${node.name} syncs`, async () => {
					const last = Date.parse((await syncState(node))?.last_sync ?? "");
					return last > begun && last;
				});
				report(`${node.name}: power on to first sync ${((seen - begun) / 1000).toFixed(1)} s`);
			}
			for (const node of lab.nodes) {
				await until(`all services of ${node.name}`, () => allActive(node));
				// If a boot takes longer than the peer's timeout, an alert was due, which is resolved a while after its cause.
				const isOk = async () => (await health(node))?.status === "ok";
				await until(`health of ${node.name} is ok`, isOk, { deadlineMs: 150_000 }).catch(async (error) => {
					throw new Error(`${error.message}\n${await inWorkspace(node, "curl -s http://localhost:8080/status; monitor --check || true")}`);
				});
				expect((await health(node))?.node).toBe(node.name);
			}
			await converged(lab);
			for (const [from, to, name] of [
				[helios, chad, "first.txt"],
				[chad, helios, "second.txt"],
			] as const) {
				const ms = await crossing(from, to, name);
				report(`${from.name} to ${to.name}: ${ms} ms`);
			}
			await inWorkspace(chad, "echo 'The build is green.' | robust-sync --send -");
			await until("the message on helios", () => helios.is(`grep -rq green ${workspace}/messages/chad`));
			await until("chad's outbox is empty", async () => (await syncState(chad))?.messages_pending === 0);
		});

		test("setup: everything under Verify and Troubleshooting → works as typed", async () => {
			await helios.run("systemctl start helios-sync helios-heartbeat helios-health-server helios-monitor");
			await helios.run("systemctl enable helios-sync helios-heartbeat helios-health-server helios-monitor");
			await helios.run("systemctl status helios-sync helios-heartbeat helios-health-server helios-monitor");
			await inWorkspace(
				helios,
				"curl -fs http://localhost:8080/health && curl -fs http://localhost:8080/status && curl -fs http://localhost:8080/metrics",
			);
			await inWorkspace(helios, "ls logs/sync.log logs/heartbeat.log logs/monitor.log logs/sync_service.log");
			expect(await helios.run("journalctl -u helios-sync -n 50 --no-pager")).toContain("Started helios-sync");
			expect(await helios.run("ss -uln | grep 8765")).not.toBe("");
			expect(await helios.run("ss -tln | grep 8080")).not.toBe("");
			// Weekly maintenance while everything runs, and as the crontab has it.
			await inWorkspace(
				helios,
				"echo said >> logs/sync_service.log && touch -d '8 days ago' logs/old.log && touch -d '31 days ago' sync/conflicts/old",
			);
			await helios.run(
				`crontab=$(sed -n 's/^[0-9].*root //p' /etc/cron.d/helios-robust-sync | sed 's/\\\\%/%/g') && sh -euc "$crontab" && logrotate -f /etc/logrotate.d/helios-robust-sync`,
			);
			expect(await inWorkspace(helios, "ls logs sync/conflicts")).not.toMatch(/^old/m);
			await inWorkspace(helios, 'find logs -name "*.log" -mtime +7 -delete && find sync/conflicts -mtime +30 -delete');
			expect(await inWorkspace(helios, "ls logs")).toMatch(/^sync\.log\nsync_service\.log\nsync_service\.log\.1$/m);
			await inWorkspace(helios, "cat sync/peer_chad_state.json && source .sync_env && test $NODE_NAME = helios");
			const before = await mainPid(helios, "sync");
			await helios.run("systemctl reload helios-sync && systemctl is-active helios-sync");
			expect(await mainPid(helios, "sync")).toBe(before);
			// Scenario 4's way to look at memory.
			expect(await helios.run("ps -o pid,rss,comm -p $(pgrep -f bin/robust-sync)")).toMatch(new RegExp(`^\\s*${before} `, "m"));
			await helios.run("systemctl restart helios-heartbeat helios-health-server");
			await until("they answer again", async () => (await allActive(helios)) && (await health(helios)) !== undefined);
		});

		test("setup: each unit → as hard as promised", async () => {
			const limits = { sync: 30, heartbeat: 20, "health-server": 20, monitor: 20 };
			for (const service of services) {
				const said = await helios.run(
					`systemd-analyze security --no-pager --offline=true --threshold=${limits[service]} /etc/systemd/system/helios-${service}.service | tail -n1`,
				);
				report(said);
			}
			const complaints = await helios.attempt(
				"systemd-analyze verify --man=no /etc/systemd/system/helios-*.service /etc/systemd/system/helios-*.target",
			);
			expect(complaints.stderr).toBe("");
		});

		test("memory: idle services → together at most 250 MiB", async () => {
			await converged(lab);
			const pids = await Promise.all(services.map((service) => mainPid(helios, service)));
			const rss = (await helios.run(`ps -o rss= -p ${pids.join(",")}`)).split("\n").map((kb) => Number(kb) / 1024);
			services.forEach((service, i) => {
				report(`${service}: ${rss[i]?.toFixed(0)} MiB`);
			});
			expect(rss.reduce((a, b) => a + b, 0)).toBeLessThan(250);
		});
	});

	describe("scenario 1: a crash", () => {
		test.each(services)("crash: %s is killed → runs again, nothing lost", async (service) => {
			const before = await mainPid(helios, service);
			await inWorkspace(helios, `echo 'written before ${service} died' > before-${service}.txt`);
			// As typed in the user's document for sync, with the name of the program.
			await helios.run(service === "sync" ? "pkill -9 -f bin/robust-sync" : `kill -9 ${before}`);
			const { tookMs } = await until(`${service} is active again`, async () => {
				const pid = await mainPid(helios, service);
				return pid !== 0 && pid !== before && (await property(helios, service, "ActiveState")) === "active";
			});
			report(`${service}: active again after ${(tookMs / 1000).toFixed(1)} s`);
			expect(await helios.run(`systemctl status helios-${service}`)).toContain("active (running)");
			await until("what was written meanwhile is on chad", () => chad.is(`test -e ${workspace}/before-${service}.txt`));
		});

		test("locks: by hand beside the service, sandboxed or not → 4, --status is 0", async () => {
			const pid = await mainPid(helios, "sync");
			// A sandbox with a /proc and a boot id of its own.
			const sandbox =
				"cat /proc/sys/kernel/random/uuid > /run/boot-id && unshare -m -p -f --mount-proc sh -c 'mount --bind /run/boot-id /proc/sys/kernel/random/boot_id && exec \"$@\"' sh";
			for (const within of ["", sandbox]) {
				const status = await inWorkspace(helios, `${within} robust-sync --status --json`);
				expect(JSON.parse(status)).toMatchObject({ running: true, pid });
				expect(await inWorkspace(helios, `${within} robust-sync 2>&1; echo "code $?"`)).toMatch(/already runs with pid \d+ .*\ncode 4$/);
				await inWorkspace(helios, `${within} robust-sync --once`);
			}
			expect(await mainPid(helios, "sync")).toBe(pid);
			for (const within of ["", sandbox]) {
				const before = await mainPid(helios, "sync");
				expect(await inWorkspace(helios, `${within} robust-sync --stop`)).toMatch(
					/^stopped robust-sync .*\nhelios-sync\.service starts it again; to stop it for good: systemctl stop helios-sync\.service$/,
				);
				await until("another process", async () => {
					const now = await mainPid(helios, "sync");
					return now !== 0 && now !== before && (await property(helios, "sync", "ActiveState")) === "active";
				});
			}
		});

		test("crash: a service hangs → killed by its watchdog and started again", async () => {
			// The minute of the real unit would be too long for a test.
			await helios.run(
				"mkdir -p /run/systemd/system/helios-sync.service.d && printf '[Service]\\nWatchdogSec=3\\n' > /run/systemd/system/helios-sync.service.d/quick.conf && systemctl daemon-reload && systemctl restart helios-sync",
			);
			const before = await mainPid(helios, "sync");
			await helios.run(`kill -STOP ${before}`);
			const { tookMs } = await until("another process", async () => {
				const pid = await mainPid(helios, "sync");
				return pid !== 0 && pid !== before && (await property(helios, "sync", "ActiveState")) === "active";
			});
			report(`watchdog of 3 s: replaced after ${(tookMs / 1000).toFixed(1)} s`);
			expect(await helios.run("journalctl -u helios-sync --no-pager")).toMatch(/[Ww]atchdog timeout/);
			await helios.run("rm -r /run/systemd/system/helios-sync.service.d && systemctl daemon-reload && systemctl restart helios-sync");
			await crossing(helios, chad, "after-the-watchdog.txt");
		});
	});

	describe("scenario 2: the network is down", () => {
		test("network down: growing delays, one alert → both the same soon after it is back", async () => {
			await converged(lab);
			await hub.run(": > /tmp/alerts");
			const from = await helios.run(`wc -l < ${workspace}/logs/sync.log`);
			await helios.run("iptables -A OUTPUT -p tcp --dport 22 -j DROP");
			await inWorkspace(helios, "echo 'written on helios in the dark' > dark-helios.txt");
			await inWorkspace(chad, "echo 'written on chad meanwhile' > dark-chad.txt");
			const delays = async () =>
				[
					...(await helios.run(`tail -n +${Number(from) + 1} ${workspace}/logs/sync.log`)).matchAll(
						/(?:REMOTE_UNREACHABLE|GIT_TIMEOUT).*retry_in_ms=(\d+)/g,
					),
				].map((found) => Number(found[1]));
			const sentAlerts = async () => (await alerts()).filter((line) => /failed \d+ times in a row/.test(line)).length;
			try {
				await until("five failures in a row", async () => (await delays()).length >= 5, { deadlineMs: 120_000, pauseMs: 500 });
				await until("an alert", async () => (await sentAlerts()) > 0);
				await until("a delay longer than the interval of 30 s", async () => Math.max(...(await delays())) > 30_000, {
					deadlineMs: 120_000,
				});
				report(`${(await delays()).length} retries in the log, after ${(await delays()).join(" ")} ms`);
			} finally {
				await helios.run("iptables -D OUTPUT -p tcp --dport 22 -j DROP");
			}
			const { tookMs } = await converged(lab, 60_000);
			report(`both the same ${(tookMs / 1000).toFixed(1)} s after the network came back; ${await sentAlerts()} alert`);
			expect(await sentAlerts()).toBe(1);
			await helios.run(`test -e ${workspace}/dark-chad.txt`);
			await chad.run(`test -e ${workspace}/dark-helios.txt`);
		});
	});

	describe("scenario 3: a conflict", () => {
		test("conflict: resolved as typed → both versions saved, both nodes end the same", async () => {
			await converged(lab);
			await helios.run("systemctl stop helios-sync");
			await inWorkspace(chad, `echo '{"test": "remote"}' > test_conflict.json`);
			await until("chad's version is on the hub", () => hub.is("git -C /srv/workspace.git cat-file -e main:test_conflict.json"));
			await inWorkspace(
				helios,
				`echo '{"test": "local"}' > test_conflict.json
				git add test_conflict.json
				git commit -q -m "Local change"
				git fetch -q origin
				git checkout origin/main -- test_conflict.json || true
				conflict-resolver --resolve`,
			);
			const saved = await inWorkspace(helios, "ls sync/conflicts/ && cat sync/conflicts/*/files/test_conflict.json.*");
			expect(saved).toContain('"local"');
			expect(saved).toContain('"remote"');
			await helios.run("systemctl start helios-sync");
			await converged(lab);
			expect(await inWorkspace(helios, "conflict-resolver --check; echo $?")).toMatch(/0$/);
		});
	});

	describe("scenario 4: memory", () => {
		test("memory: a service above its limit → ends its cycle, 75, started again", async () => {
			// An exit that counts as success is not in the journal: a line of our own after every stop.
			const dropIn = "/run/systemd/system/helios-sync.service.d";
			await helios.run(
				`mkdir -p ${dropIn} && printf '%s\\n' '[Service]' 'ExecStopPost=/bin/sh -c "echo $$EXIT_STATUS >> logs/exits"' > ${dropIn}/exits.conf && systemctl daemon-reload`,
			);
			const before = Number(await property(helios, "sync", "NRestarts"));
			await inWorkspace(
				helios,
				"echo 'export MEMORY_LIMIT_MB=20' >> .sync_env && systemctl reload helios-sync && echo kept > under-pressure.txt",
			);
			await until("it was started again", async () => Number(await property(helios, "sync", "NRestarts")) > before, {
				deadlineMs: 60_000,
			});
			expect((await inWorkspace(helios, "cat logs/exits")).split("\n")).toContain("75");
			expect(await inWorkspace(helios, "cat logs/sync.log")).toContain("memory limit");
			await inWorkspace(
				helios,
				`sed -i /MEMORY_LIMIT_MB/d .sync_env && rm -r logs/exits ${dropIn} && systemctl daemon-reload && systemctl restart helios-sync`,
			);
			await until("nothing is lost", () => chad.is(`test -e ${workspace}/under-pressure.txt`));
			expect(await property(helios, "sync", "Result")).toBe("success");
		});

		test("configuration: wrong → no tight loop; right again → runs again", async () => {
			await inWorkspace(helios, "echo 'export SYNC_INTERVAL=soon' >> .sync_env && systemctl restart helios-sync || true");
			await until("it says why", () => helios.is(`grep -q 'SYNC_INTERVAL="soon"' ${workspace}/logs/sync_service.log`));
			const count = async () => Number(await inWorkspace(helios, "grep -c 'SYNC_INTERVAL=\"soon\"' logs/sync_service.log"));
			// Where a person looks first.
			expect(await helios.run("journalctl -u helios-sync -n 50 -o cat --no-pager")).toContain('SYNC_INTERVAL="soon" is not accepted');
			await until("systemctl status says why", () =>
				helios.is("systemctl status helios-sync -n 20 --no-pager | grep -q 'SYNC_INTERVAL=\"soon\"'"),
			);
			await until("/status says why", () => helios.is("curl -s http://localhost:8080/status | grep -q 'SYNC_INTERVAL=.*soon'"));
			const before = await count();
			await pause(8_000);
			expect((await count()) - before).toBeLessThanOrEqual(1);
			await inWorkspace(helios, "sed -i /soon/d .sync_env");
			await until("it runs again by itself", async () => (await property(helios, "sync", "ActiveState")) === "active", {
				deadlineMs: 40_000,
			});
		});
	});

	describe("power cuts", () => {
		test("power cut: 20 times in the middle of cycles → nothing lost, everything whole", async () => {
			await converged(lab);
			const writer = `cd ${workspace} && i=$(cat /var/tmp/count 2>/dev/null || echo 0); while :; do i=$((i + 1)); echo "line $i" >> diary.log; echo "$i" > /var/tmp/count.new; mv /var/tmp/count.new /var/tmp/count; printf '{"beat": %d}\\n' "$i" > beat.json; sleep 0.02; done`;
			for (let cut = 1; cut <= 20; cut++) {
				await helios.run(`systemd-run -q --unit writer bash -c '${writer.replaceAll("'", `'\\''`)}'`);
				await inWorkspace(chad, `echo 'chad ${cut}' >> chad.log`);
				await pause(300 + cut * 40);
				await helios.pullPlug();
				await helios.boot();
			}
			await until("all services of helios", () => allActive(helios));
			const { tookMs } = await converged(lab, 120_000);
			report(`the same ${(tookMs / 1000).toFixed(1)} s after the last boot`);
			// A line may have been written in the instant in which its number was not: the numbers may repeat, never skip.
			const numbers = (await inWorkspace(chad, "cat diary.log")).split("\n").map((line) => Number(line.replace("line ", "")));
			const skips = numbers.flatMap((n, i) =>
				i === 0 || n === numbers[i - 1]! + 1 || n === numbers[i - 1] ? [] : [`line ${i + 1}: ${numbers[i - 1]}, then ${n}`],
			);
			expect(skips).toEqual([]);
			expect(numbers.at(-1)).toBeGreaterThanOrEqual(Number(await helios.run("cat /var/tmp/count")));
			expect((await inWorkspace(helios, "cat chad.log")).split("\n")).toHaveLength(20);
			for (const node of lab.nodes) await inWorkspace(node, "git fsck --no-progress --strict");
			await hub.run("git -C /srv/workspace.git fsck --no-progress --strict");
		});
	});

	describe("upgrade and uninstall", () => {
		const next = "/root/robust-sync-next";
		const makeNext = (version: string) =>
			helios.run(
				`rm -rf ${next} && cp -a ${cloneInside} ${next} && sed -i 's/"version": "[^"]*"/"version": "${version}"/' ${next}/package.json && touch ${next}/dist/*.mjs`,
			);

		test("upgrade: service by service → programs replaced, state kept", async () => {
			await makeNext("9.1.0");
			const before = await syncState(helios);
			const { code, stdout, stderr } = await helios.attempt(`cd ${workspace} && bash ${next}/deploy/setup.sh --upgrade`);
			expect(`${code}\n${stdout}${stderr}`).toMatch(/^0\n/);
			expect(await helios.run("readlink /opt/robust-sync/current")).toBe("9.1.0");
			expect(await helios.run(`readlink /proc/${await mainPid(helios, "sync")}/cwd`)).toBe(workspace);
			expect(await allActive(helios)).toBe(true);
			expect((await syncState(helios))?.totals.cycles).toBeGreaterThanOrEqual(before!.totals.cycles);
			await crossing(helios, chad, "after-the-upgrade.txt");
		});

		test("upgrade: one that fails → goes back", async () => {
			await makeNext("9.2.0");
			await helios.run(`echo 'process.exit(1)' > ${next}/dist/health-server.mjs; touch ${next}/dist/*.mjs`);
			const { code, stderr } = await helios.attempt(`cd ${workspace} && bash ${next}/deploy/setup.sh --upgrade`, { timeoutMs: 180_000 });
			expect(code).toBe(1);
			expect(stderr).toContain("9.1.0 is back at work");
			expect(await helios.run("readlink /opt/robust-sync/current")).toBe("9.1.0");
			await until("all services again", () => allActive(helios));
			await crossing(helios, chad, "after-the-failed-upgrade.txt");
		});

		test("two nodes: on one machine, the second as its user → one goes without the other", async () => {
			const second = "/home/bob/work";
			await chad.run(`useradd -m -s /bin/bash bob && cp -a /root/.ssh /home/bob/ && chown -R bob: /home/bob/.ssh
				su - bob -c 'git clone -q root@hub:/srv/workspace.git ${second}'`);
			const { code, stdout, stderr } = await chad.attempt(
				`${setup} --workspace ${second} --yes`.replace(
					"bash",
					"NODE_NAME=second SYNC_INTERVAL=5 HEARTBEAT_PORT=8766 HEALTH_PORT=8081 bash",
				),
			);
			expect(`${code}\n${stdout}${stderr}`).toMatch(/^0\n/);
			expect(await chad.is("systemctl is-active second-sync chad-sync")).toBe(true);
			const users = await chad.run(
				`for s in ${services.join(" ")}; do ps -o user= -p $(systemctl show -p MainPID --value second-$s); done | sort -u`,
			);
			expect(users).toBe("bob");
			// A service opens its log with its user's rights: a link of bob's there reaches nothing that only root may write.
			const log = `${second}/logs/sync_service.log`;
			expect(await chad.run(`find ${second} ! -user bob; stat -c '%U' ${log}`)).toBe("bob");
			await chad.run(`echo "root's" > /root/canary; rm ${log}; ln -s /root/canary ${log}; systemctl restart second-sync`);
			expect(await chad.run("cat /root/canary")).toBe("root's");
			await chad.run(`rm ${log} && systemctl restart second-sync && test -f ${log}`);
			await chad.run(`su - bob -c 'echo hello > ${second}/from-bob.txt'`);
			await until("bob's file on helios", () => helios.is(`test -e ${workspace}/from-bob.txt`));
			await inWorkspace(helios, "echo hello > for-bob.txt");
			await until("a file of bob's", async () => (await chad.attempt(`stat -c %U ${second}/for-bob.txt`)).stdout.trim() === "bob");
			await chad.run(`${setup} --uninstall --workspace ${second}`);
			expect(await chad.is("systemctl is-active -q chad-sync && test -x /usr/local/bin/robust-sync")).toBe(true);
			expect(await chad.run("ls /etc/systemd/system | grep -c ^second || true")).toBe("0");
		});

		test("services: a user without root → services of their own", async () => {
			await chad.run(`useradd -m -s /bin/bash alice && loginctl enable-linger alice && cp -a ${cloneInside} /home/alice/robust-sync
				git clone -q --bare root@hub:/srv/workspace.git /home/alice/hub.git && git clone -q /home/alice/hub.git /home/alice/work && chown -R alice: /home/alice`);
			await until("alice's manager runs", () => chad.is("test -S /run/user/$(id -u alice)/systemd/private"));
			const asAlice = (script: string) => `su - alice -c 'export XDG_RUNTIME_DIR=/run/user/$(id -u); ${script}'`;
			const { code, stdout, stderr } = await chad.attempt(
				asAlice("cd ~/work && NODE_NAME=alice HEARTBEAT_PORT=8767 HEALTH_PORT=8082 bash ~/robust-sync/deploy/setup.sh --yes"),
			);
			expect(`${code}\n${stdout}${stderr}`).toMatch(/^0\n/);
			await chad.run(asAlice("cd ~/work && ~/.local/bin/robust-sync --status && systemctl --user is-active alice-sync alice-monitor"));
			await chad.run(asAlice("cd ~/work && bash ~/robust-sync/deploy/setup.sh --uninstall && test ! -e ~/.local/share/robust-sync"));
		});

		test("uninstall: units, processes and links → gone, the workspace as it was", async () => {
			await converged(lab);
			await chad.run("systemctl stop chad-robust-sync.target");
			const snapshot = () =>
				inWorkspace(chad, "find . -path ./.git -prune -o -type f ! -path './logs/*' -print0 | sort -z | xargs -0 sha256sum; ls logs sync");
			const before = await snapshot();
			await chad.run("systemctl start chad-robust-sync.target");
			const { code, stdout, stderr } = await chad.attempt(`cd ${workspace} && bash /opt/robust-sync/current/deploy/setup.sh --uninstall`);
			expect(`${code}\n${stdout}${stderr}`).toMatch(/^0\n/);
			expect(await chad.run("ls /etc/systemd/system /etc/systemd/system/*.wants /etc/cron.d /etc/logrotate.d | grep -c chad || true")).toBe(
				"0",
			);
			expect(await chad.run("pgrep -fc 'bin/(robust-sync|heartbeat|health-server|monitor)' || true")).toBe("0");
			expect(
				await chad.is('test -e /opt/robust-sync || ls /usr/local/bin | grep -q . || test -n "$(find -L /usr/local/share -type l)"'),
			).toBe(false);
			const names = (text: string) =>
				text.split("\n").filter((line) => !/sync\/(.*_state|monitor_status)\.json|\.lock|cycle_history|^staging$/.test(line));
			expect(names(await snapshot())).toEqual(names(before));
		});
	});
});
