// Above 400 lines: one account of what was written against what is there.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { git } from "./git.ts";
import type { Ledger, Written } from "./ledger.ts";
import { type IsKept, revertingCommits } from "./reverting-commits.ts";

/** Something that should not be, with the least that shows it. */
export interface Problem {
	readonly what: string;
	/** The file and the write it is about, where it is about one. */
	readonly file?: string;
	readonly write?: Written;
	/** Whether a version of the file has what was written. */
	readonly isKept?: IsKept;
}

function filesBelow(directory: string): string[] {
	if (!fs.existsSync(directory)) return [];
	return (fs.readdirSync(directory, { recursive: true, withFileTypes: true }) as fs.Dirent[])
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath, entry.name));
}

function blobId(content: Buffer): string {
	return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** path → blob of a tree. */
function treeOf(repository: string, commit: string): Map<string, string> {
	return new Map(
		git(repository, ["ls-tree", "-r", "-z", commit])
			.split("\0")
			.filter(Boolean)
			.map((line) => {
				const [info = "", name = ""] = line.split("\t");
				return [name, info.split(" ")[2] ?? ""];
			}),
	);
}

function count(haystack: readonly string[]): Map<string, number> {
	const counts = new Map<string, number>();
	for (const item of haystack) counts.set(item, (counts.get(item) ?? 0) + 1);
	return counts;
}

function readText(file: string): string {
	return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}

/** Everything that history holds below some paths: path → contents, by two processes. */
function versionsInHistory(repository: string, names: readonly string[]): Map<string, string[]> {
	const wanted = new Set(names);
	const found = new Map<string, Set<string>>();
	for (const line of git(repository, ["log", "--format=", "-m", "--raw", "--no-abbrev", "-z", "main", "--", ...new Set(names)])
		.split(/\0(?=:)/)
		.filter(Boolean)) {
		const [info = "", name = ""] = line.replace(/^[\0\n]+/, "").split("\0");
		const fields = info.split(" ");
		if (!wanted.has(name)) continue;
		const blobs = found.get(name) ?? new Set<string>();
		for (const blob of [fields[2], fields[3]]) if (blob && !/^0+$/.test(blob)) blobs.add(blob);
		found.set(name, blobs);
	}
	return new Map([...found].map(([name, blobs]) => [name, readBlobs(repository, [...blobs])]));
}

function readBlobs(repository: string, blobs: readonly string[]): string[] {
	if (blobs.length === 0) return [];
	const output = execFileSync("git", ["cat-file", "--batch"], {
		cwd: repository,
		input: `${blobs.join("\n")}\n`,
		maxBuffer: 2 ** 30,
		env: { PATH: process.env.PATH },
	});
	const contents: string[] = [];
	for (let at = 0; at < output.length; ) {
		const end = output.indexOf(0x0a, at);
		const size = Number(output.toString("latin1", at, end).split(" ")[2]);
		contents.push(output.toString("utf8", end + 1, end + 1 + size));
		at = end + 2 + size;
	}
	return contents;
}

/** The files on disk must equal the hub's: read and hashed here, because an index can be wrong about a file. */
function checkTrees(workspaces: readonly string[], hub: string): Problem[] {
	const problems: Problem[] = [];
	const tree = treeOf(hub, "main");
	for (const workspace of workspaces) {
		const node = path.basename(workspace);
		const say = (what: string, file?: string) => problems.push({ what: `${node}: ${what}`, ...(file ? { file } : {}) });
		if (git(workspace, ["rev-parse", "HEAD"]) !== git(hub, ["rev-parse", "main"])) say("its commit is not the hub's");
		const status = git(workspace, ["status", "--porcelain"]);
		if (status !== "") say(`not clean: ${status.split("\n")[0]}`);
		for (const [name, blob] of tree) {
			const file = path.join(workspace, name);
			if (!fs.existsSync(file)) say(`${name} is missing on disk`, name);
			else if (blobId(fs.readFileSync(file)) !== blob) say(`${name} differs on disk from what the hub has`, name);
		}
		const own = /^(\.git|sync|logs|\.sync_env)(\/|$)/;
		for (const file of filesBelow(workspace).map((full) => path.relative(workspace, full)))
			if (!own.test(file) && !tree.has(file)) say(`${file} is on disk and not in the hub`, file);
	}
	return problems;
}

function checkRepositories(workspaces: readonly string[], hub: string): Problem[] {
	const problems: Problem[] = [];
	for (const repository of [...workspaces, hub]) {
		const name = path.basename(repository);
		try {
			git(repository, ["fsck", "--strict", "--no-dangling"]);
		} catch (error) {
			problems.push({ what: `${name}: git fsck --strict: ${(error as { stderr?: string }).stderr?.trim().split("\n").at(-1)}` });
		}
	}
	for (const workspace of workspaces) {
		const name = path.basename(workspace);
		const sync = path.join(workspace, "sync");
		if (!fs.existsSync(sync)) continue;
		for (const file of fs.readdirSync(sync).filter((entry) => entry.endsWith(".json"))) {
			try {
				JSON.parse(readText(path.join(sync, file)));
			} catch {
				problems.push({ what: `${name}: sync/${file} is not JSON` });
			}
		}
		const pending = path.join(sync, "pending");
		const waiting = fs.existsSync(pending) ? fs.readdirSync(pending) : [];
		if (waiting.length > 0) problems.push({ what: `${name}: its outbox is not empty: ${waiting.slice(0, 3).join(" ")}` });
		const locks = filesBelow(path.join(workspace, ".git")).filter((file) => file.endsWith(".lock"));
		if (locks.length > 0) problems.push({ what: `${name}: a lock is left: ${path.relative(workspace, locks[0] ?? "")}` });
	}
	return problems;
}

/** Whether a person's own `git merge` made a line be there more often than in any of its parents: git merges by place, and we are not asked. */
function isDoubledByPerson(hub: string, file: string, line: string): boolean {
	const times = (commit: string) => {
		try {
			return git(hub, ["show", `${commit}:${file}`])
				.split("\n")
				.filter((found) => found === line).length;
		} catch {
			return 0;
		}
	};
	return git(hub, ["log", "--merges", "--author=<person@example.org>", "--format=%H %P", "main", "--", file])
		.split("\n")
		.filter(Boolean)
		.some((record) => {
			const [merge = "", ...parents] = record.split(" ");
			return times(merge) > Math.max(...parents.map(times));
		});
}

/**
 * Whether a person amended a commit of this file, and history has both commits. Content that was removed again after the amended commit is
 * still there from the original one.
 */
function isAmendedByPerson(hub: string, file: string): boolean {
	const committers = new Map<string, string[]>();
	for (const record of git(hub, ["log", "--full-history", "--format=%ce\t%an %at %T", "main", "--", file]).split("\n").filter(Boolean)) {
		const [committer = "", what = ""] = record.split("\t");
		committers.set(what, [...(committers.get(what) ?? []), committer]);
	}
	return [...committers.values()].some((found) => found.length > 1 && found.includes("person@example.org"));
}

/** Every line that was appended is there once, and no other. */
export function checkLines(tree: string, hub: string, ledger: Ledger): Problem[] {
	const problems: Problem[] = [];
	for (const [file, lines] of ledger.lines) {
		const found = count(readText(path.join(tree, file)).split("\n"));
		const known = new Set(["", "start", ...lines.map(({ text }) => text)]);
		for (const write of lines) {
			const times = found.get(write.text) ?? 0;
			if (times === 1 || (times > 1 && isDoubledByPerson(hub, file, write.text))) continue;
			const isKept: IsKept = (text) => text?.split("\n").includes(write.text) === true;
			problems.push({ what: `${file}: '${write.text}' is there ${times} times`, file, write, isKept });
		}
		for (const line of found.keys())
			if (!known.has(line) && !ledger.halfLines.some((half) => half.startsWith(line)))
				problems.push({ what: `${file}: nobody wrote '${line}'`, file });
	}
	return problems;
}

type JsonObject = Record<string, unknown>;

function objectOf(text: string): JsonObject | null {
	try {
		return JSON.parse(text) as JsonObject;
	} catch {
		return null;
	}
}

function checkKeys(tree: string, ledger: Ledger): Problem[] {
	const problems: Problem[] = [];
	for (const [file, keys] of ledger.keys) {
		const state = objectOf(readText(path.join(tree, file)));
		if (state === null) problems.push({ what: `${file}: not JSON any more`, file });
		for (const [key, { value, write }] of keys) {
			const [node = "", name = ""] = key.split(".");
			const valueIn = (object: JsonObject | null) => (object?.[node] as JsonObject | undefined)?.[name];
			const there = valueIn(state);
			const isKept: IsKept = (text) => valueIn(objectOf(text ?? "")) === value;
			if (there !== value) problems.push({ what: `${file}: ${key} is ${there}, not ${value}`, file, write, isKept });
		}
		for (const [key, values] of ledger.sharedKeys.get(file) ?? [])
			if (!values.includes(state?.[key] as number)) problems.push({ what: `${file}: nobody wrote ${key} = ${state?.[key]}`, file });
	}
	return problems;
}

function holdsLinesOf(there: Buffer | null, content: Buffer): boolean {
	const lines = new Set(there?.toString("latin1").split("\n"));
	return (
		there !== null &&
		content
			.toString("latin1")
			.split("\n")
			.every((line) => lines.has(line))
	);
}

/** Ids of all content in history, saved versions and kept files. */
function keptInHistory(workspaces: readonly string[], hub: string): Set<string> {
	const reachable = new Set(git(hub, ["rev-list", "--objects", "--no-object-names", "main"]).split("\n"));
	return new Set(
		savedFiles(workspaces)
			.map(({ content }) => blobId(content))
			.filter((blob) => reachable.has(blob)),
	);
}

/** Every file that one node alone writes is as that node left it. */
export function checkOwned(tree: string, workspaces: readonly string[], hub: string, ledger: Ledger): Problem[] {
	const problems: Problem[] = [];
	let kept: Set<string> | null = null;
	const isInHistory = (content: Buffer) => {
		kept ??= keptInHistory(workspaces, hub);
		return kept.has(blobId(content));
	};
	for (const [file, { content, write }] of ledger.owned) {
		const there = fs.existsSync(path.join(tree, file)) ? fs.readFileSync(path.join(tree, file)) : null;
		if (content === null ? there === null : there?.equals(content)) continue;
		// A person's rewritten commit makes two contradicting writes of one: both exist, or one is among the saved versions.
		if (content !== null ? holdsLinesOf(there, content) || isInHistory(content) : isAmendedByPerson(hub, file)) continue;
		const what = there === null ? "is missing" : content === null ? "came back" : "has other content";
		const isKept: IsKept = (text) => (text === null) === (content === null);
		problems.push({ what: `${file} ${what}`, file, write, isKept });
	}
	return problems;
}

function checkMessages(tree: string, ledger: Ledger): Problem[] {
	const messages = path.join(tree, "messages");
	const delivered = count(
		filesBelow(messages).map((file) => `${path.relative(messages, file).split("/", 1)[0]}\0${fs.readFileSync(file, "utf8")}`),
	);
	return ledger.messages.flatMap((write) => {
		const times = delivered.get(`${write.node}\0${write.text}`) ?? 0;
		return times === 1 ? [] : [{ what: `messages: '${write.text.trim()}' was delivered ${times} times`, write }];
	});
}

/** Saved versions and kept files of all nodes, as text, as a person would find them. */
function savedFiles(workspaces: readonly string[]): { file: string; content: Buffer }[] {
	return workspaces
		.flatMap((workspace) => [...filesBelow(path.join(workspace, "sync/conflicts")), ...filesBelow(path.join(workspace, "sync/backups"))])
		.filter((file) => !/^manifest(-\d+)?\.json$/.test(path.basename(file)))
		.map((file) => ({ file, content: fs.readFileSync(file) }));
}

function checkContested(tree: string, workspaces: readonly string[], hub: string, ledger: Ledger): Problem[] {
	const problems: Problem[] = [];
	const saved = savedFiles(workspaces);
	const history = versionsInHistory(hub, [...ledger.contested.keys()]);
	for (const [file, writes] of ledger.contested) {
		const there = readText(path.join(tree, file));
		const seen = new Set(
			writes.flatMap(({ saw }) =>
				saw === null || saw === undefined
					? []
					: saw
							.split("\0")
							.join("")
							.split(/(?<=\n)/),
			),
		);
		const findable = [
			...(history.get(file) ?? []),
			...saved.filter((kept) => path.basename(kept.file).startsWith(path.basename(file))).map(({ content }) => content.toString("utf8")),
		].join("\n");
		for (const write of writes) {
			if (there.includes(write.text) || seen.has(write.text) || findable.includes(write.text)) continue;
			problems.push({ what: `${file}: '${write.text.trim()}' is nowhere, and nobody saw it`, file, write });
		}
	}
	return [...problems, ...checkLosers(hub, saved, [...ledger.contested.keys()])];
}

/** Versions that lost in a merge, determined from history alone: they must be among the saved versions. */
function checkLosers(hub: string, saved: readonly { content: Buffer }[], names: readonly string[]): Problem[] {
	const kept = new Set(saved.map(({ content }) => blobId(content)));
	const asked: { merge: string; one: string; two: string; name: string; specifiers: string[] }[] = [];
	const known = new Set<string>();
	let commit: string[] = [];
	// Only where a merge differs from a parent, anything can have been left out.
	for (const part of git(hub, ["log", "--merges", "--format=@%H %ce %P", "-m", "--raw", "--no-abbrev", "-z", "main", "--", ...names])
		.split("\0")
		.map((text) => text.trim())) {
		if (part.startsWith("@")) commit = part.slice(1).split(/[ \n]/);
		const [merge = "", email = "", one = "", two = ""] = commit;
		if (!names.includes(part) || !email.endsWith("@localhost") || known.has(`${merge} ${part}`)) continue;
		known.add(`${merge} ${part}`);
		asked.push({ merge, one, two, name: part, specifiers: [merge, one, two].map((parent) => `${parent}:${part}`) });
	}
	if (asked.length === 0) return [];
	const answers = git(hub, ["cat-file", "--batch-check=%(objectname)"], `${asked.flatMap(({ specifiers }) => specifiers).join("\n")}\n`)
		.trim()
		.split("\n")
		.map((line) => (line.endsWith(" missing") ? null : line));
	const problems: Problem[] = [];
	for (const [index, { merge, one, two, name }] of asked.entries()) {
		const [result, ...sides] = answers.slice(3 * index, 3 * index + 3);
		if (sides[0] === sides[1] || sides.includes(null) || sides.every((blob) => blob === result)) continue;
		const lost = sides.filter((blob) => blob !== result && !kept.has(blob ?? ""));
		if (lost.length === 0) continue;
		const bases = basesOf(hub, one, two, name);
		if (sides.some((blob) => bases.includes(blob ?? ""))) continue;
		// Both are in the result (two lines beside each other): nothing was lost.
		const texts = readBlobs(hub, [result ?? "", ...lost.filter((blob) => blob !== null && blob !== undefined)]);
		const [merged = "", ...left] = result === null ? ["", ...texts] : texts;
		if (left.every((text) => text.split("\n").every((line) => merged.includes(line)))) continue;
		problems.push({ what: `${name}: merge ${merge.slice(0, 10)} left out ${lost[0]?.slice(0, 10)}, and nobody saved it`, file: name });
	}
	return problems;
}

function basesOf(hub: string, one: string, two: string, name: string): string[] {
	try {
		return git(hub, ["merge-base", "--all", one, two])
			.trim()
			.split("\n")
			.map((base) => git(hub, ["rev-parse", "--verify", "--quiet", `${base}:${name}`]).trim());
	} catch {
		return [];
	}
}

function checkContents(tree: string): Problem[] {
	const problems: Problem[] = [];
	for (const file of git(tree, ["ls-files", "-z"]).split("\0").filter(Boolean)) {
		const text = fs.existsSync(path.join(tree, file)) ? fs.readFileSync(path.join(tree, file), "latin1") : "";
		if (/^(<{7}|={7}|>{7})( |\r?$)/m.test(text)) problems.push({ what: `${file}: holds a conflict marker`, file });
		if (!file.endsWith(".json")) continue;
		try {
			JSON.parse(text);
		} catch {
			problems.push({ what: `${file}: not JSON`, file });
		}
	}
	return problems;
}

/**
 * The problems at the end; empty: none. In the manner of Jepsen (K. Kingsbury): only acknowledged writes and readable
 * content count, not the reports of any program.
 * @param workspaces at rest: synced, nothing running
 */
export function check(workspaces: readonly string[], hub: string, ledger: Ledger): Problem[] {
	// The trees are shown to be the same, so that the rest need only be looked up in one.
	const [tree = ""] = workspaces;
	return [
		...checkTrees(workspaces, hub),
		...checkRepositories(workspaces, hub),
		...checkLines(tree, hub, ledger),
		...checkKeys(tree, ledger),
		...checkOwned(tree, workspaces, hub, ledger),
		...checkMessages(tree, ledger),
		...checkContested(tree, workspaces, hub, ledger),
		...checkContents(tree),
		...ledger.unreadables.slice(0, 5).map(({ file, write }) => ({
			what: `${file}: a program on ${write.node} could not read it after ${write.atMs} ms: ${JSON.stringify(write.text.slice(0, 40))}`,
		})),
	];
}

/** The evidence for a problem: its writer and time, the commits that took it back, and the newest that added or removed it. */
export function evidence(hub: string, { file, write, isKept }: Problem): string[] {
	const lines: string[] = [];
	if (write) lines.push(`written by ${write.node} at ${write.atMs} ms`);
	if (!file) return lines;
	if (isKept) lines.push(...revertingCommits(hub, file, isKept));
	const text = write?.text.replace(/^[^.]*\./, "").trim() ?? "";
	const whole = `(^|[^0-9A-Za-z])${text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[^0-9A-Za-z])`;
	const search = write && write.text !== file ? ["-m", "--pickaxe-regex", "-S", whole] : ["-m"];
	try {
		const log = git(hub, ["log", "-n", "6", "--format=%h %an %s", "--name-status", ...search, "main", "--", file]);
		lines.push(...(log.trim() === "" ? ["no commit on the hub ever held it"] : log.trim().split("\n").filter(Boolean).slice(0, 12)));
	} catch {
		lines.push("its history cannot be read");
	}
	return lines;
}
