import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { listSavedVersions, readState, syncStateSchema } from "@robust-sync/workspace";
import { Node } from "./fixture/node.ts";
import { faultPointNames } from "./fixture/sources.ts";
import { World } from "./fixture/world.ts";

const names = faultPointNames(["robust-sync", "resolve", "git", "workspace"]);

let template: World;
let world: World | undefined;

/**
 * Two nodes in the middle of everything: both changed the same files, one has messages waiting, a process wrote into a file
 * that a checkout had taken away, and something was renamed, deleted, made executable.
 */
beforeAll(async () => {
	template = new World("faults");
	const helios = template.node("helios");
	const chad = template.node("chad");
	for (const node of [helios, chad]) node.git("remote", "set-url", "origin", "../hub.git");
	helios.write("state.json", '{\n  "both": 0,\n  "kept": 1\n}\n');
	helios.write("notes.md", "line 1\nline 2\nline 3\n");
	helios.write("log", "start\n");
	helios.write("deleted", "1\n");
	helios.write("d/renamed", "a name\nwith lines\nto be found by\n");
	await helios.once();
	await chad.once();
	// helios has replaced the log once; a process still writes into the old file.
	chad.write("log", "start\nchad 1\n");
	await chad.once();
	await helios.once();
	const [backup] = fs.readdirSync(helios.paths.backups);
	fs.appendFileSync(path.join(helios.paths.backups, backup ?? "", "files/log"), "late 1\n");
	// Both go on.
	chad.write("state.json", '{\n  "both": "chad",\n  "kept": 1,\n  "from-chad": true\n}\n');
	chad.write("notes.md", "line 1\nchad's line 2\nline 3\n");
	chad.write("new/from-chad", "chad's\n", 0o755);
	chad.remove("deleted");
	await chad.once();
	helios.write("state.json", '{\n  "both": "helios",\n  "kept": 1,\n  "from-helios": true\n}\n');
	helios.write("notes.md", "line 1\nhelios' line 2\nline 3\n");
	helios.write("new/from-helios", "helios'\n");
	fs.renameSync(helios.path("d/renamed"), helios.path("d/moved"));
	fs.mkdirSync(helios.paths.pending, { recursive: true });
	for (const message of ["one", "two", "three"]) fs.writeFileSync(path.join(helios.paths.pending, `${message}.txt`), message);
	const quietSince = new Date(Date.now() - 60_000);
	for (const name of fs.readdirSync(helios.paths.pending)) fs.utimesSync(path.join(helios.paths.pending, name), quietSince, quietSince);
});
afterEach(async () => {
	await world?.remove();
	world = undefined;
});
afterAll(() => template.remove());

function copy(): { helios: Node; chad: Node; world: World } {
	world = new World("fault");
	fs.cpSync(template.directory, world.directory, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
	const [helios, chad] = [new Node(world, "helios", {}), new Node(world, "chad", {})];
	world.nodes.push(helios, chad);
	return { helios, chad, world };
}

/** All that a person could still find on a node: the working tree, all history, saved versions, backups. */
function everything(node: Node): string {
	const saved: string[] = [];
	for (const directory of [node.paths.conflicts, node.paths.backups]) {
		if (!fs.existsSync(directory)) continue;
		for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true }))
			if (entry.isFile()) saved.push(fs.readFileSync(path.join(entry.parentPath, entry.name), "latin1"));
	}
	return [...Object.values(node.files()), node.git("log", "--all", "-p", "-m", "--format="), ...saved].join("\n");
}

/** @param chad looked at as well, after a cycle of its own */
async function expectAllIsWell(helios: Node, chad?: Node): Promise<void> {
	expect(helios.state()).toMatchObject({ status: "idle", last_error: null, consecutive_failures: 0, messages_pending: 0 });
	if (chad) {
		await chad.once();
		if (helios.head() !== chad.head()) await helios.once();
		expect(chad.head()).toBe(helios.head());
		expect(chad.files()).toEqual(helios.files());
	} else expect(world?.git("hub.git", "rev-parse", "main").trim()).toBe(helios.head());
	for (const node of chad ? [helios, chad] : [helios]) {
		expect(node.dirty()).toBe("");
		node.fsck();
		expect(node.messages("helios").sort()).toEqual(["one", "three", "two"]);
		for (const name of fs.readdirSync(node.paths.sync).filter((file) => file.endsWith(".json")))
			expect(() => JSON.parse(fs.readFileSync(path.join(node.paths.sync, name), "utf8"))).not.toThrow();
		expect(readState(node.paths.syncState, syncStateSchema).kind).toBe("ok");
		for (const { manifest } of listSavedVersions(node.paths)) expect(manifest).not.toBeNull();
		expect(fs.existsSync(node.paths.journal)).toBe(false);
		expect(fs.existsSync(node.paths.staging) ? fs.readdirSync(node.paths.staging) : []).toEqual([]);
		const text = everything(node);
		for (const written of ["chad's line 2", "helios' line 2", '"both": "chad"', '"both": "helios"', "chad's", "helios'", "with lines"])
			expect(text).toContain(written);
	}
	const files = helios.files();
	expect(files).toMatchObject({
		"d/moved": "a name\nwith lines\nto be found by\n",
		"new/from-chad": "chad's\n",
		"new/from-helios": "helios'\n",
	});
	expect(files.deleted).toBeUndefined();
	expect(files["d/renamed"]).toBeUndefined();
	expect(files.log?.split("\n").sort()).toEqual(["", "chad 1", "late 1", "start"]);
	expect(JSON.parse(files["state.json"] ?? "")).toMatchObject({ kept: 1, "from-chad": true, "from-helios": true });
	expect(listSavedVersions(helios.paths).length).toBeGreaterThan(0);
}

test("there are fault points around every durable step", () => {
	for (const prefix of ["cycle-", "snapshot-", "outbox-", "integrate-", "move-", "rescue-", "saved-versions-", "write-"])
		expect(names.filter((name) => name.startsWith(prefix)).length).toBeGreaterThan(0);
});

test("without a crash all is well (so that what follows means something)", async () => {
	const { helios, chad } = copy();
	await helios.once();
	await expectAllIsWell(helios, chad);
});

/** Points that a cycle only passes in a certain plight, and how a node gets into it. */
const plights: Record<string, (helios: Node) => Promise<void>> = {
	"detached-": async (helios) => {
		helios.git("checkout", "-q", "--detach");
		helios.git("commit", "-q", "--allow-empty", "-m", "on no branch");
		helios.git("update-ref", "refs/heads/main", helios.git("commit-tree", "-m", "on the branch", "-p", "main", "main^{tree}").trim());
	},
	"integrate-overtaken": async (helios) => {
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: "move-files" } });
		helios.write("person", "1");
		helios.git("add", "person");
		helios.git("commit", "-q", "-m", "by a person, in the middle");
	},
};

describe("killed at a fault point, the next cycle goes on: nothing lost, nothing doubled, nothing to repair", () => {
	test.each(names)("%s", async (name) => {
		const { helios } = copy();
		await Object.entries(plights).find(([prefix]) => name.startsWith(prefix))?.[1](helios);
		const killed = await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: name } });
		expect({ name, code: killed.code }).toEqual({ name, code: "SIGKILL" });
		await helios.once();
		await expectAllIsWell(helios);
	});
});

test("killed again and again at one point after the other, with a cycle of the peer in between", async () => {
	const { helios, chad } = copy();
	for (const name of [
		"snapshot-staged",
		"cycle-fetched",
		"cycle-after-push",
		"move-staged",
		"move-file",
		"move-files",
		"move-index",
		"move-ref",
		"move-saved",
	]) {
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: name } });
		await chad.once();
	}
	await helios.once();
	await expectAllIsWell(helios, chad);
});
