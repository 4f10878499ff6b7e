import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { redact } from "./redact.ts";

describe("redact", () => {
	test.each([
		["https://me:hunter2@example.org/r.git", "https://[redacted]@example.org/r.git"],
		["https://ghp_token@github.com/x", "https://[redacted]@github.com/x"],
		["ssh://me:p@ss@host/x and ftp://a:b@c", "ssh://[redacted]@host/x and ftp://[redacted]@c"],
		["ssh://git@host/x", "ssh://git@host/x"],
		["https://example.org/@scope/name", "https://example.org/@scope/name"],
		["mail me@example.org about http://example.org", "mail me@example.org about http://example.org"],
		["https://:only-password@host", "https://[redacted]@host"],
	])("redact: %s → no secret left", (text, clean) => {
		expect(redact(text)).toBe(clean);
	});

	test("redact: every form of a secret in text → gone", () => {
		const secret = 'top "secret"/+key';
		const text = [secret, JSON.stringify({ secret }), `https://host/?key=${encodeURIComponent(secret)}`].join(" ");
		expect(redact(text, [secret])).toBe('[redacted] {"secret":"[redacted]"} https://host/?key=[redacted]');
	});

	test("redact: a secret inside a longer one → nothing left behind", () => {
		expect(redact("abcdefgh", ["abcd", "abcdefgh"])).not.toMatch(/abcd|efgh/);
	});

	test("redact: any secret of four characters or more → none survives", () => {
		fc.assert(
			fc.property(fc.string({ minLength: 4 }), fc.string(), fc.string(), (secret, before, after) => {
				// A secret that is part of the mark itself cannot be hidden by it.
				fc.pre(!"[redacted]".includes(secret));
				const clean = redact(`${before} ${secret} ${after}`, [secret]);
				expect(clean.split("[redacted]").some((part) => part.includes(secret))).toBe(false);
			}),
		);
	});

	test("redact: a long text without credentials → no time to speak of", () => {
		const started = performance.now();
		redact(`${"a".repeat(500_000)}://${"b".repeat(500_000)}`);
		expect(performance.now() - started).toBeLessThan(10_000);
	});
});
