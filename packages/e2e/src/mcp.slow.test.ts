import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { bin } from "./fixture/executables.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("mcp");
});
afterEach(() => world.remove());

/** The SDK's own client, connected to a server in the workspace. */
async function connect(workspace: string, cwd = workspace): Promise<Client> {
	const client = new Client({ name: "test", version: "1" });
	const env = Object.fromEntries(
		Object.entries(world.environment({ NODE_NAME: "helios" })).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
	);
	await client.connect(
		new StdioClientTransport({
			command: process.execPath,
			args: [path.join(bin, "robust-sync"), "--mcp", "--workspace", workspace],
			env,
			cwd,
			stderr: "ignore",
		}),
	);
	return client;
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<{ text: string; isError: boolean }> {
	const { content, isError } = (await client.callTool({ name, arguments: args })) as { content: { text: string }[]; isError?: boolean };
	return { text: content[0]?.text ?? "", isError: isError ?? false };
}

describe("Model Context Protocol:", () => {
	test("an agent's session → looks, writes, waits, sends, finds the message", async () => {
		const [helios] = await world.pair({ "notes.md": "one\n" });
		const client = await connect(helios.workspace);
		try {
			const { tools } = await client.listTools();
			expect(tools.map(({ name }) => name).sort()).toEqual([
				"annotate",
				"history",
				"messages",
				"restore",
				"send",
				"status",
				"undo",
				"wait",
			]);
			const changing = tools.filter(({ annotations }) => annotations?.readOnlyHint !== true).map(({ name }) => name);
			expect(changing.sort()).toEqual(["annotate", "restore", "send", "undo", "wait"]);
			expect((await call(client, "status")).text).toContain(`"running": false`);
			helios.write("notes.md", "two\n");
			const sent = await call(client, "send", { message: "--help; $(reboot)\n" });
			expect(sent).toMatchObject({ isError: false, text: expect.stringContaining("pending") });
			expect(JSON.parse((await call(client, "wait", { timeout_seconds: 30 })).text)).toMatchObject({ done: true, missing: [] });
			expect(world.git("hub.git", "show", "main:notes.md")).toBe("two\n");
			const { messages } = JSON.parse((await call(client, "messages")).text) as { messages: { node: string; path: string }[] };
			expect(messages).toHaveLength(1);
			expect(messages[0]?.node).toBe("helios");
			expect(helios.read(messages[0]?.path ?? "")).toBe("--help; $(reboot)\n");
			const { text } = await call(client, "history", { paths: ["notes.md"], limit: 5 });
			expect(text).toContain("notes.md");
		} finally {
			await client.close();
		}
	}, 120_000);

	test("restore and undo → a plan; with dry_run false, carried out", async () => {
		const [helios] = await world.pair({ "notes.md": "one\n", HEAD: "one\n", "dir/notes.md": "another\n" });
		const first = helios.git("rev-parse", "HEAD").trim();
		helios.write("notes.md", "two\n");
		helios.write("HEAD", "two\n");
		await helios.once();
		const client = await connect(helios.workspace, helios.path("dir"));
		try {
			// Paths are relative to the workspace wherever the server runs, and never commits, even if named like one.
			const { text } = await call(client, "undo", { by: "helios", since: first, paths: ["HEAD"] });
			expect(JSON.parse(text)).toMatchObject({ files: [{ path: "HEAD", action: "write" }] });
			await call(client, "restore", { paths: ["notes.md"], at: first });
			expect(helios.read("notes.md")).toBe("two\n");
			expect((await call(client, "restore", { paths: ["notes.md"], at: first, dry_run: false })).isError).toBe(false);
			expect(helios.read("notes.md")).toBe("one\n");
		} finally {
			await client.close();
		}
	}, 120_000);

	test("invalid arguments → an error that names them, the server stays up", async () => {
		const [helios] = await world.pair();
		const client = await connect(helios.workspace);
		try {
			expect(await call(client, "no-such-tool")).toMatchObject({ isError: true, text: expect.stringContaining("no tool 'no-such-tool'") });
			for (const [name, args] of [
				["restore", { paths: [] }],
				["restore", { paths: ["a"], at: 5 }],
				["undo", { commits: ["--exec=x"] }],
				["wait", { timeout_seconds: -1 }],
				["send", {}],
				["history", { paths: ["a\0"] }],
				// A misspelt name must not mean that everything is undone.
				["undo", { by: "helios", since: "1h", path: ["a"], dry_run: false }],
			] as const)
				expect({ name, ...(await call(client, name, args)) }).toMatchObject({ name, isError: true });
			expect((await call(client, "wait", { peers: ["--nobody"] })).isError).toBe(true);
			expect((await call(client, "status")).text).toContain(`"running": false`);
		} finally {
			await client.close();
		}
	}, 120_000);
});
