import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { formats, generatedSecrets } from "@robust-sync/secrets/fixtures/generated";
import { bin } from "./fixture/executables.ts";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("secrets");
});
afterEach(() => world.remove());

/** The texts that robust-sync writes for people, on one node. */
function written(node: Node): string {
	const files = ["logs", "sync"].flatMap((directory) =>
		fs.existsSync(node.path(directory)) ? fs.readdirSync(node.path(directory)).map((name) => path.join(node.path(directory), name)) : [],
	);
	return files.flatMap((file) => (fs.statSync(file).isFile() ? [fs.readFileSync(file, "latin1")] : [])).join("\n");
}

const hubFile = () => path.join(world.directory, "hub.git");
const secretOf = (kind: string, seed = 7) => generatedSecrets(seed).find((secret) => secret.kind === kind)?.value ?? "";
const skippedPaths = (state: { skipped: readonly { path: string; reason: string }[] }) =>
	state.skipped.flatMap(({ path: name, reason }) => (reason === "secret" ? [name] : [])).sort();

describe("secrets", () => {
	test("secrets: 80 kinds in ten formats → none on the hub, the rest at once", async () => {
		const [helios, chad] = await world.pair();
		const names = Object.keys(formats);
		const secrets = generatedSecrets(11);
		const held: string[] = [];
		for (const [index, { kind, name = "value", value }] of secrets.entries()) {
			const format = names[index % names.length] ?? "";
			const file = `with/${kind.replaceAll(/[^a-z0-9]/g, "-")}`;
			helios.write(file, formats[format]?.(name, value) ?? "");
			helios.write(`plain/${index}.txt`, `plain ${index}\n`);
			held.push(file);
		}
		const state = await helios.once();
		expect(skippedPaths(state)).toEqual(held.sort());
		await chad.once();
		expect(Object.keys(chad.files()).filter((name) => name.startsWith("plain/"))).toHaveLength(secrets.length);
		const hub = objects(hubFile());
		const local = objects(helios.path(".git"));
		const report = written(helios) + JSON.stringify(state);
		const lines = (value: string) => value.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"));
		expect(
			secrets.filter(({ value }) => lines(value).some((line) => hub.includes(line) || report.includes(line))).map(({ kind }) => kind),
		).toEqual([]);
		expect(secrets.filter(({ value }) => lines(value).some((line) => local.includes(line))).map(({ kind }) => kind)).toEqual([]);
	});

	test("secrets: a held version → the last clean one stays synced, both ways", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "one\n\ntwo\n" });
		const token = secretOf("github personal");
		helios.write("notes.md", `one\n\ntwo\n\nthree ${token}\n`);
		helios.write("other.md", "other\n");
		expect(skippedPaths(await helios.once())).toEqual(["notes.md"]);
		await chad.once();
		expect([chad.read("notes.md"), chad.read("other.md")]).toEqual(["one\n\ntwo\n", "other\n"]);
		chad.write("notes.md", "one, from chad\n\ntwo\n");
		await chad.once();
		expect(skippedPaths(await helios.once())).toEqual(["notes.md"]);
		expect(helios.read("notes.md")).toBe(`one, from chad\n\ntwo\n\nthree ${token}\n`);
		helios.write("notes.md", "one, from chad\n\ntwo\n\nthree\n");
		expect(skippedPaths(await helios.once())).toEqual([]);
		await chad.once();
		expect(chad.read("notes.md")).toBe("one, from chad\n\ntwo\n\nthree\n");
		expect(objects(hubFile())).not.toContain(token);
	});

	test("secrets: committed by a person, restored, sent, annotated → never on the hub", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "one\n" });
		const [first, second, third] = ["stripe live", "anthropic", "telegram"].map((kind) => secretOf(kind));
		helios.write("notes.md", `one\n${first}\n`);
		helios.write("more.md", "more\n");
		helios.git("add", "-A");
		helios.git("commit", "-qm", "by hand");
		helios.write("gone.md", `gone ${second}\n`);
		helios.git("add", "-A");
		helios.git("commit", "-qm", "with it");
		helios.write("gone.md", "gone\n");
		helios.git("commit", "-qam", "without it");
		helios.git("checkout", "-qb", "side", "HEAD~3");
		helios.write("side.md", `side\n${second}\n`);
		helios.git("add", "-A");
		helios.git("commit", "-qm", "on the side");
		helios.git("checkout", "-q", "main");
		helios.git("merge", "-q", "--no-edit", "side");
		await helios.run(["--send", "-"], { input: `use ${third}\n` });
		await helios.run(["--send", "-"], { input: "a fine message\n" });
		const refused = await helios.run(["--annotate", `with ${third}`]);
		expect([refused.code, refused.stderr.includes(third ?? "")]).toEqual([1, false]);
		const state = await helios.once();
		expect(skippedPaths(state).filter((name) => !name.startsWith("sync/"))).toEqual(["notes.md", "side.md"]);
		expect(state.messages_pending).toBe(1);
		await chad.once();
		expect([chad.read("notes.md"), chad.read("more.md"), chad.read("gone.md"), chad.exists("side.md"), chad.messages("helios")]).toEqual([
			"one\n",
			"more\n",
			"gone\n",
			false,
			["a fine message\n"],
		]);
		const kept = helios.git("for-each-ref", "--format=%(objectname)", "refs/robust-sync/refused/").trim();
		await helios.run(["--restore", "side.md", "--at", kept]);
		await helios.once();
		const hub = objects(hubFile());
		expect([first, second, third].filter((value) => hub.includes(value ?? "") || written(helios).includes(value ?? ""))).toEqual([]);
		expect(helios.read("notes.md")).toBe(`one\n${first}\n`);
		expect(helios.read("side.md")).toBe(`side\n${second}\n`);
		helios.fsck();
	});

	test("secrets: committed in a file of a name that is not UTF-8 → held, the rest sent", async () => {
		const [helios] = await world.pair();
		const token = secretOf("github personal");
		const file = Buffer.concat([Buffer.from(helios.path("odd")), Buffer.of(0xff)]);
		fs.writeFileSync(file, "one\n");
		expect(skippedPaths(await helios.once())).toEqual([]);
		fs.writeFileSync(file, `one\n${token}\n`);
		helios.write("more.md", "more\n");
		helios.git("add", "-A");
		helios.git("commit", "-qm", "by hand");
		expect(skippedPaths(await helios.once())).toHaveLength(1);
		const hub = objects(hubFile());
		expect([hub.includes("more\n"), hub.includes(token), fs.readFileSync(file, "utf8")]).toEqual([true, false, `one\n${token}\n`]);
		helios.fsck();
	});

	test("secrets: in a name, in a message → neither on the hub, the rest at once", async () => {
		const [helios] = await world.pair();
		const token = secretOf("github personal");
		helios.write(`keys/${token}.txt`, "in the name\n");
		helios.write("plain.txt", "plain\n");
		helios.write(`sync/pending/${token}.md`, "a message\n");
		const state = await helios.once();
		const held = { reason: "secret", remedy: expect.stringContaining("rename it") };
		expect(state.skipped).toMatchObject(["sync/pending/….md", "keys/….txt"].map((name) => ({ path: name, ...held })));
		expect([state.messages_pending, helios.exists(`sync/pending/${token}.md`)]).toEqual([1, true]);
		expect([helios.exists(`keys/${token}.txt`), objects(hubFile()).includes("plain\n")]).toEqual([true, true]);
		helios.git("add", "--all", "--force", "keys");
		helios.git("commit", "--quiet", "-m", `name ${token}`, "-m", `for ${token}, and more`);
		await helios.once();
		helios.git("commit", "--quiet", "--allow-empty", `--author=me ${token} <${token}@corp-net.io>`, "-m", "by me");
		await helios.once();
		expect(helios.git("log", "-1", "--format=%an <%ae> %s").trim()).toBe("me [secret] <[secret]@corp-net.io> by me");
		helios.git("commit", "--quiet", "--allow-empty", "-m", `again ${token}\n\nsecond line`);
		await helios.once();
		expect(helios.git("log", "-1", "--format=%B").split("\n").slice(0, 3)).toEqual(["again [secret]", "", "second line"]);
		const hub = execFileSync("git", ["-C", hubFile(), "log", "--format=%an %ae %B", "--name-only", "main"]).toString();
		expect([hub.includes(token), hub.includes("second line"), written(helios).includes(token)]).toEqual([false, true, false]);
		expect(helios.exists(`keys/${token}.txt`)).toBe(true);
		expect((await helios.run(["--allow-secret", `keys/${token}.txt`])).code).toBe(0);
		await helios.once();
		const allowed = execFileSync("git", ["-C", hubFile(), "show", "main:.secretsallow"]).toString();
		expect([allowed.includes(token), allowed.includes("keys/*.txt")]).toEqual([false, true]);
		expect(world.git(hubFile(), "ls-tree", "-r", "--name-only", "main")).toContain(token);
	});

	test("secrets: files and messages of any name, by a link to the workspace → allowed", async () => {
		const [helios, chad] = await world.pair();
		const token = secretOf("slack bot");
		const named = (directory: string, name: string) => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, "latin1")]);
		fs.writeFileSync(named(helios.workspace, "q\xff.md"), `an example: ${token}\n`);
		helios.write("line\n\tfeed?*.md", `an example: ${token}\n`);
		fs.writeFileSync(named(world.directory, "m\xff.md"), `a message: ${token}\n`);
		fs.symlinkSync(helios.workspace, world.path("link"));
		// Node cannot give an argument that is not UTF-8: a shell can.
		const run = (args: string) =>
			execFileSync("sh", ["-c", `"${process.execPath}" "${path.join(bin, "robust-sync")}" --workspace "${world.path("link")}" ${args}`], {
				cwd: world.directory,
				env: world.environment({ NODE_NAME: "helios" }),
			});
		run(`--send "$(printf 'm\\377.md')"`);
		expect(fs.existsSync(named(helios.paths.pending, "m\xff.md"))).toBe(true);
		expect(skippedPaths(await helios.once())).toEqual(["line\n\tfeed?*.md", "q\ufffd.md", "sync/pending/m\ufffd.md"]);
		run(`--allow-secret "${world.path("link")}/line\n\tfeed?*.md"`);
		run(`--allow-secret "${world.path("link")}/$(printf 'q\\377.md')"`);
		run(`--allow-secret "${world.path("link")}/sync/pending/$(printf 'm\\377.md')"`);
		expect(skippedPaths(await helios.once())).toEqual([]);
		await chad.once();
		expect(fs.existsSync(named(chad.workspace, "q\xff.md"))).toBe(true);
		expect(chad.git("grep", "-h", "a message:", "--", "messages/helios")).toContain(token);
	});

	test("secrets: allowed, or SYNC_SECRETS=warn → published; of this machine → held", async () => {
		const [helios, chad] = await world.pair({ ".gitignore": ".env\n", "notes.md": "one\n" });
		const token = secretOf("slack bot");
		helios.write(".env", "DATABASE_PASSWORD=q7-Zk.w2Lx\n");
		helios.write("log.txt", "connecting with q7-Zk.w2Lx\n");
		helios.write("example.md", `an example: ${token}\n`);
		expect(skippedPaths(await helios.once())).toEqual(["example.md", "log.txt"]);
		// A peer's link to a file of this machine: its content must not become the list.
		fs.symlinkSync(helios.path(".env"), helios.path(".secretsallow"));
		const refused = await helios.run(["--allow-secret", "example.md"]);
		expect([refused.code, fs.lstatSync(helios.path(".secretsallow")).isSymbolicLink()]).toEqual([1, true]);
		fs.unlinkSync(helios.path(".secretsallow"));
		const allowed = await helios.run(["--allow-secret", "example.md"]);
		expect([allowed.code, allowed.stdout.includes(token)]).toEqual([0, false]);
		expect(skippedPaths(await helios.once())).toEqual(["log.txt"]);
		await chad.once();
		expect(chad.read("example.md")).toContain(token);
		expect(chad.read(".secretsallow")).not.toContain(token);
		helios.write("copy.md", `${token}\n`);
		expect(skippedPaths(await helios.once())).toEqual(["copy.md", "log.txt"]);
		// A peer's rule un-ignores the file, which stays local: its values are this machine's own even so.
		chad.write(".gitignore", "!.env*\n");
		await chad.once();
		const env = { SYNC_EXCLUDE: ".env.local" };
		await helios.once({ env });
		helios.write(".env.local", "API_PASSWORD=r8-Wm.x3Py\n");
		helios.write("log.txt", "connected with q7-Zk.w2Lx\n");
		helios.write("log2.txt", "connected with r8-Wm.x3Py\n");
		expect(skippedPaths(await helios.once({ env }))).toEqual(["copy.md", "log.txt", "log2.txt"]);
		expect(helios.read(".gitignore")).toBe("!.env*\n");
		helios.remove("log2.txt");
		helios.write("log.txt", "connecting with q7-Zk.w2Lx\n");
		const warned = await helios.once({ env: { SYNC_SECRETS: "warn" } });
		expect(warned.secrets?.map(({ path: name }) => name).sort()).toEqual(["copy.md", "log.txt"]);
		await chad.once();
		expect([chad.exists("copy.md"), chad.read("log.txt")]).toEqual([true, "connecting with q7-Zk.w2Lx\n"]);
	});

	test("secrets: a daemon → held within its cycles, reported once, cleared when clean", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "one\n", ".gitignore": ".env\n" });
		await helios.start();
		const token = secretOf("openai project");
		helios.write("state.json", JSON.stringify({ token }));
		const held = await helios.untilState((state) => skippedPaths(state).includes("state.json"), "the file is held");
		expect(held.skipped[0]?.remedy).toMatch(/^line 1 holds a secret \([a-z-]+\)/);
		helios.write("after.md", "after\n");
		await helios.untilState(
			() => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").includes("after.md"),
			"the rest is published",
		);
		helios.write("state.json", "{}\n");
		await helios.untilState((state) => skippedPaths(state).length === 0, "it is clean");
		// A new secret of this machine, and at once a file with it.
		helios.write(".env", "DATABASE_PASSWORD=q7-Zk.w2Lx\n");
		helios.write("use.md", "with q7-Zk.w2Lx\n");
		await helios.untilState((state) => skippedPaths(state).includes("use.md"), "the file with the new secret is held");
		await helios.killAll();
		await chad.once();
		expect([chad.read("state.json"), chad.read("after.md")]).toEqual(["{}\n", "after\n"]);
		expect(helios.log().match(/a secret is in/g)).toHaveLength(2);
		expect(objects(hubFile()) + written(helios)).not.toContain(token);
	});
});
