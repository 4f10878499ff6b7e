import fs from "node:fs";
import path from "node:path";

// The command blocks of the documents, and their treatment: documents.slow.test.ts runs them as they are written.

const root = path.resolve(import.meta.dirname, "../..");

export interface Block {
	readonly file: string;
	readonly language: string;
	/** The first line without its comment, by which the tables below identify it. */
	readonly first: string;
	readonly text: string;
}

/** The documents with commands for people to type. */
function documents(): string[] {
	const below = (directory: string) =>
		fs
			.readdirSync(path.join(root, directory), { recursive: true, encoding: "utf8" })
			.filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
			.map((name) => path.join(directory, name));
	return [...fs.readdirSync(root).filter((name) => name.endsWith(".md")), ...below("docs"), ...below("deploy"), ...below("bench")].sort();
}

const withoutComment = (line: string) => line.replace(/(^|\s)#.*$/, "").trim();

function blocksOf(file: string): Block[] {
	const text = fs.readFileSync(path.join(root, file), "utf8");
	return [...text.matchAll(/^([ \t]*)(```+|~~~+)([^\n]*)\n(.*?)\n\1\2[ \t]*$/gms)].map(([, indent, , info, body]) => {
		const lines = body!.split("\n").map((line) => (line.startsWith(indent!) ? line.slice(indent!.length) : line));
		return { file, language: info!.trim().split(/\s/)[0]!, first: withoutComment(lines[0]!), text: lines.join("\n") };
	});
}

export const blocks = documents().flatMap(blocksOf);
export const commandLanguages = ["sh", "bash", "shell", "console", "zsh"];

/** Command blocks that a test runs, by file and first line. */
export const run = {
	clone: ["README.md", "git clone <this repository> robust-sync && cd robust-sync"],
	hub: ["README.md", "git init --bare -b main ~/hub.git"],
	workspace: ["README.md", "git clone helios:hub.git ~/workspace"],
	install: ["README.md", "cd ~/workspace && bash <clone>/deploy/setup.sh"],
	key: ["README.md", "cd ~/workspace && ssh helios cat workspace/.sync_env | bash <clone>/deploy/setup.sh --key-from -"],
	configuration: ["README.md", "export NODE_NAME=helios"],
	upgrade: ["README.md", "bash <new clone>/deploy/setup.sh --upgrade"],
	gitHost: ["docs/start/git-host.md", "git clone git@github.com:me/workspace.git ~/workspace"],
	laptop: ["docs/start/laptop.md", "git clone server:hub.git ~/workspace"],
	laptopAway: ["docs/start/laptop.md", "cd ~/workspace && robust-sync --status"],
	oneHostHub: ["docs/start/one-host.md", "git init --bare -b main ~/hub.git"],
	oneHost: ["docs/start/one-host.md", String.raw`export HEARTBEAT_KEY=$(od -An -vtx1 -N24 /dev/urandom | tr -d ' \n')`],
	oneHostUse: ["docs/start/one-host.md", "echo hello > ~/helios/hello.md"],
	containers: [
		"deploy/README.md",
		String.raw`echo "HEARTBEAT_KEY=$(od -An -vtx1 -N24 /dev/urandom | tr -d ' \n')" >> deploy/container/.env`,
	],
} as const;

/** Blocks that no test runs, each with its reason. */
export const notRun: readonly (readonly [file: string, first: string, reason: string])[] = [
	["CONTRIBUTING.md", "npm test", "the suites themselves"],
	["README.md", "<workspace>/", "a listing of files"],
	["docs/contract.md", "<workspace>/", "a listing of files"],
	[
		"ARCHITECTURE.md",
		"bin/                 five executables, a few lines each: build if needed, load dist/<name>.mjs",
		"a listing of packages",
	],
	["docs/hubs.md", "ssh-keygen -t ed25519 -N '' -C robust-sync-helios -f ~/.ssh/robust-sync", "makes a key of a person"],
	[
		"docs/hubs.md",
		"git -C ~/workspace config core.sshCommand 'ssh -i ~/.ssh/robust-sync -o IdentitiesOnly=yes'",
		"of a clone that a person has",
	],
	[
		"docs/hubs.md",
		"gh repo deploy-key add ~/.ssh/robust-sync.pub -R me/workspace --title robust-sync-helios --allow-write",
		"needs an account on GitHub",
	],
	[
		"docs/hubs.md",
		"git -C ~/workspace config credential.helper 'store --file ~/.config/robust-sync-credentials'",
		"needs a token of GitHub",
	],
	[
		"docs/hubs.md",
		"gh api repos/me/workspace/rulesets -f name=robust-sync -f target=branch -f enforcement=active \\",
		"needs an account on GitHub",
	],
	["docs/hubs.md", "curl -sS -H \"Authorization: token $TOKEN\" -H 'Content-Type: application/json' \\", "needs an account on a Gitea"],
	[
		"deploy/README.md",
		"kubectl apply -f deploy/kubernetes/secret.yaml -f deploy/kubernetes/statefulset.yaml",
		"needs a cluster; the manifests are checked by manifests.test.ts",
	],
	["docs/leaks.md", "robust-sync --forget-value ~/V --check", "forgets a value that leaked; forget.slow.test.ts does"],
	["docs/leaks.md", "robust-sync --forget-value ~/V --dry-run", "forgets a value that leaked; forget.slow.test.ts does"],
	["SECURITY.md", "location / {", "a web server's configuration; web-server.slow.test.ts holds it against a real one"],
	[
		"docs/design/chaos.md",
		"git add -A; git commit -qm sync; git pull -q --rebase origin main; git push -q origin main",
		"the tools of the comparison",
	],
];

/** A block's name: its file and its first line. */
export const blockName = ({ file, first }: Pick<Block, "file" | "first">) => `${file}: ${first}`;
