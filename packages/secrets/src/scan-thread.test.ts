import { expect, test } from "@jest/globals";
import { newSalt } from "./allowed.ts";
import { ScanThread } from "./scan-thread.ts";
import { generatedSecrets } from "./testing/generated-secrets.ts";

const token = generatedSecrets(3).find(({ kind }) => kind === "github personal")?.value ?? "";

test("large content: secrets anywhere, at windows' edges too → each once, on its line", async () => {
	const thread = new ScanThread();
	const line = `${"a line of text ".repeat(60)}\n`;
	const lines = Array.from({ length: 12_000 }, (_, index) => (index % 1_500 === 700 ? `x ${token}\n` : line));
	const [findings = []] = await thread.scan([{ path: "a", content: Buffer.from(lines.join("")) }], []);
	expect(findings.map((finding) => [finding.line, finding.column])).toEqual(
		[701, 2_201, 3_701, 5_201, 6_701, 8_201, 9_701, 11_201].map((at) => [at, 3]),
	);
});

test("findings: a salt is given → hashes that compare, and never the value", async () => {
	const thread = new ScanThread();
	const jobs = [`x ${token}\n`, `\n\ny ${token}\n`, "nothing\n"].map((text, index) => ({
		path: String(index),
		content: Buffer.from(text),
	}));
	const [one, two, none] = await thread.scan(jobs, [], newSalt());
	expect(one?.[0]?.hash).toMatch(/^[0-9a-f]{64}$/);
	expect([two?.[0]?.hash, two?.[0]?.line, none]).toEqual([one?.[0]?.hash, 3, []]);
	expect(JSON.stringify([one, two])).not.toContain(token);
});

test("own secrets: set → found; set to others → no more", async () => {
	const thread = new ScanThread();
	const jobs = [{ path: "a", content: Buffer.from("it is q7-Zk.w2Lx\n") }];
	thread.setOwn([{ name: "X", value: "q7-Zk.w2Lx" }]);
	expect((await thread.scan(jobs, []))[0]?.[0]?.rule).toBe("own:X");
	thread.setOwn([]);
	expect(await thread.scan(jobs, [])).toEqual([[]]);
});

test("many small contents: more than one batch → each finding at its content", async () => {
	const thread = new ScanThread();
	const jobs = Array.from({ length: 10_001 }, (_, index) => ({
		path: String(index),
		content: Buffer.from(index % 2_000 === 0 ? `x ${token}\n` : "nothing\n"),
	}));
	const answers = await thread.scan(jobs, []);
	expect([...answers.keys()].filter((index) => (answers[index] ?? []).length > 0)).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000]);
});
