import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { Ledger } from "./ledger.ts";

function git(directory: string, ...args: string[]): string {
	return execFileSync("git", args, {
		cwd: directory,
		encoding: "utf8",
		maxBuffer: 2 ** 30,
		stdio: ["ignore", "pipe", "pipe"],
		env: { PATH: process.env.PATH, LC_ALL: "C" },
	});
}

function filesBelow(directory: string): string[] {
	if (!fs.existsSync(directory)) return [];
	return (fs.readdirSync(directory, { recursive: true, withFileTypes: true }) as fs.Dirent[])
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath, entry.name));
}

/** Every version that history holds of a path, on any branch of a repository. */
function versionsInHistory(repository: string, name: string): string[] {
	const commits = git(repository, "log", "--format=%H", "-m", "main", "--", name).trim().split("\n").filter(Boolean);
	return [...new Set(commits)].map((commit) => {
		try {
			return git(repository, "show", `${commit}:${name}`);
		} catch {
			return "";
		}
	});
}

function count(haystack: readonly string[]): Map<string, number> {
	const counts = new Map<string, number>();
	for (const item of haystack) counts.set(item, (counts.get(item) ?? 0) + 1);
	return counts;
}

/**
 * What is wrong at the end, one line each; empty: nothing. In the manner of Jepsen (K. Kingsbury): only what was written and
 * what can be read count, not what anybody says of it.
 * @param workspaces at rest: synced, nothing running
 */
export function check(workspaces: readonly string[], hub: string, ledger: Ledger): string[] {
	const problems: string[] = [];
	const [first = ""] = workspaces;
	const hubTree = git(hub, "rev-parse", "main^{tree}").trim();
	for (const workspace of workspaces) {
		const name = path.basename(workspace);
		if (git(workspace, "rev-parse", "HEAD^{tree}").trim() !== hubTree) problems.push(`${name}: its tree is not the hub's`);
		const status = git(workspace, "status", "--porcelain");
		if (status !== "") problems.push(`${name}: not clean: ${status.split("\n")[0]}`);
		try {
			git(workspace, "fsck", "--strict", "--no-dangling");
		} catch (error) {
			problems.push(`${name}: git fsck: ${(error as { stderr?: string }).stderr?.split("\n")[0]}`);
		}
		for (const file of fs.readdirSync(path.join(workspace, "sync")).filter((entry) => entry.endsWith(".json"))) {
			try {
				JSON.parse(fs.readFileSync(path.join(workspace, "sync", file), "utf8"));
			} catch {
				problems.push(`${name}: sync/${file} is not JSON`);
			}
		}
		if (fs.readdirSync(path.join(workspace, "sync/pending")).length > 0) problems.push(`${name}: its outbox is not empty`);
	}
	for (const [file, lines] of ledger.lines) {
		const found = count(fs.readFileSync(path.join(first, file), "utf8").split("\n"));
		for (const line of lines) if (found.get(line) !== 1) problems.push(`${file}: '${line}' is there ${found.get(line) ?? 0} times`);
	}
	for (const [file, keys] of ledger.keys) {
		const state = JSON.parse(fs.readFileSync(path.join(first, file), "utf8")) as Record<string, number>;
		for (const [key, value] of keys) if (state[key] !== value) problems.push(`${file}: ${key} is ${state[key]}, not ${value}`);
	}
	for (const [file, content] of ledger.owned) {
		const there = fs.existsSync(path.join(first, file)) ? fs.readFileSync(path.join(first, file)) : null;
		if (content === null ? there !== null : !there?.equals(content))
			problems.push(`${file}: ${there === null ? "is missing" : content === null ? "came back" : "has other content"}`);
	}
	const delivered = count(
		filesBelow(path.join(first, "messages")).map((file) => `${path.basename(path.dirname(file))}\0${fs.readFileSync(file, "utf8")}`),
	);
	for (const { node, body } of ledger.messages) {
		const times = delivered.get(`${node}\0${body}`) ?? 0;
		if (times !== 1) problems.push(`messages: '${body.trim()}' was delivered ${times} times`);
	}
	for (const [file, byNode] of ledger.contested) {
		const saved = workspaces
			.flatMap((workspace) => [...filesBelow(path.join(workspace, "sync/conflicts")), ...filesBelow(path.join(workspace, "sync/backups"))])
			.filter((kept) => path.basename(kept).startsWith(path.basename(file)));
		const findable = [...versionsInHistory(hub, file), ...saved.map((kept) => fs.readFileSync(kept, "utf8"))].join("\n");
		for (const [node, contents] of byNode) {
			// An earlier content of the same node was overwritten by that node itself, knowingly.
			const last = contents.at(-1) ?? "";
			if (!findable.includes(last)) problems.push(`${file}: '${last.trim()}', the last word of ${node}, is nowhere`);
		}
	}
	for (const file of git(first, "ls-files", "-z").split("\0").filter(Boolean)) {
		const text = fs.readFileSync(path.join(first, file), "latin1");
		if (/^(<{7}|={7}|>{7})( |$)/m.test(text)) problems.push(`${file}: holds a conflict marker`);
	}
	return problems;
}
