import { holdRemedies } from "./held-paths.ts";
import type { SkippedFile } from "./state-schemas.ts";

/** The remedy for each reason in `skipped`; the entries of held paths carry their own (`remedy`). */
export const skipRemedies: Readonly<Record<SkippedFile["reason"], string>> = {
	...holdRemedies,
	"refused-path": "git accepts no such name in a working tree: rename it where it was made",
	"nested-repository":
		"a git repository of its own, with a remote: add it to .gitignore, or set SYNC_NESTED=contents to sync its files without its history",
	"special-file": "a device, socket or pipe holds nothing that could be synced: move it elsewhere, or add it to .gitignore",
	secret: "it holds a secret: remove it from the file, or, if it may be published, robust-sync --allow-secret PATH",
	"forget-refused": "a map of what is to be forgotten is not applied here: give all nodes the same HEARTBEAT_KEY, or remove the file",
	"forget-waits": "it still has what was forgotten: close the program that has it open, or make it writable",
	"refused-by-hub": "the hub refuses it: change or remove the file, or allow it there",
	"live-database": "a program has the database open: it is synced once the program closes it, or at once where sqlite3 is installed",
};

/** The reason and the remedy, as one text. It may quote a state file: not printable yet. */
export function skipText({ reason, remedy }: SkippedFile): string {
	return `${reason}: ${remedy ?? skipRemedies[reason]}`;
}
