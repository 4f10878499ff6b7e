// Above 400 lines: one browser and one table of states for all tests.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { gitHistory } from "./history-reader.ts";
import { NodeFixture, quietRepository, type Served } from "./testing/node-fixture.ts";

/** Where a person finds the pictures afterwards. */
const pictures = process.env.SCREENSHOTS ?? path.join(tmpdir(), "health-server-screenshots");
const executablePath = "/usr/bin/chromium";

function haveChromium(): boolean {
	if (!existsSync(executablePath) && process.getuid?.() === 0) {
		try {
			execFileSync("sh", ["-c", "apt-get update -q && apt-get install -y -q --no-install-recommends chromium"], { stdio: "ignore" });
		} catch {
			// Reported below.
		}
	}
	return existsSync(executablePath);
}

const available = haveChromium();
if (!available) process.stderr.write("page.slow.test.ts: no /usr/bin/chromium, and it cannot be installed here: the page is not tested\n");

let browser: Browser;
let node: NodeFixture;

(available ? describe : describe.skip)("the page in Chromium", () => {
	beforeAll(async () => {
		mkdirSync(pictures, { recursive: true });
		browser = await chromium.launch({
			executablePath,
			args: [
				"--headless",
				"--no-sandbox",
				"--disable-gpu",
				"--disable-quic",
				"--no-first-run",
				"--disable-background-networking",
				"--disable-component-update",
				"--disable-sync",
			],
		});
	});
	afterAll(async () => {
		await browser.close();
		process.stderr.write(`screenshots: ${pictures}\n`);
	});
	beforeEach(() => {
		node = new NodeFixture();
	});
	afterEach(async () => {
		for (const context of browser.contexts()) await context.close();
		await node.remove();
	});

	async function open(
		served: Served,
		options: { width?: number; dark?: boolean; javaScriptEnabled?: boolean; target?: string } = {},
	): Promise<{ page: Page; problems: string[] }> {
		const { width = 1280, dark = false, javaScriptEnabled = true, target = "/" } = options;
		const context = await browser.newContext({
			viewport: { width, height: 900 },
			colorScheme: dark ? "dark" : "light",
			javaScriptEnabled,
			permissions: ["clipboard-read", "clipboard-write"],
		});
		const page = await context.newPage();
		const problems: string[] = [];
		page.on("console", (message) => {
			if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
		});
		page.on("pageerror", (error) => problems.push(error.message));
		page.on("request", (request) => {
			if (!request.url().startsWith(served.url) && !request.url().startsWith("data:")) problems.push(`asks ${request.url()}`);
		});
		await page.goto(`${served.url}${target}`, { waitUntil: "load" });
		return { page, problems };
	}

	/** axe-core's findings that are serious or critical, in words. */
	async function findings(page: Page): Promise<string[]> {
		await page.evaluate(axe.source);
		return await page.evaluate(async () => {
			// biome-ignore lint/suspicious/noExplicitAny: axe is a global in the page
			const { violations } = await (globalThis as any).axe.run(document);
			return violations
				.filter((violation: { impact: string }) => violation.impact === "serious" || violation.impact === "critical")
				.map(
					(violation: { id: string; nodes: { target: string[] }[] }) =>
						`${violation.id}: ${violation.nodes.map((at) => at.target.join(" ")).join("; ")}`,
				);
		});
	}

	const dayOfCycles = () => {
		for (let n = 0; n < 1_400; n++) {
			const at = Date.now() - n * 60_000;
			node.cycle(at, 120 + 90 * Math.abs(Math.sin(n / 40)) + (n % 97 === 0 ? 4_000 : 0), (n > 300 && n < 315) || n === 900);
		}
	};

	const conflictSaved = () =>
		node.saved(Date.now() - 40 * 60_000, {
			"agents/helios/state.json": {
				ours: '{\n  "mood": "busy",\n  "tasks": 3,\n  "seen": "2026-02-18T01:58:00Z"\n}\n',
				theirs: '{\n  "mood": "calm",\n  "tasks": 2,\n  "seen": "2026-02-18T01:59:30Z",\n  "owner": "chad"\n}\n',
				base: '{\n  "mood": "calm",\n  "tasks": 2\n}\n',
			},
			"notes/plan for 'today'.md": { ours: "# Plan\n\nours\n", theirs: "# Plan\n\ntheirs\n", winner: "theirs" },
		});

	const states: Record<string, () => Parameters<NodeFixture["serve"]>[0]> = {
		fresh: () => ({ peers: "" }),
		"nothing running": () => {
			node.sync({ pid: 4_194_000, updated_at: timestamp(Date.now() - 4_000_000), last_sync: timestamp(Date.now() - 4_000_000) });
			node.heartbeat({ pid: 4_194_001 });
			node.monitor({ pid: 4_194_002 });
			node.peer("chad", { received_at: timestamp(Date.now() - 4_000_000) });
			return { peers: "chad=192.0.2.7" };
		},
		ok: () => {
			node.healthy();
			node.peer("atlas", { rtt_ms: 23.4, clock_offset_ms: 41 });
			dayOfCycles();
			return {};
		},
		"peer down": () => {
			node.healthy();
			dayOfCycles();
			node.peer("chad", { status: "down", received_at: timestamp(Date.now() - 250_000), phi: 12, head: "b".repeat(40) });
			node.peer("atlas", { hears_us: false });
			node.peer("vega", {
				status: "suspect",
				received_at: timestamp(Date.now() - 90_000),
				services: { sync: "down", heartbeat: "up", "health-server": "up", monitor: "up" },
			});
			return { peers: "nova=192.0.2.9" };
		},
		"conflict saved": () => {
			node.healthy();
			dayOfCycles();
			conflictSaved();
			return {
				repository: {
					...quietRepository,
					fileAt: async () => Buffer.from('{\n  "mood": "busy",\n  "tasks": 3,\n  "seen": "2026-02-18T01:59:30Z",\n  "owner": "chad"\n}\n'),
				},
			};
		},
		"alert firing": () => {
			node.healthy();
			dayOfCycles();
			const error = {
				code: "REMOTE_UNREACHABLE" as const,
				message: "cannot reach origin: check the network, the next try is in 32 s",
				at: timestamp(Date.now() - 20_000),
			};
			node.sync({
				status: "retrying",
				consecutive_failures: 4,
				last_error: error,
				ahead: 2,
				skipped: [
					{ path: "models/large.bin", reason: "too-large" },
					{ path: "vendor/tool", reason: "nested-repository" },
				],
			});
			node.monitor({
				status: "critical",
				checks: [
					{ name: "sync", status: "critical", message: "4 failures in a row: cannot reach origin", since: timestamp(Date.now() - 240_000) },
				],
				alerts: [
					{
						id: "sync",
						severity: "critical",
						state: "firing",
						since: timestamp(Date.now() - 240_000),
						last_notified: timestamp(Date.now() - 60_000),
						message: "sync fails: 4 in a row",
					},
					{
						id: "disk",
						severity: "warning",
						state: "pending",
						since: timestamp(Date.now() - 30_000),
						last_notified: null,
						message: "9 % free",
					},
					{
						id: "heartbeat:chad",
						severity: "critical",
						state: "resolved",
						since: timestamp(Date.now() - 8_000_000),
						last_notified: null,
						message: "chad is back",
					},
				],
				undelivered: [{ id: "sync" }],
			});
			node.pending("2026-02-18-report.md", "x".repeat(5_000));
			node.pending("question.json");
			return {};
		},
	};

	describe.each(Object.entries(states))("%s", (name, prepare) => {
		test.each([
			["wide", { width: 1280 }],
			["dark", { width: 1280, dark: true }],
			["narrow", { width: 360 }],
		] as const)("page: %s → no complaint of the browser or axe, nothing cut off", async (form, options) => {
			const served = await node.serve(prepare());
			const { page, problems } = await open(served, options);
			for (const summary of await page.locator("details.file:first-of-type > summary").all()) await summary.click();
			if (name === "conflict saved") await page.locator("table.versions").first().waitFor();
			await page.screenshot({ path: path.join(pictures, `${name.replaceAll(" ", "-")}-${form}.png`), fullPage: true });
			expect(await findings(page)).toEqual([]);
			expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
			expect(problems).toEqual([]);
		});

		test("page: no JavaScript → everything is there", async () => {
			const served = await node.serve(prepare());
			const { page } = await open(served, { javaScriptEnabled: false });
			await page.screenshot({ path: path.join(pictures, `${name.replaceAll(" ", "-")}-no-script.png`), fullPage: true });
			expect(await page.locator("main > section").count()).toBe(9);
			const cutOff = await page.locator(".fact").evaluateAll((facts) => facts.filter((fact) => fact.scrollWidth > fact.clientWidth).length);
			expect(cutOff).toBe(0);
		});
	});

	test("page: a change → shown without a reload, opened details stay open", async () => {
		const served = await node.serve(states["conflict saved"]?.());
		const { page, problems } = await open(served);
		await page.locator("details.file > summary").first().click();
		await page.locator("table.versions").waitFor();
		await page.locator("h1", { hasText: "All is well" }).waitFor();
		node.peer("chad", { status: "down" });
		await page.locator("h1", { hasText: "Degraded" }).waitFor({ timeout: 10_000 });
		expect(await page.title()).toMatch(/^! helios/);
		node.saved(Date.now(), { "new.json": { ours: "1", theirs: "2" } });
		await page.locator("details.file > summary", { hasText: "new.json" }).waitFor();
		expect(await page.locator("table.versions").isVisible()).toBe(true);
		expect(problems).toEqual([]);
	});

	test("page: first paint → without waiting for another request", async () => {
		const served = await node.serve(states.ok?.());
		const { page } = await open(served);
		await page.goto("about:blank");
		// None of these is ever answered.
		await page.route("**/*", (route) => (route.request().isNavigationRequest() ? route.continue() : undefined));
		await page.goto(served.url, { waitUntil: "commit" });
		const paintedAt = await page.evaluate(
			() =>
				new Promise<number>((resolve) => {
					new PerformanceObserver((list) => resolve(list.getEntries()[0]?.startTime ?? 0)).observe({ type: "paint", buffered: true });
				}),
		);
		expect(paintedAt).toBeGreaterThan(0);
	});

	test("page: copy → the exact command that restores a version", async () => {
		const served = await node.serve(states["conflict saved"]?.());
		const { page } = await open(served);
		await page.locator("details.file > summary").nth(1).click();
		await page.locator("details.file").nth(1).locator(".copy").nth(1).click();
		const copied = await page.evaluate(() => navigator.clipboard.readText());
		expect(copied).toMatch(
			/^conflict-resolver --workspace \S+ --restore \d{8}T\d{6}\.\d{3}Z 'notes\/plan for '\\''today'\\''\.md' --side theirs$/,
		);
	});

	test("page: no events → polls; no answer → out of date", async () => {
		node.healthy();
		const served = await node.serve();
		const context = await browser.newContext();
		const page = await context.newPage();
		await page.route("**/events*", (route) => route.abort());
		await page.goto(served.url);
		await page.locator("#live", { hasText: "Polling every 2 s" }).waitFor({ timeout: 5_000 });
		node.peer("chad", { status: "down" });
		await page.locator("h1", { hasText: "Degraded" }).waitFor({ timeout: 5_000 });
		await served.http.close();
		await page.locator("#live", { hasText: "this page is out of date" }).waitFor({ timeout: 20_000 });
		expect(await page.title()).toMatch(/^\? helios/);
	});

	test("page: keyboard → everything can be reached and opened", async () => {
		const served = await node.serve(states["conflict saved"]?.());
		const { page } = await open(served);
		const reached = new Set<string>();
		for (let n = 0; n < 60; n++) {
			await page.keyboard.press("Tab");
			reached.add(await page.evaluate(() => document.activeElement?.localName ?? ""));
			if (await page.evaluate(() => document.activeElement?.matches("details.file > summary"))) break;
		}
		await page.keyboard.press("Enter");
		await page.locator("table.versions").waitFor();
		expect(reached).toContain("summary");
	});

	test("page: 100 peers and 1,000 saved resolutions → usable", async () => {
		node.healthy();
		dayOfCycles();
		for (let n = 0; n < 100; n++) node.peer(`peer-${n}`, n % 9 === 0 ? { status: "down" } : {});
		for (let n = 0; n < 1_000; n++) node.saved(Date.now() - n * 60_000, { "state.json": { ours: "1", theirs: "2" } });
		const served = await node.serve();
		const { page, problems } = await open(served);
		await page.screenshot({ path: path.join(pictures, "large.png"), fullPage: true });
		await page.locator("a", { hasText: "Older resolutions" }).click();
		await page.locator("h2", { hasText: "Saved versions, older" }).waitFor();
		expect(await findings(page)).toEqual([]);
		expect(problems).toEqual([]);
	});

	describe("the history", () => {
		/** A repository with commits of two nodes, behind the page. */
		function withHistory(): { served: Promise<Served>; commits: string[] } {
			const directory = node.paths.root;
			const git = (...args: string[]) =>
				execFileSync("git", args, {
					cwd: directory,
					encoding: "utf8",
					env: { PATH: process.env.PATH, HOME: directory, GIT_CONFIG_NOSYSTEM: "1" },
				}).trim();
			git("init", "--quiet", "--initial-branch=main");
			const commits: string[] = [];
			const commit = (by: string, files: Record<string, string>) => {
				for (const [name, content] of Object.entries(files)) {
					mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
					writeFileSync(path.join(directory, name), content);
				}
				git("add", ...Object.keys(files));
				git("-c", `user.name=${by}`, "-c", `user.email=${by}@localhost`, "commit", "--quiet", "-m", `${by}: 1 file (x)`);
				commits.push(git("rev-parse", "HEAD"));
			};
			commit("helios", { "notes.md": "one\n\ntwo\n", "d/<b>x & y.txt": "odd\n" });
			commit("chad", { "notes.md": "one\n\n2\n" });
			commit("helios", { "other.md": "other\n" });
			node.healthy();
			return { served: node.serve({ history: gitHistory(directory, "helios") }), commits };
		}

		test("history: timeline by node, filtered by path and node → its changes, accessible", async () => {
			const { served: serving, commits } = withHistory();
			const served = await serving;
			const { page, problems } = await open(served);
			await page.click("header a");
			expect(await page.locator(".timeline thead th").allTextContents()).toEqual(["Time", "helios", "chad", "What"]);
			expect(await page.locator(".timeline tbody tr").count()).toBe(3);
			expect(await page.locator(`#commit-${commits[1]} td`).nth(1).textContent()).toBe("change");
			expect(await findings(page)).toEqual([]);
			await page.screenshot({ path: path.join(pictures, "history.png"), fullPage: true });
			await page.fill("input[name=path]", "notes.md");
			await page.click("button.filter");
			expect(await page.locator(".timeline tbody tr").count()).toBe(2);
			await page.click("text=chad");
			expect(await page.locator(".timeline tbody tr").count()).toBe(1);
			await page.click("text=all of it");
			await page.click('a:has-text("<b>x & y.txt")');
			expect(await page.locator(".timeline tbody tr").count()).toBe(1);
			expect(problems).toEqual([]);
		});

		test("history: one change side by side → its commit, a download of a version", async () => {
			const { served: serving, commits } = withHistory();
			const served = await serving;
			const { page, problems } = await open(served, { target: "/history" });
			await page.click(`#commit-${commits[1]} a:has-text("changed")`);
			expect(await page.locator(".versions th").allTextContents()).toEqual(["before", `after (${commits[1]?.slice(0, 8)})`]);
			expect(await page.locator(".line.taken").allTextContents()).toEqual(["two", "2"]);
			expect(await findings(page)).toEqual([]);
			await page.screenshot({ path: path.join(pictures, "history-change.png") });
			await page.click("text=All versions");
			const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#commit-${commits[0]} a:has-text("download")`)]);
			expect([download.suggestedFilename(), readFileSync((await download.path()) ?? "", "utf8")]).toEqual(["notes.md", "one\n\ntwo\n"]);
			await page.click(`#commit-${commits[0]} th a`);
			expect(await page.locator("#commit li").count()).toBe(2);
			expect(problems).toEqual([]);
		});

		test("history: no commit, no path, no version → 404 or 400, nothing of the file system", async () => {
			const { served: serving, commits } = withHistory();
			const served = await serving;
			for (const [target, code] of [
				["/history?path=..%2F..%2Fetc", 400],
				["/history?path=.git%2Fconfig", 400],
				["/history?before=HEAD", 400],
				[`/history/${"0".repeat(40)}`, 404],
				["/history/HEAD", 404],
				[`/version/${commits[0]}/..%2Fnotes.md`, 404],
				[`/version/${commits[0]}/other.md`, 404],
				[`/version/${commits[0]}/notes.md`, 200],
				["/history?node=%3Cscript%3E", 200],
			] as const)
				expect([target, (await served.ask(target)).code]).toEqual([target, code]);
		});
	});
});
