import { limitGarbage } from "@robust-sync/system/heap-growth";
import { Column, type Items, joined, MadeItems, viewOf } from "@robust-sync/system/items";
import { mountsWithoutModes } from "../files/file-modes.ts";
import { withSettings } from "../objects/merge-store.ts";
import { isArgument } from "../objects/tree-paths.ts";
import { directoriesAbove, displayPath, type GitPath, gitPathIfAllowed, isGitPath, type RawPath, rawPath } from "../paths/git-path.ts";
import { PackedPaths } from "../paths/packed-paths.ts";
import { nulRecords } from "../process/nul-records.ts";
import type { Oid, Repository } from "../process/repository.ts";

/** One path that is not as HEAD has it. */
export interface StatusEntry {
	readonly path: GitPath;
	readonly kind: "changed" | "untracked" | "unmerged";
	/** Index against HEAD, and working tree against index: `.` is unchanged, else M T A D (git-status(1), Short Format). */
	readonly index: string;
	readonly worktree: string;
	/** Whether the path is a submodule. */
	readonly submodule: boolean;
}

/** What `git status` knows: where HEAD is, and every path that differs. */
export interface Status {
	/** null: no commit yet. */
	readonly head: Oid | null;
	/** null: HEAD is detached. */
	readonly branch: string | null;
	readonly entries: Items<StatusEntry>;
	/** What differs under a name that no working tree may have. */
	readonly refused: readonly RawPath[];
	/** Directories that could not be read: what is in them is neither changed nor gone, but unknown. */
	readonly unreadable: readonly GitPath[];
}

// git reports it in no other way; the path is unquoted, even if it contains quotes.
const notOpened = /^warning: could not open directory '(.*?)\/?': (?:Permission denied|Operation not permitted)$/gm;

/** A growing list of entries in columns: a first snapshot may have a million. */
class PackedStatus {
	readonly #paths = new PackedPaths();
	/** By entry: the index of its state. */
	readonly #numbers = new Column();
	readonly #states: Omit<StatusEntry, "path">[] = [];
	readonly #numberOf = new Map<string, number>();

	get length(): number {
		return this.#paths.length;
	}

	push(path: GitPath, state: Omit<StatusEntry, "path">): void {
		const key = `${state.kind} ${state.index}${state.worktree} ${state.submodule}`;
		const number = this.#numberOf.get(key) ?? this.#states.push(state) - 1;
		this.#numberOf.set(key, number);
		this.#numbers.push(number);
		this.#paths.push(path);
	}

	/** The entries up to now. */
	items(): Items<StatusEntry> {
		return new MadeItems(this.length, (index) => {
			const { kind, index: inIndex, worktree, submodule } = this.#states[this.#numbers.at(index)] as StatusEntry;
			return { path: this.#paths.at(index), kind, index: inIndex, worktree, submodule };
		});
	}
}

/** Parses `git status --porcelain=v2 -z --branch` (git-status(1), Porcelain Format Version 2) as it arrives. */
export function statusParser(): { onOutput(chunk: Buffer): void; status(warnings: string): Status } {
	let head: Oid | null = null;
	let branch: string | null = null;
	const entries = new PackedStatus();
	const refused: RawPath[] = [];
	const add = (name: string, kind: StatusEntry["kind"], index: string, worktree: string, submodule: boolean) => {
		const path = gitPathIfAllowed(name);
		if (path === null) refused.push(rawPath(name));
		else entries.push(path, { kind, index, worktree, submodule });
		limitGarbage(entries.length);
	};
	const { onOutput, end } = nulRecords((bytes) => {
		switch (bytes.toString("latin1", 0, 1)) {
			case "#": {
				const [, name, value = ""] = bytes.toString("latin1").split(" ", 3);
				if (name === "branch.oid" && value !== "(initial)") head = value;
				if (name === "branch.head" && value !== "(detached)") branch = bytes.toString("utf8", "# branch.head ".length);
				break;
			}
			case "1":
			case "u": {
				// "1 XY sub mH mI mW hH hI path", "u XY sub m1 m2 m3 mW h1 h2 h3 path"
				const fields = bytes.toString("latin1").split(" ");
				const isChanged = fields[0] === "1";
				const name = fields.slice(isChanged ? 8 : 10).join(" ");
				add(name, isChanged ? "changed" : "unmerged", fields[1]?.[0] ?? ".", fields[1]?.[1] ?? ".", fields[2]?.[0] === "S");
				break;
			}
			case "?":
				// Read from the bytes: a substring of a text would keep the whole text in memory.
				add(bytes.toString("latin1", 2), "untracked", "?", "?", false);
				break;
		}
	});
	return {
		onOutput,
		status(warnings) {
			end();
			const unreadable = [...warnings.matchAll(notOpened)].map((match) => Buffer.from(match[1] ?? "").toString("latin1")).filter(isGitPath);
			return { head, branch, entries: entries.items(), refused, unreadable };
		},
	};
}

/**
 * The state of HEAD, index and working tree, by one process. Untracked files one by one; a nested repository as its directory with a slash.
 * @param unchanged paths that are known to be as HEAD and index have them: git does not read these files
 */
export async function readStatus(repository: Repository, unchanged: readonly GitPath[] = []): Promise<Status> {
	const left = unchanged.map((name) => `:(top,exclude,literal)${displayPath(name)}`);
	const status = await runStatus(repository, left.length === 0 ? [] : ["--", ".", ...left]);
	const changed = status.entries.filter(({ path, worktree }) => worktree === "M" && isArgument(path));
	const mounts = mountsWithoutModes(
		repository,
		viewOf(changed, (entry) => entry.path),
	);
	if (mounts.size === 0) return status;
	// There a changed mode is no change.
	const below = [...mounts].map((mount) => `:(top,literal)${displayPath(mount)}`);
	const env = withSettings(repository.env, [["core.fileMode", "false"]]);
	const { entries } = await runStatus(repository, ["--", ...below, ...left], env);
	const others = status.entries.filter((entry) => !directoriesAbove(entry.path).some((directory) => mounts.has(directory)));
	return { ...status, entries: joined(others, entries) };
}

async function runStatus(repository: Repository, paths: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Status> {
	const options = ["--porcelain=v2", "-z", "--branch", "--no-ahead-behind", "--no-renames", "--untracked-files=all"];
	let parser = statusParser();
	const { stderr } = await repository.run(["status", ...options, "--ignore-submodules=dirty", ...paths], {
		env,
		onOutput: (chunk) => parser.onOutput(chunk),
		onRepeat: () => {
			parser = statusParser();
		},
	});
	return parser.status(stderr);
}
