import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { openRepository } from "@robust-sync/git";
import { nodesOfSide } from "./side-nodes.ts";

test("a side of a merge: each path → the node that wrote it last", async () => {
	const directory = mkdtempSync(path.join(os.tmpdir(), "side-nodes-"));
	try {
		const env = { PATH: process.env.PATH, HOME: directory, GIT_CONFIG_NOSYSTEM: "1", GIT_COMMITTER_NAME: "x", GIT_COMMITTER_EMAIL: "x@x" };
		const git = (...args: string[]) => execFileSync("git", args, { cwd: directory, env, encoding: "utf8" }).trim();
		const commit = (author: string, subject: string, files: Record<string, string>) => {
			for (const [name, content] of Object.entries(files)) writeFileSync(path.join(directory, name), content);
			git("add", "-A");
			git("commit", "-q", "--allow-empty", "--allow-empty-message", `--author=${author} <a@a>`, "-m", subject);
			return git("rev-parse", "HEAD") as never;
		};
		git("init", "-q", "-b", "main");
		const base = commit("nobody", "base", { old: "1" });
		commit("Caleb", "helios: 1 file (größe)", { größe: "1", both: "1" });
		commit("chad", "", { both: "2" });
		commit("Jürgen", "by hand", { "a\nb": "1" });
		const side = commit("empty", "nothing in it", {});
		const repository = await openRepository({ directory, node: "n", env });
		const nodes = await nodesOfSide(repository, side, base);
		const of = (name: string) => nodes.of(Buffer.from(name).toString("latin1") as never);
		expect([of("größe"), of("both"), of("a\nb"), of("untouched")]).toEqual(["helios", "chad", "Jürgen", "empty"]);
		expect((await nodesOfSide(repository, base, null)).of("old" as never)).toBe("nobody");
		// A missing commit, or a side without commits: no node.
		expect((await nodesOfSide(repository, "0123456789012345678901234567890123456789" as never, base)).of("old" as never)).toBeNull();
		expect((await nodesOfSide(repository, null, base)).of("old" as never)).toBeNull();
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
});
