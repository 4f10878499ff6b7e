import { describe, expect, test } from "@jest/globals";
import { RestartPolicy } from "./restart-policy.ts";

const crash = (lived_ms: number) => ({ code: null, signal: "SIGKILL" as const, lived_ms });
const exit = (code: number, lived_ms = 60_000) => ({ code, signal: null, lived_ms });

describe("restart policy", () => {
	test("restart policy: deaths in a row → 1 s doubling to 60 s, over after 5 min health", () => {
		const policy = new RestartPolicy();
		const pauses = Array.from({ length: 8 }, () => policy.judge(crash(10)));
		expect(pauses.map((verdict) => "restart_ms" in verdict && verdict.restart_ms)).toEqual([
			1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
		]);
		expect(policy.judge(crash(299_999))).toEqual({ restart_ms: 60_000 });
		expect(policy.judge(crash(300_000))).toEqual({ restart_ms: 1_000 });
		expect(policy.judge(exit(1))).toEqual({ restart_ms: 2_000 });
	});

	test.each([0, 2, 4])("restart policy: exit code %i → ends", (code) => {
		expect(new RestartPolicy().judge(exit(code))).toEqual({ exitCode: code });
	});

	test("exit 75: → restarted at once; again and again right after the start → a pause", () => {
		const policy = new RestartPolicy();
		expect(policy.judge(exit(75))).toEqual({ restart_ms: 0 });
		expect([1, 2, 3, 4].map(() => policy.judge(exit(75, 500)))).toEqual([
			{ restart_ms: 0 },
			{ restart_ms: 0 },
			{ restart_ms: 1_000 },
			{ restart_ms: 2_000 },
		]);
	});
});
