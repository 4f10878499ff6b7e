import { printable } from "@robust-sync/service/printable";

/** The advice where a name holds the value. */
export const inName = (name: string) =>
	`the value is in a name, and names stay in history: ${printable(name)}: revoke the value, copy the file to another name, and forget the directory above it (docs/leaks.md)`;

/** @param files such as "2 files" */
export const aboutBinary = (files: string) =>
	`binary: ${files} changed, with the length kept. Check them: formats with checksums (zip, office documents, PNG, gzip) may be invalid; an SQLite database with an index of the value needs REINDEX`;

/** What `--forget` does not reach. */
export const notReached = [
	"clones, forks and backups that no node of this workspace owns",
	"what a git host keeps (pull requests, caches): ask its support",
	"nodes that are offline: they do it before they push again",
	"files that git ignores, and values that are written in another way (base64, compressed)",
];
