import { expect, test } from "@jest/globals";
import { parseUnits } from "./units.ts";

test("units: systemctl show of four, known and not → read", () => {
	const output = [
		"Id=helios-sync.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=signal\nUnitFileState=enabled\nNRestarts=4",
		"Id=helios-heartbeat.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success\nUnitFileState=disabled\nNRestarts=0",
		"Id=helios-health-server.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead",
		"Id=another.service\nLoadState=loaded",
	].join("\n\n");
	expect(parseUnits(output, "helios")).toEqual({
		sync: { unit: "helios-sync", activeState: "activating", subState: "auto-restart", result: "signal", enabled: true, restarts: 4 },
		heartbeat: { unit: "helios-heartbeat", activeState: "inactive", subState: "dead", result: "success", enabled: false, restarts: 0 },
		"health-server": null,
		monitor: null,
	});
});

test("units: nonsense → no unit", () => {
	for (const output of ["", "\n\n\n", "x", "Id=", "=\n=\n\nId=helios-sync.service"]) {
		expect(Object.values(parseUnits(output, "helios")).every((unit) => unit === null)).toBe(true);
	}
});
