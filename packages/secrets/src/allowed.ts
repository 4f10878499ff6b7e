import { randomBytes } from "node:crypto";
import { hashOf } from "./finder.ts";
import { ownRule } from "./own-secrets.ts";

/** One line of `.secretsallow`: a deliberate value and the paths where it may be. */
export interface Allowed {
	/** Of paths: `*` anything but a slash, `**` anything, `?` one character. */
	readonly glob: string;
	/** `*`: every rule. */
	readonly rule: string;
	readonly salt: string;
	readonly hash: string;
	/** Allowed on this machine, for its own secrets: a file that is synced cannot allow those. */
	readonly isLocal: boolean;
}

const header = `# Values that look secret and may be published: path pattern, rule, salted hash of the value, separated by tabs.
# Written by: robust-sync --allow-secret PATH
`;

/** Parses `.secretsallow`. Malformed lines allow nothing. @param isLocal the text belongs to this machine alone */
export function parseAllowed(text: string, isLocal = false): Allowed[] {
	return text.split(/\r?\n/).flatMap((line) => {
		const [glob = "", rule = "", value = ""] = line.split("\t");
		const [, salt, hash] = /^([0-9a-f]{16,64})\.([0-9a-f]{64})$/.exec(value.trim()) ?? [];
		return line.startsWith("#") || glob === "" || rule === "" || salt === undefined || hash === undefined
			? []
			: [{ glob, rule, salt, hash, isLocal }];
	});
}

/** A salt for {@link allowLines}. */
export function newSalt(): string {
	return randomBytes(12).toString("hex");
}

/** A pattern for a path. It also covers paths with other blanks in their name, and does not begin a comment. @param path as UTF-8 text */
export const patternOf = (path: string): string => path.replaceAll(/[*?\\]|^#/g, "\\$&").replaceAll(/[\t\r\n]/g, "?");

/**
 * A `.secretsallow` with some values added to it.
 * @param text the present file; "": there is none @param patterns of paths @param findings with hashes by `salt`
 */
export function withAllowed(
	text: string,
	patterns: readonly string[],
	findings: readonly { readonly rule: string; readonly hash: string | null }[],
	salt: string,
): string {
	const lines = patterns.flatMap((pattern) =>
		findings.flatMap(({ rule, hash }) => (hash === null ? [] : [`${pattern}\t${rule}\t${salt}.${hash}\n`])),
	);
	const before = text === "" ? header : text.endsWith("\n") ? text : `${text}\n`;
	return before + [...new Set(lines)].join("");
}

/** A part of a pattern: a character, with the number of its repetitions. */
type Part = { readonly is: string } | { readonly any: "one" | "name" | "path" | "directories" };

function partsOf(glob: string): Part[] {
	return [...glob.matchAll(/\\(.)|\*\*\/|\*\*|\*|\?|./gs)].map(([part, escaped]) => {
		if (escaped !== undefined) return { is: escaped };
		if (part === "**/") return { any: "directories" };
		if (part === "**") return { any: "path" };
		if (part === "*") return { any: "name" };
		return part === "?" ? { any: "one" } : { is: part };
	});
}

/**
 * Whether a pattern covers a path. A pattern without a slash covers files of that name in every directory. The cost is at most the product of the
 * lengths of pattern and path: a peer may have written the pattern.
 */
export function covers(glob: string, path: string): boolean {
	const parts = partsOf(glob.includes("/") ? glob : `**/${glob}`);
	/** The lengths of the path at which the parts so far may end. */
	let ends = new Set([0]);
	for (const part of parts) {
		const next = new Set<number>();
		for (const at of ends) {
			if ("is" in part) {
				if (path[at] === part.is) next.add(at + 1);
			} else if (part.any === "one") {
				if (at < path.length && path[at] !== "/") next.add(at + 1);
			} else {
				next.add(at);
				for (let end = at; end < path.length && !next.has(end + 1) && (part.any !== "name" || path[end] !== "/"); end++)
					if (part.any !== "directories" || path[end] === "/") next.add(end + 1);
			}
		}
		ends = next;
	}
	return ends.has(path.length);
}

/** The values at a path that are not allowed. */
export function notAllowed<T extends { readonly rule: string; readonly value: string }>(
	allowed: readonly Allowed[],
	path: string,
	matches: readonly T[],
): T[] {
	const here = matches.length === 0 ? [] : allowed.filter(({ glob }) => covers(glob, path));
	return matches.filter(
		({ rule, value }) =>
			!here.some(
				(entry) =>
					(entry.rule === "*" || entry.rule === rule) &&
					(entry.isLocal || !rule.startsWith(ownRule)) &&
					hashOf(value, entry.salt) === entry.hash,
			),
	);
}
