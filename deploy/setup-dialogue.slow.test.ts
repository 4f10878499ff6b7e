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
): Promise<{ code: number | null; output: string; asked: number; echo: boolean }> {
	// The surrounding shell stays, and checks the terminal afterwards.
	const setup = `bash '${path.join(root, "deploy/setup.sh")}' --user`;
	const command = `trap : INT; ${setup}; code=$?; stty -a | grep -qw -- -echo && echo 'no echo'; exit $code`;
	const child = spawn("script", ["-qfec", command, "/dev/null"], { cwd: workspace, env: environment, stdio: ["pipe", "pipe", "inherit"] });
	let output = "";
	let read = 0;
	let asked = 0;
	// Bash can miss one that comes between its question and its read: a person types it again.
	let again: NodeJS.Timeout | undefined;
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		output += text;
		const next = answers[asked];
		if (next?.[0].test(output.slice(read))) {
			read = output.length;
			asked++;
			child.stdin.write(next[1]);
			if (next[1].endsWith("\x03")) again = setInterval(() => child.stdin.write("\x03"), 5_000);
		}
	});
	return new Promise((resolve) =>
		child.on("close", (code) => {
			clearInterval(again);
			resolve({ code, output, asked, echo: !/^no echo\r?$/m.test(output) });
		}),
	);
}

const files = (where: string) => fs.readdirSync(where, { recursive: true, encoding: "utf8" }).sort();

describe("setup.sh at a terminal", () => {
	test("setup dialogue: wrong answers → each refused and asked again, the rest is kept", async () => {
		const { code, output, asked } = await talk([
			[/Name of this node/, "No Name\n"],
			[/Name of this node/, "helios\n"],
			[/of chad/, "?\n"],
			[/of chad/, "nowhere.invalid\n"],
			[/Use it nevertheless/, "no\n"],
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
		expect({ code, asked, output }).toMatchObject({ code: 0, asked: 16 });
		const text = fs.readFileSync(path.join(workspace, ".sync_env"), "utf8");
		for (const line of ["NODE_NAME=helios", "CHAD_HOST=localhost", "SYNC_INTERVAL=30", "HEARTBEAT_PORT=28761", "HEALTH_PORT=28762"])
			expect(text).toContain(`export ${line}\n`);
		const key = /HEARTBEAT_KEY=([0-9a-f]{32,})\n/.exec(text)?.[1];
		// The command for the other machine.
		expect(output).toContain(`HEARTBEAT_KEY=${key} HELIOS_HOST=`);
	});

	/** Every question there is, each with an answer that leads to the next one. */
	const questions: readonly (readonly [question: RegExp, answer: string])[] = [
		[/Name of this node/, "chad\n"],
		[/of helios/, "nowhere.invalid\n"],
		[/Use it nevertheless/, "no\n"],
		[/of helios/, "localhost\n"],
		[/Seconds/, "\n"],
		[/UDP port/, "28763\n"],
		[/health page/, "28764\n"],
		[/Key/, "\n"],
		[/bot token/, "123:abc\n"],
		[/chat id \(/, "-\n"],
	];
	const ends = {
		"end of input": ["\x04", 2],
		"Ctrl-C": ["\x03", 130],
		"Ctrl-C in the middle of an answer": ["half an answer\x03", 130],
	} as const;
	const kinds = Object.keys(ends) as (keyof typeof ends)[];
	// Each question with one of the ends, those for a secret (the echo is off) with all.
	const cases = questions.flatMap(([question], at) =>
		kinds.filter((_, kind) => kind === at % kinds.length || /Key|token/.test(question.source)).map((kind) => [kind, at, question] as const),
	);

	test.each(cases)("setup: %s at question %i (%s) → stops, nothing is changed, the terminal echoes", async (kind, at) => {
		const [end, status] = ends[kind];
		const answers = [...questions.slice(0, at), [questions[at]![0], end] as const];
		const before = files(directory);
		const { code, output, asked, echo } = await talk(answers);
		expect({ code, asked, echo, output }).toMatchObject({ code: status, asked: answers.length, echo: true });
		expect(output).toContain("nothing was changed");
		if (at > 0) expect(output).toContain("NODE_NAME='chad' ");
		if (at > 3) expect(output).toContain("HELIOS_HOST='localhost' ");
		if (at > 0) expect(output).toMatch(/^To continue with the answers so far: .*setup\.sh --user\r$/m);
		expect(output).not.toMatch(/123:abc/);
		if (/Key|token/.test(questions[at]![0].source)) expect(output).not.toContain("half an answer");
		expect(files(directory)).toEqual(before);
	});

	test("setup dialogue: a bot without a chat → asked again, left out on '-'", async () => {
		const { code, output, asked } = await talk([
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
		expect({ code, asked, output }).toMatchObject({ code: 0, asked: 10 });
		expect(output).toContain("getUpdates");
		expect(output).toContain("no HEARTBEAT_KEY");
		expect(fs.readFileSync(path.join(workspace, ".sync_env"), "utf8")).not.toMatch(/TELEGRAM|KEY/);
	});
});
