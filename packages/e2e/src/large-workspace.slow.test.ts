import fs from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { type Node, untilConverged } from "./fixture/node.ts";
import { faultPointNames } from "./fixture/sources.ts";
import { World } from "./fixture/world.ts";

// With this many files, a scan or an index costs more than the rest of a cycle. Long names make it fewer.
const files = Object.fromEntries(
	Array.from({ length: 1_900 }, (_, index) => [`archive/${index % 50}/${"a-rather-long-name-".repeat(12)}${index}.md`, `${index}\n`]),
);
const env = { SYNC_INTERVAL: "600" };

let world: World;
let helios: Node;
let chad: Node;

const onHub = (name: string) => {
	try {
		return world.git("hub.git", "show", `main:${name}`);
	} catch {
		return null;
	}
};

/** The daemon has watched for a whole cycle: from now on it knows the dirty paths. */
async function startAndSettle(node: Node, more: Record<string, string> = {}): Promise<void> {
	await node.start({ env: { ...env, ...more } });
	const cycles = () => node.state()?.totals.cycles ?? 0;
	const before = cycles();
	await until(() => cycles() > before && node.state()?.status === "idle", "the cycle after the first watch");
}

/** A push of either node is announced to the other one. */
async function untilBothAgree(): Promise<void> {
	for (const node of [helios, chad]) process.kill(node.worker() ?? 0, "SIGUSR1");
	await untilConverged(world, [helios, chad]);
}

describe("in a large workspace", () => {
	beforeAll(async () => {
		world = new World("large");
		[helios, chad] = await world.pair(files, { env });
		expect(fs.statSync(helios.path(".git/index")).size).toBeGreaterThan(524_288);
		await startAndSettle(helios);
		await startAndSettle(chad);
	}, 60_000);
	afterAll(() => world.remove());

	test("large workspace: a change → pushed, the index follows", async () => {
		const name = Object.keys(files)[7] ?? "";
		helios.write(name, "changed\n");
		await until(() => onHub(name) === "changed\n", "the change on the hub");
		await until(() => helios.dirty() === "", "the index to follow");
		await untilBothAgree();
		expect(chad.read(name)).toBe("changed\n");
		expect(chad.dirty()).toBe("");
	}, 30_000);

	test("large workspace: new, moved, deleted, a message, both at once → nodes end alike", async () => {
		fs.renameSync(helios.path(Object.keys(files)[1] ?? ""), helios.path("archive/moved.md"));
		helios.write("new/directory/file.md", "new\n");
		await until(() => onHub("new/directory/file.md") !== null && onHub("archive/moved.md") === "1\n", "both on the hub");
		helios.remove("archive/moved.md");
		await helios.run(["--send", "-"], { input: "a message\n" });
		await until(() => onHub("archive/moved.md") === null && helios.messages("helios").length === 1, "the deletion on the hub");
		helios.write("state.json", '{"helios": 1}\n');
		chad.write("state.json", '{"chad": 1}\n');
		await until(
			() => (onHub("state.json") ?? "").includes("helios") && (onHub("state.json") ?? "").includes("chad"),
			"both keys on the hub",
		);
		await untilBothAgree();
		expect(chad.files()).toEqual(helios.files());
		for (const node of [helios, chad]) {
			node.fsck();
			expect(node.dirty()).toBe("");
		}
	}, 60_000);

	test("large workspace: a person stages or commits → found at the next cycle", async () => {
		fs.appendFileSync(helios.path(".git/info/exclude"), "\n*.local\n");
		helios.write("notes.local", "not for others\n");
		helios.write("notes.md", "for others\n");
		await until(() => onHub("notes.md") !== null, "the file beside it on the hub");
		expect(onHub("notes.local")).toBeNull();
		helios.git("add", "--force", "notes.local");
		process.kill(helios.worker() ?? 0, "SIGUSR1");
		await until(() => onHub("notes.local") !== null, "what was staged on the hub");
		helios.git("-c", "user.name=P", "-c", "user.email=p@example.org", "commit", "--quiet", "--allow-empty", "-m", "by hand");
		const head = helios.head() ?? "none";
		process.kill(helios.worker() ?? 0, "SIGUSR1");
		await until(() => world.git("hub.git", "rev-list", "main").includes(head), "the person's commit on the hub");
	}, 30_000);
});

// What is staged first is committed in a full scan: fault-point-kills.slow.test.ts.
describe("a daemon that is killed in the middle of such a snapshot", () => {
	beforeEach(async () => {
		world = new World("large-killed");
		[helios, chad] = await world.pair(files, { env });
	});
	afterEach(() => world.remove());

	test.each(faultPointNames(["robust-sync"]).filter((name) => /^snapshot-(?!staged)/.test(name)))(
		"large workspace: killed at %s → nothing lost, the next one continues",
		async (name) => {
			await startAndSettle(helios, { ROBUST_SYNC_FAULT: name });
			const worker = helios.worker();
			const [changed = "", deleted = ""] = Object.keys(files);
			helios.write(changed, "changed\n");
			helios.write("new.md", "new\n");
			helios.remove(deleted);
			await until(() => helios.worker() !== worker, "the kill");
			await helios.killAll();
			await helios.once();
			expect(helios.dirty()).toBe("");
			helios.fsck();
			expect([onHub(changed), onHub("new.md"), onHub(deleted)]).toEqual(["changed\n", "new\n", null]);
			await chad.once();
			expect(chad.files()).toEqual(helios.files());
		},
		60_000,
	);
});
