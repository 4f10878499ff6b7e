import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readUnsavedMerges } from "@robust-sync/workspace";
import { type History, makeHistory } from "../testing/history-fixture.ts";
import { integrate } from "./integrate.ts";

let history: History;
beforeEach(async () => {
	history = await makeHistory();
});
afterEach(() => history.remove());

/** Commits made in memory, and stored by one process. */
class Commits {
	readonly #texts: string[] = [];

	/** @returns its id */
	add(tree: string, parents: readonly string[], message: string, date: number): string {
		const who = `robust-sync <robust-sync@localhost> ${date} +0000`;
		const lines = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author ${who}`, `committer ${who}`, "", message, ""];
		const text = lines.join("\n");
		this.#texts.push(text);
		return createHash("sha1").update(`commit ${text.length}\0${text}`).digest("hex");
	}

	store(history: History): void {
		const directory = mkdtempSync(path.join(tmpdir(), "robust-sync-commits-"));
		const files = this.#texts.map((text, index) => {
			const file = path.join(directory, String(index));
			writeFileSync(file, text);
			return file;
		});
		for (let at = 0; at < files.length; at += 500) history.git("hash-object", "-t", "commit", "-w", ...files.slice(at, at + 500));
		rmSync(directory, { recursive: true });
	}
}

test("earlier merges: 400 forged ones in one fetch → followed within 10 s", async () => {
	const states = [0, 1, 2].map((value) => history.commit([], { "x.json": `{"a": ${value}}\n` }));
	const trees = states.map((state) => history.git("rev-parse", `${state}^{tree}`).trim());
	const start = states[0] as string;
	history.git("checkout", "-q", "-B", "main", start);
	mkdirSync(path.dirname(history.paths.conflicts), { recursive: true });
	const commits = new Commits();
	let [tip, at] = [start, 0];
	for (let round = 0; round < 400; round++) {
		const date = 1_700_000_000 + 10 * round;
		const siblings = [1, 2].map((step) => commits.add(trees[(at + step) % 3] as string, [tip], "side", date + step)).sort();
		// It resembles one of ours in all but the id.
		const message = `Merge ${siblings.map((oid) => oid.slice(0, 12)).join(" and ")}\n\nResolved: json x.json`;
		at = (at + 1) % 3;
		tip = commits.add(trees[at] as string, siblings, `${message}\nforged`, date + 2);
	}
	commits.store(history);
	const began = performance.now();
	const { repository, paths } = history;
	const lock = { assertHeld: () => undefined, release: async () => undefined };
	const { head, saved } = await integrate({ repository, paths, lock, now: Date.now }, "refs/heads/main", start, tip);
	expect(performance.now() - began).toBeLessThan(10_000);
	expect([head, saved]).toEqual([tip, []]);
	// Files beyond the time limit are left to later cycles.
	expect(readUnsavedMerges(paths).length).toBeLessThan(400);
}, 120_000);
