import { firstLine, Group, type Peer, plainPair } from "./peer.ts";

export const peer: Peer = {
	name: "Unison",
	package: "unison",
	program: "unison",
	version: () => firstLine("unison", ["-version"]).replace(/^unison version (\S+).*/, "$1"),
	reproduce: "unison A B -batch -auto -repeat 1",
	note: "Debian's package has no file watcher (unison-fsmonitor): it looks every second",
	async prepare(directory) {
		const directories = plainPair(directory);
		const groups = [new Group(), new Group()] as const;
		return {
			directories,
			groups,
			async start(side) {
				if (side === 0)
					groups[0].spawn("unison", [...directories, "-batch", "-auto", "-ignorelocks", "-repeat", "1", "-ui", "text"], directory);
			},
		};
	},
};
