import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import fc from "fast-check";
import { formsOf, holds, withoutValue } from "./value.ts";
import { valuesBetween } from "./values-between.ts";

const id = "0123456789ab";

function sqliteIsInstalled(): boolean {
	try {
		execFileSync("sqlite3", ["--version"], { stdio: "ignore" });
		return true;
	} catch {
		return false;
	}
}

const run = (file: string, sql: string) => execFileSync("sqlite3", [file], { input: sql, encoding: "utf8" }).trim();

const letters = fc.constantFrom(..."abcdefghijXYZ0123456789_-");
const layout = fc.record({
	value: fc.string({ minLength: 8, maxLength: 120, unit: letters }).filter((value) => new Set(value).size > 5),
	pageSize: fc.constantFrom(512, 1024, 4096, 65_536),
	encoding: fc.constantFrom("UTF-8", "UTF-16le", "UTF-16be"),
	vacuum: fc.constantFrom(0, 1, 2),
	withoutRowid: fc.boolean(),
	index: fc.constantFrom("", "create index i on t(a);", "create index i on t(b, a);"),
	rows: fc.array(fc.tuple(fc.nat({ max: 3000 }), fc.nat({ max: 3000 }), fc.boolean()), { minLength: 1, maxLength: 60 }),
});

test("SQLite: layouts, indexes, overflow pages, encodings → valid, clean, derived", async () => {
	if (!sqliteIsInstalled()) return;
	const scratch = new Scratch("sqlite-chains");
	try {
		let count = 0;
		fc.assert(
			fc.property(layout, ({ value, pageSize, encoding, vacuum, withoutRowid, index, rows }) => {
				const file = `${scratch.directory}/${count++}.db`;
				const texts = rows.map(([before, after, has]) => `${"x".repeat(before)}${has ? value : "other"}${"y".repeat(after)}`);
				run(
					file,
					`pragma page_size=${pageSize}; pragma encoding='${encoding}'; pragma auto_vacuum=${vacuum};
					create table t(id integer primary key, a text, b int)${withoutRowid ? " without rowid" : ""}; ${index} begin;
					${texts.map((text, row) => `insert into t values(${row}, '${text}', ${row % 3});`).join("\n")}
					delete from t where id % 5 = 4; commit;`,
				);
				const before = fs.readFileSync(file);
				const forms = formsOf(Buffer.from(value), id);
				const after = withoutValue(before, forms);
				expect([after.length, holds(after, forms)]).toEqual([before.length, false]);
				if (after !== before) expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, Buffer.from(value)]]));
				const counted = run(file, "select count(*) from t not indexed");
				fs.writeFileSync(file, after);
				// Keys of an index are where the value was in order; only REINDEX knows where the placeholder belongs.
				expect(run(file, `${index === "" ? "" : "reindex;"} pragma integrity_check;`)).toBe("ok");
				const found = run(file, `select count(*), sum(instr(a, '${value}') > 0) from t not indexed;`);
				expect(found).toBe(`${counted}|${counted === "0" ? "" : "0"}`);
			}),
			{ numRuns: 60 },
		);
	} finally {
		await scratch.remove();
	}
}, 300_000);
