import { directoriesAbove, type GitPath, isGitPath } from "@robust-sync/git/git-path";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import * as z from "zod/mini";
import type { WorkspacePaths } from "./paths.ts";
import { readState } from "./read-state.ts";

/**
 * Why a checkout left a path untouched, and the remedy. The first reason is for content that must not leave this
 * node; the others are obstacles of this machine. A held path is reported in `skipped`, and blocks no other path.
 */
export const holdRemedies = {
	"ignored-here":
		"this node ignores its own file of this name, so that file stays and is not published: rename or remove it to receive the other nodes' version, or remove the ignore rule here to publish it",
	"other-file-system":
		"the directory is on another file system than the workspace, and nothing can be staged there: make it writable for the user that runs robust-sync, and remove a '.robust-sync' at its top that others can write to (a file system without permissions: mount it with umask=077)",
	"not-permitted": "the file or its directory cannot be replaced: make both writable for the user that runs robust-sync (ls -ld, lsattr)",
	"read-only": "the file system is mounted read-only: mount it read-write",
	"name-too-long": "the file system here takes no name of this length: rename the file on another node",
	"name-not-allowed": "the file system here does not accept this name: rename the file on another node",
	"mount-point": "a mount point is in the way: unmount it, or rename the path on another node",
	"missing-mount":
		"the file system that was mounted here is missing: mount it again; if it is gone for good, put the files back, or run 'robust-sync --forget-mount DIRECTORY', which removes its files on all nodes",
	"in-the-way": "a file, directory, pipe, socket or device that cannot be replaced is in the way: move it elsewhere",
	"impossible-link": "the symbolic link has no valid target: remove it on another node",
	"no-hard-links":
		"the file system does not support hard links: move the workspace, or the directory that is on it, to one that does (ext4, xfs, btrfs)",
	"filter-failed": "a git filter or encoding (.gitattributes) fails for this file: correct the attribute, the filter or the file",
	unreadable: "the file cannot be read: correct its permissions, or check the disk (dmesg)",
	guard:
		"a commit that came in removes many files, and waits for a person: robust-sync --approve carries it out, robust-sync --reject puts the files back on all nodes",
	"live-database":
		"a program has this database open, so the other nodes' version waits: close the program, or, where it left a -wal or -journal file, open the database once with sqlite3 and close it",
	"too-large": "the file here is larger than MAX_FILE_MB: make it smaller, or raise the limit",
	"disk-full": "the file system that is mounted here is full: free some space on it",
} as const satisfies Record<string, string>;
export type HoldReason = keyof typeof holdRemedies;
export const holdReasons = Object.keys(holdRemedies) as readonly HoldReason[];

/** The longest path of a held path: git itself has the same limit. */
const maxPathLength = 65_536;
const heldPath = z.custom<GitPath>((value) => isGitPath(value) && value.length <= maxPathLength, "not a path of the workspace");
const entry = z.nullable(
	z.object({
		mode: z.string().check(z.regex(/^[0-7]{6}$/)),
		oid: z.string().check(z.regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)),
	}),
);

const heldPathSchema = z.object({
	path: heldPath,
	reason: z.enum(holdReasons),
	/** The version that the writers of the file on disk have read; null: none existed. */
	base: entry,
	/** The version in HEAD; null: none. */
	target: entry,
	/** The file on disk at its last comparison with `base` (`statStamp`); null: not compared yet. */
	seen: z.nullable(z.string()),
	/** For `guard`: a person has approved it, on any node; the next try checks it out. */
	approved: z.optional(z.boolean()),
	/** For `ignored-here`: an ignore rule covered the path when this was written. If none does later, the user removed the rule. */
	covered: z.optional(z.boolean()),
	/** For `ignored-here`: a line of ours in `.git/info/exclude` keeps it ignored after another node changed the rules. */
	excluded: z.optional(z.boolean()),
	/** For `ignored-here`: the user, not we, set the index bit by which git leaves the file alone. */
	flag: z.optional(z.enum(["skip-worktree", "assume-unchanged"])),
});
/** One path that a checkout left untouched. A directory covers all untracked files below it. */
export type HeldPath = z.infer<typeof heldPathSchema>;

export const heldStateSchema = z.object({
	schema: z.literal(1),
	paths: z.array(heldPathSchema),
	/** Directories of the workspace that were mount points when a snapshot last saw them. */
	mounts: z.array(heldPath),
});

/** The content of `sync/held.json`. */
export interface HeldState {
	readonly paths: ReadonlyMap<GitPath, HeldPath>;
	readonly mounts: ReadonlySet<GitPath>;
}

export const nothingHeld: HeldState = { paths: new Map(), mounts: new Set() };

/** Reads the held paths. A file that is missing or not valid holds nothing; index bits and ignore rules still protect local files. */
export function readHeld(paths: WorkspacePaths): HeldState {
	const read = readState(paths.held, heldStateSchema);
	if (read.kind !== "ok") return nothingHeld;
	return { paths: new Map(read.state.paths.map((held) => [held.path, held])), mounts: new Set(read.state.mounts) };
}

/** Whether the file of held paths exists and can be read. */
export const hasHeldNotes = (paths: WorkspacePaths): boolean => readState(paths.held, heldStateSchema).kind === "ok";

/** Writes the held paths durably, if they changed. To be called before the index or HEAD changes. @throws the file system's error */
export function writeHeld(paths: WorkspacePaths, held: HeldState): void {
	const text = (state: HeldState) =>
		`${JSON.stringify({ schema: 1, paths: [...state.paths.values()], mounts: [...state.mounts].sort() })}\n`;
	if (text(readHeld(paths)) !== text(held)) writeAtomicSync(paths.held, text(held), 0o600);
}

/** The held path that covers `name`: itself, or a directory above it. */
export function heldAbove({ paths }: HeldState, name: GitPath): HeldPath | null {
	if (paths.size === 0) return null;
	const own = paths.get(name);
	if (own) return own;
	for (const directory of directoriesAbove(name).reverse()) {
		const above = paths.get(directory);
		if (above) return above;
	}
	return null;
}
