// Makes the page visible to the machine that runs this container: forwards connections from there to PAGE_PORT to the health-server, which
// listens on loopback only. Other machines on the containers' network get no answer: the page shows saved versions of files.
import { readFileSync } from "node:fs";
import net from "node:net";

const port = Number(process.env.PAGE_PORT);
const health = Number(process.env.HEALTH_PORT || 8080);

/** The default gateway's address: connections to the port published on the machine's loopback come from there. */
function gateway() {
	const routes = readFileSync("/proc/net/route", "utf8").split("\n").slice(1);
	const [, , address] = routes.map((line) => line.split("\t")).find(([, destination]) => destination === "00000000") ?? [];
	return address && Buffer.from(address, "hex").reverse().join(".");
}

net
	.createServer((client) => {
		const from = client.remoteAddress?.replace(/^::ffff:/, "");
		client.on("error", () => client.destroy());
		if (from !== "127.0.0.1" && from !== gateway()) return client.destroy();
		const server = net.connect(health, "127.0.0.1");
		server.on("error", () => client.destroy());
		client.on("close", () => server.destroy());
		client.pipe(server).pipe(client);
	})
	.listen(port, "0.0.0.0");
