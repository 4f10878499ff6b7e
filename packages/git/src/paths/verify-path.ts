// What git lets into an index (read-cache.c, verify_path), with core.protectNTFS and core.protectHFS on, whatever this machine's
// file system is: a name that is harmless here overwrites a repository's own files on a node that has the other one.
// Names have one character for each byte.

/** Every path that could be refused has one of these; nearly all have none. A component that begins with `.`, `g` or a byte above ASCII is checked. */
const suspicious = /^$|\0|^\/|\/\/|\/$|(?:^|[/\\])[.gG\x80-\xff]/;

/** Code points that HFS+ leaves out when it compares names. */
const ignoredByHfs = new Set([
	0x200c, 0x200d, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x206a, 0x206b, 0x206c, 0x206d, 0x206e, 0x206f, 0xfeff,
]);

/** `.git`, its short name, and their spellings on NTFS: trailing dots and spaces do not count, and a colon begins the name of a stream. */
const ntfsDotGit = /^(?:\.git|git~1)[. ]*(?:[:\\/]|$)/i;
/** The same for `.gitmodules`; gi7eba is the beginning of the short name that a hash gives. */
const ntfsDotGitModules = /^(?:\.gitmodules|gitmod~[1-4])[. ]*(?::|$)/i;
const ntfsHashedName = /^(.{8})[. ]*(?::|$)/s;

function isHashedGitModules(name: string): boolean {
	const [, short = ""] = ntfsHashedName.exec(name) ?? [];
	const tilde = short.indexOf("~");
	return tilde >= 0 && tilde <= 6 && "gi7eba".startsWith(short.slice(0, tilde).toLowerCase()) && /^~[1-9][0-9]*$/.test(short.slice(tilde));
}

/** Length of the UTF-8 sequence at `at`; 0: malformed for git. */
function sequenceLength(name: string, at: number): number {
	const byte = (offset: number) => name.charCodeAt(at + offset) || 0;
	const continues = (offset: number) => (byte(offset) & 0xc0) === 0x80;
	const first = byte(0);
	if (first < 0x80) return 1;
	if ((first & 0xe0) === 0xc0) return continues(1) && (first & 0xfe) !== 0xc0 ? 2 : 0;
	if ((first & 0xf0) === 0xe0) {
		const isOverlong = first === 0xe0 && (byte(1) & 0xe0) === 0x80;
		const isSurrogate = first === 0xed && (byte(1) & 0xe0) === 0xa0;
		const isNoCharacter = first === 0xef && byte(1) === 0xbf && (byte(2) & 0xfe) === 0xbe;
		return continues(1) && continues(2) && !isOverlong && !isSurrogate && !isNoCharacter ? 3 : 0;
	}
	if ((first & 0xf8) === 0xf0) {
		const isOverlong = first === 0xf0 && (byte(1) & 0xf0) === 0x80;
		const isTooGreat = (first === 0xf4 && byte(1) > 0x8f) || first > 0xf4;
		return continues(1) && continues(2) && continues(3) && !isOverlong && !isTooGreat ? 4 : 0;
	}
	return 0;
}

/** The name as HFS+ compares it, as far as it is ASCII: git stops at a malformed sequence, as at the end. */
function foldedByHfs(name: string): string {
	let folded = "";
	for (let at = 0; at < name.length; ) {
		const length = sequenceLength(name, at);
		if (length === 0) break;
		if (length === 1) folded += name[at]?.toLowerCase();
		else {
			const codePoint =
				Buffer.from(name.slice(at, at + length), "latin1")
					.toString("utf8")
					.codePointAt(0) ?? 0;
			if (!ignoredByHfs.has(codePoint)) folded += "\ufffd";
		}
		at += length;
	}
	return folded;
}

function isComponentAllowed(name: string, isLink: boolean): boolean {
	if (name === "" || name === "." || name === "..") return false;
	const hfs = foldedByHfs(name);
	if (hfs === ".git" || (isLink && hfs === ".gitmodules")) return false;
	// A backslash separates components for NTFS.
	for (let at = 0; ; ) {
		const rest = name.slice(at);
		if (ntfsDotGit.test(rest)) return false;
		if (isLink && (ntfsDotGitModules.test(rest) || isHashedGitModules(rest))) return false;
		const next = name.indexOf("\\", at);
		if (next < 0) return true;
		at = next + 1;
	}
}

/**
 * Whether git would take a path into an index, on whatever file system: no component is empty, `.`, `..`, or `.git` in any disguise, and
 * there is no NUL and no slash at either end. Backslashes are part of a name.
 * @param path one character for each byte
 * @param isLink a symbolic link may not be called `.gitmodules` either
 */
export function isPathAllowed(path: string, isLink = false): boolean {
	if (!suspicious.test(path)) return true;
	if (path.includes("\0")) return false;
	return path.split("/").every((component) => isComponentAllowed(component, isLink));
}
