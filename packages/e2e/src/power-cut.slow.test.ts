import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { notDurable } from "./fixture/power-cut.ts";
import { World } from "./fixture/world.ts";

const executable = fileURLToPath(new URL("../../../bin/robust-sync", import.meta.url));

let world: World;
beforeEach(() => {
	world = new World("power");
});
afterEach(() => world.remove());

function straceIsInstalled(): boolean {
	return spawnSync("strace", ["-V"], { stdio: "ignore" }).status === 0;
}

/** One cycle under strace, ended at a fault point where one is given. @returns the files that a power cut right after it would tear */
function traceCycle(node: Node, fault?: string): Set<string> {
	const output = world.path("trace");
	const calls =
		"write,pwrite64,writev,ftruncate,copy_file_range,fsync,fdatasync,syncfs,sync,chdir,rename,renameat,renameat2,link,linkat,unlink,unlinkat";
	spawnSync("strace", ["-f", "-y", "-s", "400", "-e", `trace=${calls}`, "-o", output, process.execPath, executable, "--once"], {
		cwd: node.workspace,
		env: world.environment({
			NODE_NAME: node.name,
			SYNC_WORKSPACE: node.workspace,
			// A rename by io_uring would not be seen.
			UV_USE_IO_URING: "0",
			...(fault ? { ROBUST_SYNC_FAULT: fault } : {}),
		}),
		stdio: "ignore",
	});
	return notDurable(fs.readFileSync(output, "latin1"), node.workspace);
}

const points = [
	undefined,
	"snapshot-committed",
	"cycle-after-push",
	"move-files",
	"move-ref",
	"move-done",
	"outbox-committed",
	"outbox-confirmed",
];

test.each(points)("power cut: at the end of a cycle, or at: %s → torn, nothing lost, syncs again", async (fault) => {
	if (!straceIsInstalled()) return;
	const [helios, chad] = await world.pair({ "state.json": '{"x":0}\n', "notes.md": "1\n" });
	chad.write("state.json", '{"x":0,"chad":1}\n');
	chad.write("from-chad", "chad\n");
	await chad.once();
	helios.write("state.json", '{"x":0,"helios":1}\n');
	helios.write("notes.md", "1\nhelios\n");
	fs.mkdirSync(helios.paths.pending, { recursive: true });
	fs.writeFileSync(path.join(helios.paths.pending, "m"), "message");
	// Programs must make their own writes durable.
	execFileSync("sync");
	const torn = [...traceCycle(helios, fault)].filter((file) => !file.includes("/logs/"));
	for (const file of torn) fs.writeFileSync(file, "");
	// None of these may be in doubt when a cycle has announced its commit. Files that git derives from objects (objects/info/) may.
	const precious = torn
		.map((file) => path.relative(helios.workspace, file))
		.filter((name) =>
			/^(state\.json|notes\.md|from-chad|messages\/)|^\.git\/objects\/(?!info\/)|^\.git\/refs\/|^\.git\/packed-refs|^\.git\/HEAD$|^sync\/[^/]*\.json$|manifest\.json$/.test(
				name,
			),
		);
	expect(precious).toEqual([]);
	await helios.once();
	await chad.once();
	await helios.once();
	for (const node of [helios, chad]) {
		node.fsck();
		expect(JSON.parse(node.read("state.json"))).toEqual({ x: 0, chad: 1, helios: 1 });
		expect([node.read("notes.md"), node.read("from-chad"), node.messages("helios")]).toEqual(["1\nhelios\n", "chad\n", ["message"]]);
	}
	expect(helios.head()).toBe(chad.head());
});
