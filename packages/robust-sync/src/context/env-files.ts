import fs from "node:fs";
import path from "node:path";
import { textBytes } from "@robust-sync/git";
import { textOfBytes } from "@robust-sync/service/exact-operands";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { neverCommitted } from "@robust-sync/workspace";

/** Directories that are searched for `.env` files, and the depth. */
const maxDirectories = 2_000;
const maxDepth = 5;
/** Two changes of a directory within one step of a file system's clock leave the same stamp; FAT has the longest steps, 2 s. */
const settledMs = 2_500;
/** All directories are listed again this often, because some network file systems show changes late. */
const forgetAfterMs = 10 * 60_000;

/** The entries of one directory that matter, as names below the root. */
interface Listing {
	readonly stamp: string;
	readonly directories: readonly string[];
	readonly files: readonly string[];
}

/** Searches a workspace for files named `.env…`. Lists a directory again only after it changed: most of the time nothing did. */
export class EnvFileSearch {
	readonly #known = new Map<string, Listing>();
	#since = Number.NEGATIVE_INFINITY;

	/** The files near the top of the workspace, ignored or not, as text for `textBytes`. */
	find(root: string): string[] {
		if (performance.now() - this.#since > forgetAfterMs) {
			this.#known.clear();
			this.#since = performance.now();
		}
		const found: string[] = [];
		let level: readonly string[] = [""];
		let visited = 0;
		for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
			const next: string[] = [];
			for (const directory of level) {
				if (++visited > maxDirectories) return found;
				const listing = this.#list(root, directory);
				next.push(...(listing?.directories ?? []));
				found.push(...(listing?.files ?? []));
			}
			level = next;
		}
		return found;
	}

	/** Null: it cannot be listed. */
	#list(root: string, directory: string): Listing | null {
		const place = textBytes(path.join(root, directory));
		try {
			const stamp = fileStamp(place) ?? "";
			const known = this.#known.get(directory);
			if (known?.stamp === stamp) return known;
			const listing = listingOf(place, directory, stamp);
			const { mtimeMs, ctimeMs } = fs.statSync(place);
			if (Date.now() - Math.max(mtimeMs, ctimeMs) > settledMs) this.#known.set(directory, listing);
			else this.#known.delete(directory);
			return listing;
		} catch {
			this.#known.delete(directory);
			return null;
		}
	}
}

function listingOf(place: Buffer, directory: string, stamp: string): Listing {
	const directories: string[] = [];
	const files: string[] = [];
	for (const entry of fs.readdirSync(place, { withFileTypes: true, encoding: "buffer" }) as unknown as fs.Dirent<Buffer>[]) {
		const last = textOfBytes(entry.name);
		const name = directory === "" ? last : `${directory}/${last}`;
		if (entry.isDirectory()) {
			if (last !== ".git" && last !== "node_modules" && !(neverCommitted as readonly string[]).includes(name)) directories.push(name);
		} else if (entry.isFile() && /^\.env(?:\.|$)|\.env$/.test(last)) files.push(name);
	}
	return { stamp, directories, files };
}
