import { firstLine, Group, type Peer, plainPair } from "./peer.ts";

export const peer: Peer = {
	name: "lsyncd",
	package: "lsyncd",
	program: "lsyncd",
	version: () => firstLine("lsyncd", ["--version"]).replace("Version: ", ""),
	reproduce: "lsyncd -nodaemon -delay 1 -rsync A B",
	note: "a mirror in one direction: B is made like A; delay 1 s (default 15 s)",
	async prepare(directory) {
		const directories = plainPair(directory);
		const groups = [new Group(), new Group()] as const;
		return {
			directories,
			groups,
			async start(side) {
				if (side === 0) groups[0].spawn("lsyncd", ["-nodaemon", "-delay", "1", "-rsync", directories[0], directories[1]], directory);
			},
		};
	},
};
