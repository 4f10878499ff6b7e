import { createServer, type Server } from "node:net";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { portHolder } from "@robust-sync/system/port-holder";
import type { Config } from "@robust-sync/workspace/config";

/** Starts listening. @throws the system's error, such as EADDRINUSE */
export function listen(server: Server, port: number, host: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen({ port, host: host.replace(/^\[|\]$/g, "") }, () => {
			server.off("error", reject);
			resolve();
		});
	});
}

/** Checks that the port is free now. @throws the system's error if it is not */
export async function tryPort(port: number, host: string): Promise<void> {
	const probe = createServer();
	await listen(probe, port, host);
	await new Promise((resolve) => probe.close(resolve));
}

/** Turns the system's error into one line with the remedy. @throws CommandError 1, always */
export async function failToListen(error: unknown, { healthPort, healthHost }: Config): Promise<never> {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code === "EADDRINUSE") {
		const holder = (await portHolder("tcp", healthPort)) ?? "another process";
		throw new CommandError(
			`port ${healthPort} on ${healthHost} is taken by ${holder}: stop it, or choose another port with --port (HEALTH_PORT in .sync_env)`,
			ExitCode.failed,
			{ cause: error },
		);
	}
	const advice =
		code === "EACCES"
			? "ports below 1024 are for root: choose another with --port (HEALTH_PORT in .sync_env)"
			: "check --host (HEALTH_HOST in .sync_env)";
	throw new CommandError(`cannot listen on ${healthHost} port ${healthPort} (${code ?? message}): ${advice}`, ExitCode.failed, {
		cause: error,
	});
}
