import { spawnSync } from "node:child_process";
import path from "node:path";
import { firstLine, Group, gitPair, type Peer } from "./peer.ts";

const loop =
	"while inotifywait -qq -r -e close_write,move,delete,create --exclude '/\\.git(/|$)' .; do sleep 2; git add -A; git commit -qm sync; git pull -q --rebase origin main; git push -q origin HEAD:main; done";

export const peer: Peer = {
	name: "gitwatch-like loop",
	package: "inotify-tools",
	program: "inotifywait",
	version: () => `inotify-tools ${/[\d.]+/.exec(firstLine("sh", ["-c", "inotifywait --help | head -1"]))?.[0] ?? ""}`,
	reproduce: loop,
	note: "its times are to the hub: it receives only when something is written on its own side",
	async prepare(directory) {
		const directories = gitPair(directory);
		const groups = [new Group(), new Group()] as const;
		return {
			directories,
			groups,
			arrived(name) {
				const { status, stdout } = spawnSync("git", ["--git-dir", path.join(directory, "hub.git"), "show", `main:${name}`], {
					encoding: "utf8",
				});
				return status === 0 ? stdout : null;
			},
			async start(side) {
				groups[side].spawn("sh", ["-c", `${loop} >/dev/null 2>&1`], directories[side]);
			},
		};
	},
};
