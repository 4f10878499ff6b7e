import { expect, test } from "@jest/globals";
import { GitError } from "@robust-sync/git";
import { LockLostError } from "@robust-sync/system/lock";
import { snapshotMessage } from "../context/snapshot-message.ts";
import { SyncError, toSyncError } from "./sync-error.ts";

test.each([
	["ENOSPC", "DISK_FULL"],
	["EDQUOT", "DISK_FULL"],
	["EACCES", "PERMISSION_DENIED"],
	["EPERM", "PERMISSION_DENIED"],
	["EROFS", "PERMISSION_DENIED"],
	["EIO", "INTERNAL"],
])("error code: the file system's %s → %s, with the remedy", (code, expected) => {
	const error = toSyncError(Object.assign(new Error("no"), { code, path: "/x/y" }));
	expect(error.code).toBe(expected);
	expect(error.message).not.toContain("\n");
	if (expected !== "INTERNAL") expect(error.message).toContain("/x/y");
});

test("error code: git's → kept; others → INTERNAL in one line; a lost lock passes", () => {
	expect(toSyncError(new GitError("AUTH_FAILED", "m"))).toMatchObject({ code: "AUTH_FAILED", message: "m" });
	const own = new SyncError("PUSH_RACE", "x");
	expect(toSyncError(own)).toBe(own);
	expect(toSyncError(new Error("one\ntwo")).message).toBe("unexpected: one");
	for (const nothing of [undefined, null, "text", 42]) expect(toSyncError(nothing).code).toBe("INTERNAL");
	expect(() => toSyncError(new LockLostError("gone"))).toThrow(LockLostError);
});

test("commit message: whatever the files are called → one line for people", () => {
	const message = (...names: string[]) => snapshotMessage("helios", names.map((name) => Buffer.from(name).toString("latin1")) as never);
	expect(message("notes.md")).toBe("helios: 1 file (notes.md)");
	expect(message("a", "b", "c", "d")).toBe("helios: 4 files (a, b, …)");
	expect(message("new\nline", "e\u001b[2Jsc\u2028")).toBe("helios: 2 files (new\\nline, e\\u001b[2Jsc\\u2028)");
	expect(message("größe")).toBe("helios: 1 file (größe)");
	const gone = (paths: string[], deleted: string[]) => snapshotMessage("helios", paths as never, new Set(deleted) as never);
	expect(gone(["a"], ["a"])).toBe("helios: 1 file deleted (a)");
	expect(gone(["a", "b", "c"], ["a", "b", "c"])).toBe("helios: 3 files deleted (a, b, …)");
	expect(gone(["a", "b", "c"], ["a", "c"])).toBe("helios: 1 file (b), 2 deleted");
	expect(gone([], [])).toBe("helios: 0 files ()");
});
