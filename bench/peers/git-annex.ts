import fs from "node:fs";
import path from "node:path";
import { firstLine, Group, type Peer, run } from "./peer.ts";

export const peer: Peer = {
	name: "git-annex assistant",
	package: "git-annex",
	program: "git-annex",
	version: () => firstLine("git-annex", ["version", "--raw"]),
	reproduce: "git annex init; git config annex.addunlocked true; git remote add other …; git annex assistant",
	async prepare(directory) {
		const directories = ["helios", "chad"].map((name) => path.join(directory, name)) as [string, string];
		const [a, b] = directories;
		const initialise = (side: string) => {
			run("git", ["config", "annex.addunlocked", "true"], side);
			run("git", ["annex", "init", path.basename(side)], side);
		};
		fs.mkdirSync(a);
		run("git", ["init", "-q", "-b", "main"], a);
		initialise(a);
		fs.writeFileSync(path.join(a, "first.txt"), "first\n");
		run("git", ["annex", "add", "."], a);
		run("git", ["commit", "-q", "-m", "first"], a);
		run("git", ["clone", "-q", "-o", "other", a, b], directory);
		initialise(b);
		run("git", ["remote", "add", "other", b], a);
		for (const side of directories) run("git", ["annex", "sync", "--content"], side);
		const groups = [new Group(), new Group()] as const;
		return {
			directories,
			groups,
			async start(side) {
				groups[side].spawn("git", ["annex", "assistant", "--foreground"], directories[side]);
			},
		};
	},
};
