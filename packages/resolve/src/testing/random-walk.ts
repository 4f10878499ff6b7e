import type { Oid } from "@robust-sync/git";
import { planIntegration } from "../checkout/integrate.ts";
import type { Resolution } from "../merge/resolution.ts";
import { resolveMerge } from "../merge/resolve-merge.ts";
import { walkBetween } from "../saved/resolutions-between.ts";
import type { FixtureFile, History } from "./history-fixture.ts";

// Nodes that edit at random and sync with a hub and with each other at random, all in one object database. Whatever an edit
// writes carries a token that is written only once, so that a checker can follow every leaf, record and line.

/** `n<node>e<edit>`, at every place that an edit adds or changes. */
export const token = /n\de\d{4}/g;

/** Numbers that a seed decides (mulberry32, T. Ettinger). */
function randomNumbers(seed: number): (below: number) => number {
	let state = seed >>> 0;
	return (below) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
	};
}

type Files = Record<string, string>;
type Json = { [key: string]: unknown; tasks: { id: string; text: string; done?: boolean }[] };

/** What everybody starts from. */
const firstFiles: Files = {
	"state.json": `${JSON.stringify({ status: "n0e0000", counter: "n0e0001", nested: { deep: "n0e0002" }, tasks: [] }, null, 2)}\n`,
	"messages.jsonl": '{"text": "n0e0003"}\n',
	"agent.log": "n0e0004 started\n",
	"notes.md": "# Notes\n\nn0e0005\n\nn0e0006\n\nn0e0007\n",
	"conf.yaml": "one: n0e0008\ntwo: n0e0009\nthree: n0e0010\nfour: n0e0011\n",
	"image.bin": "\0n0e0012",
	"wild/a.md": `${Array.from({ length: 8 }, (_, line) => `line ${line} n0e00${20 + line}`).join("\n")}\n`,
	"wild/b.json": '{"b": "n0e0013"}\n',
	"wild/link": "120000 n0e0014",
};

const firstEdit = 100;

/** A merge that happened on some node. */
export interface WalkedMerge {
	readonly commit: Oid;
	readonly parents: readonly [Oid, Oid];
	readonly resolution: Resolution;
}

/** A commit of an agent. */
export interface WalkedEdit {
	readonly commit: Oid;
	readonly parent: Oid;
}

interface WalkingNode {
	readonly number: number;
	head: Oid;
	/** Merges whose versions this node has saved, its own and those that it received. */
	readonly saved: Set<Oid>;
}

export class RandomWalk {
	readonly #history: History;
	readonly #below: (below: number) => number;
	readonly nodes: readonly WalkingNode[];
	readonly first: Oid;
	hub: Oid;
	readonly edits: WalkedEdit[] = [];
	readonly merges = new Map<Oid, WalkedMerge>();
	/** Pairs of parents that gave another commit on another node. */
	readonly disagreements: string[] = [];
	/** The files at the start have the tokens below. */
	#edit = firstEdit;

	constructor(history: History, seed: number, nodes: number) {
		this.#history = history;
		this.#below = randomNumbers(seed);
		const files = Object.entries(firstFiles).map(([name, content]) => [name, asFixture(content)]);
		this.first = history.commit([], Object.fromEntries(files));
		this.hub = this.first;
		this.nodes = Array.from({ length: nodes }, (_, number) => ({ number, head: this.first, saved: new Set<Oid>() }));
	}

	/** Edits and syncs in random order until there were this many edits; then all nodes sync until none has anything new. */
	async run(edits: number): Promise<void> {
		while (this.#edit < firstEdit + edits) {
			const choice = this.#below(10);
			if (choice < 5) await this.#commit(this.#anyNode());
			else if (choice < 8) await this.#together(1 + this.#below(this.nodes.length));
			else await this.#exchange(this.#anyNode(), this.#anyNode());
		}
		for (let round = 0; round < 2; round++) await this.#together(this.nodes.length);
	}

	#anyNode(): WalkingNode {
		return this.nodes[this.#below(this.nodes.length)] as WalkingNode;
	}

	#shuffled(): WalkingNode[] {
		const rest = [...this.nodes];
		return this.nodes.map(() => rest.splice(this.#below(rest.length), 1)[0] as WalkingNode);
	}

	/** This many nodes sync with the hub at the same time. */
	async #together(count: number): Promise<void> {
		await Promise.all(
			this.#shuffled()
				.slice(0, count)
				.map((node) => this.#sync(node)),
		);
	}

	/** Merges what the hub has and pushes, again where someone else was faster. */
	async #sync(node: WalkingNode): Promise<void> {
		for (;;) {
			const hub = this.hub;
			await this.#receive(node, hub);
			if (this.hub !== hub) continue;
			this.hub = node.head;
			return;
		}
	}

	/** Two nodes take each other's head at the same moment: either merges by itself. */
	async #exchange(one: WalkingNode, other: WalkingNode): Promise<void> {
		const [ofOne, ofOther] = [one.head, other.head];
		await Promise.all([this.#receive(one, ofOther), this.#receive(other, ofOne)]);
		if (one.head !== other.head) this.disagreements.push(`${ofOne} ${ofOther}`);
	}

	async #receive(node: WalkingNode, theirs: Oid): Promise<void> {
		const { repository } = this.#history;
		const before = node.head;
		const plan = await planIntegration(repository, before, theirs);
		if (plan.resolution) {
			const { commit } = plan.resolution;
			this.merges.set(commit, { commit, parents: [before, theirs], resolution: plan.resolution });
			node.saved.add(commit);
		}
		if (plan.kind === "fast-forward") {
			for (const { ours, theirs: other, commit } of (await walkBetween(repository, before, theirs)).resolutions) {
				node.saved.add(commit);
				if (!this.merges.has(commit)) this.disagreements.push(`${ours} ${other}: nobody made ${commit}`);
			}
		} else if (plan.kind === "merge") {
			for (const { commit } of (await walkBetween(repository, before, theirs)).resolutions) node.saved.add(commit);
		}
		node.head = plan.to;
	}

	/** The same merges once more, from the other side. */
	async againFromTheOtherSide(share: number): Promise<void> {
		for (const { commit, parents } of this.merges.values()) {
			if (this.#below(100) >= share * 100) continue;
			const mirrored = await resolveMerge(this.#history.repository, parents[1], parents[0]);
			if (mirrored.commit !== commit) this.disagreements.push(parents.join(" "));
		}
	}

	async #commit(node: WalkingNode): Promise<void> {
		const before = await this.#history.files(node.head);
		const files = { ...before };
		for (let edits = 1 + this.#below(3); edits > 0; edits--) this.#editOne(files, node);
		const changed = [...new Set([...Object.keys(before), ...Object.keys(files)])].filter((name) => before[name] !== files[name]);
		// Clocks of machines differ: which side is the later one is not the order of this walk.
		const date = 1_800_000_000 + this.#edit * 10 + this.#below(3_600);
		const commit = this.#history.commit(
			[node.head],
			Object.fromEntries(changed.map((name) => [name, files[name] === undefined ? null : asFixture(files[name])])),
			{ date },
		);
		this.edits.push({ commit, parent: node.head });
		node.head = commit;
	}

	#editOne(files: Files, { number }: WalkingNode): void {
		const made = `n${number}e${String(++this.#edit).padStart(4, "0")}`;
		const choice = this.#below(20);
		if (choice < 5) this.#editState(files, made);
		else if (choice < 8) this.#editLines(files, "messages.jsonl", `{"text": "${made}"}`, true);
		else if (choice < 10) files["agent.log"] += `${made} did something\n`;
		else if (choice < 13) this.#editLines(files, "notes.md", made, false);
		else if (choice < 15) this.#replaceLine(files, "conf.yaml", made);
		else if (choice < 16) files["image.bin"] = `\0${made}`;
		else this.#editWild(files, made);
	}

	#editState(files: Files, made: string): void {
		const state = JSON.parse(files["state.json"] ?? "") as Json;
		const { tasks } = state;
		const added = Object.keys(state).filter((key) => key.startsWith("k-"));
		const choice = this.#below(7);
		if (choice === 0) state.status = made;
		else if (choice === 1) state.nested = { ...(state.nested as object), deep: made };
		else if (choice === 2) state[`k-${made}`] = true;
		else if (choice === 3 && added.length > 0) delete state[added[this.#below(added.length)] ?? ""];
		else if (choice === 4 && tasks.length > 0) tasks.splice(this.#below(tasks.length), 1);
		else if (choice === 5) state.counter = made;
		else tasks.splice(this.#below(tasks.length + 1), 0, { id: made, text: "to do" });
		files["state.json"] = `${JSON.stringify(state, null, 2)}\n`;
	}

	/** Adds or removes a line. */
	#editLines(files: Files, name: string, line: string, append: boolean): void {
		const lines = (files[name] ?? "").split("\n").slice(0, -1);
		if (lines.length > 4 && this.#below(4) === 0) lines.splice(this.#below(lines.length), 1);
		else lines.splice(append && this.#below(4) > 0 ? lines.length : this.#below(lines.length + 1), 0, line);
		files[name] = lines.map((text) => `${text}\n`).join("");
	}

	#replaceLine(files: Files, name: string, made: string): void {
		const lines = (files[name] ?? "").split("\n").slice(0, -1);
		const at = this.#below(lines.length);
		lines[at] = (lines[at] ?? "").replace(token, made);
		files[name] = `${lines.join("\n")}\n`;
	}

	/** Files that are deleted, renamed, made executable, made links. */
	#editWild(files: Files, made: string): void {
		const there = Object.keys(files).filter((name) => name.startsWith("wild/"));
		const names = there.filter((name) => name.endsWith(".md"));
		const name = names[this.#below(names.length)];
		const choice = this.#below(6);
		if (choice === 0) files["wild/link"] = `120000 ${made}`;
		else if (choice === 1) files["wild/b.json"] = `{"b": "${made}"}\n`;
		else if (name === undefined || (choice === 2 && names.length < 5)) files[`wild/${made}.md`] = `new ${made}\n`;
		else if (choice === 3 && names.length > 1) delete files[name];
		else if (choice === 4) {
			const content = files[name] ?? "";
			const to = `wild/${["x", "y", "z"][this.#below(3)]}/${name.slice(name.lastIndexOf("/") + 1)}`;
			// Where it is already: executable, or no longer.
			if (to === name) files[name] = content.startsWith("100755 ") ? content.slice(7) : `100755 ${content}`;
			else {
				delete files[name];
				files[to] = content;
			}
		} else {
			const lines = (files[name] ?? "").split("\n").slice(0, -1);
			lines.splice(1 + this.#below(lines.length), 0, `line ${made}`);
			files[name] = `${lines.join("\n")}\n`;
		}
	}
}

function asFixture(content: string): FixtureFile {
	return content.startsWith("120000 ")
		? { symlink: content.slice(7) }
		: content.startsWith("100755 ")
			? { executable: content.slice(7) }
			: content;
}
