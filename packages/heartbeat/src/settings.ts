import { isIP } from "node:net";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { type Config, isNodeName, loadConfig, parseHostPort } from "@robust-sync/workspace/config";

/** The flags of `heartbeat` that set configuration variables. */
export interface HeartbeatFlags {
	node?: string;
	peer?: string;
	peerHost?: string;
	peers?: string;
	port?: string;
	interval?: string;
}

/**
 * The configuration, overridden by the flags. Peers that flags name are then the only ones: `CHAD_HOST` and
 * `HELIOS_HOST` of the workspace do not add to them.
 *
 * @throws CommandError, ConfigError, EnvFileError: all exit code 2
 */
export function heartbeatConfig(workspace: string, flags: HeartbeatFlags): Config {
	const peers = peersFlag(flags);
	const config = loadConfig({
		workspace,
		flags: { NODE_NAME: flags.node, HEARTBEAT_PORT: flags.port, HEARTBEAT_INTERVAL: flags.interval, PEERS: peers },
	});
	if (peers === undefined) return config;
	const named = new Set(peers.split(",").map((item) => item.split("=")[0]!.trim()));
	return { ...config, peers: config.peers.filter((peer) => named.has(peer.name)) };
}

/** PEERS as the flags give it; undefined: they name no peer. */
function peersFlag({ peer, peerHost, peers }: HeartbeatFlags): string | undefined {
	if (peers !== undefined && (peerHost !== undefined || peer !== undefined)) {
		throw new CommandError("--peers names all peers: give it without --peer-host and --peer", ExitCode.usage);
	}
	if (peerHost === undefined) {
		if (peer !== undefined) throw new CommandError("--peer names the peer at --peer-host: give both", ExitCode.usage);
		return peers;
	}
	const at = parseHostPort(peerHost, 1);
	if (!at)
		throw new CommandError(`--peer-host '${peerHost}' is not a host name or address (with :port if it is not the default)`, ExitCode.usage);
	if (peer === undefined && isIP(at.host.replace(/%.*$/, ""))) {
		throw new CommandError(`--peer-host ${peerHost} is an address: name the node there with --peer NAME`, ExitCode.usage);
	}
	const name = peer ?? at.host.split(".")[0]!.toLowerCase();
	if (!isNodeName(name)) {
		throw new CommandError(
			`'${name}' is not a node name (a-z 0-9 and -, at most 63): name the node at ${peerHost} with --peer NAME`,
			ExitCode.usage,
		);
	}
	return `${name}=${peerHost}`;
}
