import { type GitPath, gitPathIfAllowed, type Oid } from "@robust-sync/git";

/** One file that a commit changed. */
export interface HistoryFile {
	readonly path: GitPath;
	/** The name that it had before; null: the same. */
	readonly from: GitPath | null;
	readonly change: "added" | "changed" | "deleted" | "renamed";
	/** Lines; null: it is binary. */
	readonly linesAdded: number | null;
	readonly linesDeleted: number | null;
	/** Blob ids; null: there is none on that side. */
	readonly before: Oid | null;
	readonly after: Oid | null;
}

/** The files of one commit, by their names. */
export type ChangedFiles = Map<string, { -readonly [Key in keyof HistoryFile]: HistoryFile[Key] }>;

const changes: Readonly<Record<string, HistoryFile["change"]>> = { A: "added", D: "deleted", R: "renamed", C: "added" };
const idOf = (oid: string) => (/^0+$/.test(oid) ? null : oid);
const count = (text: string) => (text === "-" ? null : Number(text));

/** Parses `-z --raw --numstat` of `git log` and `git diff-tree --stdin`, token by token. */
export class FilesParser {
	readonly #begin: (token: string) => ChangedFiles | null;
	#current: ChangedFiles = new Map();
	/** The paths that the current record still needs, and their consumer. */
	#wanted: { left: number; names: string[]; done: (names: string[]) => void } | null = null;

	/** @param begin called for each token that could begin a commit: returns the map for its files; null: the token begins none */
	constructor(begin: (token: string) => ChangedFiles | null) {
		this.#begin = begin;
	}

	/** Parses one token, one character a byte. */
	token(token: string): void {
		if (this.#wanted !== null) {
			this.#wanted.names.push(token);
			if (--this.#wanted.left > 0) return;
			const { names, done } = this.#wanted;
			this.#wanted = null;
			done(names);
			return;
		}
		const record = token.startsWith("\n") ? token.replace(/^\n+/, "") : token;
		if (record === "") return;
		if (record.startsWith(":")) this.#raw(record);
		else {
			const begun = this.#begin(record);
			if (begun !== null) this.#current = begun;
			else this.#numstat(record);
		}
	}

	/** ":<mode> <mode> <id> <id> <status>", then one path or two. */
	#raw(record: string): void {
		const [, , before = "", after = "", status = ""] = record.slice(1).split(" ");
		const isPair = status.startsWith("R") || status.startsWith("C");
		const files = this.#current;
		this.#take(isPair ? 2 : 1, (names) => {
			const path = gitPathIfAllowed(names.at(-1) ?? "");
			const from = status.startsWith("R") ? gitPathIfAllowed(names[0] ?? "") : null;
			const lines = { linesAdded: null, linesDeleted: null };
			const ids = { before: idOf(before), after: idOf(after) };
			if (path !== null && status.startsWith("R") && from === null)
				files.set(path, { path, from, change: "added", ...ids, before: null, ...lines });
			else if (path !== null) files.set(path, { path, from, change: changes[status[0] ?? ""] ?? "changed", ...ids, ...lines });
			else if (from !== null) files.set(from, { path: from, from: null, change: "deleted", ...ids, after: null, ...lines });
		});
	}

	/** "<added> TAB <deleted> TAB <path>", or nothing after the second tab and two paths. */
	#numstat(record: string): void {
		const [, added = "", deleted = "", name = ""] = /^(\d+|-)\t(\d+|-)\t([\s\S]*)$/.exec(record) ?? [];
		const files = this.#current;
		const note = (path: string) => {
			const file = files.get(path);
			if (file) [file.linesAdded, file.linesDeleted] = [count(added), count(deleted)];
		};
		if (name !== "") note(name);
		else this.#take(2, (names) => note(names[1] ?? ""));
	}

	#take(left: number, done: (names: string[]) => void): void {
		this.#wanted = { left, names: [], done };
	}
}
