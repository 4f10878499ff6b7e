import { test } from "@jest/globals";
import { checkRow, type Row } from "./testing/rows.ts";

const ROWS: readonly Row[] = [
	{
		name: "a task's mark and its words",
		path: "n.md",
		base: "- [ ] buy milk⏎- [ ] call⏎",
		older: "- [x] buy milk ✅ 2026-01-02⏎- [ ] call⏎",
		later: "- [ ] buy milk and eggs⏎- [ ] call⏎",
		result: "- [x] buy milk and eggs ✅ 2026-01-02⏎- [ ] call⏎",
	},
	{
		name: "a task's mark, and another task in its place",
		path: "n.md",
		base: "- [ ] buy milk⏎",
		older: "- [x] buy milk⏎",
		later: "- [ ] write to Ada⏎",
		result: "- [x] buy milk⏎- [ ] write to Ada⏎",
	},
	{
		name: "definition of a footnote",
		path: "n.md",
		base: "a[^1] [b]⏎⏎[^1]: old⏎[b]: http://a⏎",
		older: "a[^1] [b]⏎⏎[^1]: one⏎[b]: http://b⏎",
		later: "a[^1] [b]⏎⏎[^1]: two⏎[b]: http://a⏎",
		result: "a[^1] [b]⏎⏎[^1]: two⏎[b]: http://b⏎",
		saved: true,
	},
	{
		name: "definition of a link, added by both",
		path: "n.md",
		base: "a [b]⏎",
		older: "a [b]⏎⏎[b]: http://b⏎",
		later: "a [b]⏎⏎[b]: http://c⏎",
		result: "a [b]⏎⏎[b]: http://c⏎",
		saved: true,
	},
	{
		name: "fields",
		path: "n.md",
		base: "# N⏎Status: open⏎**Owner:** a⏎- Prio: 1⏎",
		older: "# N⏎Status: busy⏎**Owner:** b⏎- Prio: 1⏎",
		later: "# N⏎Status: done⏎**Owner:** a⏎- Prio: 2⏎",
		result: "# N⏎Status: done⏎**Owner:** b⏎- Prio: 2⏎",
		saved: true,
	},
	{
		name: "lines with a colon, added by both",
		path: "n.md",
		base: "# N⏎",
		older: "# N⏎Ada: yes⏎",
		later: "# N⏎Ada: no⏎",
		result: "# N⏎Ada: yes⏎Ada: no⏎",
	},
	{
		name: "a field twice",
		path: "n.md",
		base: "Ada: a⏎Bob: b⏎Ada: c⏎",
		older: "Ada: 1⏎Bob: b⏎Ada: c⏎",
		later: "Ada: 2⏎Bob: b⏎Ada: c⏎",
		result: "Ada: 1⏎Ada: 2⏎Bob: b⏎Ada: c⏎",
	},
	...["$$ $$", "\\[ \\]"].map((marks): Row => {
		const [open, close] = marks.split(" ");
		return {
			name: `formula in ${marks}`,
			path: "n.md",
			base: `a⏎${open}⏎x = 1⏎y⏎z⏎${close}⏎b⏎`,
			older: `a⏎${open}⏎x = 2⏎y⏎z⏎${close}⏎b⏎`,
			later: `a⏎${open}⏎x = 3⏎y⏎z + 1⏎${close}⏎b⏎`,
			result: `a⏎${open}⏎x = 3⏎y⏎z + 1⏎${close}⏎b⏎`,
			saved: true,
		};
	}),
	{
		name: "cells of a table's row",
		path: "n.md",
		base: "| a | b | c |⏎|---|---|---|⏎| x | 1 | 1 |⏎| y | 1 | 1 |⏎",
		older: "| a | b | c |⏎|---|---|---|⏎| x | 2 | 1 |⏎| y | 2 | 1 |⏎",
		later: "| a | b | c |⏎|---|---|---|⏎| x | 1 | 3 |⏎| y | 3 | 1 |⏎",
		result: "| a | b | c |⏎|---|---|---|⏎| x | 2 | 3 |⏎| y | 3 | 1 |⏎",
		saved: true,
	},
	{
		name: "a row's cell, and blanks in all cells",
		path: "n.md",
		base: "|a|b|⏎|-|-|⏎|x|1|⏎|y|1|⏎",
		older: "|a|b|⏎|-|-|⏎|x|2|⏎|y|1|⏎",
		later: "| a | b |⏎|---|---|⏎| x | 1 |⏎| y | 1 |⏎",
		result: "| a | b |⏎|---|---|⏎| x |2|⏎| y | 1 |⏎",
	},
	{
		name: "a row's cell, and a column",
		path: "n.md",
		base: "|a|b|⏎|-|-|⏎|x|1|⏎",
		older: "|a|b|c|⏎|-|-|-|⏎|x|1|5|⏎",
		later: "|a|b|⏎|-|-|⏎|x|2|⏎",
		result: "|a|b|c|⏎|-|-|-|⏎|x|1|5|⏎",
		isLaterSaved: true,
	},
	{
		name: "rows of one name, added by both",
		path: "n.md",
		base: "|a|b|⏎|-|-|⏎",
		older: "|a|b|⏎|-|-|⏎|x|1|⏎",
		later: "|a|b|⏎|-|-|⏎|x|2|⏎",
		result: "|a|b|⏎|-|-|⏎|x|1|⏎|x|2|⏎",
	},
];

test.each(ROWS.map((row) => [row.name, row] as const))("lines of notes: %s → once, as a reader wants it", (_, row) => checkRow(row));
