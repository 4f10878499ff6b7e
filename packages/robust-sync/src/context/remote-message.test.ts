import { expect, test } from "@jest/globals";
import { GitError } from "@robust-sync/git";
import { withRemoteMessage } from "@robust-sync/workspace";
import { lastErrorOf } from "../cycle/record.ts";
import { cleanRemoteMessage, maxRemoteMessageBytes } from "./remote-message.ts";
import { toSyncError } from "./sync-error.ts";

test.each([
	[null, null],
	["", null],
	["one\ntwo", "one\ntwo"],
	["\u001b[31mred\u202e", "\\u001b[31mred\\u202e"],
])("remote message: %j → %j", (text, expected) => {
	expect(cleanRemoteMessage(text)).toBe(expected);
});

test("remote message: too much of it → 4 KiB, whole characters", () => {
	for (const character of ["a", "é", "€", "😀"]) {
		const clean = cleanRemoteMessage(`x${character.repeat(5_000)}`) ?? "";
		expect(Buffer.byteLength(clean)).toBeLessThanOrEqual(maxRemoteMessageBytes);
		expect(Buffer.byteLength(clean)).toBeGreaterThan(maxRemoteMessageBytes - 8);
		expect(clean.replaceAll(character, "")).toBe("x…");
	}
});

test("a refused push: the remote's words with a secret → in the state, without it", () => {
	const error = toSyncError(new GitError("PUSH_REJECTED", "refused", "", 1, { remoteMessage: "ask\nhunter22" }));
	const last = lastErrorOf(error, ["hunter22"], "2026-01-01T00:00:00Z");
	expect(last).toEqual({ code: "PUSH_REJECTED", message: "refused", at: "2026-01-01T00:00:00Z", remote_message: "ask\n[redacted]" });
	expect(withRemoteMessage(last.message, last.remote_message)).toBe("refused; the remote says: ask / [redacted]");
	expect(lastErrorOf(toSyncError(new GitError("AUTH_FAILED", "no", "", 1, { remoteMessage: "x" })), [], "")).toMatchObject({
		remote_message: "x",
	});
	expect(lastErrorOf(toSyncError(new GitError("AUTH_FAILED", "no", "", 1)), [], "")).not.toHaveProperty("remote_message");
	// A message that quotes it contains it already.
	expect(withRemoteMessage("refused (ask me)", "ask me")).toBe("refused (ask me)");
});
