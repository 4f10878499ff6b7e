import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { eventually } from "./testing/daemon-fixture.ts";
import { HeartbeatWorkspace } from "./testing/heartbeat-process.ts";
import { Machines, namespacesProblem } from "./testing/network-namespaces.ts";

const problem = namespacesProblem();
if (problem) process.stderr.write(`namespaces.slow.test.ts is skipped: ${problem}\n`);

const names = ["helios", "chad", "atlas"] as const;
type Name = (typeof names)[number];
const timeoutSeconds = 6;

(problem ? describe.skip : describe)("three machines in namespaces", () => {
	let machines: Machines;
	let nodes: Record<Name, HeartbeatWorkspace>;
	let running: Record<Name, ReturnType<HeartbeatWorkspace["start"]>>;

	const boot = (address: (name: Name) => string, members: readonly Name[] = names) => {
		nodes = Object.fromEntries(
			names.map((name) => [
				name,
				new HeartbeatWorkspace(
					{
						NODE_NAME: name,
						PEERS: members.map((other) => `${other}=${address(other)}`).join(","),
						HEARTBEAT_INTERVAL: "1",
						PEER_TIMEOUT: String(timeoutSeconds),
						HEARTBEAT_KEY: "a secret of sixteen or more",
					},
					machines.on(name),
				),
			]),
		) as typeof nodes;
		running = Object.fromEntries(members.map((name) => [name, nodes[name].start()])) as typeof running;
	};
	const status = (of: Name, about: Name) => nodes[of].peer(about)?.status;
	const becomes = (of: Name, about: Name, wanted: string, withinMs = 30_000) =>
		eventually(() => status(of, about) === wanted, withinMs, `${of} takes ${about} for ${wanted}`);
	const allAlive = async (members: readonly Name[] = names) => {
		for (const of of members) for (const about of members) if (of !== about) await becomes(of, about, "alive");
		await eventually(() => members.every((of) => members.every((about) => of === about || nodes[of].peer(about)?.hears_us === true)));
	};

	beforeEach(() => {
		machines = new Machines(names);
	});
	afterEach(async () => {
		await Promise.all(Object.values(nodes).map((node) => node.remove()));
		machines.remove();
	});

	test("one-way loss: cut, then healed → down there, not heard here; both recover", async () => {
		const two = ["helios", "chad"] as const;
		boot((name) => machines.ipv4(name), two);
		await allAlive(two);
		machines.cut("chad", "helios");
		const cutAt = Date.now();
		await becomes("helios", "chad", "down");
		const silentMs = Date.now() - Date.parse(nodes.helios.peer("chad")!.received_at!);
		expect(silentMs).toBeGreaterThanOrEqual(timeoutSeconds * 1_000 - 100);
		expect(Date.now() - cutAt).toBeLessThan((timeoutSeconds + 5) * 1_000);
		expect(nodes.chad.peer("helios")).toMatchObject({ status: "alive", hears_us: false });
		machines.heal();
		await allAlive(two);
	});

	test("partition: between two of three → a broken link, not a dead host", async () => {
		boot((name) => machines.ipv4(name));
		await allAlive();
		machines.cut("chad", "helios");
		machines.cut("helios", "chad");
		await eventually(
			() => /by atlas/.test(nodes.helios.peer("chad")?.reason ?? "") && /by atlas/.test(nodes.chad.peer("helios")?.reason ?? ""),
			30_000,
		);
		const until = Date.now() + 2 * timeoutSeconds * 1_000;
		while (Date.now() < until) {
			expect(status("helios", "chad")).toBe("suspect");
			await new Promise((resolve) => setTimeout(resolve, 200));
		}
		running.chad.child.kill("SIGKILL");
		await becomes("helios", "chad", "down");
		await becomes("atlas", "chad", "down");
		machines.heal();
		nodes.chad.start();
		await allAlive();
	});

	test("IPv6: a peer comes back on another port → found there", async () => {
		const two = ["helios", "chad"] as const;
		boot((name) => `[${machines.ipv6(name)}]:8765`, two);
		await allAlive(two);
		expect(nodes.helios.peer("chad")!.address).toBe(`[${machines.ipv6("chad")}]:8765`);
		running.chad.child.kill("SIGKILL");
		await running.chad.finished;
		nodes.chad.start(["--port", "9999"]);
		await eventually(() => nodes.helios.peer("chad")?.address === `[${machines.ipv6("chad")}]:9999`, 20_000);
		await allAlive(two);
	});

	test("own pause: longer than PEER_TIMEOUT → no peer is down afterwards", async () => {
		boot((name) => machines.ipv4(name));
		await allAlive();
		const { child } = running.helios;
		child.kill("SIGSTOP");
		await becomes("chad", "helios", "down");
		child.kill("SIGCONT");
		await allAlive();
		expect(nodes.helios.log()).not.toMatch(/is down/);
		expect(nodes.helios.log()).toMatch(/was stopped or starved/);
	});
});
