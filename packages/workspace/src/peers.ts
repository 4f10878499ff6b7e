import { readdirSync } from "node:fs";
import { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";
import { type PeerState, peerStateSchema } from "./state-schemas.ts";

/** Every valid `peer_<name>_state.json`, by peer name, sorted. Files that do not parse are left out. */
export function readPeerStates(paths: WorkspacePaths): PeerState[] {
	let names: string[];
	try {
		names = readdirSync(paths.sync);
	} catch {
		return [];
	}
	const states: PeerState[] = [];
	for (const name of names.sort()) {
		const peer = WorkspacePaths.peerOfFile(name);
		if (peer === null) continue;
		const read = readState(paths.peerState(peer), peerStateSchema);
		if (read.kind === "ok" && read.state.peer === peer) states.push(read.state);
	}
	return states;
}
