import { symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { eventually, NodeFixture, quietRepository, type Served } from "./testing/node-fixture.ts";

let node: NodeFixture;
beforeEach(() => {
	node = new NodeFixture();
});
afterEach(() => node.remove());

describe("the page", () => {
	test("page: asked for → one self-contained document under a strict policy", async () => {
		node.healthy();
		const served = await node.serve();
		const { text, headers } = await served.ask("/");
		expect(headers["content-type"]).toBe("text/html; charset=utf-8");
		expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-/);
		expect(headers["content-security-policy"]).not.toMatch(/unsafe/);
		expect(text).not.toMatch(/(src|href)="https?:/);
		expect(text).toContain("All is well");
		expect(text).toContain("chad");
	});

	test("page: its ETag → 304 to the same, 200 again after a change", async () => {
		node.healthy();
		const served = await node.serve();
		const first = await served.ask("/");
		const etag = String(first.headers.etag);
		const second = await served.ask("/", { headers: { "If-None-Match": `"other", W/${etag}` } });
		expect([second.code, second.text, second.headers.etag]).toEqual([304, "", etag]);
		node.peer("chad", { status: "down" });
		const third = await served.ask("/", { headers: { "If-None-Match": etag } });
		expect(third.code).toBe(200);
		expect(third.text).toContain("Degraded");
	});

	test("page: hostile names → shown as text only", async () => {
		const evil = `<img src=x onerror=alert(1)>"'&`;
		node.sync({ skipped: [{ path: evil, reason: "too-large" }], branch: evil });
		node.pending("<script>alert(1)<!--");
		node.saved(Date.now(), { "<b>bold<": { ours: "<script>1", theirs: "</table><script>2" } });
		const served = await node.serve();
		const { text } = await served.ask("/");
		expect(text).not.toMatch(/<img|<script>alert|<b>bold/);
		expect(text).toContain("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;");
	});

	test("page: alerts → by which way, nothing claimed that it cannot know", async () => {
		const served = await node.serve();
		const { text: fresh } = await served.ask("/");
		expect(fresh).not.toContain("every file of the workspace is synced");
		expect(fresh).not.toContain("Delivery:");
		node.healthy();
		const since = timestamp(Date.now());
		node.monitor({ checks: [{ name: "alerts", status: "ok", message: "no channel is configured", since }] });
		node.peer("chad", { status: "down", received_at: timestamp(Date.now() - 600_000) });
		const { text } = await served.ask("/");
		expect(text).toContain("Delivery: no channel is configured.");
		expect(text).toMatch(/odes have the same head, as far as they were heard\./);
		expect(text).toContain("every file of the workspace is synced");
	});

	test("page: 100 peers, 1,000 resolutions, a day of cycles → below 150 KB", async () => {
		node.healthy();
		for (let n = 0; n < 100; n++) node.peer(`peer-${n}`);
		for (let n = 0; n < 1_000; n++) node.saved(Date.now() - n * 60_000, { "notes/state.json": { ours: "1", theirs: "2", base: "0" } });
		for (let n = 0; n < 2_880; n++) node.cycle(Date.now() - n * 30_000, 100 + n, n % 50 === 0);
		const served = await node.serve();
		expect((await served.ask("/")).text.length).toBeLessThan(150_000);
	});
});

describe("events", () => {
	interface Seen {
		event: string;
		data: { sections: [string, { id: string }][] };
	}

	async function* eventsOf(served: Served): AsyncGenerator<Seen, undefined, undefined> {
		const response = await fetch(`${served.url}/events`);
		expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
		let text = "";
		for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
			text += new TextDecoder().decode(chunk);
			for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
				const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
				text = text.slice(end + 2);
				yield { event, data: JSON.parse(data) };
			}
		}
	}

	test("events: a change → the whole view first, then changes, within a second", async () => {
		node.healthy();
		const served = await node.serve();
		const events = eventsOf(served);
		const first = (await events.next()).value;
		expect(first?.event).toBe("view");
		expect(first?.data.sections.map((section) => section[1].id)).toEqual(
			expect.arrayContaining(["headline", "facts", "nodes", "cycles", "alerts", "services", "saved", "outbox", "skipped"]),
		);
		node.pending("message.json");
		const start = performance.now();
		const second = (await events.next()).value;
		expect(performance.now() - start).toBeLessThan(5_000);
		expect(second?.data.sections.map((section) => section[1].id)).toEqual(["facts", "nodes", "outbox"]);
		await events.return(undefined);
	});

	test("events: the 33rd open page → asked to poll", async () => {
		const served = await node.serve();
		const aborts = Array.from({ length: 32 }, () => new AbortController());
		await Promise.all(aborts.map((abort) => fetch(`${served.url}/events`, { signal: abort.signal })));
		expect((await served.ask("/events")).code).toBe(503);
		for (const abort of aborts) abort.abort();
		await eventually(async () => (await served.ask("/events", { method: "HEAD" })).code === 200);
	});

	test("events: the server ends → they end", async () => {
		const served = await node.serve();
		const events = eventsOf(served);
		await events.next();
		await served.http.close();
		expect((await events.next()).done).toBe(true);
	});
});

describe("saved versions", () => {
	test("saved versions: asked for → served as they are, and only those", async () => {
		const name = node.saved(Date.now(), {
			"notes/a b?.json": { ours: '{"a":1}\n', theirs: "\0\xff" },
			"page.html": { ours: "<script>1</script>" },
		});
		const served = await node.serve();
		const ours = await served.ask(`/saved/${name}/files/notes/a%20b%3F.json.ours`);
		expect([ours.code, ours.text, ours.headers["content-type"]]).toEqual([200, '{"a":1}\n', "text/plain; charset=utf-8"]);
		const html = await served.ask(`/saved/${name}/files/page.html.ours`);
		expect(html.headers["content-type"]).toBe("text/plain; charset=utf-8");
		expect(html.headers["content-security-policy"]).toMatch(/sandbox/);
		expect((await served.ask(`/saved/${name}/files/notes/a%20b%3F.json.theirs`)).headers["content-type"]).toBe("application/octet-stream");
	});

	test("/saved: a browser asks → a page; a program asks → JSON", async () => {
		const names = Array.from({ length: 60 }, (_, n) =>
			node.saved(1_770_000_000_000 + n, { "<b>.json": { ours: "1", theirs: "2" } }),
		).reverse();
		const served = await node.serve();
		const browser = { headers: { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" } };
		const page = await served.ask("/saved", browser);
		expect([page.code, page.headers["content-type"], page.headers.vary]).toEqual([200, "text/html; charset=utf-8", "Accept"]);
		expect(page.headers["content-security-policy"]).toMatch(/default-src 'none'/);
		expect(page.text).toContain(`<code>&lt;b&gt;.json</code>`);
		expect(page.text).toContain(`href="/saved?before=${names[39]}#saved-title"`);
		const older = await served.ask(`/saved?before=${names[39]}`, browser);
		expect(older.text).toContain(names[59]);
		expect(older.text).not.toContain(names[39]);
		expect(older.text).not.toContain("Older resolutions");
		for (const Accept of ["*/*", "application/json"]) {
			const data = await served.ask("/saved", { headers: { Accept } });
			expect([data.headers.vary, data.json.saved.length]).toEqual(["Accept", 50]);
		}
	});

	test("saved versions: any spelling, any link → nothing outside of sync/conflicts", async () => {
		const name = node.saved(Date.now(), { "a.json": { ours: "1" } });
		const directory = path.join(node.paths.conflicts, name);
		writeFileSync(path.join(node.paths.sync, "secret"), "secret");
		symlinkSync("../../secret", path.join(directory, "link"));
		symlinkSync("../..", path.join(directory, "up"));
		symlinkSync(directory, path.join(node.paths.conflicts, "20200101T000000.000Z"));
		const served = await node.serve();
		for (const target of [
			`/saved/${name}/../../secret`,
			`/saved/${name}/%2e%2e/%2e%2e/secret`,
			`/saved/${name}/..%2f..%2fsecret`,
			`/saved/${name}/files/../../../secret`,
			`/saved/../secret`,
			`/saved/%2e%2e/secret`,
			`/saved/${name}//etc/passwd`,
			`/saved/${name}/link`,
			`/saved/${name}/up/secret`,
			`/saved/20200101T000000.000Z/manifest.json`,
			`/saved/${name}/files`,
			`/saved/${name}/`,
			`/saved/${name}/files/a.json.ours%00`,
			`/saved/${name}/files/%ff`,
		]) {
			const reply = await served.ask(target);
			expect([target, reply.code]).toEqual([target, 404]);
			expect(reply.text).not.toContain("secret\n");
		}
	});

	test("saved versions: beside the result → as a page and as data", async () => {
		const name = node.saved(Date.now(), { "a.txt": { ours: "one\nours\nresult\n", theirs: "one\ntheirs\nresult\n" } });
		const asked: string[] = [];
		const served = await node.serve({
			repository: {
				...quietRepository,
				async fileAt(commit, file) {
					asked.push(`${commit.slice(0, 4)}:${file}`);
					return Buffer.from("one\nresult\n");
				},
			},
		});
		const page = await served.ask(`/diff/${name}/0`, { headers: { Accept: "text/html" } });
		expect(page.text).toMatch(/<td class="line lost">ours<\/td>/);
		expect(page.text).toMatch(/<th scope="colgroup" colspan="2">result<\/th>/);
		const data = await served.ask(`/diff/${name}/0`, { headers: { Accept: "application/json" } });
		expect(data.json[0]).toBe("div");
		expect(asked).toEqual(["dddd:a.txt", "dddd:a.txt"]);
		expect((await served.ask(`/diff/${name}/1`)).code).toBe(404);
	});

	test("saved versions: a result that git does not give → left out", async () => {
		const name = node.saved(Date.now(), { "a.txt": { ours: "1\n", theirs: "2\n" } });
		const served = await node.serve({ repository: { ...quietRepository, fileAt: () => Promise.reject(new Error("gone")) } });
		const page = await served.ask(`/diff/${name}/0`);
		expect(page.code).toBe(200);
		expect(page.text).not.toContain(">result<");
	});
});
