import { type Oid, readObjectsWhole } from "@robust-sync/git";
import type { History } from "./history-fixture.ts";
import { type RandomWalk, token, type WalkedMerge } from "./random-walk.ts";

/** Files in which removed tokens never return: records and JSON, never renamed and never deleted. */
const steady = ["state.json", "messages.jsonl", "agent.log"];

/**
 * Follows every token through a walk. Knows nothing of how files are merged: it compares contents before and after, and requires that each
 * token is where someone can find it: in the tree, in the versions saved by that merge, or removed by an edit that history shows.
 */
export class Account {
	readonly #history: History;
	readonly #walk: RandomWalk;
	readonly problems: string[] = [];
	readonly #contents = new Map<Oid, Readonly<Record<string, string>>>();
	readonly #ancestors = new Map<Oid, ReadonlySet<Oid>>();
	/** Commits that a token is gone in: by an edit, or as the loser of a merge that saved it. */
	readonly #takenBy = new Map<string, Set<Oid>>();
	readonly #savedBy = new Map<string, Set<Oid>>();

	constructor(history: History, walk: RandomWalk) {
		this.#history = history;
		this.#walk = walk;
	}

	/** @returns what is wrong; nothing if all is accounted for */
	async audit(): Promise<readonly string[]> {
		const { edits, merges, nodes, hub } = this.#walk;
		this.problems.push(...this.#walk.disagreements.map((pair) => `two nodes made different commits of ${pair}`));
		for (const { number, head } of nodes) if (head !== hub) this.problems.push(`node ${number} ended on ${head}, the hub on ${hub}`);
		this.#ancestors.set(this.#walk.first, new Set([this.#walk.first]));
		for (const { commit, parent } of edits) await this.#recordEdit(commit, parent);
		const parents = new Map<Oid, readonly Oid[]>(edits.map(({ commit, parent }) => [commit, [parent]]));
		for (const merge of merges.values()) parents.set(merge.commit, merge.parents);
		const ancestorsOf = (commit: Oid): ReadonlySet<Oid> => {
			const known = this.#ancestors.get(commit);
			if (known) return known;
			const all = new Set([commit, ...(parents.get(commit) ?? []).flatMap((parent) => [...ancestorsOf(parent)])]);
			this.#ancestors.set(commit, all);
			return all;
		};
		// A merge comes after those that it contains.
		const ordered = [...merges.values()].sort((a, b) => ancestorsOf(a.commit).size - ancestorsOf(b.commit).size);
		for (const merge of ordered) await this.#checkMerge(merge, ancestorsOf(merge.commit));
		this.#checkSavedEverywhere();
		await this.#checkEnd(ancestorsOf(hub));
		return this.problems;
	}

	async #filesOf(commit: Oid): Promise<Readonly<Record<string, string>>> {
		const files = this.#contents.get(commit) ?? (await this.#history.files(commit));
		this.#contents.set(commit, files);
		return files;
	}

	async #recordEdit(commit: Oid, parent: Oid): Promise<void> {
		const after = tokensOf(await this.#filesOf(commit));
		for (const one of tokensOf(await this.#filesOf(parent))) if (!after.has(one)) add(this.#takenBy, one, commit);
	}

	async #checkMerge({ commit, parents, resolution }: WalkedMerge, ancestors: ReadonlySet<Oid>): Promise<void> {
		const [ours, theirs, result] = [await this.#filesOf(parents[0]), await this.#filesOf(parents[1]), await this.#filesOf(commit)];
		const inputs = new Set([...tokensOf(ours), ...tokensOf(theirs)]);
		const outputs = tokensOf(result);
		const saved = await this.#savedTokens(resolution);
		const wrong = (what: string) => this.problems.push(`merge ${commit} of ${parents.join(" ")}: ${what}`);
		for (const one of inputs) {
			if (saved.has(one)) add(this.#savedBy, one, commit);
			if (outputs.has(one)) continue;
			const gone = [...(this.#takenBy.get(one) ?? []), ...(this.#savedBy.get(one) ?? [])];
			if (!gone.some((by) => ancestors.has(by))) wrong(`${one} is lost`);
		}
		for (const one of outputs) if (!inputs.has(one)) wrong(`${one} comes from nowhere`);
		for (const name of steady) {
			const content = result[name] ?? "";
			const found = content.match(token) ?? [];
			for (const one of new Set(found)) {
				if ([...(this.#takenBy.get(one) ?? [])].some((by) => ancestors.has(by))) wrong(`${one} came back in ${name}`);
				if (found.filter((other) => other === one).length > 1) wrong(`${one} is in ${name} twice`);
			}
			if (content !== "" && !content.endsWith("\n")) wrong(`${name} lost its last line feed`);
		}
		const lines = new Set([ours, theirs].flatMap((files) => Object.values(files).flatMap((content) => content.split("\n"))));
		for (const [name, content] of Object.entries(result)) {
			if (name.endsWith(".json")) {
				if (!isJson(content)) wrong(`${name} is no JSON`);
			} else for (const line of content.split("\n")) if (!lines.has(line)) wrong(`${name}: ${JSON.stringify(line)} is in neither side`);
			if (/^(?:<{7}|>{7})/m.test(content)) wrong(`${name} has a conflict marker`);
		}
	}

	async #savedTokens({ files }: WalkedMerge["resolution"]): Promise<Set<string>> {
		const oids = files.flatMap(({ save, versions }) =>
			save ? [versions.ours, versions.theirs, versions.base].flatMap((entry) => (entry ? [entry.oid] : [])) : [],
		);
		const contents = await readObjectsWhole(this.#history.repository, [...new Set(oids)]);
		return new Set([...contents.values()].flatMap((content) => content.toString("utf8").match(token) ?? []));
	}

	/** Every node has saved what every merge in the end's history chose from. */
	#checkSavedEverywhere(): void {
		const resolved = this.#history
			.git("log", "--merges", "--format=%H%x00%B%x01", this.#walk.hub)
			.split("\x01")
			.map((record) => record.trim().split("\0"))
			.filter(([, message]) => /^Resolved: /m.test(message ?? ""))
			.map(([commit = ""]) => commit);
		for (const { number, saved } of this.#walk.nodes)
			for (const commit of resolved) if (!saved.has(commit)) this.problems.push(`node ${number} has not saved the versions of ${commit}`);
	}

	/** Once more for the whole: whatever anybody ever wrote. */
	async #checkEnd(ancestors: ReadonlySet<Oid>): Promise<void> {
		const inTree = tokensOf(await this.#filesOf(this.#walk.hub));
		const written = new Set<string>();
		for (const { commit } of this.#walk.edits) {
			if (!ancestors.has(commit)) this.problems.push(`the end does not contain ${commit}`);
			for (const one of tokensOf(await this.#filesOf(commit))) written.add(one);
		}
		for (const one of written) {
			const gone = [...(this.#takenBy.get(one) ?? []), ...(this.#savedBy.get(one) ?? [])];
			if (!inTree.has(one) && gone.length === 0) this.problems.push(`${one} is nowhere in the end`);
		}
	}
}

function tokensOf(files: Readonly<Record<string, string>>): Set<string> {
	return new Set(Object.values(files).flatMap((content) => content.match(token) ?? []));
}

function add(map: Map<string, Set<Oid>>, key: string, commit: Oid): void {
	const commits = map.get(key) ?? new Set<Oid>();
	commits.add(commit);
	map.set(key, commits);
}

function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}
