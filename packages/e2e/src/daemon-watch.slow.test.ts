import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { isHolderInTable, readLockHolder } from "@robust-sync/system/lock";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("daemon");
});
afterEach(() => world.remove());

/** Cycles that the daemon has done; when this stays the same for a while, nothing starts one. */
async function cyclesAtRest(node: Node): Promise<number> {
	let last = -1;
	let since = performance.now();
	await until(
		() => {
			const cycles = node.state()?.totals.cycles ?? 0;
			if (cycles !== last || node.state()?.status === "syncing") {
				last = cycles;
				since = performance.now();
			}
			return performance.now() - since > 700;
		},
		() => `the cycles of ${node.name} to rest: ${last}\n${node.log().slice(-2_000)}`,
	);
	return last;
}

describe("a change starts a cycle", () => {
	test("watch: a burst of changes → a cycle before its end", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.start();
		let stop = false;
		const burst = (async () => {
			for (let index = 0; !stop; index++) {
				node.write(`f${index % 50}`, `${index}`);
				await sleep(5);
			}
		})();
		try {
			await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("f0"), "a file of the burst on the hub", 15_000);
		} finally {
			stop = true;
			await burst;
		}
		await until(
			() => node.dirty() === "",
			() => `the rest to be committed: ${node.dirty()}\n${node.log().slice(-2_000)}`,
		);
	});

	test("watch: a person's git holds the index for a moment → waited for, no failure", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.start();
		let stop = false;
		const person = (async () => {
			for (let round = 0; !stop; round++) {
				// As a shell's prompt: it takes the lock to record the new date of a file.
				fs.utimesSync(node.path("a"), round, round);
				node.git("status", "--porcelain");
				await sleep(1);
			}
		})();
		const isOnHub = (content: string) =>
			world.git("hub.git", "ls-tree", "main").includes("\tb") && world.git("hub.git", "show", "main:b") === content;
		try {
			for (let round = 0; round < 10; round++) {
				node.write("b", `${round}`);
				await until(
					() => isOnHub(`${round}`),
					() => `the change on the hub\n${node.log().slice(-2_000)}`,
				);
			}
		} finally {
			stop = true;
			await person;
		}
		expect(node.state()?.totals.failures).toBe(0);
	}, 60_000);

	test("watch: our own checkouts, .git, sync/ and logs/ → no cycle", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		await helios.start({ env: { SYNC_INTERVAL: "86400" } });
		const atStart = await cyclesAtRest(helios);
		helios.git("gc", "--quiet");
		fs.writeFileSync(`${helios.paths.sync}/something`, "1");
		fs.writeFileSync(`${helios.paths.logs}/something.log`, "1");
		fs.writeFileSync(helios.path(".git/something"), "1");
		expect(await cyclesAtRest(helios)).toBe(atStart);
		for (let index = 0; index < 20; index++) chad.write(`d${index % 3}/f${index}`, "1");
		chad.write("a", "2");
		await chad.once();
		process.kill(helios.worker() ?? 0, "SIGUSR1");
		await until(() => helios.exists("d1/f1") && helios.read("a") === "2", "chad's files");
		expect((await cyclesAtRest(helios)) - atStart).toBeLessThanOrEqual(2);
		// And an edit of a file that was just checked out is seen even so.
		helios.write("d1/f1", "mine\n");
		await until(() => world.git("hub.git", "show", "main:d1/f1") === "mine\n", "the edit on the hub");
	});

	test("SYNC_WATCH: 0 → cycles at the interval alone", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.start({ env: { SYNC_WATCH: "0", SYNC_INTERVAL: "86400" } });
		const before = await cyclesAtRest(node);
		node.write("b", "1");
		expect(await cyclesAtRest(node)).toBe(before);
		process.kill(node.worker() ?? 0, "SIGUSR1");
		await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("b"), "the file on the hub");
	});
});

describe("without a service manager", () => {
	test("supervisor: its worker is killed → started again, never two at once", async () => {
		const [node] = await world.pair();
		const daemon = await node.start();
		for (let round = 0; round < 2; round++) {
			const worker = node.worker();
			expect(worker).not.toBe(daemon.process.pid);
			process.kill(worker ?? 0, "SIGKILL");
			await node.untilOtherWorker(worker);
			const holder = readLockHolder(node.paths.instanceLock("sync"));
			expect(holder && isHolderInTable(holder)).toBe(true);
		}
		node.write("after", "1");
		await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("after"), "the file on the hub");
		await node.run(["--stop"]);
		expect((await daemon.ended).code).toBe(0);
	});

	test("supervisor: killed itself → its worker stops, another daemon can start", async () => {
		const [node] = await world.pair();
		const daemon = await node.start();
		daemon.process.kill("SIGKILL");
		await until(() => node.worker() === null, "the worker to be gone");
		await node.start();
	});
});
