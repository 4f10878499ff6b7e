import { expect, test } from "@jest/globals";
import { parseRetryAfter } from "./retry-after.ts";

const now = Date.UTC(2026, 1, 18, 2);

test.each<[header: string | undefined, date: string | undefined, ms: number | null]>([
	["9", undefined, 9_000],
	[" 0.35 ", undefined, 350],
	["99999999", undefined, 99_999_999_000],
	["Wed, 18 Feb 2026 02:00:20 GMT", undefined, 20_000],
	["Wed, 18 Feb 2026 02:00:20 GMT", "nonsense", 20_000],
	["Wed, 18 Feb 2026 01:00:20 GMT", "Wed, 18 Feb 2026 01:00:00 GMT", 20_000],
	["Wednesday, 18-Feb-26 02:00:20 GMT", undefined, 20_000],
	["Wed, 18 Feb 2026 01:00:00 GMT", undefined, 0],
	["soon", undefined, null],
	["Wed, soon GMT", undefined, null],
	["-1", undefined, null],
	["2026-02-18", undefined, null],
	["", undefined, null],
	[undefined, undefined, null],
])("Retry-After: %j, the server's Date %j → %j ms", (header, date, ms) => expect(parseRetryAfter(header, date, now)).toBe(ms));
