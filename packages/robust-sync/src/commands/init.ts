import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { createInterface } from "node:readline";
import {
	displayPath,
	fileSystemPath,
	type GitPath,
	openRepository,
	parseGitPathList,
	type Repository,
	readDiskFile,
} from "@robust-sync/git";
import { ScanThread } from "@robust-sync/secrets";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { redact } from "@robust-sync/service/redact";
import { formatSize } from "@robust-sync/system/format-size";
import { lstatIfThere } from "@robust-sync/system/lstat";
import {
	defaultNodeName,
	ensureExcluded,
	isLinkedWorkTree,
	isNodeName,
	parseConfig,
	WorkspacePaths,
	workspaceMarker,
} from "@robust-sync/workspace";
import { machineSecrets } from "../context/machine-secrets.ts";
import { type Options, print } from "./options.ts";

/** The content of the first publication. */
interface Survey {
	readonly files: number;
	readonly bytes: number;
	/** The largest ones first, at most five. */
	readonly largest: readonly { readonly path: GitPath; readonly bytes: number }[];
	/** Files whose names suggest keys or passwords. */
	readonly secretLooking: readonly GitPath[];
	/** Files with probable secrets, and their places. */
	readonly secrets: readonly { readonly path: GitPath; readonly rule: string; readonly line: number }[];
	/** Files and directories covered by an ignore rule. */
	readonly ignored: readonly GitPath[];
}

const shownNames = 10;

/** Usual names of files with keys, passwords and tokens. */
const secretNames =
	/(^|\/)(\.env(\.(?!example$|sample$|template$|dist$)[^/]*)?|[^/]*\.env|\.netrc|\.pgpass|\.git-credentials|\.npmrc|\.pypirc|\.htpasswd|\.dockercfg|id_(rsa|dsa|ecdsa|ed25519)|[^/]*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|gpg|age|ovpn)|[^/]*(secret|credential|password|passwd|token)s?(\.(json|ya?ml|toml|txt|ini|conf|env))?|\.(ssh|aws|gnupg|kube|docker)\/.+)$/i;

/** Whether a file's name suggests keys or passwords. */
function looksSecret(name: GitPath): boolean {
	return secretNames.test(name) && !/\.pub$/i.test(name);
}

/** Surveys the files that a first cycle would publish; changes nothing. @throws GitError */
async function surveyWorkspace(repository: Repository): Promise<Survey> {
	const list = async (args: readonly string[]) => {
		const { stdout } = await repository.run(["ls-files", "-z", "--exclude-standard", ...args]);
		return [...new Set(parseGitPathList(stdout))];
	};
	const own = /^(\.sync_env|(logs|sync)(\/|$))/i;
	const names = (await list(["--cached", "--others"])).filter((name) => !own.test(name));
	const files = names.flatMap((name) => {
		const stats = lstatIfThere(fileSystemPath(repository.root, name));
		return stats && !stats.isDirectory() ? [{ path: name, bytes: stats.size }] : [];
	});
	const secrets = await secretsAmong(repository, files);
	return {
		secrets,
		files: files.length,
		bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
		largest: [...files].sort((a, b) => b.bytes - a.bytes).slice(0, 5),
		secretLooking: files.map(({ path }) => path).filter(looksSecret),
		ignored: (await list(["--others", "--ignored", "--directory"])).filter((name) => !own.test(name)),
	};
}

/** Bytes searched before a person is asked; the first cycle searches all. */
const searchedBytes = 256 * 1_048_576;
const searchedAtOnce = 16 * 1_048_576;

/** @throws ScanError, GitError */
async function secretsAmong(
	repository: Repository,
	files: readonly { readonly path: GitPath; readonly bytes: number }[],
): Promise<Survey["secrets"]> {
	const thread = new ScanThread();
	thread.setOwn(await machineSecrets({ repository, paths: new WorkspacePaths(repository.root) }));
	const found: Survey["secrets"][number][] = [];
	let left = searchedBytes;
	let batch: { readonly name: GitPath; readonly path: string; readonly content: Buffer }[] = [];
	let bytes = 0;
	const flush = async () => {
		for (const [index, findings] of (await thread.scan(batch, [])).entries()) {
			const [first] = findings;
			const file = batch[index];
			if (first && file) found.push({ path: file.name, rule: first.rule, line: first.line });
		}
		batch = [];
		bytes = 0;
	};
	for (const { path, bytes: size } of files) {
		if (size > left) continue;
		left -= size;
		let content: Buffer | undefined;
		try {
			content = readDiskFile(repository, path)?.content;
		} catch {
			// The first cycle reports it.
		}
		if (content === undefined) continue;
		batch.push({ name: path, path: displayPath(path), content });
		bytes += content.length;
		if (bytes > searchedAtOnce) await flush();
	}
	await flush();
	return found;
}

const count = (number: number, what: string) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

function list(names: readonly GitPath[], title: string): string[] {
	if (names.length === 0) return [];
	const more = names.length > shownNames ? [`    … and ${names.length - shownNames} more`] : [];
	return [title, ...names.slice(0, shownNames).map((name) => `    ${printable(displayPath(name))}`), ...more];
}

/** The survey for people, a line each. */
function formatSurvey({ files, bytes, largest, secretLooking, secrets, ignored }: Survey, destination: string): string[] {
	return [
		`would be published to ${destination}: ${count(files, "file")}, ${formatSize(bytes)}`,
		...(largest.length > 0 ? ["  the largest:"] : []),
		...largest.map((file) => `    ${formatSize(file.bytes).padStart(10)}  ${printable(displayPath(file.path))}`),
		...list(secretLooking, "  their names look secret (to leave one out, add it to .gitignore first):"),
		...(secrets.length === 0 ? [] : ["  not published, because a secret is in them (robust-sync --allow-secret PATH publishes one):"]),
		...secrets.slice(0, shownNames).map(({ path, rule, line }) => `    ${printable(displayPath(path))}, line ${line} (${rule})`),
		...(secrets.length > shownNames ? [`    … and ${secrets.length - shownNames} more`] : []),
		...list(ignored, "  left out, because git ignores them:"),
	];
}

/** The content of a new `.sync_env`. */
function envText({ node, peers, key }: { node: string; peers: string | null; key: string }): string {
	const quote = (value: string) => (/^[\w.,:=@/[\]%+-]*$/.test(value) ? value : `'${value.replaceAll("'", "")}'`);
	return `# The configuration of this workspace for robust-sync; read as a shell would, never executed, never committed.

# The name of this node.
export NODE_NAME=${quote(node)}

# The other nodes: name=host[:port], comma separated.
${peers === null ? "#export PEERS=chad=chad.example.org" : `export PEERS=${quote(peers)}`}

# Authenticates the heartbeats: the same on all nodes. Copy this line to them.
export HEARTBEAT_KEY=${quote(key)}

# Whom to alert, by Telegram.
#export CALEB_TELEGRAM_ID=
#export TELEGRAM_BOT_TOKEN=

# Seconds between cycles when nothing happens.
#export SYNC_INTERVAL=60
`;
}

/** Asks on the terminal, again until an answer is valid; lines that were typed ahead count. */
class Questions {
	readonly #terminal = createInterface({ input: process.stdin, output: process.stdout });
	readonly #lines = this.#terminal[Symbol.asyncIterator]();

	/** @param problemOf the problem of an answer; null: it is valid @throws CommandError (2) when the input ends */
	async ask(question: string, fallback: string, problemOf: (answer: string) => string | null): Promise<string> {
		for (;;) {
			process.stdout.write(`${question}${fallback ? ` [${fallback}]` : ""}: `);
			const line = await this.#lines.next();
			if (line.done) throw new CommandError("nothing was changed: the input ended", ExitCode.usage);
			const answer = line.value.trim() || fallback;
			const problem = problemOf(answer);
			if (problem === null) return answer;
			print(`  ${problem}`);
		}
	}

	close(): void {
		this.#terminal.close();
	}
}

const nodeProblem = (name: string) => (isNodeName(name) ? null : "invalid name: use a-z, 0-9 and -, with a letter or digit at the start");

function problemOf(variable: string, value: string): string | null {
	try {
		parseConfig({ [variable]: value });
		return null;
	} catch (error) {
		return (error as Error).message;
	}
}
const peersProblem = (peers: string) => problemOf("PEERS", peers);

/**
 * Makes the git repository at `paths.root` a workspace: shows the files to be published, asks, writes `.sync_env` and marks the repository.
 * @returns the exit code
 * @throws CommandError (2) without a terminal, or after an answer of no; GitError; the file system's errors
 */
export async function initWorkspace(paths: WorkspacePaths, options: Options): Promise<number> {
	if (!fs.existsSync(`${paths.root}/.git`)) {
		throw new CommandError(`${paths.root} is not the top of a git working tree: run git init or git clone first`, ExitCode.usage);
	}
	const repository = await openRepository({ directory: paths.root, node: defaultNodeName() });
	const remote = process.env.SYNC_REMOTE || "origin";
	const url = repository.config.get(`remote.${remote}.url`);
	for (const line of formatSurvey(await surveyWorkspace(repository), url ? `${remote} (${printable(redact(url))})` : remote)) print(line);
	if (!url) print(`  there is no remote named ${remote} yet: git remote add ${remote} URL`);
	if (lstatIfThere(paths.envFile)) {
		await mark(paths, repository);
		print(`${paths.root} is a workspace; its .sync_env stays as it is`);
		return ExitCode.ok;
	}
	const isAsked = !options.yes;
	if (isAsked && !process.stdin.isTTY) {
		throw new CommandError("nothing was changed: there is no terminal to ask on; add --yes (and --node, --peers)", ExitCode.usage);
	}
	let node = options.node ?? process.env.NODE_NAME ?? defaultNodeName();
	if (options.peers === true) throw new CommandError("--peers takes a list with --init: name=host[:port], comma separated", ExitCode.usage);
	let peers = options.peers ?? process.env.PEERS ?? "";
	for (const [flag, problem] of [
		["--node", nodeProblem(node)],
		["--peers", peersProblem(peers)],
	] as const) {
		if (problem !== null) throw new CommandError(`${flag}: ${problem}`, ExitCode.usage);
	}
	const givenKey = process.env.HEARTBEAT_KEY || null;
	const keyProblem = problemOf("HEARTBEAT_KEY", givenKey ?? "");
	if (givenKey !== null && (givenKey.includes("'") || printable(givenKey) !== givenKey)) {
		throw new CommandError("HEARTBEAT_KEY: a single quote or a control character is not accepted", ExitCode.usage);
	}
	if (keyProblem !== null) throw new CommandError(keyProblem, ExitCode.usage);
	if (isAsked) {
		const questions = new Questions();
		try {
			if (options.node === undefined) node = await questions.ask("name of this node", node, nodeProblem);
			if (options.peers === undefined)
				peers = await questions.ask("peers, as name=host[:port], comma separated (Enter: none)", peers, peersProblem);
			const yes = await questions.ask("publish these files, and every change from now on? (yes or no)", "no", (answer) =>
				/^(y|yes|n|no)$/i.test(answer) ? null : "yes or no",
			);
			if (/^n/i.test(yes)) throw new CommandError("nothing was changed", ExitCode.usage);
		} finally {
			questions.close();
		}
	}
	const key = givenKey ?? randomBytes(24).toString("base64url");
	fs.writeFileSync(paths.envFile, envText({ node, peers: peers === "" ? null : peers, key }), { mode: 0o600, flag: "wx" });
	await mark(paths, repository);
	print(`wrote ${paths.envFile}${givenKey === null ? ", with a new HEARTBEAT_KEY" : ""}`);
	if (givenKey === null) print("all nodes need the same HEARTBEAT_KEY: copy that line to them, or copy it here from a node that has one");
	print("next: robust-sync --once, or robust-sync to keep syncing, or deploy/setup.sh for services");
	return ExitCode.ok;
}

async function mark(paths: WorkspacePaths, repository: Repository): Promise<void> {
	ensureExcluded(paths.root);
	if (isLinkedWorkTree(paths.root)) return;
	await repository.run(["config", "--local", workspaceMarker.key, workspaceMarker.value]);
}
