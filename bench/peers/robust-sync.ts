import fs from "node:fs";
import path from "node:path";
import { freeUdpPort } from "../../packages/heartbeat/src/testing/daemon-fixture.ts";
import { root } from "../lab.ts";
import { cleanEnvironment, firstLine, Group, gitPair, type Peer } from "./peer.ts";

const names = ["helios", "chad"] as const;

export const peer: Peer = {
	name: "robust-sync",
	package: null,
	program: "git",
	version: () => firstLine(process.execPath, [path.join(root, "bin/robust-sync"), "--version"]).replace("robust-sync ", ""),
	reproduce: "robust-sync & heartbeat &",
	async prepare(directory) {
		const directories = gitPair(directory);
		const ports = [await freeUdpPort(), await freeUdpPort()];
		for (const [i, side] of directories.entries()) {
			const lines = [
				`NODE_NAME=${names[i]}`,
				`PEERS=${names[1 - i]}=127.0.0.1:${ports[1 - i]}`,
				`HEARTBEAT_PORT=${ports[i]}`,
				"HEARTBEAT_KEY='a secret of sixteen or more'",
			];
			fs.writeFileSync(path.join(side, ".sync_env"), lines.map((line) => `export ${line}\n`).join(""), { mode: 0o600 });
		}
		const groups = [new Group(), new Group()] as const;
		return {
			directories,
			groups,
			async start(side) {
				// As under a service manager, which is what would start it again.
				const env = { ...cleanEnvironment(directory), INVOCATION_ID: "bench", SYNC_WORKSPACE: directories[side] };
				for (const service of ["robust-sync", "heartbeat"]) {
					groups[side].spawn(process.execPath, [path.join(root, "bin", service)], directories[side], env);
				}
			},
		};
	},
};
