import net from "node:net";
import tls from "node:tls";
import { ChannelError } from "../delivery/channel.ts";
import { reasonOf } from "./http.ts";

const timeoutMs = 10_000;

/** Whether the environment sends requests to this address through a proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). */
function hasProxy({ protocol, hostname }: URL, env: NodeJS.ProcessEnv): boolean {
	const name = protocol === "https:" ? "https_proxy" : "http_proxy";
	if (!(env[name] ?? env[name.toUpperCase()])) return false;
	const direct = (env.no_proxy ?? env.NO_PROXY ?? "").split(/[\s,]+/).filter(Boolean);
	return !direct.some((one) => one === "*" || hostname === one || hostname.endsWith(`.${one.replace(/^\*?\./, "")}`));
}

/**
 * Connects to the host of an address, by TLS for https, and sends no request.
 * @returns the result, in words that name no part of the address
 * @throws ChannelError when there is no connection, or the certificate is not valid
 */
export async function reachHost(address: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
	const url = new URL(address);
	if (hasProxy(url, env)) return "its requests go through a proxy: not tested";
	const isTls = url.protocol === "https:";
	const host = url.hostname.replace(/^\[|\]$/g, "");
	const port = Number(url.port) || (isTls ? 443 : 80);
	await new Promise<void>((resolve, reject) => {
		const socket = isTls ? tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}) }) : net.connect({ host, port });
		socket.setTimeout(timeoutMs, () => socket.destroy(Object.assign(new Error("late"), { code: "ETIMEDOUT" })));
		socket.once(isTls ? "secureConnect" : "connect", () => {
			resolve();
			socket.destroy();
		});
		socket.once("error", (error) => reject(new ChannelError(reasonOf(error))));
	});
	return isTls ? "the host answers, and its certificate is valid" : "the host answers";
}
