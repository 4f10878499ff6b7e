import { GitError, listRemote, probeWrite, type Repository, readHead, readRef } from "@robust-sync/git";
import { printable, shellPath } from "@robust-sync/service/printable";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { cleanRemoteMessage } from "../context/remote-message.ts";
import { limitSeenMs } from "../remote/pace-of-workspace.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";

const firstSteps: Readonly<Record<string, string>> = {
	AUTH_FAILED: "git ls-remote, as the user of the service",
	REMOTE_UNREACHABLE: "git ls-remote; then the network, and the name of the host",
	GIT_TIMEOUT: "git ls-remote; then the network",
};

function problemOf(error: unknown): [message: string, fix: string] {
	if (!(error instanceof GitError)) return [error instanceof Error ? error.message : String(error), "git ls-remote"];
	const said = cleanRemoteMessage(error.remoteMessage);
	return [
		`${error.code}: ${error.message}${said ? ` (the remote says: ${said.split("\n")[0]})` : ""}`,
		firstSteps[error.code] ?? "git ls-remote",
	];
}

/** Whether the hub has the branch that is synced. */
async function branchFindings(repository: Repository, config: Config, branches: ReadonlyMap<string, string>): Promise<Finding[]> {
	const branch = config.syncBranch ?? (await readHead(repository)).branch;
	if (branch === null || branches.size === 0 || branches.has(branch)) return [];
	const names = [...branches.keys()];
	const list = printable(names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : ""));
	const known = await readRef(repository, `refs/remotes/${config.syncRemote}/${branch}`);
	return known === null
		? [
				warning(
					"hub",
					`it has no branch '${branch}' yet, but ${list}: the first push creates it`,
					`git checkout ${shellPath(names[0] ?? "")}, if that was meant`,
				),
			]
		: [
				failed(
					"hub",
					`its branch '${branch}' is gone; it has ${list}`,
					`git push ${config.syncRemote} ${branch} makes it again; if it was renamed: git checkout ${shellPath(names[0] ?? "")} on every node`,
				),
			];
}

/** Mirrors that are missing in the repository, and a pace above a public host's limits. */
function mirrorFindings(repository: Repository, config: Config): Finding[] {
	return config.syncMirrors
		.filter((name) => !repository.config.get(`remote.${name}.url`))
		.map((name) => failed("hub", `the mirror '${name}' (SYNC_MIRRORS) is no remote of the repository`, `git remote add ${name} <url>`));
}

/** Whether the hub can be read and written without a prompt: writing is tried with a ref of our own, which is deleted again. */
export async function checkHub(repository: Repository, config: Config, paths: WorkspacePaths): Promise<Finding[]> {
	const check = "hub";
	const remote = config.syncRemote;
	if (!repository.config.get(`remote.${remote}.url`))
		return [failed(check, `the repository has no remote '${remote}'`, `git remote add ${remote} <url>`)];
	const limitedMs = limitSeenMs(repository, paths, Date.now());
	if (limitedMs > 0) {
		const seconds = Math.ceil(limitedMs / 1_000);
		return [warning(check, `'${remote}' limits requests, and is not asked for another ${seconds} s`, `wait ${seconds} s`)];
	}
	let branches: ReadonlyMap<string, string>;
	const started = performance.now();
	try {
		({ branches } = await listRemote(repository, remote));
	} catch (error) {
		const [message, fix] = problemOf(error);
		return [failed(check, `'${remote}' cannot be read: ${printable(message)}`, fix)];
	}
	const ms = Math.round(performance.now() - started);
	const found = [ok(check, `'${remote}' can be read (${ms} ms, ${branches.size === 1 ? "1 branch" : `${branches.size} branches`})`)];
	found.push(...(await branchFindings(repository, config, branches)), ...mirrorFindings(repository, config));
	const tip = branches.values().next().value;
	try {
		const written = await probeWrite(repository, remote, `refs/robust-sync/doctor/${config.nodeName}`, tip ?? null);
		if (written) found.push(ok(check, `'${remote}' can be written`));
	} catch (error) {
		const [message, fix] = problemOf(error);
		found.push(failed(check, `'${remote}' cannot be written: ${printable(message)}`, fix));
	}
	return found;
}
