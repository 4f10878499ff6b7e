import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { hasSshServer, SshServer } from "@robust-sync/git/fixtures/ssh-server";
import { ensureExcluded } from "@robust-sync/workspace";
import { bin } from "./fixture/executables.ts";
import { oneKey as options, untilSame, valueFile } from "./fixture/forgetting.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget-places");
});
afterEach(() => world.remove());

const value = "tok_9sK2/mQ7+vXcL4&rT8w";
const other = "key_4hJ8wPz1NbYq6dFs";

const hub = () => world.path("hub.git");
const fileOf = (text: string | Buffer) => valueFile(world, text);

describe("forget", () => {
	test("forget: a secret in a name → refused, directory and value forgotten, no trace", async () => {
		const token = `ghp_${"aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"}`;
		const [helios, chad] = await world.pair({ "a.md": "one\n", [`k/${token}.md`]: "two\n" }, options);
		helios.write("k/later.md", "three\n");
		await untilSame([helios, chad]);
		helios.git("tag", `v-${token}`);
		const refused = await helios.run(["--forget", `k/${token}.md`]);
		expect([refused.code, refused.stderr.includes(token)]).toEqual([2, false]);
		expect(refused.stderr).toContain("k/….md holds a secret in its name");
		const check = await helios.run(["--forget-value", fileOf(token), "--check"]);
		expect([check.code, check.stdout]).toEqual([1, expect.stringContaining(`ref     refs/tags/v-${token}`)]);
		expect(check.stdout).toContain("git tag -d");
		expect(check.stdout).toContain(`file    k/${token}.md\n`);
		helios.git("tag", "-d", `v-${token}`);
		expect((await helios.run(["--forget", "k"])).code).toBe(0);
		await helios.run(["--forget-value", fileOf(token)]);
		await untilSame([chad, helios]);
		for (const directory of [hub(), helios.path(".git"), chad.path(".git")]) expect(objects(directory)).not.toContain(token);
	});

	(hasSshServer ? test : test.skip)("forget: a hub over ssh → gone on the nodes, the remedy for the hub named", async () => {
		const ssh = await SshServer.start(world.path("ssh"));
		try {
			const reached = { env: { ...options.env, GIT_SSH_COMMAND: ssh.command({ key: "user" }) } };
			const [helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "b.md": "two\n" }, reached);
			for (const node of [helios, chad]) node.git("remote", "set-url", "origin", ssh.url(hub()));
			const done = await helios.run(["--forget-value", fileOf(value)]);
			expect([done.code, done.stdout]).toEqual([0, expect.stringContaining("git gc --prune=now")]);
			await untilSame([chad, helios]);
			for (const node of [helios, chad]) expect(objects(node.path(".git"))).not.toContain(value);
			world.git(hub(), "reflog", "expire", "--expire=now", "--all");
			world.git(hub(), "gc", "--quiet", "--prune=now");
			expect(objects(hub())).not.toContain(value);
			expect((await chad.run(["--forget-value", fileOf(value), "--check"])).code).toBe(0);
		} finally {
			await ssh.stop();
		}
	});

	test("forget: two at the same time, one clock behind → both values gone, same trees", async () => {
		const [helios, chad] = await world.pair({ "a.md": `${value} and ${other}\n`, "b.md": `${other}\n`, "c.md": "three\n" }, options);
		world.write("past.mjs", "const now = Date.now; Date.now = () => now() - 86_400_000 * 400;");
		const past = { env: { NODE_OPTIONS: `--import=${world.path("past.mjs")}` } };
		const both = await Promise.all([helios.run(["--forget-value", fileOf(value)], past), chad.run(["--forget-value", fileOf(other)])]);
		expect(both.map(({ code, stderr }) => [code, code === 0 ? "" : stderr])).toEqual([
			[0, ""],
			[0, ""],
		]);
		await untilSame([helios, chad]);
		// One more by the clock that is behind, of what the others left.
		helios.write("d.md", `${value}-longer\n`);
		await untilSame([helios, chad]);
		const { stdout } = await helios.run(["--forget-value", fileOf(`${value}-longer`), "--json"], past);
		await untilSame([chad, helios]);
		const maps = fs
			.readdirSync(chad.path(".robust-sync/forget"))
			.map((name) => JSON.parse(chad.read(`.robust-sync/forget/${name}`)) as { id: string; created_at: string })
			.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
		expect([maps.length, maps.at(-1)?.id]).toEqual([3, (JSON.parse(stdout) as { id: string }).id]);
		for (const place of [helios.path(".git"), chad.path(".git"), hub()])
			expect([place, ...[value, other].filter((one) => objects(place).includes(one))]).toEqual([place]);
		expect(helios.read("c.md")).toBe("three\n");
		for (const node of [helios, chad]) {
			expect(node.git("status", "--porcelain")).toBe("");
			node.fsck();
		}
	});

	test("forget: during the push of a peer → its commit comes without the value", async () => {
		const [helios, chad] = await world.pair({ "a.md": `one ${value}\n` }, options);
		const [held, go] = [world.path("held"), world.path("go")];
		const hook = `#!/bin/sh\n[ -e '${held}' ] && exit 0\n: >'${held}'\nwhile [ ! -e '${go}' ]; do sleep 0.05; done\n`;
		fs.mkdirSync(`${hub()}/hooks`, { recursive: true });
		fs.writeFileSync(`${hub()}/hooks/pre-receive`, hook, { mode: 0o755 });
		chad.write("chad.md", `mine ${value}\n`);
		const pushing = chad.run(["--once", "--json"]);
		await until(() => fs.existsSync(held), "the push");
		const done = await helios.run(["--forget-value", fileOf(value)]);
		fs.writeFileSync(go, "");
		expect(done.code).toBe(0);
		await pushing;
		await untilSame([chad, helios]);
		for (const place of [helios.path(".git"), chad.path(".git")]) expect(objects(place)).not.toContain(value);
		expect(world.git(hub(), "log", "-p", "--all")).not.toContain(value);
		expect(helios.read("chad.md")).toMatch(/^mine forgotten-a/);
	});

	test("forget: gitlinks, nested and signed tags → the value gone, the rest as it was", async () => {
		const [helios] = await world.pair({ "a.md": `one ${value}\n`, "b.md": "two\n" }, options);
		fs.mkdirSync(helios.path("sub"));
		const link = "1234567890123456789012345678901234567890";
		helios.git("update-index", "--add", "--cacheinfo", `160000,${link},sub`);
		helios.git("commit", "-qm", "with a gitlink");
		helios.git("push", "-q", "origin", "main");
		helios.git("tag", "-a", "-m", `first ${value}`, "one", "main");
		helios.git("tag", "-a", "-m", "second", "two", "one");
		helios.git("tag", "-a", "-m", "tree", "tree", "main^{tree}");
		const text = helios.git("cat-file", "tag", "one");
		const signed = `${text.trimEnd()}\n-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n`;
		fs.writeFileSync(world.path("tag"), signed);
		helios.git("update-ref", "refs/tags/signed", helios.git("hash-object", "-t", "tag", "-w", world.path("tag")).trim());
		const done = await helios.run(["--forget-value", fileOf(value)]);
		expect([done.code, done.code === 0 ? "" : done.stderr]).toEqual([0, ""]);
		expect(objects(helios.path(".git"))).not.toContain(value);
		const at = (name: string) => helios.git("rev-parse", `${name}^{commit}`).trim();
		expect(new Set(["one", "two", "signed"].map(at)).size).toBe(1);
		expect(helios.git("show", `${at("two")}:a.md`)).toMatch(/^one forgotten-a/);
		expect(helios.git("show", "tree:a.md")).toMatch(/^one forgotten-a/);
		expect(helios.git("cat-file", "tag", "signed")).not.toContain("SIGNATURE");
		expect(helios.git("ls-tree", "main", "sub")).toContain(link);
		helios.fsck();
		expect((await helios.run(["--forget", "sub"])).code).toBe(0);
		expect(helios.git("log", "--format=%H", "main", "--", "sub")).toBe("");
	});

	test("forget: a partial and a shallow clone → refused with the remedy, nothing lost", async () => {
		const [helios] = await world.pair({ "a.md": `one ${value}\n` }, options);
		helios.write("a.md", "two\n");
		await helios.once();
		world.git(hub(), "config", "uploadpack.allowFilter", "true");
		const clone = (name: string, ...args: string[]) => {
			world.git(".", "clone", "-q", ...args, `file://${hub()}`, name);
			const node = world.node(name, { ...options, git: false });
			ensureExcluded(node.workspace);
			return node;
		};
		const partial = clone("partial", "--filter=blob:none");
		const shallow = clone("shallow", "--depth=1");
		for (const [node, remedy] of [
			[partial, "partial clone"],
			[shallow, "git fetch --unshallow"],
		] as const) {
			const refused = await node.run(["--forget-value", fileOf(value)]);
			expect([node.name, refused.code, refused.stderr]).toEqual([node.name, 1, expect.stringContaining(remedy)]);
		}
		expect(world.git(hub(), "log", "-p", "main")).toContain(value);
		expect((await helios.run(["--forget-value", fileOf(value)])).code).toBe(0);
		shallow.git("fetch", "-q", "--unshallow");
		for (const node of [partial, shallow]) {
			await node.once();
			node.write(`${node.name}.md`, "new\n");
			await node.once();
		}
		await untilSame([helios, shallow, partial]);
		for (const node of [helios, shallow]) expect(objects(node.path(".git"))).not.toContain(value);
		expect(world.git(hub(), "log", "-p", "--all")).not.toContain(value);
		expect(partial.read("a.md")).toBe("two\n");
	});

	test("forget: paths with odd names → each gone in all versions, and no other", async () => {
		const odd = [
			"a*b.md",
			":(top)x.md",
			"-dash.md",
			"line\nbreak.md",
			'quo"te.md',
			"sp ace/in ner.md",
			"ümlaut.md",
			"[a-z].md",
			"back\\slash.md",
		];
		const near = ["aXb.md", "x.md", "dash.md", "line.md", "quote.md", "sp ace/other.md", "umlaut.md", "k.md", "back/slash.md"];
		const raw = Buffer.from([0x72, 0xff, 0xfe, 0x2e, 0x6d, 0x64]);
		const [helios, chad] = await world.pair(
			Object.fromEntries([...odd, ...near].map((name) => [name, `content of ${JSON.stringify(name)}\n`])),
			options,
		);
		fs.writeFileSync(Buffer.concat([Buffer.from(`${helios.workspace}/`), raw]), "content of raw\n");
		await untilSame([helios, chad]);
		const script = `exec "$@" --forget -- "$(printf 'r\\377\\376.md')"`;
		execFileSync("sh", ["-c", script, "sh", path.join(bin, "robust-sync")], {
			cwd: helios.workspace,
			env: world.environment({ ...options.env, NODE_NAME: "helios", SYNC_WORKSPACE: helios.workspace }),
			stdio: "pipe",
		});
		const done = await helios.run(["--forget", "--", ...odd], { cwd: helios.workspace });
		expect([done.code, done.code === 0 ? "" : done.stderr]).toEqual([0, ""]);
		await untilSame([chad, helios]);
		for (const node of [helios, chad]) {
			expect(odd.filter((name) => node.exists(name))).toEqual([]);
			expect(near.filter((name) => !node.exists(name))).toEqual([]);
			expect(fs.existsSync(Buffer.concat([Buffer.from(`${node.workspace}/`), raw]))).toBe(false);
			expect(node.git("status", "--porcelain")).toBe("");
		}
		for (const place of [helios.path(".git"), chad.path(".git"), hub()]) {
			const all = objects(place);
			expect(odd.filter((name) => all.includes(Buffer.from(`content of ${JSON.stringify(name)}\n`).toString("latin1")))).toEqual([]);
			expect(all).not.toContain("content of raw");
		}
	});

	test("forget: a map that was taken out and put in again → what came meanwhile stays", async () => {
		const [helios, chad] = await world.pair({ "p.md": "old\n", "q.md": "q\n" }, options);
		const old = helios.head() ?? "";
		world.git(".", "clone", "-q", hub(), "outside");
		expect((await helios.run(["--forget", "p.md"])).code).toBe(0);
		await untilSame([chad, helios]);
		const [map = ""] = fs.readdirSync(helios.path(".robust-sync/forget"));
		const text = helios.read(`.robust-sync/forget/${map}`);
		fs.rmSync(helios.path(`.robust-sync/forget/${map}`));
		helios.write("p.md", "new one\n");
		await untilSame([helios, chad]);
		helios.write("p.md", "new two\n");
		await untilSame([helios, chad]);
		helios.write(`.robust-sync/forget/${map}`, text);
		await untilSame([helios, chad]);
		// A clone without the key merges the old history again.
		world.git("outside", "fetch", "-q", "origin");
		world.git("outside", "checkout", "-q", "-B", "main", "origin/main");
		world.git("outside", "merge", "-q", "-s", "ours", "--allow-unrelated-histories", "-m", "again", old);
		world.git("outside", "push", "-q", "origin", "HEAD:main");
		expect(await helios.failure()).toMatchObject({ code: "FORGOTTEN_RETURNED" });
		expect((await helios.run(["--forget"])).stdout).toContain("replaced");
		await untilSame([chad, helios]);
		expect(helios.read("p.md")).toBe("new two\n");
		for (const node of [helios, chad]) {
			expect(node.git("log", "-p", "main", "--", "p.md")).toContain("new one");
			expect(node.git("log", "--format=%s", "main").match(/^helios: 1 file \(p\.md\)/gm)).toHaveLength(2);
		}
		expect(objects(chad.path(".git"))).not.toContain("\nold\n");
	});

	test("forget: a value as programs write it → gone in each form, the rest named", async () => {
		const texts: Record<string, string | Buffer> = {
			"plain.txt": value,
			"utf16le.txt": Buffer.from(`\uFEFFx ${value} y`, "utf16le"),
			"utf16be.txt": Buffer.from(`\uFEFFx ${value} y`, "utf16le").swap16(),
			"url.txt": `https://x/?k=${encodeURIComponent(value)}`,
			"url-lower.txt": `https://x/?k=${encodeURIComponent(value).replace(/%../g, (one) => one.toLowerCase())}`,
			"php.json": `{"k":"${value.replaceAll("/", "\\/")}"}`,
			"wrapped.md": `> it is ${value.slice(0, 9)}\n> ${value.slice(9)}, and more\n`,
			"code.py": `key = ("${value.slice(0, 5)}"\n    "${value.slice(5)}")\n`,
			"page.html": `<p>${value.replaceAll("&", "&amp;")}</p>`,
			"base64.txt": Buffer.from(`user:${value}`).toString("base64"),
		};
		const [helios] = await world.pair({ "c.md": "three\n" }, options);
		for (const [name, content] of Object.entries(texts)) fs.writeFileSync(helios.path(name), content);
		await helios.once();
		expect((await helios.run(["--forget-value", fileOf(value)])).code).toBe(0);
		const left = Object.keys(texts).filter((name) => fs.readFileSync(helios.path(name)).equals(Buffer.from(texts[name] ?? "")));
		expect(left).toEqual(["base64.txt"]);
		const check = await helios.run(["--forget-value", fileOf(value), "--check", "--json"]);
		const { found } = JSON.parse(check.stdout) as { found: { where: string; name: string; form: string }[] };
		expect(check.code).toBe(1);
		expect(found.filter(({ where }) => where === "file")).toEqual([{ where: "file", name: "base64.txt", form: "base64" }]);
		expect(new Set(found.map(({ where }) => where))).toEqual(new Set(["hub", "object", "file"]));
	});

	test("forget: a name has the value percent-encoded → shown", async () => {
		const name = `d/${encodeURIComponent(value)}.md`;
		const [helios] = await world.pair({ [name]: `one ${value}\n` }, options);
		const file = fileOf(value);
		const dry = await helios.run(["--forget-value", file, "--dry-run", "--json"]);
		expect(JSON.parse(dry.stdout)).toMatchObject({ names: [name], paths: [name] });
		const done = await helios.run(["--forget-value", file]);
		expect([done.code, done.stdout]).toEqual([0, expect.stringContaining(`names stay in history: ${name}`)]);
	});
});
