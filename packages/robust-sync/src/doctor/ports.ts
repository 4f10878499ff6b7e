import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import { isHolderAlive, readLockHolder } from "@robust-sync/system/lock";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { type Finding, failed } from "./finding.ts";

/** Whether another program uses a port. @param listen opens it and closes it again @throws the system's error */
async function isTaken(listen: () => Promise<void>): Promise<boolean> {
	try {
		await listen();
		return false;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EADDRINUSE";
	}
}

const listenUdp = (port: number, address: string | null) =>
	new Promise<void>((resolve, reject) => {
		const socket = dgram.createSocket(address?.includes(".") ? "udp4" : "udp6");
		socket.once("error", (error) => {
			socket.close();
			reject(error);
		});
		socket.bind({ port, exclusive: true, ...(address === null ? {} : { address }) }, () => socket.close(() => resolve()));
	});

const listenTcp = (port: number, host: string) =>
	new Promise<void>((resolve, reject) => {
		const server = net.createServer();
		server.once("error", reject);
		server.listen({ port, host, exclusive: true }, () => server.close(() => resolve()));
	});

async function isRunning(paths: WorkspacePaths, service: "heartbeat" | "health-server"): Promise<boolean> {
	const file = paths.instanceLock(service);
	const holder = readLockHolder(file);
	return holder !== null && (await isHolderAlive(file, holder));
}

/** Ports of services of this workspace that do not run, and that another program uses. */
export async function checkPorts(
	paths: WorkspacePaths,
	config: Pick<Config, "heartbeatPort" | "heartbeatBind" | "healthPort" | "healthHost" | "peers">,
): Promise<Finding[]> {
	const found: Finding[] = [];
	const { heartbeatPort, heartbeatBind, healthPort, healthHost, peers } = config;
	if (peers.length > 0 && !(await isRunning(paths, "heartbeat")) && (await isTaken(() => listenUdp(heartbeatPort, heartbeatBind))))
		found.push(
			failed(
				"ports",
				`UDP port ${heartbeatPort} is another program's: heartbeat cannot listen`,
				`ss -ulpn 'sport = :${heartbeatPort}'; or another HEARTBEAT_PORT`,
			),
		);
	// A service that never ran here may be unwanted.
	const isWanted = fs.existsSync(paths.healthState) && !(await isRunning(paths, "health-server"));
	if (isWanted && (await isTaken(() => listenTcp(healthPort, healthHost === "localhost" ? "127.0.0.1" : healthHost))))
		found.push(
			failed(
				"ports",
				`TCP port ${healthPort} is another program's: health-server cannot listen`,
				`ss -tlpn 'sport = :${healthPort}'; or another HEALTH_PORT`,
			),
		);
	return found;
}
