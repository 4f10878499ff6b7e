import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { canIgnoreCase, mountIgnoringCase } from "@robust-sync/git/fixtures/ignoring-case";
import { rawBlob, rawTree } from "@robust-sync/git/fixtures/raw-objects";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { readHeld } from "@robust-sync/workspace";
import { type History, makeHistory } from "../testing/history-fixture.ts";
import { checkOutFirst } from "./first-checkout.ts";
import { type IntegrateContext, resumeIntegration } from "./integrate.ts";

let history: History;
beforeEach(async () => {
	history = await makeHistory();
});
afterEach(() => history.remove());

const ref = "refs/heads/main";
const files = { a: "a\n", "d/x": "x\n", "d/e/y": "y\n", "notes.md": "hello\n" };

/** The HEAD of a clone whose checkout git refused: with a path that no working tree may have. */
function refusedClone(): string {
	const { directory } = history;
	const plain = history.commit([], files);
	const entries = history
		.git("ls-tree", plain)
		.trim()
		.split("\n")
		.map((line) => /^(\d+) \w+ (\w+)\t(.*)$/.exec(line) as RegExpExecArray)
		.map(([, mode = "", oid = "", name = ""]) => [mode.replace(/^0/, ""), name, oid] as const);
	const blob = rawBlob(directory, "hostile\n");
	const tree = rawTree(directory, [["40000", ".git", rawTree(directory, [["100755", "hooks", blob]])], ...entries]);
	const head = history.git("commit-tree", tree, "-m", "first").trim();
	history.git("update-ref", ref, head);
	fs.rmSync(`${directory}/.git/index`, { force: true });
	return head;
}

function context(steps = Number.POSITIVE_INFINITY): IntegrateContext {
	let left = steps;
	const assertHeld = () => {
		if (left-- <= 0) throw new Error("killed");
	};
	return { repository: history.repository, paths: history.paths, lock: { assertHeld, release: async () => undefined }, now: Date.now };
}

const read = (name: string) => fs.readFileSync(`${history.directory}/${name}`, "utf8");
const status = () => history.git("status", "--porcelain", "--untracked-files=all", "--", ".", ":!sync").trimEnd();

describe("first checkout", () => {
	test("clone: git refused its checkout → all but what is refused is there", async () => {
		const head = refusedClone();
		expect([...((await checkOutFirst(context(), ref, head))?.changed ?? [])]).toEqual(Object.keys(files).sort());
		for (const [name, content] of Object.entries(files)) expect(read(name)).toBe(content);
		expect(status()).toBe("");
		expect(history.git("rev-parse", "main^").trim()).toBe(head);
		expect(fs.existsSync(`${history.directory}/.git/hooks/hooks`)).toBe(false);
	});

	test("clone: some files there, changed, new, in the way → stay, none deleted", async () => {
		const head = refusedClone();
		fs.writeFileSync(`${history.directory}/a`, "mine\n");
		fs.writeFileSync(`${history.directory}/new`, "new\n");
		fs.writeFileSync(`${history.directory}/d`, "in the way\n");
		await checkOutFirst(context(), ref, head);
		expect([read("a"), read("new"), read("d/x"), read("notes.md")]).toEqual(["mine\n", "new\n", "x\n", "hello\n"]);
		const beside = fs.readdirSync(history.directory).find((name) => name.startsWith("d~")) ?? "";
		expect(read(beside)).toBe("in the way\n");
		expect(status().split("\n")).toEqual([" M a", `?? ${beside}`, "?? new"]);
	});

	(canIgnoreCase ? test : test.skip)("first checkout: a path finds a file of another name → held, that file stays", async () => {
		const scratch = new Scratch("first-checkout");
		try {
			const head = history.commit([], { "data/F.md": "upper\n", "data/f.md": "lower\n" });
			history.git("update-ref", ref, head);
			mountIgnoringCase(scratch, `${history.directory}/data`);
			fs.writeFileSync(`${history.directory}/data/f.md`, "lower\n");
			await checkOutFirst(context(), ref, head);
			expect([...readHeld(history.paths).paths.keys()]).toEqual(["data/F.md"]);
			expect(read("data/f.md")).toBe("lower\n");
		} finally {
			await scratch.remove();
		}
	});

	test("index: removed, all files there → made again, none touched", async () => {
		const head = history.commit([], files);
		history.git("checkout", "-q", "-B", "main", head);
		fs.rmSync(`${history.directory}/.git/index`);
		fs.writeFileSync(`${history.directory}/a`, "mine\n");
		expect(await checkOutFirst(context(), ref, head)).toBeNull();
		expect(status()).toBe(" M a");
	});

	test("first checkout: stopped at every step → continues, nothing deleted", async () => {
		for (let steps = 0; ; steps++) {
			fs.rmSync(history.paths.journal, { force: true });
			for (const name of ["a", "d", "notes.md"]) fs.rmSync(`${history.directory}/${name}`, { recursive: true, force: true });
			const head = refusedClone();
			const done = await checkOutFirst(context(steps), ref, head).catch(() => null);
			// A start after a crash looks for a journal first, then for an index.
			await resumeIntegration(context());
			if (!fs.existsSync(`${history.directory}/.git/index`)) await checkOutFirst(context(), ref, history.git("rev-parse", "main").trim());
			expect({ steps, status: status(), tree: history.git("ls-tree", "-r", "--name-only", "main").trim().split("\n") }).toEqual({
				steps,
				status: "",
				tree: Object.keys(files).sort(),
			});
			if (done !== null) break;
		}
	});

	test("first checkout: a person commits in the middle of it → both are there", async () => {
		const head = refusedClone();
		await expect(checkOutFirst(context(4), ref, head)).rejects.toThrow("killed");
		fs.writeFileSync(`${history.directory}/mine`, "mine\n");
		history.git("add", "mine");
		history.git("commit", "-q", "-m", "mine");
		await resumeIntegration(context());
		expect([read("mine"), read("d/x"), status()]).toEqual(["mine\n", "x\n", ""]);
		expect(history.git("ls-tree", "-r", "--name-only", "main").trim().split("\n")).toEqual([...Object.keys(files), "mine"].sort());
	});
});
