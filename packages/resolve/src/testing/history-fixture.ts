import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type GitPath, gitPath, type Oid, openRepository, type Repository, readObjectsWhole } from "@robust-sync/git";
import { WorkspacePaths } from "@robust-sync/workspace";

/** A file as a test writes it down; null: gone. */
export type FixtureFile = string | Buffer | { executable: string } | { symlink: string } | { submodule: Oid } | null;

/** A repository in a temporary directory whose history a test writes down commit by commit. */
export class History {
	readonly directory: string;
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	#date = 1_700_000_000;

	constructor(directory: string, repository: Repository) {
		this.directory = directory;
		this.repository = repository;
		this.paths = new WorkspacePaths(directory);
	}

	/** Runs git in the repository as a person would. */
	git(...args: string[]): string {
		return git(this.directory, ...args);
	}

	/** A commit with the first parent's files, and these changed; each a minute after the one before unless `date` (seconds) is given. */
	commit(
		parents: readonly Oid[],
		files: Record<string, FixtureFile>,
		{ date = 0, email = "tester@example.org", message = "change" } = {},
	): Oid {
		this.#date += 60;
		const when = `${date || this.#date} +0000`;
		const stream: Buffer[] = [
			Buffer.from(`commit refs/heads/fixture\nmark :1\nauthor Tester <${email}> ${when}\ncommitter Tester <${email}> ${when}\n`),
			Buffer.from(`data ${Buffer.byteLength(message)}\n${message}\n`),
			Buffer.from(parents.map((parent, index) => `${index === 0 ? "from" : "merge"} ${parent}\n`).join("")),
		];
		for (const [name, file] of Object.entries(files)) {
			const quoted = `"${name.replace(/["\\\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))}"`;
			if (file === null) stream.push(Buffer.from(`D ${quoted}\n`, "latin1"));
			else if (typeof file === "object" && "submodule" in file)
				stream.push(Buffer.from(`M 160000 ${file.submodule} ${quoted}\n`, "latin1"));
			else {
				const plain = typeof file === "string" || Buffer.isBuffer(file);
				const mode = plain ? "100644" : "executable" in file ? "100755" : "120000";
				const content = Buffer.from(plain ? file : "executable" in file ? file.executable : (file as { symlink: string }).symlink);
				stream.push(Buffer.from(`M ${mode} inline ${quoted}\ndata ${content.length}\n`, "latin1"), content, Buffer.from("\n"));
			}
		}
		if (parents.length === 0) stream.unshift(Buffer.from("reset refs/heads/fixture\n"));
		stream.push(Buffer.from("get-mark :1\n"));
		return git(this.directory, { input: Buffer.concat(stream) }, "fast-import", "--quiet", "--force", "--date-format=raw").trim();
	}

	/** What a commit holds: content by path, with the mode before it when it is not an ordinary file ("100755 #!/bin/sh"). */
	async files(commit: Oid): Promise<Record<string, string>> {
		const entries = this.git("ls-tree", "-r", "-z", "--full-tree", commit)
			.split("\0")
			.filter(Boolean)
			.map((line) => /^(\d+) \w+ ([0-9a-f]+)\t(.*)$/s.exec(line) as RegExpExecArray);
		const blobs = entries.filter(([, mode]) => mode !== "160000").map(([, , oid]) => oid as Oid);
		const contents = await readObjectsWhole(this.repository, blobs);
		return Object.fromEntries(
			entries.map(([, mode, oid, name]) => {
				const content = contents.get(oid ?? "")?.toString("utf8") ?? `${oid}`;
				return [name, mode === "100644" ? content : `${mode} ${content}`];
			}),
		);
	}

	remove(): void {
		rmSync(this.directory, { recursive: true, force: true });
	}
}

function git(directory: string, ...args: (string | { input: Buffer })[]): string {
	const input = args.find((arg) => typeof arg === "object")?.input;
	return execFileSync("git", args.filter((arg) => typeof arg === "string") as string[], {
		cwd: directory,
		encoding: "utf8",
		stdio: ["pipe", "pipe", "pipe"],
		env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
		...(input ? { input } : {}),
	});
}

/** An empty repository on branch main. `from`: a clone of that one. */
export async function makeHistory(from?: History): Promise<History> {
	const directory = mkdtempSync(path.join(tmpdir(), "robust-sync-resolve-"));
	if (from) git(directory, "clone", "-q", "--mirror", from.directory, ".git");
	else git(directory, "init", "-q", "-b", "main");
	if (from) git(directory, "config", "core.bare", "false");
	git(directory, "config", "user.name", "Tester");
	git(directory, "config", "user.email", "tester@example.org");
	return new History(directory, await openRepository({ directory, node: "tester" }));
}

/** A path by its latin1 characters, one a byte. */
export function bytesPath(text: string): GitPath {
	return gitPath(Buffer.from(text, "latin1"));
}
