import path from "node:path";
import { firstLine, Group, type Peer, run } from "./peer.ts";

/** Small files in git itself, as its documentation advises for text; larger ones unlocked, so that programs can rewrite them. */
const settings = [
	["annex.largefiles", "largerthan=100kb"],
	["annex.addunlocked", "true"],
] as const;

export const peer: Peer = {
	name: "git-annex assistant",
	package: "git-annex",
	program: "git-annex",
	version: () => firstLine("git-annex", ["version", "--raw"]),
	reproduce:
		"git init A; git clone A B; git -C A remote add b ../B; in both: git annex init; git config annex.largefiles largerthan=100kb; git annex assistant --foreground",
	note: "small files in git; each side has the other as its remote",
	async prepare(directory) {
		const directories = ["helios", "chad"].map((name) => path.join(directory, name)) as [string, string];
		const [a, b] = directories;
		run("git", ["init", "-q", "-b", "main", a], directory);
		run("git", ["annex", "init", "-q", "helios"], a);
		for (const setting of settings) run("git", ["config", ...setting], a);
		run("sh", ["-c", "echo first > first.txt && git annex add -q first.txt && git commit -q -m first"], a);
		run("git", ["clone", "-q", a, b], directory);
		run("git", ["annex", "init", "-q", "chad"], b);
		for (const setting of settings) run("git", ["config", ...setting], b);
		run("git", ["remote", "add", "chad", b], a);
		for (const side of directories) run("git", ["annex", "sync", "-q", "--content"], side);
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
