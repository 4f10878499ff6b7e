import fs from "node:fs";
import path from "node:path";
import {
	endCommands,
	findLockFiles,
	isIndexWhole,
	lockHolder,
	operationInProgress,
	operationText,
	parseGitPathList,
	type Repository,
	readHead,
} from "@robust-sync/git";
import { isOwnPath } from "@robust-sync/resolve";
import { printable, shellPath, shellWord } from "@robust-sync/service/printable";
import {
	type Config,
	checkOwnPlaces,
	exposedSecrets,
	heldLossCommands,
	heldLossText,
	neverCommitted,
	pauseText,
	readPause,
	readState,
	silencesSchema,
	syncStateSchema,
	type WorkspacePaths,
} from "@robust-sync/workspace";
import { invalidStates } from "../cycle/state-files.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";

/** The directory itself, own files in it, and their permissions. */
export function checkPlaces(paths: WorkspacePaths): Finding[] {
	const check = "workspace";
	const found: Finding[] = [];
	const { uid } = fs.statSync(paths.root);
	const user = process.geteuid?.();
	const word = shellPath(paths.root);
	if (user !== undefined && uid !== user && user !== 0)
		found.push(
			failed(
				check,
				`${paths.root} belongs to user ${uid}, and this is user ${user}`,
				`sudo -u '#${uid}' robust-sync --doctor --workspace ${word}`,
			),
		);
	try {
		fs.accessSync(paths.root, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
	} catch {
		found.push(failed(check, `${paths.root} cannot be read and written by this user`, `chmod u+rwx ${word}`));
	}
	try {
		checkOwnPlaces(paths.root);
	} catch (error) {
		found.push(failed(check, (error as Error).message, `ls -la ${word} ${shellPath(paths.sync)}`));
	}
	const exposed = exposedSecrets(paths.envFile, shellPath(paths.envFile));
	if (exposed !== null) found.push(warning(check, exposed.replace(/: chmod .*$/, ""), `chmod 600 ${shellPath(paths.envFile)}`));
	if (found.length === 0) found.push(ok(check, paths.root));
	const pause = readPause(paths, Date.now());
	if (pause !== null) found.push(warning("pause", `sync is paused ${pauseText(pause)}`, "robust-sync --resume"));
	const silences = readState(paths.silences, silencesSchema);
	for (const { id, until } of silences.kind === "ok" ? silences.state.silences : [])
		if (Date.parse(until) > Date.now())
			found.push(warning("silences", `no alert about ${printable(id)} until ${printable(until)}`, `monitor --unsilence ${shellWord(id)}`));
	for (const { name, problem, fix } of invalidStates(paths)) found.push(failed("state", `sync/${name} is not valid: ${problem}`, fix));
	const state = readState(paths.syncState, syncStateSchema);
	for (const held of (state.kind === "ok" ? state.state.held : null) ?? [])
		found.push(warning("held", heldLossText(held), heldLossCommands));
	return found;
}

/** Branch, open operations, and tracked own files. @throws GitError */
export async function checkRepository(repository: Repository, config: Config): Promise<Finding[]> {
	const check = "repository";
	const found: Finding[] = [];
	if (!isIndexWhole(repository, true))
		return [failed(check, "git's index is torn", "robust-sync --once rebuilds it from HEAD; no file is touched")];
	const { branch, oid } = await readHead(repository);
	const operation = operationInProgress(repository.gitDirectory);
	if (operation)
		found.push(
			failed(
				check,
				`${operationText(operation.name)} is open: nothing is synced until it is finished or ended`,
				operation.name === "merge"
					? "conflict-resolver --report; conflict-resolver --resolve"
					: `git status; then ${endCommands(operation.name)}`,
			),
		);
	else if (branch === null) found.push(failed(check, "HEAD is detached: no branch is synced", "git checkout <branch>"));
	else if (config.syncBranch !== null && branch !== config.syncBranch)
		found.push(failed(check, `'${branch}' is checked out, and SYNC_BRANCH is '${config.syncBranch}'`, `git checkout ${config.syncBranch}`));
	for (const file of findLockFiles(repository).filter((one) => lockHolder(repository, one) === null))
		found.push(
			warning(
				check,
				`${path.relative(repository.root, file)} was left by a killed git`,
				"robust-sync --once moves it aside, unless a git holds it",
			),
		);
	if (repository.isShallow)
		found.push(warning(check, "the clone is shallow: histories that go further back cannot be merged", "git fetch --unshallow"));
	const { stdout } = await repository.run(["ls-files", "-z", "--", ...neverCommitted.map((name) => `:(top,icase)${name}`)]);
	const tracked = parseGitPathList(stdout).filter(isOwnPath);
	if (tracked.length > 0)
		found.push(
			warning(
				check,
				`${tracked.length} of this node's own files are tracked by git (${tracked[0]}, …): they are not synced`,
				"git rm -r --cached --ignore-unmatch sync logs .sync_env",
			),
		);
	if (found.length === 0)
		found.push(ok(check, `branch ${branch}, ${oid === null ? "no commit yet: the first cycle makes one" : `at ${oid.slice(0, 12)}`}`));
	return found;
}
