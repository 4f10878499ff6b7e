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
async function safely(check: string, look: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
	try {
		return await look();
	} catch (error) {
		const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
		return [failed(check, message, "run robust-sync --doctor again; report this line if it stays")];
	}
}

/**
 * Checks everything that a person would check by hand, one after the other, and reports each finding at once. Changes nothing except
 * a ref of its own on the hub, which it deletes again, and a directory in `sync/`. Never throws.
 * @param given version: of this program; isNamed: the workspace was named by a flag, which is consent enough
 * @param tell called with each finding
 */
export async function examine(
	paths: WorkspacePaths,
	{ version, isNamed }: { readonly version: string; readonly isNamed: boolean },
	tell: (finding: Finding) => void,
): Promise<Finding[]> {
	const all: Finding[] = [];
	const say = (findings: readonly Finding[]) => {
		for (const finding of findings) {
			all.push(finding);
			tell(finding);
		}
	};
	say([checkVersions(version, await readGitVersion())]);
	say(await safely("workspace", () => checkPlaces(paths)));
	if (!isNamed && !isWorkspace(paths.root))
		say([warning("workspace", "a git repository that is not a workspace: nothing of it is published", "robust-sync --init")]);
	// A workspace of another user is neither read nor written.
	if (all.some(({ check, status }) => check === "workspace" && status === "failed")) return all;
	let config: Config;
	try {
		config = loadConfig({ workspace: paths.root });
		say([ok("configuration", `node ${config.nodeName}`)]);
	} catch (error) {
		say([failed("configuration", (error as Error).message, "correct .sync_env, or the environment")]);
		return all;
	}
	say(await safely("file system", () => checkFileSystem(paths)));
	// The finding about the read-only workspace covers these.
	if (!all.some(({ check, status }) => check === "file system" && status === "failed"))
		say(await safely("file system", async () => [await checkExchange(paths)]));
	say(await safely("access times", () => [checkAccessTimes(paths, config)]));
	const opening = await safely("repository", async () => {
		const repository = await openRepository({
			directory: paths.root,
			node: config.nodeName,
			networkTimeoutMs: config.gitTimeoutSeconds * 1000,
		});
		say(await safely("repository", () => checkRepository(repository, config)));
		say(await safely("hub", () => checkHub(repository, config, paths)));
		say(await safely("hub limits", () => checkHubLimits(repository, config)));
		say(await safely("filters", () => checkFilters(repository)));
		say(await safely("excluded", () => checkExcluded(repository, config)));
		say(await safely("secrets", () => checkSecrets(paths, repository, config)));
		return [];
	});
	say(opening.map((finding) => ({ ...finding, fix: "git status" })));
	say(await safely("watches", () => [checkWatches(paths, config)]));
	say(await safely("sync", () => checkState(paths)));
	say(await safely("ports", () => checkPorts(paths, config)));
	say(await safely("peers", () => checkPeers(paths, config)));
	say(await safely("peers", () => checkPeerStates(paths, config)));
	say(await safely("units", () => checkUnits(config)));
	say(await safely("channels", () => checkChannels(paths)));
	say(await safely("monitor", () => checkByMonitor(paths)));
	return all;
}
