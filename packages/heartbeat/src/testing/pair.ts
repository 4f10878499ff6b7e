import type { Address } from "../transport.ts";
import { decode, type Message } from "../wire-format.ts";
import { type FleetMember, SimulatedFleet } from "./simulated-fleet.ts";

export const second = 1_000;
export const minute = 60 * second;
export const headA = "a".repeat(40);
export const headB = "b".repeat(40);
export const key = "a shared secret of the test";

/** helios and chad, which are each other's peers. */
export function pair(options: Partial<ConstructorParameters<typeof SimulatedFleet>[0]> = {}) {
	const fleet = new SimulatedFleet({ names: ["helios", "chad"], seed: 1, ...options });
	return { fleet, helios: fleet.member("helios"), chad: fleet.member("chad"), time: fleet.time };
}

/** Records everything sent on the network from now on. */
export function record(fleet: SimulatedFleet): { message: Message; datagram: Buffer; from: Address; to: Address; atMs: number }[] {
	const sent: ReturnType<typeof record> = [];
	fleet.network.onSend = (datagram, from, to) => {
		const message = decode(datagram);
		if (typeof message !== "string") sent.push({ message, datagram, from, to, atMs: fleet.time.nowMs });
	};
	return sent;
}

/** How many datagrams a member refused, by reason; without reasons that never occurred. */
export const rejected = (member: FleetMember) =>
	Object.fromEntries(Object.entries(member.node.totals.rejected).filter(([, count]) => count > 0));
