import { printable } from "@robust-sync/service/printable";

/** The advice where a name holds the value. */
export const inName = (name: string) =>
	`the value is in a name, and names stay in history: ${printable(name)}: revoke the value, copy the file to another name, and forget the directory above it (docs/leaks.md)`;

/** @param files such as "2 files" */
export const aboutBinary = (files: string) =>
	`binary: ${files} changed, with the length kept. Check them: formats with checksums (zip, office documents, PNG, gzip) may be invalid; an SQLite database with an index of the value needs REINDEX`;

/** Where a value has several lines. */
export const aboutLines =
	"the value has several lines: a copy with other line breaks or indents is not found; forget each secret line of it as a value of its own as well";

/** Where a value cannot be forgotten. */
export const ofPlaceholder =
	"the value is part of the text that takes the place of forgotten values (forgotten-…), and would be found again in it: name a longer or another part of the secret";

/** What `--forget` does not reach. */
export const notReached = [
	"clones, forks and backups that no node of this workspace owns",
	"what a git host keeps (pull requests, caches): ask its support",
	"nodes that are offline: they do it before they push again",
	"files that git ignores, and values that are written in another way (base64, compressed)",
];
