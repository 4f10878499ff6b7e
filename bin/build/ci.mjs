// The steps of .ci/run, one after the other, each within its time: `node bin/build/ci.mjs FILE [step…]`. The totals are written to FILE.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

// Imports nothing but Node itself: this runs before anything is installed.
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const minutes = 60_000;
/** Limit of all steps together on two cores; a merge should not wait longer. The suites on other Node versions share the rest of it. */
const budgetMs = Number(process.env.CI_BUDGET_MINUTES ?? 58) * minutes;
/** The limit for required steps on a machine that is slower than most. */
const latestMs = 80 * minutes;
const otherNodes = ["22", "24", "26"];
/** If more files than these fail, chance is not the cause, and they do not run again. */
const retriedFiles = 3;
/** Run on the other Node versions when there is no time for the whole fast suite. */
const smoke = ["bin/build", "packages/workspace", "packages/service", "packages/git", "packages/merge", "packages/robust-sync"];

const started = performance.now();
const totals = { passed: 0, failed: 0 };
const failures = [];
/** Printed at the end, and no failure: steps for which a slow machine had no time. */
const notRun = [];
/** Printed at the end with their messages: files that failed beside others and passed alone. */
const unsteady = [];
/** More of them fail the run. This number only goes down. */
const mostUnsteady = 4;
/** This much of each failed test's message is printed again at the end, where people find it. */
const messageLines = 12;
const { scripts } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
const temporary = mkdtempSync(path.join(os.tmpdir(), "robust-sync-ci-"));

const remainingMs = (untilMs = latestMs) => untilMs - (performance.now() - started);
const say = (line) => process.stdout.write(`\n=== ${line}\n`);

function fail(what) {
	totals.failed++;
	failures.push(what);
}

/**
 * Runs a command in a process group of its own; the whole group is killed after `limitMs`.
 * @param cwd the directory; by default this clone
 * @param capture its output is returned; true: and not shown
 * @returns `{ code, output, seconds, timedOut }`
 */
function run(command, args, { limitMs, env = {}, capture = false, cwd = root } = {}) {
	return new Promise((resolve) => {
		const begun = performance.now();
		const child = spawn(command, args, {
			cwd,
			detached: true,
			stdio: ["ignore", capture ? "pipe" : "inherit", capture ? "pipe" : "inherit"],
			env: { ...process.env, ...env },
		});
		let output = "";
		const take = (chunk) => {
			output += chunk;
			if (capture === "shown") process.stdout.write(chunk);
		};
		child.stdout?.on("data", take);
		child.stderr?.on("data", take);
		let timedOut = false;
		const signal = (name) => {
			try {
				process.kill(-child.pid, name);
			} catch {
				// The group is gone.
			}
		};
		const timer = setTimeout(
			() => {
				timedOut = true;
				signal("SIGTERM");
				setTimeout(() => signal("SIGKILL"), 10_000).unref();
			},
			Math.max(1_000, limitMs),
		);
		const done = (code) => {
			clearTimeout(timer);
			resolve({ code, output, timedOut, seconds: Math.round((performance.now() - begun) / 1000) });
		};
		child.on("error", (error) => {
			output += error.message;
			done(127);
		});
		child.on("close", (code) => done(code ?? 1));
	});
}

/** A step that passes or fails as a whole. */
async function step(name, command, args, options) {
	say(name);
	const result = await run(command, args, { ...options, capture: "shown", limitMs: Math.min(options.limitMs, remainingMs()) });
	const lastLines = result.output.trimEnd().split("\n").slice(-messageLines).join("\n    ");
	if (result.code === 0) totals.passed++;
	else fail(`${name}: ${result.timedOut ? `killed after ${result.seconds} s` : `exit code ${result.code}`}\n    ${lastLines}`);
	process.stdout.write(`--- ${name}: ${result.code === 0 ? "ok" : "FAILED"} in ${result.seconds} s\n`);
	return result;
}

function testFilesBelow(directory) {
	return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
		if (["node_modules", "dist", ".git"].includes(entry.name)) return [];
		const file = path.join(directory, entry.name);
		if (entry.isDirectory()) return testFilesBelow(file);
		return entry.name.endsWith(".test.ts") ? [file] : [];
	});
}

function suiteOf(file) {
	return /\.(slow|systemd)\.test\.ts$/.exec(file)?.[1] ?? "fast";
}

/** Runs jest on a suite. @returns its result for each file (record-results.mjs), and its end */
async function runSuite(suite, name, { limitMs, env, only, cwd = root }) {
	say(name);
	const results = path.join(temporary, `${name.replaceAll(/\W+/g, "-")}.jsonl`);
	writeFileSync(results, "");
	const reporters = ["--reporters=default", `--reporters=${path.join(cwd, "bin/build/record-results.mjs")}`];
	const command = suite === "fast" ? ["test", "--"] : ["run", `test:${suite}`, "--"];
	// The files first: arguments after --reporters are taken for reporters.
	const { code, seconds, timedOut } = await run("npm", [...command, ...only, ...reporters], {
		cwd,
		limitMs: Math.min(limitMs, remainingMs()),
		env: { ...env, ROBUST_SYNC_TEST_RESULTS: results, CI: "true" },
	});
	const records = readFileSync(results, "utf8")
		.split("\n")
		.filter(Boolean)
		.map((line) => {
			const record = JSON.parse(line);
			return { ...record, file: path.relative(cwd, record.file) };
		});
	return { records, code, seconds, timedOut };
}

const messagesOf = (record) => record.messages.map((message) => message.split("\n").slice(0, messageLines).join("\n    ")).join("\n    ");

/**
 * One suite of tests: adds passed and failed tests, and one failure for each file that did not run. A few failed files run once
 * more, alone: a file that fails again has failed, one that passes is listed separately, by name and with its message.
 * @param only parts of paths; nothing: all files of the suite
 * @param cwd the clone that it runs in
 */
async function testSuite(suite, name, { limitMs, env = {}, only = [], cwd = root }) {
	const { records, code, seconds, timedOut } = await runSuite(suite, name, { limitMs, env, only, cwd });
	let failed = 0;
	const broken = records.filter((record) => record.failed > 0);
	const again =
		broken.length > 0 && broken.length <= retriedFiles && !timedOut
			? (await runSuite(suite, `${name}, again`, { limitMs, env, cwd, only: broken.map(({ file }) => file) })).records
			: [];
	for (const first of records) {
		const second = first.failed > 0 ? again.find(({ file }) => file === first.file) : undefined;
		const record = second?.failed === 0 && second.passed > 0 ? second : first;
		if (record !== first) unsteady.push(`${name}: ${first.file}\n    ${messagesOf(first)}`);
		totals.passed += record.passed;
		failed += first.failed;
		const { file } = record;
		if (record.failed > 0) {
			totals.failed += record.failed;
			failures.push(`${name}: ${file}: ${record.failed} failed\n    ${messagesOf(record)}`);
		} else if (record.passed === 0 && !(suite === "systemd" && process.getuid() !== 0)) fail(`${name}: ${file}: nothing in it ran`);
	}
	const ran = new Set(records.map(({ file }) => file));
	const expected = testFilesBelow(root)
		.map((file) => path.relative(root, file))
		.filter((file) => suiteOf(file) === suite && (only.length === 0 || only.some((part) => file.includes(part))));
	for (const file of expected.filter((file) => !ran.has(file))) fail(`${name}: ${file}: did not run`);
	if (timedOut) fail(`${name}: killed after ${seconds} s`);
	else if (code !== 0 && failed === 0) fail(`${name}: jest ended with ${code}`);
	const skipped = records.reduce((sum, record) => sum + record.skipped, 0);
	const slowest = records.toSorted((a, b) => b.seconds - a.seconds).slice(0, 5);
	process.stdout.write(`--- ${name}: ${seconds} s, ${records.length} of ${expected.length} files, ${skipped} tests skipped\n`);
	for (const record of slowest) process.stdout.write(`    ${record.seconds} s  ${record.file}\n`);
	return seconds;
}

/**
 * The present files as a clone in a directory that only its owner can enter, with nothing installed or built: the situation of root's
 * clones (/root), and of the README's second command.
 * @returns its path
 */
function privateClone() {
	const closed = path.join(temporary, "closed");
	mkdirSync(closed, { mode: 0o700 });
	const clone = path.join(closed, "robust-sync");
	execFileSync("git", ["clone", "--quiet", "--no-hardlinks", root, clone], { stdio: ["ignore", "ignore", "inherit"] });
	const list = (directory, ...args) =>
		execFileSync("git", ["-C", directory, "ls-files", "-z", ...args], { encoding: "utf8" })
			.split("\0")
			.filter(Boolean);
	for (const name of list(clone)) rmSync(path.join(clone, name));
	for (const name of list(root, "--cached", "--others", "--exclude-standard")) {
		// A dangling link is a file of the tests as well.
		const isThere = lstatSync(path.join(root, name), { throwIfNoEntry: false }) !== undefined;
		if (isThere) cpSync(path.join(root, name), path.join(clone, name), { verbatimSymlinks: true });
	}
	return clone;
}

/** No known vulnerability; a registry that does not answer this question is no failure. */
async function audit() {
	say("audit");
	const { packageManager } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
	const { code, output } = await run("npx", ["-y", packageManager, "audit"], { limitMs: 2 * minutes, capture: true });
	process.stdout.write(output);
	if (code === 0) totals.passed++;
	else if (/ERR_PNPM_AUDIT_(BAD_RESPONSE|ENDPOINT_NOT_EXISTS)|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN/.test(output))
		process.stdout.write("--- audit: the registry does not answer: not checked\n");
	else fail("audit: known vulnerabilities, or no answer that we understand");
}

async function demo(name, env = {}) {
	if (existsSync(path.join(root, "deploy/setup.sh")))
		await step(name, "bash", ["deploy/setup.sh", "--demo"], { limitMs: 4 * minutes, env });
}

/** The PATH with one of the other supported Node versions in front; undefined, and a failure, if it is not available. */
async function pathOfNode(version) {
	const found = await run("npx", ["-y", "-p", `node@${version}`, "--", "node", "-p", "'path=' + process.execPath"], {
		limitMs: 5 * minutes,
		capture: true,
	});
	const node = /^path=(.+)$/m.exec(found.output)?.[1];
	if (found.code === 0 && node !== undefined) return `${path.dirname(node)}:${process.env.PATH}`;
	fail(`Node ${version} cannot be fetched: ${found.output.trim().split("\n").at(-1)}`);
	return undefined;
}

async function demosOnOtherNodes() {
	for (const version of otherNodes) {
		const PATH = await pathOfNode(version);
		if (PATH !== undefined) await demo(`demo on Node ${version}`, { PATH });
	}
}

/** The fast suite on the other versions; if their share of the time is too short for all of it, only the tests that depend most on Node. */
async function fastOnOtherNodes(fastSeconds) {
	for (const [index, version] of otherNodes.entries()) {
		const PATH = await pathOfNode(version);
		if (PATH === undefined) continue;
		const shareMs = remainingMs(budgetMs) / (otherNodes.length - index);
		if (shareMs > fastSeconds * 1.15 * 1000)
			await testSuite("fast", `fast suite on Node ${version}`, { limitMs: 12 * minutes, env: { PATH } });
		else if (shareMs > minutes)
			await testSuite("fast", `part of the fast suite on Node ${version}`, { limitMs: 5 * minutes, env: { PATH }, only: smoke });
		else notRun.push(`fast suite on Node ${version}: no time left`);
	}
}

const [totalsFile, ...wanted] = process.argv.slice(2);
let fastSeconds = 300;
const steps = {
	// First: lint reads the list of bundled packages from the bill of materials.
	build: () => step("build", "npm", ["run", "-s", "build"], { limitMs: 5 * minutes }),
	lint: () => step("lint", "npm", ["run", "-s", "lint"], { limitMs: 5 * minutes }),
	fast: async () => {
		fastSeconds = await testSuite("fast", "fast suite", { limitMs: 15 * minutes, cwd: privateClone() });
	},
	audit,
	demo: () => demo("demo"),
	demos: demosOnOtherNodes,
	systemd: async () => {
		if (scripts["test:systemd"]) await testSuite("systemd", "systemd suite", { limitMs: 14 * minutes });
	},
	chaos: async () => {
		if (scripts.chaos)
			await step("chaos", "npm", ["run", "-s", "chaos", "--", "--nodes", "3", "--minutes", "3", "--seed", "11"], {
				limitMs: 9 * minutes,
			});
	},
	// As much of each as there is time for; `npm run test:slow` by itself takes all.
	slow: () => testSuite("slow", "slow suite", { limitMs: 46 * minutes, env: { MERGE_RUNS: "3000", SLOW_SHARE: "0.15" } }),
	nodes: () => fastOnOtherNodes(fastSeconds),
};
const unknown = wanted.filter((name) => !Object.hasOwn(steps, name));
if (unknown.length > 0) fail(`no step '${unknown[0]}': ${Object.keys(steps).join(", ")}`);
try {
	for (const [name, perform] of Object.entries(steps)) if (wanted.length === 0 || wanted.includes(name)) await perform();
} finally {
	rmSync(temporary, { recursive: true, force: true });
}
say(`done in ${Math.round((performance.now() - started) / 1000)} s`);
if (unsteady.length > mostUnsteady)
	fail(`${unsteady.length} test files failed beside others and passed alone: at most ${mostUnsteady} may`);
for (const what of notRun) process.stdout.write(`NOT RUN ${what}\n`);
for (const file of unsteady) process.stdout.write(`UNSTEADY (failed, then passed alone) ${file}\n`);
for (const what of failures) process.stdout.write(`FAILED  ${what}\n`);
writeFileSync(totalsFile, `${totals.passed} passed, ${totals.failed} failed\n`);
process.exitCode = totals.failed === 0 ? 0 : 1;
