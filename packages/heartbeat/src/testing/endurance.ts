import { SimulatedFleet } from "./simulated-fleet.ts";
import { seededRandom } from "./simulated-network.ts";

const second = 1_000;
const minute = 60 * second;
export const dayMs = 24 * 60 * minute;
export const enduranceTimeoutMs = 180 * second;

export interface EnduranceResult {
	/** How many times a live, reachable peer was reported down. */
	falseDowns: number;
	suspicions: number;
	deaths: number;
	/** From a peer's last datagram to the report of its death, the longest, milliseconds. */
	slowestDeathMs: number;
	/** From a restart to the first report of alive, the longest, milliseconds. */
	slowestReturnMs: number;
}

/**
 * Runs two nodes with the default settings for this many days on a bad network; every few hours one of them is killed
 * without a goodbye, stays dead for ten minutes, and starts again.
 */
export function endure(options: { days: number; lossRate: number; seed: number; deathEveryMs: number }): EnduranceResult {
	const { days, lossRate, seed, deathEveryMs } = options;
	const fleet = new SimulatedFleet({
		names: ["helios", "chad"],
		seed,
		conditions: { lossRate, duplicateRate: 0.05, delayMs: { min: 5, max: 120 }, reorder: { rate: 0.05, delayMs: 700 } },
		settings: { timeoutMs: enduranceTimeoutMs },
	});
	const random = seededRandom(seed + 1);
	const [helios, chad] = [fleet.member("helios"), fleet.member("chad")];
	const result: EnduranceResult = { falseDowns: 0, suspicions: 0, deaths: 0, slowestDeathMs: 0, slowestReturnMs: 0 };
	const countWhileAlive = () => {
		for (const member of [helios, chad]) {
			for (const { status } of member.changes) {
				if (status === "down") result.falseDowns++;
				if (status === "suspect") result.suspicions++;
			}
			member.changes.length = 0;
			member.logged.length = 0;
		}
	};
	while (fleet.time.nowMs < days * dayMs) {
		fleet.time.pass(deathEveryMs * (0.5 + random.fraction()));
		countWhileAlive();
		const [victim, witness] = random.fraction() < 0.5 ? [helios, chad] : [chad, helios];
		// Its last datagram may still be in flight.
		victim.die();
		fleet.time.pass(second);
		const lastWordMs = (fleet.view(witness.name, victim.name).receivedAtMs ?? 0) - witness.clock.wallOffsetMs;
		fleet.time.pass(10 * minute);
		const down = witness.changes.find(({ status }) => status === "down");
		result.deaths++;
		result.slowestDeathMs = Math.max(result.slowestDeathMs, down ? down.atMs - lastWordMs : Number.POSITIVE_INFINITY);
		witness.changes.length = 0;
		const startedMs = fleet.time.nowMs;
		fleet.boot(victim);
		fleet.time.pass(10 * minute);
		const alive = witness.changes.find(({ status }) => status === "alive");
		result.slowestReturnMs = Math.max(result.slowestReturnMs, alive ? alive.atMs - startedMs : Number.POSITIVE_INFINITY);
		witness.changes.splice(0, witness.changes.findIndex(({ status }) => status === "alive") + 1);
		countWhileAlive();
	}
	return result;
}
