import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
	displayPath,
	isAncestor,
	type Oid,
	openMergeStore,
	type Repository,
	readHead,
	readRemoteBranch,
	replaceRemoteBranch,
} from "@robust-sync/git";
import { realPath, selectedPath } from "@robust-sync/history";
import { isOwnPath } from "@robust-sync/resolve";
import { currentDirectory } from "@robust-sync/service/exact-operands";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import type { Logger } from "@robust-sync/service/log";
import { printable, shellWord } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import { faultPoint } from "@robust-sync/system/fault-points";
import { type Config, ensureExcluded, readState, syncStateSchema, type WorkspacePaths } from "@robust-sync/workspace";
import { acquireCycleLock } from "@robust-sync/workspace/cycle-lock";
import { type CycleContext, openWorkspaceRepository } from "../context/cycle-context.ts";
import { workspaceProgress } from "../context/progress.ts";
import { recover } from "../cycle/recover.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { announceMaps } from "../forget/announced-maps.ts";
import { nextSteps, searchValue } from "../forget/check-value.ts";
import { cleanHub, reserveHub } from "../forget/clean-hub.ts";
import { forgetDirectory } from "../forget/forget-map.ts";
import { ForgetMemory, readForgetState } from "../forget/forget-state.ts";
import { type MadeMap, makeMap, type Wanted } from "../forget/make-map.ts";
import { isOfPlaceholder } from "../forget/own-text.ts";
import { PeerPause } from "../forget/peer-pause.ts";
import { formsOf, holds } from "../forget/value.ts";
import { fetchUpstream, requireRemote, syncedBranch } from "../remote/upstream.ts";
import { aboutBinary, aboutLines, inName, notReached, ofPlaceholder } from "./forget-text.ts";
import { type OnceOutcome, syncOnce } from "./once.ts";
import { type Options, print, printJson } from "./options.ts";
import { readValue } from "./read-value.ts";
import { secretNameProblem } from "./secret-name-problem.ts";

/** The longest wait for a cycle: on a busy node that others outrun at each push, one takes minutes. */
const cycleWaitMs = 5 * 60_000;
/** Other nodes push meanwhile: the history is rewritten at most this many times. */
const maxRaces = 8;
/** The same where all but the first time takes little. */
const maxShortRaces = 32;
const raceWaitMs = 200;
/** Commits that a dry run prints; `--json` has all. */
const maxListed = 20;

/** The input of a command. */
export interface ForgetRequest {
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly logger: Logger;
	readonly options: Options;
}

function wantedOf({ paths, options }: ForgetRequest, operands: readonly string[]): Wanted {
	const value = options.forgetValue === undefined ? null : readValue(options.forgetValue);
	const names = operands.map((operand) => selectedPath(paths.root, currentDirectory(), operand));
	for (const name of names) {
		const isOurs =
			name === "" || isOwnPath(name) || name === ".robust-sync" || name === forgetDirectory || name.startsWith(`${forgetDirectory}/`);
		if (isOurs)
			throw new CommandError(
				`${printable(displayPath(name) || ".")} cannot be forgotten: name files or directories of the workspace`,
				ExitCode.usage,
			);
	}
	return { value, paths: [...new Set(names)] };
}

/** Does something under the cycle lock, with the repository as a cycle would leave it. */
async function underLock<T>({ paths, config, logger }: ForgetRequest, use: (context: CycleContext) => Promise<T>): Promise<T> {
	const lock = await acquireCycleLock(paths, "robust-sync --forget", cycleWaitMs);
	const work = workspaceProgress(paths, logger, Date.now);
	try {
		ensureExcluded(paths.root);
		work.begin();
		const repository = await openWorkspaceRepository(paths, config, { onProgress: work.report });
		const memory = newMemory(paths, false);
		const read = readState(paths.syncState, syncStateSchema);
		memory.branch = config.syncBranch;
		memory.lastBranch = read.kind === "ok" ? read.state.branch : null;
		const context: CycleContext = { repository, paths, config, log: logger, now: Date.now, lock, memory };
		await recover(context);
		requireRemote(context);
		return await use(context);
	} finally {
		await work.end();
		await lock.release();
	}
}

/** Replaces the branch on the hub. @returns null: the history does not contain the value or the paths */
async function publish(request: ForgetRequest, wanted: Wanted, key: string): Promise<MadeMap | null> {
	return await underLock(request, async (context) => {
		const { repository, config, lock } = context;
		let earlier: MadeMap | null = null;
		const pause = new PeerPause(context, key);
		// A value: each further attempt only rewrites what was pushed since the one before.
		const most = wanted.paths.length === 0 ? maxShortRaces : maxRaces;
		try {
			for (let attempt = 1; attempt <= most; attempt++) {
				const started = performance.now();
				const { tip } = await fetchUpstream(context, true);
				if (tip === null) return null;
				const map: MadeMap | null = await makeMap(context, tip, wanted, key, { earlier });
				if (map === null) return null;
				lock.assertHeld();
				const outcome = await replaceRemoteBranch(repository, config.syncRemote, syncedBranch(context), map.tip, tip, map.history);
				if (outcome !== "race") {
					await announceMaps(context, map.tip, map.cleaned);
					return map;
				}
				earlier = map;
				context.log.info(`another node pushed first: attempt ${attempt} of ${most}`);
				await pause.announce(performance.now() - started);
			}
		} finally {
			await pause.end();
		}
		throw new CommandError("other nodes keep pushing: pause them (robust-sync --pause 10m on each), and run this again", ExitCode.failed);
	});
}

/** Brings the new history to the mirrors as well. @returns what went wrong, a line each */
async function replaceOnMirrors(request: ForgetRequest, made: MadeMap): Promise<string[]> {
	const { config } = request;
	if (config.syncMirrors.length === 0) return [];
	return await underLock(request, async ({ repository, memory }) => {
		const problems: string[] = [];
		const branch = memory.branch ?? "";
		for (const mirror of config.syncMirrors) {
			try {
				const tip = await readRemoteBranch(repository, mirror, branch);
				if (tip === null || tip === made.tip) continue;
				const isOld = await isAncestor(openMergeStore(repository), tip, made.map.from).catch(() => false);
				const outcome = isOld ? await replaceRemoteBranch(repository, mirror, branch, made.tip, tip, made.history) : "race";
				if (outcome === "race")
					problems.push(`mirror '${mirror}' has other commits: it was left as it is; empty it, and it gets the new history`);
			} catch (error) {
				problems.push(`mirror '${mirror}': ${error instanceof Error ? error.message : String(error)}`);
			}
		}
		return problems;
	});
}

/** Paths of a history that hold some objects, each of them at one path, and those with a value in their name. */
async function pathsWith(
	repository: Repository,
	tip: Oid,
	oids: ReadonlySet<Oid>,
	binary: ReadonlySet<Oid>,
	value: Buffer | null,
): Promise<{ paths: string[]; binary: string[]; named: string[] }> {
	const { stdout } = await openMergeStore(repository).run(["rev-list", "--objects", tip]);
	const found = new Set<string>();
	const notText = new Set<string>();
	const named = new Set<string>();
	const forms = value === null ? null : formsOf(value);
	for (const line of stdout.toString("utf8").split("\n")) {
		const space = line.indexOf(" ");
		if (space <= 0) continue;
		const name = line.slice(space + 1);
		const oid = line.slice(0, space);
		if (oids.has(oid)) found.add(name);
		if (binary.has(oid)) notText.add(name);
		if (forms !== null && holds(Buffer.from(name), forms)) named.add(name);
	}
	return { paths: [...found].sort(), binary: [...notText].sort(), named: [...named].sort() };
}

/** Names of files that contain a value which was forgotten in contents. Another forgetting may have replaced the commit meanwhile: HEAD is read. */
async function namesWith(repository: Repository, value: Buffer | null): Promise<string[]> {
	if (value === null) return [];
	const { stdout } = await repository.run(["ls-tree", "-r", "-t", "-z", "--name-only", "HEAD"]);
	const forms = formsOf(value);
	return stdout
		.toString("utf8")
		.split("\0")
		.filter((name) => holds(Buffer.from(name), forms));
}

const nodesOf = ({ nodeName, peers }: Config) => [nodeName, ...peers.map(({ name }) => name)];

async function dryRun(request: ForgetRequest, wanted: Wanted, key: string): Promise<number> {
	const { options, config } = request;
	const found = await underLock(request, async (context) => {
		const { tip } = await fetchUpstream(context, true);
		if (tip === null) return null;
		const made = await makeMap(context, tip, wanted, key, { writes: false });
		if (made === null) return null;
		const oids = new Set([...Object.keys(made.map.blobs), ...made.map.paths.flatMap((one) => one.blobs)]);
		return {
			commits: made.commits,
			total: made.total,
			messages: Object.keys(made.map.commits),
			...(await pathsWith(context.repository, tip, oids, new Set(made.binary), wanted.value)),
		};
	});
	if (options.json)
		printJson({
			schema: 1,
			dry_run: true,
			commits: found?.commits ?? [],
			commits_in_all: found?.total ?? 0,
			messages: found?.messages ?? [],
			paths: found?.paths ?? [],
			binary: found?.binary ?? [],
			names: found?.named ?? [],
			nodes: nodesOf(config),
			not_reached: notReached,
		});
	else if (found === null)
		print("the history of the branch has nothing of it: nothing to do (robust-sync --forget-value FILE --check searches everywhere)");
	else {
		print(`would rewrite ${found.commits.length} of ${counted(found.total, "commit")}, the oldest first:`);
		for (const oid of found.commits.slice(0, maxListed)) print(`  ${oid}`);
		if (found.commits.length > maxListed)
			print(`  and ${counted(found.commits.length - maxListed, "commit")} after them (all of them: --json)`);
		for (const name of found.paths) print(`${wanted.value === null ? "would remove" : "would clean "} ${printable(name)}`);
		if (found.messages.length > 0) print(`would clean  the messages of ${counted(found.messages.length, "commit")}`);
		for (const name of found.binary) print(`binary       ${printable(name)}`);
		if (found.binary.length > 0) print(aboutBinary(counted(found.binary.length, "file")));
		if (wanted.value?.includes(10)) print(aboutLines);
		for (const name of found.named) print(inName(name));
		print(`nodes: ${nodesOf(config).join(", ")}`);
		for (const line of notReached) print(`not reached: ${line}`);
	}
	return ExitCode.ok;
}

async function check({ paths, config, options }: ForgetRequest, wanted: Wanted): Promise<number> {
	if (wanted.value === null) throw new CommandError("--check needs --forget-value FILE: the value to search for", ExitCode.usage);
	const repository = await openWorkspaceRepository(paths, config);
	const own =
		options.forgetValue === "-" || options.forgetValue === undefined
			? null
			: realPath(path.resolve(currentDirectory(), options.forgetValue));
	const places = await searchValue(repository, paths, config, wanted.value, own);
	if (options.json) printJson({ schema: 1, found: places });
	else {
		for (const { where, name, form } of places)
			print(`${where.padEnd(6)}  ${printable(name)}${form === "base64" ? ", in base64: remove it by hand, or --forget the file" : ""}`);
		for (const where of new Set(places.map((place) => place.where))) print(`${where.padEnd(6)}  ${nextSteps[where]}`);
		if (places.length === 0)
			print("found nowhere: hub, repository, files, saved versions, backups, messages and logs of this node were searched");
	}
	return places.length === 0 ? ExitCode.ok : ExitCode.failed;
}

/** A cycle, which applies what is to be forgotten to this node, also where other nodes push first. @returns the new HEAD @throws CommandError */
async function applyHere({ paths, config, logger }: ForgetRequest, forget = new ForgetMemory()): Promise<Oid | null> {
	forget.isCommand = true;
	for (let attempt = 1; ; attempt++) {
		const outcome = await syncOnce({ paths, config, logger, forget });
		if (outcome.ok) return outcome.result.head;
		if (outcome.error.code === "PUSH_RACE") return (await readHead(await openWorkspaceRepository(paths, config))).oid;
		// A hub that moves during a fetch is not damaged: the next attempt shows it.
		if (outcome.error.code !== "REMOTE_DAMAGED" || attempt === maxRaces) throw cycleFailed(outcome);
		await sleep(raceWaitMs * attempt);
	}
}

function cycleFailed({ error: { code, message, cause } }: Extract<OnceOutcome, { ok: false }>): CommandError {
	return new CommandError(`${code}: ${message}`, ExitCode.failed, { cause });
}

/** Removes forgotten content that returned to the hub. */
async function again(request: ForgetRequest): Promise<number> {
	const { paths, config, logger, options } = request;
	const outcome = await syncOnce({ paths, config, logger });
	const { returned } = readForgetState(paths);
	// Without its replacement, this node cannot take the content out.
	if (!outcome.ok && (outcome.error.code !== "FORGOTTEN_RETURNED" || returned === null)) throw cycleFailed(outcome);
	if (returned === null) {
		if (options.json) printJson({ schema: 1, replaced: false });
		else print("the hub has no forgotten content; to forget more, name a PATH, or --forget-value FILE");
		return ExitCode.ok;
	}
	const done = await underLock(request, async ({ repository, memory }) => {
		const branch = memory.branch ?? "";
		const { oid: head } = await readHead(repository);
		return head === null ? "race" : await replaceRemoteBranch(repository, config.syncRemote, branch, head, returned.tip);
	});
	if (done === "race") throw new CommandError("another node pushed meanwhile: run it again", ExitCode.failed);
	await applyHere(request);
	const left = await cleanHub(await openWorkspaceRepository(paths, config), config, null);
	if (options.json) printJson({ schema: 1, replaced: true, hub: left });
	else {
		print("the hub's branch was replaced: forgotten content is removed again");
		if (left !== null) print(left);
	}
	return ExitCode.ok;
}

/**
 * Takes a value, or paths, out of the whole history, here, on the hub, and by a signed map on every other node.
 * @returns the exit code @throws CommandError
 */
export async function forget(request: ForgetRequest, operands: readonly string[]): Promise<number> {
	const { paths, config, options } = request;
	const wanted = wantedOf(request, operands);
	if (options.check) return await check(request, wanted);
	if (wanted.value !== null && isOfPlaceholder(wanted.value, null)) throw new CommandError(ofPlaceholder, ExitCode.usage);
	const [key] = config.heartbeatKeys;
	if (key === undefined)
		throw new CommandError(
			`forgetting needs HEARTBEAT_KEY, whose signature the other nodes check: set the same key in .sync_env on every node`,
			ExitCode.usage,
		);
	const problem = options.yes === true ? null : await secretNameProblem(paths, config, wanted.paths);
	if (problem !== null) throw new CommandError(problem, ExitCode.usage);
	if (options.dryRun) {
		if (wanted.value === null && wanted.paths.length === 0)
			throw new CommandError("--dry-run needs a PATH, or --forget-value FILE", ExitCode.usage);
		return await dryRun(request, wanted, key);
	}
	if (wanted.value === null && wanted.paths.length === 0) return await again(request);
	const repository = await openWorkspaceRepository(paths, config);
	const reserved = await reserveHub(repository, config);
	try {
		return await forgetWanted(request, wanted, key, repository);
	} finally {
		reserved?.release();
	}
}

/** @param repository opened before: with all the memory that a long history needs, the start of each process takes long */
async function forgetWanted(request: ForgetRequest, wanted: Wanted, key: string, repository: Repository): Promise<number> {
	const { paths, config, options } = request;
	// Maps that wait here are applied first, and incoming commits are fetched.
	await applyHere(request);
	const made = await publish(request, wanted, key);
	faultPoint("forget-published");
	if (made === null) {
		// An earlier command may have been interrupted.
		const left = await cleanHub(repository, config, null, true);
		if (options.json) printJson({ schema: 1, replaced: false, commits: 0, hub: left });
		else {
			print(
				`the history of the branch has nothing of it: nothing was changed${wanted.value === null ? "" : `; search everywhere with: robust-sync --forget-value ${shellWord(options.forgetValue ?? "-")} --check`}`,
			);
			if (left !== null) print(left);
		}
		return ExitCode.ok;
	}
	const problems = await replaceOnMirrors(request, made);
	const memory = new ForgetMemory();
	memory.made = made.made;
	const head = await applyHere(request, memory);
	if (!readForgetState(paths).applied.includes(made.map.id))
		throw new CommandError(
			`the hub has the new history, but this node has not applied the map ${made.map.id} (${memory.refused[0]?.reason ?? "another node replaced the branch meanwhile"}): run this again`,
			ExitCode.failed,
		);
	const forgotten = memory.applied === null ? null : { applied: memory.applied, made };
	const left = await cleanHub(repository, config, forgotten);
	if (options.json)
		printJson({
			schema: 1,
			replaced: true,
			id: made.map.id,
			commits: made.commits.length,
			binary: made.binary.length,
			head,
			problems,
			hub: left,
		});
	else {
		print(`forgotten: ${made.commits.length} of ${counted(made.total, "commit")} rewritten, here and on the hub`);
		if (made.binary.length > 0) print(aboutBinary(counted(made.binary.length, "version")));
		if (wanted.value?.includes(10)) print(aboutLines);
		for (const line of problems) print(line);
		for (const name of await namesWith(repository, wanted.value)) print(inName(name));
		if (left !== null) print(left);
		print(
			`${config.peers.length > 0 ? `${config.peers.map(({ name }) => name).join(", ")}: ` : ""}the other nodes do the same with their next cycle, before they push`,
		);
	}
	return ExitCode.ok;
}
