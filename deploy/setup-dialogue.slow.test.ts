import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

const root = path.resolve(import.meta.dirname, "..");
let directory: string;
let workspace: string;
let environment: Record<string, string>;

beforeEach(() => {
	directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-dialogue-")));
	workspace = path.join(directory, "workspace");
	environment = { PATH: process.env.PATH ?? "", HOME: path.join(directory, "home"), TMPDIR: directory, LANG: "C.UTF-8", TERM: "dumb" };
	fs.mkdirSync(environment.HOME as string);
	execFileSync("git", ["init", "-q", "--bare", "-b", "main", path.join(directory, "hub.git")], { env: environment });
	execFileSync("git", ["clone", "-q", path.join(directory, "hub.git"), workspace], { env: environment, stdio: "ignore" });
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** A person at a terminal of their own (script(1)): types each answer when its question has come. */
function talk(
	answers: readonly (readonly [question: RegExp, answer: string])[],
): Promise<{ code: number | null; said: string; asked: number }> {
	const command = `bash '${path.join(root, "deploy/setup.sh")}' --user`;
	const child = spawn("script", ["-qfec", command, "/dev/null"], { cwd: workspace, env: environment, stdio: ["pipe", "pipe", "inherit"] });
	let said = "";
	let read = 0;
	let asked = 0;
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		said += text;
		const next = answers[asked];
		if (next?.[0].test(said.slice(read))) {
			read = said.length;
			asked++;
			child.stdin.write(next[1]);
		}
	});
	return new Promise((resolve) => child.on("close", (code) => resolve({ code, said, asked })));
}

const files = (where: string) => fs.readdirSync(where, { recursive: true, encoding: "utf8" }).sort();

describe("setup.sh at a terminal", () => {
	test("wrong answers → each is refused when given, asked again, and the rest is kept", async () => {
		const { code, said, asked } = await talk([
			[/Name of this node/, "No Name\n"],
			[/Name of this node/, "helios\n"],
			[/of chad/, "?\n"],
			[/of chad/, "nowhere.invalid\n"],
			[/Take it all the same/, "no\n"],
			[/of chad/, "localhost\n"],
			[/Seconds/, "chad\n"],
			[/Seconds/, "0\n"],
			[/Seconds/, "30\n"],
			[/UDP port/, "70000\n"],
			[/UDP port/, "28761\n"],
			[/health page/, "-1\n"],
			[/health page/, "28762\n"],
			[/Key/, "short\n"],
			[/Key/, "\n"],
			[/bot token/, "\n"],
		]);
		expect({ code, asked, said }).toMatchObject({ code: 0, asked: 16 });
		const text = fs.readFileSync(path.join(workspace, ".sync_env"), "utf8");
		for (const line of ["NODE_NAME=helios", "CHAD_HOST=localhost", "SYNC_INTERVAL=30", "HEARTBEAT_PORT=28761", "HEALTH_PORT=28762"])
			expect(text).toContain(`export ${line}\n`);
		const key = /HEARTBEAT_KEY=([0-9a-f]{32,})\n/.exec(text)?.[1];
		// What the other machine is to be given.
		expect(said).toContain(`HEARTBEAT_KEY=${key} HELIOS_HOST=`);
	});

	test.each([
		["end of input", "\x04", 2],
		["Ctrl-C", "\x03", 130],
	])("%s at a question → stops, nothing is changed, the answers can be used again", async (_name, end, status) => {
		for (const answers of [
			[[/Name of this node/, end]],
			[
				[/Name of this node/, "chad\n"],
				[/of helios/, "localhost\n"],
				[/Seconds/, "\n"],
				[/UDP port/, "28763\n"],
				[/health page/, "28764\n"],
				[/Key/, `${end === "\x03" ? "half a key" : ""}${end}`],
			],
		] as [RegExp, string][][]) {
			const before = files(directory);
			const { code, said, asked } = await talk(answers);
			expect({ code, asked, said }).toMatchObject({ code: status, asked: answers.length });
			expect(said).toContain("nothing was changed");
			if (answers.length > 1) expect(said).toContain("NODE_NAME='chad' HELIOS_HOST='localhost'");
			expect(said).not.toContain("half a key");
			expect(files(directory)).toEqual(before);
		}
	});

	test("a bot without a chat → asked again, and left out on '-'", async () => {
		const { code, said, asked } = await talk([
			[/Name of this node/, "alone\n"],
			[/Peers/, "\n"],
			[/Seconds/, "\n"],
			[/UDP port/, "28765\n"],
			[/health page/, "28766\n"],
			[/Key/, "none\n"],
			[/bot token/, "123:abc\n"],
			[/chat id \(/, "\n"],
			[/chat id \(/, "not a chat\n"],
			[/chat id \(/, "-\n"],
		]);
		expect({ code, asked, said }).toMatchObject({ code: 0, asked: 10 });
		expect(said).toContain("getUpdates");
		expect(said).toContain("no HEARTBEAT_KEY");
		expect(fs.readFileSync(path.join(workspace, ".sync_env"), "utf8")).not.toMatch(/TELEGRAM|KEY/);
	});
});
