import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ask, DatabaseShell, sqliteIsInstalled } from "./fixture/database.ts";
import { World } from "./fixture/world.ts";

let world: World;
let database: DatabaseShell | undefined;
beforeEach(() => {
	world = new World("database");
});
afterEach(async () => {
	await database?.kill();
	database = undefined;
	await world.remove();
});

/** A PATH with all that a cycle needs, but without the sqlite3 program. */
function pathWithoutSqlite(): string {
	const directory = world.path("bin");
	fs.mkdirSync(directory, { recursive: true });
	for (const program of ["git", "find", "sync", "perl", "sh", "env", "node", "ssh"]) {
		const found = (process.env.PATH ?? "").split(":").find((entry) => fs.existsSync(`${entry}/${program}`));
		if (found && !fs.existsSync(`${directory}/${program}`)) fs.symlinkSync(`${found}/${program}`, `${directory}/${program}`);
	}
	return directory;
}

/** A program that has a database open and runs statements on request. */
function shellOn(file: string): (sql: string) => Promise<string> {
	const shell = new DatabaseShell(file);
	database = shell;
	return (sql) => shell.run(sql);
}

async function endShell(): Promise<void> {
	await database?.end();
	database = undefined;
}

/** Two nodes with the same database, and a shell on helios that has read it and keeps it open. */
async function openOnHelios(mode: string) {
	const [helios, chad] = await world.pair();
	ask(helios.path("memory.db"), `pragma journal_mode=${mode}; create table t(x); insert into t values('first');`);
	await helios.once();
	await chad.once();
	const run = shellOn(helios.path("memory.db"));
	await run("select * from t;");
	return { helios, chad, run };
}

describe("an SQLite database of which the peer's version comes", () => {
	test.each(["delete", "wal"])(
		"open database, journal_mode=%s: only read → no commit, held until it is closed",
		async (mode) => {
			if (!sqliteIsInstalled()) return;
			const { helios, chad, run } = await openOnHelios(mode);
			const before = helios.head();
			await helios.once();
			expect(helios.head()).toBe(before);
			ask(chad.path("memory.db"), "create table peer(x); insert into peer values('chad');");
			await chad.once();
			for (let cycle = 0; cycle < 2; cycle++) {
				expect((await helios.once()).skipped).toMatchObject([{ path: "memory.db", reason: "live-database", remedy: expect.any(String) }]);
				await run("select * from t;");
				expect(helios.head()).toBe(chad.head());
			}
			await endShell();
			expect((await helios.once()).skipped).toEqual([]);
			expect([helios.head(), helios.dirty()]).toEqual([chad.head(), ""]);
			expect(ask(helios.path("memory.db"), "select x from t union all select x from peer; pragma integrity_check;")).toBe(
				"first\nchad\nok\n",
			);
		},
		60_000,
	);

	test.each(["delete", "wal"])(
		"database: open, journal_mode=%s, written to → its rows and the peer's, intact",
		async (mode) => {
			if (!sqliteIsInstalled()) return;
			const { helios, chad, run } = await openOnHelios(mode);
			ask(chad.path("memory.db"), "insert into t values('chad');");
			await chad.once();
			await helios.once();
			await run("insert into t values('helios');");
			await helios.once();
			await run("insert into t values('again');");
			await endShell();
			await helios.once();
			await chad.once();
			const rows = (file: string) => ask(file, "select x from t; pragma integrity_check;");
			expect(rows(helios.path("memory.db"))).toBe("first\nhelios\nagain\nok\n");
			expect([rows(chad.path("memory.db")), helios.dirty()]).toEqual([rows(helios.path("memory.db")), ""]);
			const versions = helios.git("log", "--format=%H", "--", "memory.db").trim().split("\n");
			const withRow = versions.filter((commit) => {
				fs.writeFileSync(world.path("version.db"), execFileSync("git", ["-C", helios.path(""), "show", `${commit}:memory.db`]));
				return ask(world.path("version.db"), "select count(*) from t where x = 'chad'") === "1\n";
			});
			expect(withRow.length).toBeGreaterThan(0);
		},
		60_000,
	);
});

describe("an SQLite database that a program has open", () => {
	test("database: open, the sqlite3 program is there → a consistent copy, never torn", async () => {
		if (!sqliteIsInstalled()) return;
		const [helios, chad] = await world.pair();
		const run = shellOn(helios.path("memory.db"));
		await run("pragma journal_mode=wal; create table t(x); insert into t values('first');");
		await run("begin; insert into t values('uncommitted');");
		expect(fs.existsSync(helios.path("memory.db-wal"))).toBe(true);
		expect((await helios.once()).skipped).toEqual([]);
		await chad.once();
		const rows = () => ask(chad.path("memory.db"), "select x from t; pragma integrity_check;");
		expect(rows()).toBe("first\nok\n");
		expect(chad.exists("memory.db-wal")).toBe(false);
		await run("commit;");
		await endShell();
		await helios.once();
		await chad.once();
		expect(rows()).toBe("first\nuncommitted\nok\n");
		expect(helios.dirty()).toBe("");
	}, 60_000);

	test("database: open, no sqlite3 program → left out and reported until it is closed", async () => {
		const [helios, chad] = await world.pair();
		const env = { PATH: pathWithoutSqlite() };
		for (const suffix of ["-wal", "-journal"]) {
			fs.writeFileSync(helios.path("memory.db"), Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(4_000, suffix)]));
			fs.writeFileSync(helios.path(`memory.db${suffix}`), "half a transaction");
			helios.write("notes.md", suffix);
			const { skipped } = await helios.once({ env });
			expect(skipped).toContainEqual({ path: "memory.db", reason: "live-database" });
			await chad.once();
			expect(chad.files()).toEqual({ "notes.md": suffix });
			fs.rmSync(helios.path(`memory.db${suffix}`));
		}
		expect((await helios.once({ env })).skipped).toEqual([]);
		await chad.once();
		expect(chad.read("memory.db")).toBe(helios.read("memory.db"));
	});

	test("database: files only named like its companions → sync as ever", async () => {
		const [helios, chad] = await world.pair({ "notes-wal": "1", "x-journal": "2", x: "not a database", "y.db": "SQLite format 3\0alone" });
		helios.write("notes-wal", "3");
		expect((await helios.once()).skipped).toEqual([]);
		await chad.once();
		expect(chad.files()).toEqual({ "notes-wal": "3", "x-journal": "2", x: "not a database", "y.db": "SQLite format 3\0alone" });
	});
});
