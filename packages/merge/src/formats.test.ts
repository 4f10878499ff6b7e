import { describe, expect, test } from "@jest/globals";
import { mergeContents } from "./merge.ts";

/** Small inputs of kinds that broke merges: `⏎` is a line end. */
interface Row {
	readonly name: string;
	readonly path: string;
	/** Null: both sides added the file. */
	readonly base: string | null;
	readonly older: string;
	readonly later: string;
	readonly result: string;
	/** Is the older side saved? */
	readonly saved?: boolean;
}

const template = (task: string, log: string) => `---⏎tags: [daily]⏎---⏎# Day⏎⏎## Tasks⏎⏎- [ ] ${task}⏎⏎## Log⏎⏎- ${log}⏎`;
const json = (x: number, scroll: number) => `# D⏎\`\`\`json⏎{⏎  "e": [{"id": "r", "x": ${x}}],⏎  "s": ${scroll}⏎}⏎\`\`\`⏎`;
const board = (todo: string, done: string, collapse: string) =>
	`---⏎kanban-plugin: board⏎---⏎⏎## Todo⏎⏎${todo}⏎## Done⏎⏎${done}⏎%% kanban:settings⏎\`\`\`⏎{"list-collapse":${collapse}}⏎\`\`\`⏎%%⏎`;
const cell = (source: string) => `{"cells": [{"cell_type": "code", "source": ${source}}], "nbformat": 4}⏎`;
const output = (outputs: string) => `{"cells": [{"cell_type": "code", "outputs": ${outputs}}], "nbformat": 4}⏎`;

const ROWS: readonly Row[] = [
	{
		name: "front matter: one key",
		path: "n.md",
		base: "---⏎u: 1⏎---⏎a⏎",
		older: "---⏎u: 2⏎---⏎a⏎",
		later: "---⏎u: 3⏎---⏎a⏎",
		result: "---⏎u: 3⏎---⏎a⏎",
		saved: true,
	},
	{
		name: "front matter: key and paragraphs",
		path: "n.md",
		base: "---⏎u: 1⏎---⏎a⏎⏎b⏎",
		older: "---⏎u: 2⏎---⏎a⏎⏎x⏎⏎b⏎",
		later: "---⏎u: 3⏎---⏎a⏎⏎b⏎⏎y⏎",
		result: "---⏎u: 3⏎---⏎a⏎⏎x⏎⏎b⏎⏎y⏎",
		saved: true,
	},
	{
		name: "front matter: tags",
		path: "n.md",
		base: "---⏎tags: [home]⏎---⏎",
		older: "---⏎tags: [home, work]⏎---⏎",
		later: "---⏎tags: [home, garden]⏎---⏎",
		result: "---⏎tags: [home, work, garden]⏎---⏎",
	},
	{
		name: "front matter: added by both",
		path: "n.md",
		base: "# N⏎t⏎",
		older: "---⏎id: 1⏎---⏎# N⏎t⏎",
		later: "---⏎id: 2⏎tags: [a]⏎---⏎# N⏎t⏎",
		result: "---⏎id: 2⏎tags: [a]⏎---⏎# N⏎t⏎",
		saved: true,
	},
	{
		name: "front matter: TOML",
		path: "n.md",
		base: "+++⏎u = 1⏎+++⏎a⏎",
		older: "+++⏎u = 1⏎v = 1⏎+++⏎a⏎",
		later: "+++⏎u = 2⏎+++⏎a⏎",
		result: "+++⏎u = 2⏎v = 1⏎+++⏎a⏎",
	},
	{
		name: "front matter: torn on one side",
		path: "n.md",
		base: "---⏎u: 1⏎---⏎a⏎",
		older: "---⏎u: 2⏎---⏎a⏎",
		later: "---⏎u: 1⏎",
		result: "---⏎u: 2⏎---⏎a⏎",
	},
	{
		name: "notes: one template",
		path: "d.md",
		base: null,
		older: template("a", "x"),
		later: template("b", "y"),
		result: template("a⏎- [ ] b", "x⏎- y"),
	},
	{ name: "notes: empty base", path: "d.md", base: "", older: "# D⏎⏎- a⏎", later: "# D⏎⏎- b⏎", result: "# D⏎⏎- a⏎- b⏎" },
	{ name: "notes: emptied by one side", path: "d.md", base: "# D⏎⏎a⏎", older: "# D⏎⏎b⏎", later: "", result: "# D⏎⏎b⏎" },
	{
		name: "notes: task marks",
		path: "t.md",
		base: "- [ ] one⏎",
		older: "- [x] one⏎",
		later: "- [-] one⏎",
		result: "- [-] one⏎",
		saved: true,
	},
	{
		name: "notes: Org drawer",
		path: "n.org",
		base: "* N⏎:PROPERTIES:⏎:U: [1]⏎:END:⏎t⏎",
		older: "* N⏎:PROPERTIES:⏎:U: [2]⏎:END:⏎t⏎below⏎",
		later: "* N⏎above⏎:PROPERTIES:⏎:U: [3]⏎:END:⏎t⏎",
		result: "* N⏎above⏎:PROPERTIES:⏎:U: [3]⏎:END:⏎t⏎below⏎",
		saved: true,
	},
	{ name: "blocks: JSON", path: "e.md", base: json(0, 0), older: json(20, 0), later: json(0, 9), result: json(20, 9) },
	{
		name: "blocks: packed",
		path: "e.md",
		base: "```compressed-json⏎A⏎B⏎```⏎",
		older: "```compressed-json⏎C⏎D⏎```⏎",
		later: "```compressed-json⏎E⏎F⏎```⏎",
		result: "```compressed-json⏎E⏎F⏎```⏎",
		saved: true,
	},
	{
		name: "blocks: board settings, moved card",
		path: "k.md",
		base: board("- [ ] c⏎- [ ] d⏎", "", "[false]"),
		older: board("- [ ] c⏎- [ ] d⏎", "", "[true]"),
		later: board("- [ ] d⏎", "- [x] c⏎", "[false]"),
		result: board("- [ ] d⏎", "- [x] c⏎", "[true]"),
	},
	{
		name: "TOML: table added by both",
		path: "c.toml",
		base: "a = 1⏎",
		older: "a = 1⏎[t]⏎x = 1⏎",
		later: "a = 1⏎[t]⏎x = 2⏎",
		result: "a = 1⏎[t]⏎x = 2⏎",
		saved: true,
	},
	{
		name: "TOML: key added in two places",
		path: "Cargo.toml",
		base: "[d]⏎a = 1⏎z = 2⏎",
		older: "[d]⏎a = 1⏎c = 3⏎z = 2⏎",
		later: "[d]⏎c = 4⏎a = 1⏎z = 2⏎",
		result: "[d]⏎c = 4⏎a = 1⏎z = 2⏎",
		saved: true,
	},
	{
		name: "TOML: arrays of tables",
		path: "c.toml",
		base: '[[bin]]⏎name = "a"⏎',
		older: '[[bin]]⏎name = "a"⏎⏎[[bin]]⏎name = "b"⏎',
		later: '[[bin]]⏎name = "a"⏎x = 1⏎',
		result: '[[bin]]⏎name = "a"⏎x = 1⏎⏎[[bin]]⏎name = "b"⏎',
	},
	{
		name: "TOML: list over lines",
		path: "c.toml",
		base: 'l = [⏎  "a", # c⏎  "b",⏎]⏎',
		older: 'l = [⏎  "a", # c⏎  "b",⏎  "c",⏎]⏎',
		later: 'l = [⏎  "a", # c⏎  "d",⏎  "b",⏎]⏎',
		result: 'l = [⏎  "a", # c⏎  "d",⏎  "b",⏎  "c",⏎]⏎',
	},
	{
		name: "YAML: record with a list and a counter",
		path: "r.yml",
		base: "v: 3⏎c:⏎- c-1⏎t: 1⏎",
		older: "v: 4⏎c:⏎- c-1⏎- c-2⏎t: 2⏎",
		later: "v: 4⏎c:⏎- c-1⏎- c-3⏎t: 3⏎",
		result: "v: 4⏎c:⏎- c-1⏎- c-2⏎- c-3⏎t: 3⏎",
		saved: true,
	},
	{
		name: "YAML: steps and scripts",
		path: "w.yml",
		base: "s:⏎  - run: |⏎      a⏎      b⏎      c⏎",
		older: "s:⏎  - run: |⏎      A⏎      b⏎      c⏎",
		later: "s:⏎  - run: |⏎      a⏎      b⏎      C⏎",
		result: "s:⏎  - run: |⏎      A⏎      b⏎      C⏎",
	},
	{
		name: "YAML: alias without its anchor",
		path: "a.yml",
		base: "a: &x 1⏎b: 2⏎c: 3⏎",
		older: "b: 2⏎c: 3⏎",
		later: "a: &x 1⏎b: 2⏎c: *x⏎",
		result: "a: &x 1⏎b: 2⏎c: *x⏎",
		saved: true,
	},
	{
		name: "YAML: documents of resources",
		path: "k.yaml",
		base: "kind: A⏎metadata:⏎  name: x⏎n: 1⏎",
		older: "kind: A⏎metadata:⏎  name: x⏎n: 2⏎",
		later: "kind: A⏎metadata:⏎  name: x⏎n: 1⏎---⏎kind: B⏎metadata:⏎  name: y⏎",
		result: "kind: A⏎metadata:⏎  name: x⏎n: 2⏎---⏎kind: B⏎metadata:⏎  name: y⏎",
	},
	{
		name: "YAML: new elements of one name",
		path: "l.yml",
		base: "l:⏎  - id: 1⏎",
		older: "l:⏎  - id: 1⏎  - id: 2⏎    t: a⏎",
		later: "l:⏎  - id: 1⏎  - id: 2⏎    d: b⏎",
		result: "l:⏎  - id: 1⏎  - id: 2⏎    d: b⏎",
		saved: true,
	},
	{
		name: "YAML: new elements, one has all of the other",
		path: "l.yml",
		base: "l:⏎  - id: 1⏎",
		older: "l:⏎  - id: 1⏎  - id: 2⏎    t: a⏎",
		later: "l:⏎  - id: 1⏎  - id: 2⏎",
		result: "l:⏎  - id: 1⏎  - id: 2⏎    t: a⏎",
	},
	{
		name: "table in a note: one head",
		path: "n.md",
		base: "| a | b |⏎|---|---|⏎| 1 | x |⏎",
		older: "| a | c |⏎|---|---|⏎| 1 | x |⏎",
		later: "| a | d |⏎|---|---|⏎| 1 | x |⏎| 2 | y |⏎",
		result: "| a | d |⏎|---|---|⏎| 1 | x |⏎| 2 | y |⏎",
		saved: true,
	},
	{
		name: "TOML: arrays of tables among each other",
		path: "c.toml",
		base: '[[l]]⏎name = "a"⏎x = 1⏎[[g]]⏎name = "a"⏎y = 1⏎[[l]]⏎name = "b"⏎x = 1⏎',
		older: '[[l]]⏎name = "a"⏎x = 2⏎[[g]]⏎name = "a"⏎y = 1⏎[[l]]⏎name = "b"⏎x = 1⏎',
		later: '[[l]]⏎name = "a"⏎x = 1⏎z = 1⏎[[g]]⏎name = "a"⏎y = 2⏎[[l]]⏎name = "b"⏎x = 1⏎[[g]]⏎name = "c"⏎y = 1⏎',
		result: '[[l]]⏎name = "a"⏎x = 2⏎z = 1⏎[[g]]⏎name = "a"⏎y = 2⏎[[l]]⏎name = "b"⏎x = 1⏎[[g]]⏎name = "c"⏎y = 1⏎',
	},
	{
		name: "INI: sections",
		path: "a.ini",
		base: "[a]⏎x=1⏎",
		older: "[a]⏎x=1⏎y=1⏎",
		later: "[a]⏎x=2⏎[b]⏎z=1⏎",
		result: "[a]⏎x=2⏎y=1⏎[b]⏎z=1⏎",
	},
	{
		name: "INI: a byte order mark",
		path: "setup.cfg",
		base: "\ufeff[a]⏎x=1⏎",
		older: "\ufeff[a]⏎x=1⏎[t]⏎y=1⏎",
		later: "\ufeff[a]⏎x=1⏎[t]⏎y=2⏎",
		result: "\ufeff[a]⏎x=1⏎[t]⏎y=2⏎",
		saved: true,
	},
	{ name: ".env: one key", path: ".env", base: "A=1⏎", older: "A=2⏎B=1⏎", later: "A=3⏎C=1⏎", result: "A=3⏎B=1⏎C=1⏎", saved: true },
	{ name: "VERSION: one value", path: "VERSION", base: "1.2⏎", older: "1.2.1⏎", later: "1.3⏎", result: "1.3⏎", saved: true },
	{ name: "VERSION: blank lines after it", path: "VERSION", base: "1⏎⏎", older: "2⏎⏎", later: "3⏎⏎", result: "3⏎⏎", saved: true },
	{ name: "toolchain: added by both", path: "rust-toolchain", base: null, older: "1.7⏎", later: "1.8⏎", result: "1.8⏎", saved: true },
	{ name: "unknown name: a version each", path: "release", base: null, older: "v2⏎", later: "v3⏎", result: "v3⏎", saved: true },
	{
		name: "unknown name: a version each, with byte order mark",
		path: "release",
		base: null,
		older: "\ufeffv2⏎",
		later: "\ufeffv3⏎",
		result: "\ufeffv3⏎",
		saved: true,
	},
	{ name: "unknown name: a word each", path: "list", base: null, older: "a⏎", later: "b⏎", result: "a⏎b⏎" },
	{
		name: ".tool-versions: one line a tool",
		path: ".tool-versions",
		base: "node 18⏎",
		older: "node 20⏎go 1.2⏎",
		later: "node 22⏎ruby 3⏎",
		result: "node 22⏎go 1.2⏎ruby 3⏎",
		saved: true,
	},
	{
		name: "lock file of any tool: one side whole",
		path: "skills-lock.json",
		base: '{"a":1,"b":1}⏎',
		older: '{"a":2,"b":1}⏎',
		later: '{"a":1,"b":2}⏎',
		result: '{"a":1,"b":2}⏎',
		saved: true,
	},
	{
		name: "public key: one value",
		path: "id.pub",
		base: "ssh A x⏎",
		older: "ssh B x⏎",
		later: "ssh C x⏎",
		result: "ssh C x⏎",
		saved: true,
	},
	{ name: "known_hosts: both lines", path: "known_hosts", base: "a k⏎", older: "a k⏎b k⏎", later: "a k⏎c k⏎", result: "a k⏎b k⏎c k⏎" },
	{
		name: "Caddyfile: one port",
		path: "Caddyfile",
		base: "a {⏎  p :80⏎}⏎",
		older: "a {⏎  p :81⏎}⏎",
		later: "a {⏎  p :82⏎}⏎",
		result: "a {⏎  p :82⏎}⏎",
		saved: true,
	},
	{
		name: ".ssh/config.d: one host name",
		path: ".ssh/config.d/work",
		base: "Host a⏎  HostName x⏎",
		older: "Host a⏎  HostName y⏎",
		later: "Host a⏎  HostName z⏎",
		result: "Host a⏎  HostName z⏎",
		saved: true,
	},
	{
		name: ".ssh/config: one host name",
		path: ".ssh/config",
		base: "Host a⏎  HostName x⏎",
		older: "Host a⏎  HostName y⏎",
		later: "Host a⏎  HostName z⏎",
		result: "Host a⏎  HostName z⏎",
		saved: true,
	},
	{
		name: "calendar: one start",
		path: "a.ics",
		base: "BEGIN:A⏎D:1⏎END:A⏎",
		older: "BEGIN:A⏎D:2⏎END:A⏎",
		later: "BEGIN:A⏎D:3⏎END:A⏎",
		result: "BEGIN:A⏎D:3⏎END:A⏎",
		saved: true,
	},
	{
		name: "drawing: one tag",
		path: "a.drawio",
		base: '<m><c x="1">⏎</c></m>⏎',
		older: '<m><c x="2">⏎</c></m>⏎',
		later: '<m><c x="3">⏎</c></m>⏎',
		result: '<m><c x="3">⏎</c></m>⏎',
		saved: true,
	},
	{
		name: "notebook: lines appended by both",
		path: "a.ipynb",
		base: cell('["a = 1"]'),
		older: cell(String.raw`["a = 1\n", "b = 2"]`),
		later: cell(String.raw`["a = 1\n", "c = 3"]`),
		result: cell(String.raw`["a = 1\n", "b = 2\n", "c = 3"]`),
	},
	{
		name: "notebook: first lines of both",
		path: "a.ipynb",
		base: cell("[]"),
		older: cell('[⏎ "a"⏎]'),
		later: cell('[⏎ "b"⏎]'),
		result: cell(String.raw`[⏎ "a\n",⏎ "b"⏎]`),
	},
	{
		name: "notebook: one result of a cell that both ran",
		path: "a.ipynb",
		base: output("[]"),
		older: output('[{"output_type":"execute_result","execution_count":2,"data":{"text/plain":["1"]}}]'),
		later: output('[{"output_type":"execute_result","execution_count":3,"data":{"text/plain":["2"]}}]'),
		result: output('[{"output_type":"execute_result","execution_count":3,"data":{"text/plain":["2"]}}]'),
		saved: true,
	},
	{
		name: "notebook: one line changed by both",
		path: "a.ipynb",
		base: cell('["x = 1"]'),
		older: cell('["x = 12"]'),
		later: cell('["x = 13"]'),
		result: cell('["x = 13"]'),
		saved: true,
	},
	{
		name: "TOML: inline tables of one key, added by both",
		path: "Cargo.toml",
		base: '[dependencies]⏎a = "1"⏎',
		older: '[dependencies]⏎a = "1"⏎r = { git = "x", rev = "1" }⏎',
		later: '[dependencies]⏎a = "1"⏎r = { git = "x", branch = "main" }⏎',
		result: '[dependencies]⏎a = "1"⏎r = { git = "x", branch = "main" }⏎',
		saved: true,
	},
	{
		name: "TOML: a version that both made an inline table",
		path: "Cargo.toml",
		base: '[dependencies]⏎r = { version = "1" }⏎',
		older: '[dependencies]⏎r = { git = "x", rev = "1" }⏎',
		later: '[dependencies]⏎r = { git = "x", branch = "main" }⏎',
		result: '[dependencies]⏎r = { git = "x", branch = "main" }⏎',
		saved: true,
	},
	{
		name: "TOML: an inline table that has all of the other",
		path: "Cargo.toml",
		base: "[dependencies]⏎",
		older: '[dependencies]⏎r = { version = "1", features = ["f"] }⏎',
		later: '[dependencies]⏎r = { version = "1" }⏎',
		result: '[dependencies]⏎r = { version = "1", features = ["f"] }⏎',
	},
	{
		name: "YAML: flow mappings of one key, added by both",
		path: "a.yml",
		base: "a: 1⏎",
		older: "a: 1⏎r: { x: 1, y: 2 }⏎",
		later: "a: 1⏎r: { x: 1, z: 3 }⏎",
		result: "a: 1⏎r: { x: 1, z: 3 }⏎",
		saved: true,
	},
	{
		name: "YAML: mappings of one key, added by both",
		path: "a.yml",
		base: "a: 1⏎",
		older: "a: 1⏎r:⏎  y: 2⏎",
		later: "a: 1⏎r:⏎  z: 3⏎",
		result: "a: 1⏎r:⏎  y: 2⏎  z: 3⏎",
	},
	{
		name: "TOML: tables of one name among each other, added by both",
		path: "c.toml",
		base: "[[l]]⏎id = 1⏎[[g]]⏎id = 1⏎[[l]]⏎id = 2⏎",
		older: '[[l]]⏎id = 1⏎[[g]]⏎id = 1⏎[[l]]⏎id = 2⏎[[g]]⏎id = 9⏎t = "a"⏎',
		later: '[[l]]⏎id = 1⏎[[g]]⏎id = 1⏎[[l]]⏎id = 2⏎[[g]]⏎id = 9⏎d = "b"⏎',
		result: '[[l]]⏎id = 1⏎[[g]]⏎id = 1⏎[[l]]⏎id = 2⏎[[g]]⏎id = 9⏎d = "b"⏎',
		saved: true,
	},
	{
		name: "YAML: a step removed, its comment changed",
		path: "ci.yml",
		base: "s:⏎  - run: a⏎  - uses: c@1 # v1⏎    with:⏎      x: 1⏎  - run: d⏎",
		older: "s:⏎  - run: a⏎  - uses: c@1 # v1.0⏎    with:⏎      x: 1 # one⏎  - run: d⏎",
		later: "s:⏎  - run: a⏎  - run: d⏎",
		result: "s:⏎  - run: a⏎  - run: d⏎",
		saved: true,
	},
	{
		name: "TOML: a comment that becomes a key's",
		path: "c.toml",
		base: "# note⏎",
		older: "# note⏎⏎",
		later: "# note⏎k = 1⏎",
		result: "# note⏎k = 1⏎",
	},
	{
		name: "TOML: a comment whose key goes",
		path: "c.toml",
		base: "# note⏎a = 1⏎b = 1⏎",
		older: "# note⏎a = 2⏎b = 1⏎",
		later: "# note⏎b = 1⏎",
		result: "# note⏎a = 2⏎b = 1⏎",
	},
	{
		name: "table in a note: another column",
		path: "n.md",
		base: "| a | b |⏎|---|---|⏎| 1 | 2 |⏎",
		older: "| a | b | c |⏎|---|---|---|⏎| 1 | 2 | 3 |⏎",
		later: "| a | b |⏎|---|---|⏎| 1 | 2 |⏎| 4 | 5 |⏎",
		result: "| a | b | c |⏎|---|---|---|⏎| 1 | 2 | 3 |⏎| 4 | 5 |⏎",
	},
	{
		name: "blocks: of two notes, before and behind what they share",
		path: "n.md",
		base: null,
		older: "shared⏎```⏎x⏎```⏎",
		later: "```⏎y⏎```⏎shared⏎",
		result: "```⏎y⏎```⏎shared⏎```⏎x⏎```⏎",
	},
	{
		name: "CSV: another column",
		path: "t.csv",
		base: "id,n⏎1,a⏎2,b⏎",
		older: "id,x,n⏎1,,a⏎2,7,b⏎",
		later: "id,n⏎1,a⏎2,c⏎3,d⏎",
		result: "id,x,n⏎1,,a⏎2,7,c⏎3,,d⏎",
	},
	{
		name: "CSV: other columns on both sides",
		path: "t.csv",
		base: "id,n⏎1,a⏎",
		older: "id,n,x⏎1,a,1⏎",
		later: "id,n,y,z⏎1,a,2,3⏎",
		result: "id,n,y,z⏎1,a,2,3⏎",
		saved: true,
	},
];

const bytes = (text: string) => Buffer.from(text.replaceAll("⏎", "\n"));

describe("formats:", () => {
	test.each(ROWS.map((row) => [row.name, row] as const))(
		"%s → as a reader of the format wants it",
		(_, { path, base, older, later, result, saved }) => {
			for (const end of ["\n", "\r\n"]) {
				const write = (text: string) => Buffer.from(text.replaceAll("⏎", end));
				const input = { path, base: base === null ? null : write(base), a: write(older), b: write(later), later: "b" as const };
				const merged = mergeContents(input);
				const swapped = mergeContents({ ...input, a: input.b, b: input.a, later: "a" });
				expect(Buffer.from(merged.content).toString()).toBe(write(result).toString());
				expect(Buffer.from(swapped.content)).toEqual(Buffer.from(merged.content));
				if (saved === true) expect(merged.lost).toEqual({ a: true, b: false });
				else expect(merged.lost.a).toBe(false);
			}
		},
	);

	test("both sides parse, no merge of keys does → the later side whole", () => {
		const [base, a, b] = ["a = 1\n", "a = 1\nb.c = 1\n", "a = 1\n\n[b]\nc = 2\n"].map(bytes) as [Buffer, Buffer, Buffer];
		const merged = mergeContents({ path: "c.toml", base, a, b, later: "b" });
		expect([Buffer.from(merged.content).toString(), merged.lost]).toEqual([b.toString(), { a: true, b: false }]);
	});
});
