import path from "node:path";

/**
 * A path inside a repository, byte for byte: one character a byte (latin1), forward slashes, no leading slash. Names need
 * not be UTF-8, so a decoded string would not find its file again.
 */
export type GitPath = string & { readonly __gitPath: true };

/** From bytes as git or the file system gave them. */
export function gitPath(bytes: Uint8Array): GitPath {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1") as GitPath;
}

/** From ordinary text. */
export function gitPathFromText(text: string): GitPath {
	return gitPath(Buffer.from(text, "utf8"));
}

/** The bytes, for git's standard input. */
export function gitPathBytes(name: GitPath): Buffer {
	return Buffer.from(name, "latin1");
}

/** For people, JSON and logs. Bytes that are not UTF-8 become U+FFFD. */
export function displayPath(name: GitPath): string {
	return gitPathBytes(name).toString("utf8");
}

/** Where it lies in the file system below `root`. */
export function fileSystemPath(root: string, name: GitPath): Buffer {
	return Buffer.concat([Buffer.from(root + path.sep), gitPathBytes(name)]);
}

/** The directory that a path lies in; null: it lies at the top. */
export function parentOf(name: GitPath): GitPath | null {
	const at = name.lastIndexOf("/");
	return at < 0 ? null : (name.slice(0, at) as GitPath);
}

/** Paths as git's `-z --stdin` takes them. */
export function gitPathList(names: Iterable<GitPath>): Buffer {
	return Buffer.concat([...names].flatMap((name) => [gitPathBytes(name), Buffer.of(0)]));
}

/** Paths as git's `-z` prints them. */
export function parseGitPathList(output: Uint8Array): GitPath[] {
	return gitPath(output)
		.split("\0")
		.filter((name) => name !== "") as GitPath[];
}
