import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// A file that a node ignores, or hides from git by an index bit, never leaves that node because another one brought its name or changed
// the rules. The word `token` marks content that must not be published.

let world: World;
beforeEach(() => {
	world = new World("local");
});
afterEach(() => world.remove());

const skippedOf = (node: Node) => node.state()?.skipped.map(({ path: name, reason }) => `${name} ${reason}`) ?? [];

/** Whether any object of the hub, reachable or not, has the word in it. */
const isPublished = (word = "token") => world.git("hub.git", "cat-file", "--batch-all-objects", "--batch").includes(word);

/** Cycles on both nodes, with a change of each: both directions go on, and nothing local is on the hub. */
async function settle(helios: Node, chad: Node, round: string): Promise<void> {
	helios.write("h.md", `${round}\n`);
	await helios.once();
	chad.write("c.md", `${round}\n`);
	await chad.once();
	await helios.once();
	expect(helios.read("c.md")).toBe(`${round}\n`);
	expect(chad.read("h.md")).toBe(`${round}\n`);
	expect(isPublished()).toBe(false);
	expect(chad.tree()).toBe(helios.tree());
}

interface Case {
	readonly name: string;
	readonly files?: Record<string, string>;
	local(chad: Node): void;
	change(helios: Node): void;
	/** chad's files and the hub's in the end. */
	readonly disk: Record<string, string | null>;
	readonly hub: Record<string, string | null>;
	readonly skipped: readonly string[];
}

const rule = (...lines: string[]) => ({ ".gitignore": `${lines.join("\n")}\n` });
const secret = "token=1\n";
const exclude = (node: Node, line: string) => fs.appendFileSync(node.path(".git/info/exclude"), `${line}\n`);

const cases: readonly Case[] = [
	{
		name: "a name that .gitignore covers here is committed by the peer",
		files: rule(".env"),
		local: (chad) => chad.write(".env", secret),
		change: (helios) => {
			helios.write(".env", "port=1\n");
			helios.git("add", "-f", ".env");
		},
		disk: { ".env": secret },
		hub: { ".env": "port=1\n" },
		skipped: [".env ignored-here"],
	},
	{
		name: "a name that info/exclude covers here is committed by the peer",
		local: (chad) => {
			exclude(chad, "local.env");
			chad.write("local.env", secret);
		},
		change: (helios) => helios.write("local.env", "port=1\n"),
		disk: { "local.env": secret },
		hub: { "local.env": "port=1\n" },
		skipped: ["local.env ignored-here"],
	},
	{
		name: "a name that core.excludesFile covers here is committed by the peer",
		local: (chad) => {
			world.write("global-ignore", "settings.local.json\n");
			chad.git("config", "core.excludesFile", world.path("global-ignore"));
			chad.write(".agent/settings.local.json", secret);
		},
		change: (helios) => helios.write(".agent/settings.local.json", "{}\n"),
		disk: { ".agent/settings.local.json": secret },
		hub: { ".agent/settings.local.json": "{}\n" },
		skipped: [".agent/settings.local.json ignored-here"],
	},
	{
		name: "the peer commits the same content",
		files: rule(".env"),
		local: (chad) => chad.write(".env", "port=1\n"),
		change: (helios) => {
			helios.write(".env", "port=1\n");
			helios.git("add", "-f", ".env");
		},
		disk: { ".env": "port=1\n" },
		hub: { ".env": "port=1\n" },
		skipped: [],
	},
	{
		name: "the peer empties .gitignore",
		files: rule(".env", "*.key", "/private/"),
		local: (chad) => {
			chad.write(".env", secret);
			chad.write("sub/a [1].key", secret);
			chad.write("private/x/y", secret);
		},
		change: (helios) => helios.write(".gitignore", ""),
		disk: { ".env": secret, "sub/a [1].key": secret, "private/x/y": secret },
		hub: { ".gitignore": "", ".env": null, "private/x/y": null },
		skipped: [".env ignored-here", "private ignored-here", "sub/a [1].key ignored-here"],
	},
	{
		name: "the peer removes .gitignore, below a directory too",
		files: { ".gitignore": ".env\n", "sub/.gitignore": "*.key\n" },
		local: (chad) => {
			chad.write(".env", secret);
			chad.write("sub/a.key", secret);
		},
		change: (helios) => {
			helios.remove(".gitignore");
			helios.remove("sub/.gitignore");
		},
		disk: { ".env": secret, "sub/a.key": secret },
		hub: { ".gitignore": null, ".env": null },
		skipped: [".env ignored-here", "sub/a.key ignored-here"],
	},
	{
		name: "the peer adds a negation",
		files: rule(".env*"),
		local: (chad) => {
			chad.write(".env.local", secret);
			chad.write(".env.other", secret);
		},
		change: (helios) => helios.write(".gitignore", ".env*\n!.env.local\n"),
		disk: { ".env.local": secret, ".env.other": secret },
		hub: { ".env.local": null },
		skipped: [".env.local ignored-here"],
	},
	{
		name: "the peer removes the rule and commits the name at once",
		files: rule(".env"),
		local: (chad) => chad.write(".env", secret),
		change: (helios) => {
			helios.write(".gitignore", "");
			helios.write(".env", "port=1\n");
		},
		disk: { ".env": secret },
		hub: { ".env": "port=1\n" },
		skipped: [".env ignored-here"],
	},
	{
		name: "an ignored file here, a directory of the peer's there",
		local: (chad) => {
			exclude(chad, "/db.secret");
			chad.write("db.secret", secret);
		},
		change: (helios) => helios.write("db.secret/a.md", "1\n"),
		disk: { "db.secret": secret },
		hub: { "db.secret/a.md": "1\n" },
		skipped: ["db.secret/a.md ignored-here"],
	},
	{
		name: "an ignored directory here, a file of the peer's there",
		local: (chad) => {
			exclude(chad, "/db.secret/");
			chad.write("db.secret/a.md", secret);
		},
		change: (helios) => helios.write("db.secret", "1\n"),
		disk: { "db.secret/a.md": secret },
		hub: { "db.secret": "1\n" },
		skipped: ["db.secret ignored-here"],
	},
	{
		name: "an ignored file here, a link of the peer's there",
		local: (chad) => {
			exclude(chad, "/x");
			chad.write("x", secret);
		},
		change: (helios) => fs.symlinkSync("h.md", helios.path("x")),
		disk: { x: secret },
		hub: { x: "h.md" },
		skipped: ["x ignored-here"],
	},
	{
		name: "a skip-worktree file with local content, changed by the peer",
		files: { "config.yml": "db: none\nlog: 1\nlang: en\nport: 80\n" },
		local: (chad) => {
			chad.git("update-index", "--skip-worktree", "config.yml");
			chad.write("config.yml", "db: token\nlog: 1\nlang: en\nport: 80\n");
		},
		change: (helios) => helios.write("config.yml", "db: none\nlog: 1\nlang: en\nport: 8080\n"),
		disk: { "config.yml": "db: token\nlog: 1\nlang: en\nport: 80\n" },
		hub: { "config.yml": "db: none\nlog: 1\nlang: en\nport: 8080\n" },
		skipped: ["config.yml ignored-here"],
	},
	{
		name: "an assume-unchanged file with local content, deleted by the peer",
		files: { "config.yml": "db: none\n" },
		local: (chad) => {
			chad.git("update-index", "--assume-unchanged", "config.yml");
			chad.write("config.yml", "db: token\n");
		},
		change: (helios) => helios.remove("config.yml"),
		disk: { "config.yml": "db: token\n" },
		hub: { "config.yml": null },
		skipped: ["config.yml ignored-here"],
	},
];

describe("a local file", () => {
	test.each(cases)("local file: $name → it stays, and is not published", async ({ files = {}, local, change, disk, hub, skipped }) => {
		const [helios, chad] = await world.pair({ "h.md": "0\n", ...files });
		local(chad);
		await chad.once();
		change(helios);
		await helios.once();
		await chad.once();
		expect(skippedOf(chad).sort()).toEqual(skipped);
		await settle(helios, chad, "first");
		// A program writes its file again, as a new one.
		for (const [name, content] of Object.entries(disk)) {
			if (content === null || content !== secret) continue;
			chad.remove(name);
			chad.write(name, `${secret}more\n`);
		}
		chad.git("add", "--all");
		await settle(helios, chad, "written again");
		for (const [name, content] of Object.entries(disk)) {
			if (content === null) expect(chad.exists(name)).toBe(false);
			else expect(chad.read(name)).toBe(content === secret ? `${secret}more\n` : content);
		}
		for (const [name, content] of Object.entries(hub)) {
			const entry = world.git("hub.git", "ls-tree", "main", name);
			expect({ name, content: entry === "" ? null : world.git("hub.git", "show", `main:${name}`) }).toEqual({ name, content });
		}
		// Also when our notes are lost.
		fs.rmSync(chad.path("sync"), { recursive: true });
		await settle(helios, chad, "notes lost");
	});

	test("local file: its user removes the rule → it is published; merged with the peer's", async () => {
		const [helios, chad] = await world.pair({ "h.md": "0\n", ".gitignore": ".env\nmine\n" });
		chad.write(".env", "chad=1\n");
		chad.write("mine", "chad=1\n");
		helios.write(".env", "helios=1\n");
		helios.git("add", "-f", ".env");
		await helios.once();
		await chad.once();
		expect(skippedOf(chad)).toEqual([".env ignored-here"]);
		chad.write(".gitignore", "");
		await chad.once();
		await chad.once();
		await helios.once();
		expect(helios.read(".env")).toContain("chad=1");
		expect(helios.read("mine")).toBe("chad=1\n");
		expect(chad.read(".env")).toBe(helios.read(".env"));
		expect(chad.state()?.skipped).toEqual([]);
		expect(chad.dirty()).toBe("");
		expect(chad.git("ls-files", "-v", ".env")).toMatch(/^H/);
	});

	test("local file: a peer's negation, the line in info/exclude removed → published", async () => {
		const [helios, chad] = await world.pair({ "h.md": "0\n", ".gitignore": "*.env\n" });
		chad.write("a.env", "chad=1\n");
		helios.write("d/.gitignore", "!*.env\n");
		helios.write(".gitignore", "*.env\n!a.env\n");
		await helios.once();
		await chad.once();
		expect(skippedOf(chad)).toEqual(["a.env ignored-here"]);
		const file = chad.path(".git/info/exclude");
		fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("/a.env\n", ""));
		await chad.once();
		await helios.once();
		expect(helios.read("a.env")).toBe("chad=1\n");
		expect(skippedOf(chad)).toEqual([]);
	});

	test("local file: removed here → the peer's version comes, and further ones", async () => {
		const [helios, chad] = await world.pair({ "h.md": "0\n", ".gitignore": ".env\n" });
		chad.write(".env", secret);
		helios.write(".env", "port=1\n");
		helios.git("add", "-f", ".env");
		await helios.once();
		await chad.once();
		chad.remove(".env");
		await chad.once();
		expect(chad.read(".env")).toBe("port=1\n");
		helios.write(".env", "port=2\n");
		await helios.once();
		await chad.once();
		expect(chad.read(".env")).toBe("port=2\n");
		chad.write(".env", "port=3\n");
		await chad.once();
		await helios.once();
		expect(helios.read(".env")).toBe("port=3\n");
		expect(chad.state()?.skipped).toEqual([]);
	});

	test("local file: git rm --cached of ignored files → stays untracked and on disk", async () => {
		const [helios, chad] = await world.pair({ "h.md": "0\n", "local.env": "a\n", "cache/x": "1\n", "cache/y": "2\n" });
		const isGone = () => !/env|cache/.test(world.git("hub.git", "ls-tree", "-r", "--name-only", "main"));
		helios.write(".gitignore", "local.env\n");
		helios.git("rm", "-q", "--cached", "local.env");
		await helios.once();
		await helios.start();
		helios.write(".gitignore", "local.env\ncache/\n");
		helios.git("rm", "-q", "-r", "--cached", "cache");
		await until(isGone, "the hub to follow");
		await helios.killAll();
		await helios.once();
		expect(isGone()).toBe(true);
		expect([helios.read("local.env"), helios.read("cache/y")]).toEqual(["a\n", "2\n"]);
		await chad.once();
		const backups = fs.readdirSync(chad.paths.backups, { recursive: true }).map(String);
		for (const name of ["local.env", "cache/x", "cache/y"])
			expect(chad.exists(name) || backups.some((file) => file.endsWith(name))).toBe(true);
	});

	test("local file: tracked, hidden and not changed → follows the peer, bit kept", async () => {
		const [helios, chad] = await world.pair({ "a.yml": "1\n", "b.yml": "1\n" });
		chad.git("update-index", "--skip-worktree", "a.yml");
		chad.git("update-index", "--assume-unchanged", "b.yml");
		helios.write("a.yml", "2\n");
		helios.write("b.yml", "2\n");
		await helios.once();
		await chad.once();
		expect([chad.read("a.yml"), chad.read("b.yml")]).toEqual(["2\n", "2\n"]);
		expect(chad.git("ls-files", "-v", "a.yml", "b.yml")).toBe("S a.yml\nh b.yml\n");
	});
});
