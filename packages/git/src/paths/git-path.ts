import path from "node:path";
import { isPathAllowed } from "./verify-path.ts";

/**
 * A path inside a repository, byte for byte: one character a byte (latin1), forward slashes, no leading slash. Names need
 * not be UTF-8, so a decoded string would not find its file again. Every one was checked by git's own rules for what may be a path
 * (isPathAllowed) or made from one that was: nothing else makes one but the functions here. A directory's may end with one slash.
 */
export type GitPath = string & { readonly __gitPath: true };

/** Bytes that name something in a tree, an index or a directory, not checked: to be reported, never to be used as a path. One character a byte. */
export type RawPath = string & { readonly __rawPath: true };

/** A name that no working tree may have, where only a path will do. */
export class RefusedPathError extends Error {
	constructor(name: string) {
		super(`not a path that a working tree may have: ${JSON.stringify(Buffer.from(name, "latin1").toString())}`);
		this.name = "RefusedPathError";
	}
}

/** Whether a text, one character a byte, is a path that git accepts. */
export function isGitPath(name: unknown): name is GitPath {
	return typeof name === "string" && !/[\u0100-\uffff]/.test(name) && isPathAllowed(name.endsWith("/") ? name.slice(0, -1) : name);
}

/** From text with one character a byte; null: no working tree may have it. */
export function gitPathIfAllowed(name: string): GitPath | null {
	return isGitPath(name) ? name : null;
}

/** From text with one character a byte. @throws RefusedPathError */
export function gitPathOf(name: string): GitPath {
	if (!isGitPath(name)) throw new RefusedPathError(name);
	return name;
}

/** From bytes as git or the file system gave them. @throws RefusedPathError */
export function gitPath(bytes: Uint8Array): GitPath {
	return gitPathOf(latin1(bytes));
}

/** The bytes of a command's operand: a text in which each byte that is not UTF-8 is a lone surrogate, U+DC80 to U+DCFF (PEP 383). */
export function textBytes(text: string): Buffer {
	const parts = text.split(/([\u{dc80}-\u{dcff}])/u);
	return Buffer.concat(parts.map((part, index) => (index % 2 === 1 ? Buffer.of(part.charCodeAt(0) & 0xff) : Buffer.from(part, "utf8"))));
}

/** Reads back a path from a buffer. @param start of exactly one path that was written there @param end of it */
export function storedGitPath(buffer: Buffer, start: number, end: number): GitPath {
	return buffer.toString("latin1", start, end) as GitPath;
}

/** From ordinary text, or that of an operand ({@link textBytes}). @throws RefusedPathError */
export function gitPathFromText(text: string): GitPath {
	return gitPath(textBytes(text));
}

/** What is to be reported only. @param name bytes, or one character a byte */
export function rawPath(name: Uint8Array | string): RawPath {
	return (typeof name === "string" ? name : latin1(name)) as RawPath;
}

function latin1(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The workspace itself, as the directory that everything is below. */
export const workspaceRoot = "" as GitPath;

/** The directory of ours at the top of a file system that is mounted below the workspace (mount-store.ts). */
export const mountStoreName = ".robust-sync";

/** The bytes, for git's standard input. */
export function gitPathBytes(name: GitPath): Buffer {
	return Buffer.from(name, "latin1");
}

/** For people, JSON and logs. Bytes that are not UTF-8 become U+FFFD. */
export function displayPath(name: GitPath | RawPath): string {
	return Buffer.from(name, "latin1").toString("utf8");
}

/** The path in the file system, below `root`. */
export function fileSystemPath(root: string, name: GitPath): Buffer {
	return Buffer.concat([Buffer.from(root + path.sep), gitPathBytes(name)]);
}

/** The directory of a path; null: the path is at the top. */
export function parentOf(name: GitPath): GitPath | null {
	const at = name.lastIndexOf("/");
	return at < 0 ? null : (name.slice(0, at) as GitPath);
}

/** Paths in the form of git's `-z --stdin`. */
export function gitPathList(names: Iterable<GitPath>): Buffer {
	return Buffer.from(Array.from(names, (name) => `${name}\0`).join(""), "latin1");
}

/** The directories above a path, the topmost first. */
export function directoriesAbove<Name extends string>(name: Name): Name[] {
	const found: Name[] = [];
	for (let slash = name.indexOf("/"); slash >= 0 && slash < name.length - 1; slash = name.indexOf("/", slash + 1))
		found.push(name.slice(0, slash) as Name);
	return found;
}

/** The first component. */
export function topOf(name: GitPath): GitPath {
	return name.split("/", 1)[0] as GitPath;
}

/** The path of a name (one character a byte) in a directory. @throws RefusedPathError */
export function pathIn(directory: GitPath, name: string): GitPath {
	return gitPathOf(directory === workspaceRoot ? name : `${withoutSlash(directory)}/${name}`);
}

/** A directory as git prints one that it did not read. */
export function withSlash(name: GitPath): GitPath {
	return (name.endsWith("/") ? name : `${name}/`) as GitPath;
}

/** The same without the slash. */
export function withoutSlash(name: GitPath): GitPath {
	return (name.endsWith("/") ? name.slice(0, -1) : name) as GitPath;
}

/** Records as git's `-z` prints them, one character a byte. */
export function splitRecords(output: Uint8Array): string[] {
	return latin1(output)
		.split("\0")
		.filter((record) => record !== "");
}

/** Paths as git's `-z` prints them; what no working tree may have is left out. */
export function parseGitPathList(output: Uint8Array): GitPath[] {
	return splitRecords(output).filter(isGitPath);
}
