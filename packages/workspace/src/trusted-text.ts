import * as z from "zod/mini";
import { isOwnName } from "./paths.ts";
import { parseCompactTimestamp } from "./timestamps.ts";

// What is read back from `sync/` decides where is written and what is sent. Whoever can write there, or had it committed, must not be able
// to name anything else with it: each kind of name has its own check, and a file with a name that fails it is as one that does not parse.

/** Whether a text is a path that stays below the directory that it is relative to, when nothing on the way is a link. */
export function isInnerPath(text: string): boolean {
	return !text.includes("\0") && text.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

const hexBytes = (hex: string) => Buffer.from(hex, "hex").toString("latin1");
const isHex = (text: string) => /^(?:[0-9a-f]{2})+$/.test(text);

/** A path below some directory. */
export const innerPath = z.string().check(z.refine(isInnerPath, "not a path below its directory"));
/** The same as the hexadecimal digits of its bytes. */
export const innerPathHex = z
	.string()
	.check(z.refine((text) => isHex(text) && isInnerPath(hexBytes(text)), "not a path below its directory"));
/** A path of the workspace that is none of ours. */
export const workspacePath = z
	.string()
	.check(z.refine((text) => isInnerPath(text) && !isOwnName(text.split("/", 1)[0] ?? ""), "not a path of the workspace"));
/** One name in a directory. */
export const singleName = z.string().check(z.refine((text) => isInnerPath(text) && !text.includes("/"), "not a single name"));
/** Where a message is delivered: `messages/<node>/<one name>`. */
export const messageTarget = z
	.string()
	.check(z.refine((text) => /^messages\/[a-z0-9][a-z0-9-]*\/[^/]+$/.test(text) && isInnerPath(text), "not messages/<node>/<name>"));
/** The id of an object. */
export const objectId = z.string().check(z.regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/));
/** A branch, as a full ref name (git-check-ref-format(1)). */
export const branchRef = z
	.string()
	.check(
		z.refine(
			(text) => /^refs\/heads\/(?!.*(?:\.\.|@\{|\/\/|\.lock(?:\/|$)|\/\.|\.$|\/$))[^\0-\x20\x7f~^:?*[\\]+$/.test(text),
			"not a branch",
		),
	);
/** The name of a directory below `sync/backups/` or `sync/conflicts/`. */
export const timestampName = z.string().check(z.refine((text) => parseCompactTimestamp(text) !== null, "not a time"));
/** git's mode of a file, link or submodule. */
export const fileModeText = z.enum(["100644", "100755", "120000", "160000"]);
