import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { portHolder } from "@robust-sync/system/port-holder";
import { openUdpTransport, type UdpOptions, type UdpTransport } from "./udp-transport.ts";

/**
 * Opens the socket, or fails with advice.
 *
 * @throws CommandError with exit code 1 when the port or address cannot be opened
 */
export async function openPort(options: UdpOptions): Promise<UdpTransport> {
	try {
		return await openUdpTransport(options);
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		const where = `UDP port ${options.port}`;
		if (code === "EADDRINUSE") {
			const holder = await portHolder("udp", options.port);
			throw new CommandError(
				`${where} is in use${holder === null ? "" : ` by ${holder}`}: stop that, or take another port with --port or HEARTBEAT_PORT (the peers must know it)`,
				ExitCode.failed,
				{ cause: error },
			);
		}
		if (code === "EACCES") {
			throw new CommandError(
				`${where} needs privileges that this user does not have: take one above 1023 with --port or HEARTBEAT_PORT`,
				ExitCode.failed,
				{
					cause: error,
				},
			);
		}
		if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EINVAL") {
			throw new CommandError(`this machine has no address ${options.host}: correct HEARTBEAT_BIND (now ${code})`, ExitCode.failed, {
				cause: error,
			});
		}
		throw new CommandError(`${where} cannot be opened: ${message}`, ExitCode.failed, { cause: error });
	}
}
