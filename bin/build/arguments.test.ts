import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "@jest/globals";

function run(command: string, ...args: string[]) {
	return spawnSync(process.execPath, [path.join(import.meta.dirname, `${command}.mjs`), ...args], { encoding: "utf8", timeout: 20_000 });
}

test.each(["bench", "build", "chaos", "package-deb", "pictures", "soak"])("%s: --help, an unknown option → the usage", (command) => {
	const help = run(command, "--help");
	expect(help).toMatchObject({ status: 0, stdout: expect.stringMatching(/^usage: npm run /), stderr: "" });
	expect(run(command, "--unknown")).toMatchObject({ status: 2, stdout: "", stderr: `Unknown option '--unknown'\n${help.stdout}` });
});

test.each([
	["chaos", "--nodes=1", "invalid --nodes '1': expected a number from 2 to 12"],
	["chaos", "--minutes=x", "invalid --minutes 'x': expected a number above 0"],
	["chaos", "--seed=1.5", "invalid --seed '1.5': expected a whole number, or random"],
	["chaos", "--sabotage=x", "invalid --sabotage 'x'"],
	["soak", "--hours=x", "invalid --hours 'x': expected a number above 0"],
	["soak", "--history=0", "invalid --history '0': expected a whole number above 0"],
	["bench", "nothing", "no bench 'nothing'"],
])("%s: %s → %s", (command, argument, problem) => {
	const { status, stderr } = run(command, argument);
	expect({ status, line: stderr.split("\n")[0] }).toEqual({ status: 2, line: problem });
});
