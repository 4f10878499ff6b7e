import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { lostVersions, owned } from "@robust-sync/git/fixtures/owned-files";
import { until } from "@robust-sync/git/fixtures/scratch";
import { type Node, untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// Two daemons, and programs that write on both nodes while the network drops everything.

let world: World;
beforeEach(() => {
	world = new World("slow-hub");
});
afterEach(() => world.remove());

const write = (node: Node, by: string) => {
	for (const [file, content] of Object.entries(owned)) node.write(file, content(by));
};

/** @returns functions that wait for a node's program that hangs */
function hang(): (node: Node) => Promise<unknown> {
	world.write("hold", "");
	for (const program of ["upload-pack", "receive-pack"])
		world.write(
			program,
			`#!/bin/sh\n[ -e ${world.path("hold")} ] && touch "${world.path("waits")}-$NODE_NAME"\nwhile [ -e ${world.path("hold")} ]; do sleep 0.02; done\nexec git-${program} "$@"\n`,
			0o755,
		);
	return (node) => until(() => fs.existsSync(world.path(`waits-${node.name}`)), `${node.name}'s cycle to hang`);
}

test.each([
	["seconds", 3, "120"],
	["minutes", 70, "120"],
	["longer than GIT_TIMEOUT", 10, "3"],
])(
	"slow hub: outage of %s, edits on two nodes → the later wins, both save the other",
	async (_what, seconds, timeout) => {
		const env = { GIT_TIMEOUT: timeout, SYNC_INTERVAL: "2" };
		const [helios, chad] = await world.pair(Object.fromEntries(Object.entries(owned).map(([file, content]) => [file, content("nobody")])), {
			env,
		});
		for (const node of [helios, chad])
			for (const program of ["upload-pack", "receive-pack"])
				node.git("config", `remote.origin.${program.replace("-", "")}`, world.path(program));
		const hangs = hang();
		fs.rmSync(world.path("hold"));
		await Promise.all([helios.start(), chad.start()]);
		hang();
		for (const node of [helios, chad]) node.write(`${node.name}.txt`, "trigger\n");
		await Promise.all([hangs(helios), hangs(chad)]);
		await sleep(1_100);
		write(helios, "helios");
		await sleep(1_100);
		write(chad, "chad");
		await sleep(seconds * 1_000);
		fs.rmSync(world.path("hold"));
		await untilConverged(world, [helios, chad], { deadlineMs: 60_000 });
		// A node saves its losing versions while it checks out.
		const lost = () => [helios, chad].flatMap((node) => lostVersions(node.workspace, "chad", "helios"));
		await until(
			() => lost().length === 0,
			() => lost().join("\n"),
		);
		expect(helios.files()).toEqual(chad.files());
	},
	240_000,
);
