import { execFileSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import { parseEnvText } from "./env-file.ts";

/** The result of a shell for the same text: the reference. */
function asShell(text: string, name: string): string {
	return execFileSync("env", ["-i", "sh", "-c", `${text}\nprintf %s "$${name}"`], { encoding: "utf8" });
}

describe("a file written for a shell has the shell's meaning", () => {
	const cases: readonly (readonly [what: string, text: string])[] = [
		["a plain assignment", "A=1"],
		["export", "export A=1"],
		["export with more blanks", "export    A=1"],
		["a comment after it", "export A=helios          # or 'chad'"],
		["a comment line before it", "# A=2\nA=1"],
		["a comment line after it", "A=1\n# A=2"],
		["double quotes", 'A="a b"'],
		["single quotes", "A='a b'"],
		["a hash in quotes", 'A="a # b"'],
		["a hash in single quotes", "A='a # b' # comment"],
		["a hash inside a word", "A=a#b"],
		["a hash inside a word, with a comment", "A=a#b # c"],
		["several hashes inside a word", "A=a#b#c"],
		["empty", "A="],
		["empty quotes", 'A=""'],
		["an equals sign in the value", "A=name=host:1,other=host"],
		["a comma separated list", "A=helios=10.0.0.1:8765,chad=10.0.0.2"],
		["the last one wins", "A=1\nA=2"],
		["a quote of the other kind inside", `A="it's"`],
		["an address", "A=https://user@example.org/path?x=1&y=2".replace("&", "\\&").replaceAll("\\&", "%26")],
		["no line feed at the end", "B=1\nA=2"],
		["a trailing blank", "A=1   "],
		["a tab before the comment", "A=1\t# c"],
		["a dollar in single quotes", "A='$HOME'"],
	];
	test.each(cases)(".sync_env: %s → the shell's value", (_what, text) => {
		expect(parseEnvText(text).A ?? "").toBe(asShell(text, "A"));
	});
});

test(".sync_env: commands and variables → nothing executed or expanded", () => {
	expect(parseEnvText("A=$(touch /tmp/never)\nB=`id`\nC=$HOME\n")).toEqual({ A: "$(touch /tmp/never)", B: "id", C: "$HOME" });
});

test(".sync_env: Windows line ends, byte order mark → not part of names or values", () => {
	expect(parseEnvText("\uFEFFA=1\r\nexport B='2'\r\n")).toEqual({ A: "1", B: "2" });
});

test(".sync_env: garbage → no assignment", () => {
	expect(parseEnvText("this is not a file of variables\n\0\0\n=x\n")).toEqual({});
});
