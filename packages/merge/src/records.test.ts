import { describe, expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

/** Merges with "theirs" as the later side, in both orders. @returns the content and the losing sides: `o`urs, `t`heirs */
function merged(path: string, base: string | null, ours: string, theirs: string): { text: string; lost: string } {
	const [b, o, t] = [base === null ? null : Buffer.from(base), Buffer.from(ours), Buffer.from(theirs)];
	const one = mergeContents({ path, base: b, a: o, b: t, later: "b" });
	const other = mergeContents({ path, base: b, a: t, b: o, later: "a" });
	expect(Buffer.from(other.content).toString()).toBe(Buffer.from(one.content).toString());
	expect(other.lost).toEqual({ a: one.lost.b, b: one.lost.a });
	return { text: Buffer.from(one.content).toString(), lost: (one.lost.a ? "o" : "") + (one.lost.b ? "t" : "") };
}

const lines = (text: string) => (text === "" ? "" : `${text.split(" ").join("\n")}\n`);

describe("records with an id:", () => {
	test.each([
		[
			"changed by both",
			'{"id":1,"s":"o","l":[]}',
			'{"id":1,"s":"x","l":[]}',
			'{"id":1,"s":"o","l":["y"]}',
			'{"id":1,"s":"x","l":["y"]}',
			"",
		],
		["one member changed by both", '{"id":1,"s":1}', '{"id":1,"s":2}', '{"id":1,"s":3}', '{"id":1,"s":3}', "o"],
		["deleted and changed", '{"id":1,"s":1} {"id":2}', '{"id":2}', '{"id":1,"s":3} {"id":2}', '{"id":1,"s":3} {"id":2}', ""],
		[
			"changed by both, others added",
			'{"_id":"a","s":1,"t":1}',
			'{"_id":"a","s":2,"t":1} {"_id":"b"}',
			'{"_id":"a","s":1,"t":2} {"_id":"c"}',
			'{"_id":"a","s":2,"t":2} {"_id":"b"} {"_id":"c"}',
			"",
		],
		["added by both, not the same", '{"id":1}', '{"id":1} {"id":2,"a":1}', '{"id":1} {"id":2,"b":1}', '{"id":1} {"id":2,"b":1}', "o"],
		["added by both to an empty file", "", '{"uuid":"2","a":1}', '{"uuid":"2","b":1}', '{"uuid":"2","b":1}', "o"],
		[
			"moved by one side, changed by both",
			'{"key":1,"a":1,"b":1} {"key":2}',
			'{"key":2} {"key":1,"a":2,"b":1}',
			'{"key":1,"a":1,"b":2} {"key":2}',
			'{"key":1,"a":2,"b":2} {"key":2}',
			"",
		],
		[
			"an id that is there twice",
			'{"id":1,"s":1} {"id":1}',
			'{"id":1,"s":2} {"id":1}',
			'{"id":1,"s":3} {"id":1}',
			'{"id":1,"s":2} {"id":1,"s":3} {"id":1}',
			"",
		],
		["a line without an id", '{"id":1,"s":1} {}', '{"id":1,"s":2} {}', '{"id":1,"s":3} {}', '{"id":1,"s":2} {"id":1,"s":3} {}', ""],
		["a line that is no object", '{"id":1,"s":1} [1]', '{"id":1,"s":2} [1]', '{"id":1,"s":3} [1]', '{"id":1,"s":2} {"id":1,"s":3} [1]', ""],
		[
			"two objects on a line",
			'{"id":1},{"id":2}',
			'{"id":1,"s":2},{"id":2}',
			'{"id":1,"s":3},{"id":2}',
			'{"id":1,"s":2},{"id":2} {"id":1,"s":3},{"id":2}',
			"",
		],
	])("%s → one line a record", (_, base, ours, theirs, wanted, lost) => {
		expect(merged("tasks.jsonl", lines(base), lines(ours), lines(theirs))).toEqual({ text: lines(wanted), lost });
		const crlf = (text: string) => lines(text).replaceAll("\n", "\r\n");
		expect(merged("tasks.ndjson", crlf(base), crlf(ours), crlf(theirs))).toEqual({ text: crlf(wanted), lost });
	});

	test("a log → lines", () => {
		expect(merged("run.log", '{"id":1,"s":1}\n', '{"id":1,"s":2}\n', '{"id":1,"s":3}\n').text).toBe('{"id":1,"s":2}\n{"id":1,"s":3}\n');
	});
});

describe("tables:", () => {
	test.each([
		["a header changed by both", "id,n 1,a", "id,n,x 1,a", "id,n,y 1,a", "id,n,y 1,a", "o"],
		["headers of two new files", "", "id,n 1,a", "id,m 2,b", "id,m 1,a 2,b", "o"],
		["a row changed by both", "id,n,m 1,a,b", "id,n,m 1,x,b", "id,n,m 1,a,y", "id,n,m 1,x,y", ""],
		["a field changed by both", "id,n 1,a", "id,n 1,x", "id,n 1,y", "id,n 1,y", "o"],
		["a column added, the row changed", "id,n 1,a", "id,n,m 1,a,0", "id,n 1,b", "id,n,m 1,b,0", ""],
		["quoted fields", 'id,n,m 1,"a,b",c', 'id,n,m 1,"a,x",c', 'id,n,m 1,"a,b",y', 'id,n,m 1,"a,x",y', ""],
		["rows with one first field", "n,m a,1 a,2", "n,m a,3 a,2", "n,m a,4 a,2", "n,m a,3 a,4 a,2", ""],
		["rows that both added", "id,n", "id,n 5,a", "id,n 5,b", "id,n 5,a 5,b", ""],
		["numbers without a header", "1,2 3,4", "1,5 3,4", "1,2 3,6", "1,5 3,6", ""],
	])("%s → one header, one row a name", (_, base, ours, theirs, wanted, lost) => {
		expect(merged("t.csv", lines(base), lines(ours), lines(theirs))).toEqual({ text: lines(wanted), lost });
		const tabs = (text: string) => lines(text).replace(/,(?![^"\n]*"[,\n])/g, "\t");
		if (!wanted.includes('"')) expect(merged("t.tsv", tabs(base), tabs(ours), tabs(theirs))).toEqual({ text: tabs(wanted), lost });
	});
});
