import { spawn } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { ask, DatabaseShell, sqliteIsInstalled } from "./fixture/database.ts";
import { oneKey, untilSame, valueFile } from "./fixture/forgetting.ts";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// A value is forgotten while programs have files open that hold it.

let world: World;
let helios: Node;
let chad: Node;
let shell: DatabaseShell | null;
beforeEach(async () => {
	world = new World("forget-open-files");
	shell = null;
	[helios, chad] = await world.pair({ "leak.md": `one ${value}\n` }, oneKey);
	for (const node of [helios, chad]) await node.once();
});
afterEach(async () => {
	await shell?.kill();
	await world.remove();
});

const value = "tok_9sK2mQ7vXcL4rT8w";
const rows = (first: number, last: number, at: number) =>
	`with recursive n(i) as (select ${first} union all select i+1 from n where i < ${last - 1}) insert into t select 'row ' || i || case when i = ${at} then ' ${value}' else '' end from n;`;
const countOf = (node: Node) => ask(node.path("live.db"), "select count(*) from t; pragma integrity_check;").trim();

async function forget(node: Node): Promise<void> {
	const { code, stderr } = await node.run(["--forget-value", valueFile(world, value)]);
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
}

/** All places of a node with the value. */
async function placesOf(node: Node): Promise<string[]> {
	const { stdout } = await node.run(["--forget-value", valueFile(world, value), "--check", "--json"]);
	return (JSON.parse(stdout) as { found: { name: string }[] }).found.map(({ name }) => name).sort();
}

const modes = [
	["wal", "ends", 3],
	["wal", "crashes", 3],
	["wal", "ends", -1],
	["delete", "ends", 3],
	["persist", "ends", 3],
] as const;

describe("forget", () => {
	(sqliteIsInstalled() ? test.each(modes) : test.skip.each(modes))(
		"open database: %s, its program %s, in row %i → no row lost, gone",
		async (mode, end, at) => {
			shell = new DatabaseShell(chad.path("live.db"));
			await shell.run(`pragma journal_mode=${mode}; pragma wal_autocheckpoint=0; create table t(k);`);
			await shell.run(rows(0, 100, at));
			// In what SQLite writes beside the database only.
			if (at < 0) await shell.run(`update t set k = '${value}' where k = 'row 5'; update t set k = 'row 5' where k = '${value}';`);
			await untilSame([chad, helios]);
			expect(countOf(helios)).toBe("100\nok");
			await forget(helios);
			const { skipped } = await chad.once();
			if (mode !== "delete" || at < 0) expect(skipped).toContainEqual(expect.objectContaining({ path: "live.db", reason: "forget-waits" }));
			await shell.run(rows(100, 150, -1));
			expect(await shell.run("select 'rows: ' || count(*) from t;")).toContain("rows: 150");
			await untilSame([chad, helios]);
			expect(helios.git("cat-file", "blob", "HEAD:live.db")).not.toContain(value);
			if (end === "ends") await shell.end();
			else {
				await shell.kill();
				// A crash leaves its work: the next program that opens the database brings it to an end.
				expect((await chad.once()).skipped).toContainEqual(expect.objectContaining({ path: "live.db", reason: "forget-waits" }));
				expect(countOf(chad)).toBe("150\nok");
			}
			shell = null;
			await untilSame([chad, helios]);
			expect([countOf(chad), countOf(helios)]).toEqual(["150\nok", "150\nok"]);
			for (const node of [chad, helios]) {
				expect(await node.once()).toMatchObject({ skipped: [] });
				expect(await placesOf(node)).toEqual([]);
				node.fsck();
			}
		},
	);

	test.each([
		["appends", ">>"],
		["has written from the start", ">"],
	])("open log: a program %s, before and after → every line once, gone", async (_what, redirection) => {
		const script = `for i in $(seq 1 20); do echo "line $i ${value}"; done; echo ready; read go; for i in $(seq 21 40); do echo "line $i"; done; echo ready; read end`;
		const writer = spawn("sh", ["-c", `exec 3${redirection} log.txt; ${script.replaceAll('echo "line', '>&3 echo "line')}`], {
			cwd: chad.workspace,
			stdio: ["pipe", "pipe", "inherit"],
		});
		let output = "";
		writer.stdout.on("data", (chunk: Buffer) => {
			output += chunk;
		});
		const closed = new Promise((resolve) => writer.once("close", resolve));
		await until(() => output === "ready\n", "the first lines");
		await untilSame([chad, helios]);
		await forget(helios);
		await chad.once();
		writer.stdin.write("go\n");
		await until(() => output === "ready\nready\n", "the other lines");
		await untilSame([chad, helios]);
		writer.stdin.end();
		await closed;
		await untilSame([chad, helios]);
		for (const node of [chad, helios]) {
			const lines = node.read("log.txt").trimEnd().split("\n");
			expect(lines.map((line) => line.replace(/ (?:forgotten-|[0-9a-z])a[0-9a-f]{12}-*$/, ""))).toEqual(
				Array.from({ length: 40 }, (_, index) => `line ${index + 1}`),
			);
			expect(await placesOf(node)).toEqual([]);
		}
	});
});
