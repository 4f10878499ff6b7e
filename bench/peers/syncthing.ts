import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { cleanEnvironment, firstLine, Group, type Peer, plainPair, run } from "./peer.ts";

async function freeTcpPort(): Promise<number> {
	const server = net.createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as net.AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}

/** Two devices that know each other's address; nothing is announced, and nothing leaves the loopback. */
function configuration(folder: string, own: number, devices: readonly { id: string; port: number }[]): string {
	return `<configuration version="36">
<folder id="work" path="${folder}" type="sendReceive" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="10">
<maxConflicts>10</maxConflicts>
${devices.map(({ id }) => `<device id="${id}"></device>`).join("\n")}
</folder>
${devices.map(({ id, port }) => `<device id="${id}" name="${port}"><address>tcp://127.0.0.1:${port}</address></device>`).join("\n")}
<gui enabled="false"></gui>
<options><listenAddress>tcp://127.0.0.1:${devices[own]?.port}</listenAddress><globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><startBrowser>false</startBrowser><urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled><autoUpgradeIntervalH>0</autoUpgradeIntervalH></options>
</configuration>
`;
}

export const peer: Peer = {
	name: "Syncthing",
	package: "syncthing",
	program: "syncthing",
	version: () => firstLine("syncthing", ["--version"]).split(" ")[1] ?? "",
	reproduce: "syncthing generate --home=H; (a folder shared by two devices at tcp://127.0.0.1:PORT); syncthing serve --home=H",
	note: "as it comes: changes are gathered for 10 s (fsWatcherDelayS)",
	async prepare(directory) {
		const directories = plainPair(directory);
		const homes = directories.map((side) => `${side}.home`) as [string, string];
		const devices = [];
		for (const home of homes) {
			run("syncthing", ["generate", `--home=${home}`], directory);
			devices.push({ id: run("syncthing", [`--home=${home}`, "--device-id"], directory).trim(), port: await freeTcpPort() });
		}
		for (const [i, home] of homes.entries()) {
			fs.writeFileSync(path.join(home, "config.xml"), configuration(directories[i] ?? "", i, devices));
			fs.mkdirSync(path.join(directories[i] ?? "", ".stfolder"));
		}
		const groups = [new Group(), new Group()] as const;
		return {
			directories,
			groups,
			async start(side) {
				const args = ["serve", `--home=${homes[side]}`, "--no-browser", "--no-restart", "--no-upgrade"];
				groups[side].spawn("syncthing", args, directory, cleanEnvironment(directory));
			},
		};
	},
};
