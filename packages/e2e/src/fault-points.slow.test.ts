import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { bringInto, copyOf, expectAllIsWell, makeTemplate } from "./fixture/plight.ts";
import { faultPointNames } from "./fixture/sources.ts";
import type { World } from "./fixture/world.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

let template: World;
beforeAll(async () => {
	template = await makeTemplate();
});
afterAll(() => template.remove());

test.each(faultPointNames(["robust-sync", "resolve", "git", "workspace", "system"]))(
	"fault point: killed at %s each time it is passed → the next cycle continues",
	async (name) => {
		for (let time = 2; time < 40; time += Math.ceil(1 / share)) {
			const { helios, chad, world } = copyOf(template);
			try {
				await bringInto(helios, name);
				const { code } = await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: `${name}#${time}` } });
				if (code === 0) return;
				expect({ name, time, code }).toEqual({ name, time, code: "SIGKILL" });
				await helios.once();
				await expectAllIsWell(world, helios, chad);
			} finally {
				await world.remove();
			}
		}
	},
);
