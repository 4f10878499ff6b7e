import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
// @ts-expect-error: plain JavaScript, so that it runs before anything is installed
import { examples, exitCodes, variablesOf } from "./documents.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const read = (name: string) => readFileSync(path.join(root, name), "utf8");
const executables = Object.keys((JSON.parse(read("package.json")) as { bin: Record<string, string> }).bin);
const flagsIn = (text: string) => new Set(text.match(/(?<![\w-])--[a-z][a-z-]+/g));
const sorted = (names: Iterable<string>) => [...names].sort();

/** The options' lines of --help, each with its flags and whether a value follows. */
function help(name: string): Map<string, { takesValue: boolean }> {
	const text = execFileSync(process.execPath, [path.join(root, "bin", name), "--help"], { encoding: "utf8" });
	return new Map(
		Array.from(text.matchAll(/^ +((?:-\w, )?(--[a-z-]+)(?: [<[].*?[>\]])?)(?: [A-Z%].*?)?(?: {2}|$)/gm), ([, flags, long]) => [
			long as string,
			{ takesValue: /[<[]/.test(flags ?? "") },
		]),
	);
}

const helps = new Map(executables.map((name) => [name, help(name)]));
const flagsOf = (name: string) => helps.get(name)?.keys() ?? [];
/** Options that every executable has, or that belong to every verb. */
const common = ["--help", "--version", "--workspace", "--verbose", "--json"];

const contract = read("docs/contract.md");
function section(number: number): string {
	const text = contract.split(/^## /m).find((part) => part.startsWith(`${number}. `));
	if (text === undefined) throw new Error(`docs/contract.md has no section ${number}`);
	return text;
}

describe.each(executables)("%s", (name) => {
	const takesOperands = ["conflict-resolver", "monitor", "robust-sync"].includes(name);

	test("options: every executable → has the common ones", () => {
		expect(sorted(flagsOf(name))).toEqual(expect.arrayContaining(common));
	});

	test("options: the contract → describes all, and none that is not there", () => {
		const paragraph = section(3)
			.split("\n\n")
			.filter((text) => text.startsWith(`**${name}**`))
			.join();
		const own = sorted(flagsOf(name)).filter((flag) => !common.includes(flag));
		expect(sorted(flagsIn(paragraph)).filter((flag) => !common.includes(flag))).toEqual(own);
	});

	test("manual page: every executable → has the options of --help", () => {
		const page = read(`dist/share/man/${name}.1`);
		const options = page
			.slice(page.indexOf(".SH OPTIONS"), page.indexOf(".SH EXAMPLES"))
			.replaceAll(/\\f[BIR]/g, "")
			.replaceAll("\\-", "-");
		const headings = options
			.split("\n")
			.filter((_line, i, lines) => lines[i - 1] === ".TP")
			.join("\n");
		expect(sorted(flagsIn(headings))).toEqual(sorted(flagsOf(name)));
		expect(page).toContain(`.TH ${name.toUpperCase()} 1`);
	});

	test("manual page: its examples and variables → its own options, the contract's words", () => {
		for (const [command] of examples[name as keyof typeof examples]) {
			const own = (command as string).split("|").find((part) => part.trim().startsWith(`${name} `)) ?? "";
			expect([...flagsOf(name)]).toEqual(expect.arrayContaining([...flagsIn(own)]));
		}
		const text = read(`dist/share/man/${name}.1`).replaceAll("\\-", "-");
		const environment = text.slice(text.indexOf(".SH ENVIRONMENT"), text.indexOf(".SH EXIT STATUS"));
		expect(environment).toContain("\\fBNODE_NAME\\fR [the short host name]\nthis node; [a-z0-9]");
	});

	test("manual page: groff is installed → set without a warning", () => {
		const { error, stderr, stdout } = spawnSync(
			"groff",
			["-man", "-ww", "-Tutf8", "-P-cbou", path.join(root, `dist/share/man/${name}.1`)],
			{
				encoding: "utf8",
			},
		);
		if (!error) {
			expect(stderr).toBe("");
			expect(stdout).toContain("EXIT STATUS");
		}
	});

	/** The completions of bash after the given words. */
	function bashOffers(...words: string[]): string[] {
		const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ${`_${name.replaceAll("-", "_")}`}; printf '%s\\n' "\${COMPREPLY[@]}"`;
		const offers = execFileSync("bash", ["-c", script, "bash", path.join(root, "dist/share/bash", name), name, ...words], {
			cwd: path.join(root, "docs"),
			encoding: "utf8",
		});
		return offers.split("\n").filter(Boolean);
	}

	test("bash completion: options, directories after --workspace → offered, else nothing", () => {
		expect(sorted(bashOffers("--"))).toEqual(sorted(flagsOf(name)));
		expect(bashOffers("--ver")).toEqual(expect.arrayContaining(["--verbose", "--version"]));
		expect(bashOffers("--workspace", "../pack")).toEqual(["../packages"]);
		// Only a program with operands completes file names.
		expect(bashOffers("contr")).toEqual(takesOperands ? ["contract.md"] : []);
		const withNumber = ["--port", "--interval"].filter((flag) => helps.get(name)?.has(flag));
		for (const flag of withNumber) expect(bashOffers(flag, "")).toEqual([]);
	});

	test("zsh completion: its script → names the options, zsh accepts it if installed", () => {
		const file = path.join(root, "dist/share/zsh", `_${name}`);
		const text = readFileSync(file, "utf8");
		const specs = Array.from(text.matchAll(/^\t'?(?:\([^)]*\)'\{)?(?:-\w,)?(--[a-z-]+)/gm), ([, flag]) => flag as string);
		expect(sorted(specs)).toEqual(sorted(flagsOf(name)));
		const { error, stderr } = spawnSync("zsh", ["-n", file], { encoding: "utf8" });
		if (!error) expect(stderr).toBe("");
	});

	test("fish completion: its script → names the options, fish offers them if installed", () => {
		const file = path.join(root, "dist/share/fish", `${name}.fish`);
		const text = readFileSync(file, "utf8");
		const lines = Array.from(text.matchAll(/^complete -c (\S+)(?: -s \w)? -l ([a-z-]+)/gm));
		expect(sorted(lines.map(([, , long]) => `--${long}`))).toEqual(sorted(flagsOf(name)));
		expect(lines.every(([, command]) => command === name)).toBe(true);
		const { error, stdout } = spawnSync("fish", ["--no-config", "-c", `source ${file}; complete -C '${name} --'`], { encoding: "utf8" });
		if (!error) expect(sorted(flagsIn(stdout.replaceAll(/\t.*$/gm, "")))).toEqual(sorted(flagsOf(name)));
	});
});

test("manual pages: variables of the contract → each on a page", () => {
	const names = Array.from(section(2).matchAll(/^\| ([A-Z][A-Z_, ]*) \|/gm), ([, found]) => (found as string).split(", ")).flat();
	expect(names.length).toBeGreaterThan(25);
	for (const variable of names)
		expect(
			Object.values(variablesOf)
				.flat()
				.some((pattern) => pattern.test(variable)),
		).toBe(true);
});

describe("README.md", () => {
	const readme = read("README.md");
	const table = readme.split(/^## /m).find((part) => part.startsWith("Commands")) ?? "";

	test("README: its table → every executable, only options that they have", () => {
		const rows = Array.from(table.matchAll(/^\| `([a-z-]+)(.*)$/gm));
		expect(sorted(new Set(rows.map(([, name]) => name as string)))).toEqual(sorted(executables));
		for (const [row, name] of rows) {
			const unknown = sorted(flagsIn(row)).filter((flag) => !helps.get(name as string)?.has(flag));
			expect({ row, unknown }).toEqual({ row, unknown: [] });
		}
	});

	test("README: its exit codes → the contract's", () => {
		const line = /^Exit codes: .*$/m.exec(table)?.[0] ?? "";
		expect(line.match(/\b\d+\b/g)?.map(Number)).toEqual(exitCodes.map(([code]: [number, string]) => code));
	});
});

test("manual pages: exit codes → those of the contract", () => {
	const rows = Array.from(section(3).matchAll(/^\| (\d+) \| (.*) \|$/gm), ([, code, meaning]) => [
		Number(code),
		(meaning as string).replaceAll("`", ""),
	]);
	expect(rows).toEqual(exitCodes);
});

describe("deploy/setup.sh", () => {
	test("setup.sh: answers → every variable of the contract, and no other", () => {
		const documented = Array.from(section(2).matchAll(/^\| ([A-Z_, ]+) \|/gm)).flatMap(([, names]) => (names ?? "").split(", "));
		const list = /^variables=\(([^)]*)\)/m.exec(read("deploy/setup/answers.sh"))?.[1] ?? "";
		expect(sorted(list.split(/\s+/).filter(Boolean))).toEqual(sorted(documented));
	});

	test("setup.sh: its help → the flags of the contract", () => {
		const said = execFileSync("bash", [path.join(root, "deploy/setup.sh"), "--help"], { encoding: "utf8" });
		const described = said.slice(said.indexOf("\n\n"));
		const documented = sorted(flagsIn(section(9)));
		expect(sorted(flagsIn(described))).toEqual(sorted([...documented, "--help"]));
		expect(sorted(flagsIn(said.slice(0, said.indexOf("\n"))))).toEqual(documented);
	});
});
