import { type GitPath, isGitPath } from "@robust-sync/git/git-path";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import * as z from "zod/mini";
import { isOwnName } from "./paths.ts";

// Text that is read back from `sync/` decides which files are written and sent. An attacker who can write there, or commit there, must not be able
// to name any other file with it: each kind of name has its own check, and a file with a name that fails it counts as one that does not parse.

/** Whether a text, one character a byte, is a path that git lets into an index, and ends in no slash. */
const isPath = (text: unknown): text is GitPath => isGitPath(text) && !text.endsWith("/");
const isOwn = (path: string) => isOwnName(path.split("/", 1)[0] ?? "");
const bytesOf = (text: string) => Buffer.from(text).toString("latin1");
const hexBytes = (hex: string) => Buffer.from(hex, "hex").toString("latin1");
const isHex = (text: string) => /^(?:[0-9a-f]{2})+$/.test(text);

/** A path below some directory, as text. */
export const innerPath = z.string().check(z.refine((text) => isPath(bytesOf(text)), "not a path below its directory"));
/** The same as the hexadecimal digits of its bytes. */
export const innerPathHex = z.string().check(z.refine((text) => isHex(text) && isPath(hexBytes(text)), "not a path below its directory"));
/** The same with one character a byte. */
export const innerGitPath = z.custom<GitPath>(isPath, "not a path below its directory");
/** A path of the workspace that is not one of ours, as text. */
export const workspacePath = z.string().check(z.refine((text) => isPath(bytesOf(text)) && !isOwn(text), "not a path of the workspace"));
/** The same with one character a byte. */
export const workspaceGitPath = z.custom<GitPath>((value) => isPath(value) && !isOwn(value), "not a path of the workspace");
/** One name in a directory of ours: any that a file system accepts. */
export const singleName = z.string().check(z.refine((text) => !/[/\0]/.test(text) && !["", ".", ".."].includes(text), "not a single name"));
/** The path of a delivered message: `messages/<node>/<one name>`. */
export const messageTarget = z
	.string()
	.check(z.refine((text) => /^messages\/[a-z0-9][a-z0-9-]*\/[^/]+$/.test(text) && isPath(text), "not messages/<node>/<name>"));
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
