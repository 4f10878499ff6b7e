import { openRepository, readGitVersion } from "@robust-sync/git";
import { type Config, isWorkspace, loadConfig, type WorkspacePaths } from "@robust-sync/workspace";
import { checkExchange } from "./exchange.ts";
import { checkExcluded } from "./excluded.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { checkHub } from "./hub.ts";
import { checkHubLimits } from "./hub-limits.ts";
import { checkAccessTimes, checkFileSystem, checkFilters, checkVersions, checkWatches } from "./machine.ts";
import { checkByMonitor, checkChannels, checkPeerStates, checkPeers, checkState, checkUnits } from "./others.ts";
import { checkPorts } from "./ports.ts";
import { checkSecrets } from "./secrets.ts";
import { checkPlaces, checkRepository } from "./workspace.ts";

/** One check; its failure must not end the others. */
async function safely(check: string, run: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
	try {
		return await run();
	} catch (error) {
		const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
		return [failed(check, message, "run robust-sync --doctor again; report this line if it stays")];
	}
}

/**
 * Checks everything that a person would check by hand, one after the other, and reports each finding at once. Changes nothing except
 * a ref of its own on the hub, which it deletes again, and a directory in `sync/`. Never throws.
 * @param given version: of this program; isNamed: the workspace was named by a flag, which is consent enough
 * @param onFinding called with each finding
 */
export async function examine(
	paths: WorkspacePaths,
	{ version, isNamed }: { readonly version: string; readonly isNamed: boolean },
	onFinding: (finding: Finding) => void,
): Promise<Finding[]> {
	const all: Finding[] = [];
	const report = (findings: readonly Finding[]) => {
		for (const finding of findings) {
			all.push(finding);
			onFinding(finding);
		}
	};
	report([checkVersions(version, await readGitVersion())]);
	report(await safely("workspace", () => checkPlaces(paths)));
	if (!isNamed && !isWorkspace(paths.root))
		report([warning("workspace", "a git repository that is not a workspace: nothing of it is published", "robust-sync --init")]);
	// A workspace of another user is neither read nor written.
	if (all.some(({ check, status }) => check === "workspace" && status === "failed")) return all;
	let config: Config;
	try {
		config = loadConfig({ workspace: paths.root });
		report([ok("configuration", `node ${config.nodeName}`)]);
	} catch (error) {
		report([failed("configuration", (error as Error).message, "correct .sync_env, or the environment")]);
		return all;
	}
	report(await safely("file system", () => checkFileSystem(paths)));
	// The finding about the read-only workspace covers these.
	if (!all.some(({ check, status }) => check === "file system" && status === "failed"))
		report(await safely("file system", async () => [await checkExchange(paths)]));
	report(await safely("access times", () => [checkAccessTimes(paths, config)]));
	const opening = await safely("repository", async () => {
		const repository = await openRepository({
			directory: paths.root,
			node: config.nodeName,
			networkTimeoutMs: config.gitTimeoutSeconds * 1000,
		});
		report(await safely("repository", () => checkRepository(repository, config)));
		report(await safely("hub", () => checkHub(repository, config, paths)));
		report(await safely("hub limits", () => checkHubLimits(repository, config)));
		report(await safely("filters", () => checkFilters(repository)));
		report(await safely("excluded", () => checkExcluded(repository, config)));
		report(await safely("secrets", () => checkSecrets(paths, repository, config)));
		return [];
	});
	report(opening.map((finding) => ({ ...finding, fix: "git status" })));
	report(await safely("watches", () => [checkWatches(paths, config)]));
	report(await safely("sync", () => checkState(paths)));
	report(await safely("ports", () => checkPorts(paths, config)));
	report(await safely("peers", () => checkPeers(paths, config)));
	report(await safely("peers", () => checkPeerStates(paths, config)));
	report(await safely("units", () => checkUnits(config)));
	report(await safely("channels", () => checkChannels(paths)));
	report(await safely("monitor", () => checkByMonitor(paths)));
	return all;
}
