import { existsSync } from "node:fs";
import { localHub, Repository } from "@robust-sync/git";
import { printable } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import { formatSize } from "@robust-sync/system/format-size";
import type { Config } from "@robust-sync/workspace";
import { hostOf, pushIntervalMs } from "../remote/hub-pace.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** The largest file that a push may bring, as hosts publish it (docs/hubs.md), bytes. */
const largestFiles: ReadonlyMap<string, number> = new Map([
	["github.com", 100_000_000],
	["gitlab.com", 104_857_600],
]);

const bytesOf = (text: string): number => {
	const [, number = "", unit = ""] = /^\s*(\d+)\s*([kmg]?)\s*$/i.exec(text) ?? [];
	return Number(number) * 1_024 ** " kmg".indexOf(unit.toLowerCase() || " ");
};

/** receive.maxInputSize of a hub on this machine, bytes; null: none, or the hub is elsewhere or missing. */
async function largestPush(repository: Repository, remote: string): Promise<number | null> {
	const directory = localHub(repository, remote);
	// Another check reports a missing hub.
	if (directory === null || !existsSync(`${directory}/.`)) return null;
	// By the hub's own configuration, as its receive-pack reads it.
	const hub = new Repository({ ...repository, root: directory });
	const { stdout, exitCode } = await hub.run(["config", "--get", "receive.maxInputSize"], { accept: [0, 1, 128] });
	const bytes = exitCode === 0 ? bytesOf(stdout.toString("utf8")) : 0;
	return bytes > 0 ? bytes : null;
}

/** Compares the push interval and file sizes with the hub's limits, as far as they are known. @throws GitError */
export async function checkHubLimits(repository: Repository, config: Config): Promise<Finding[]> {
	const { syncRemote, syncPushInterval, maxFileMb, peers } = config;
	const key = `remote.${syncRemote}.`;
	const url = repository.config.get(`${key}pushurl`) ?? repository.config.get(`${key}url`) ?? "";
	const host = hostOf(url);
	const nodes = peers.length + 1;
	const [intervalMs, borneMs] = [pushIntervalMs(syncPushInterval, url, nodes), pushIntervalMs("auto", url, nodes)];
	const name = printable(host ?? "a hub on this machine");
	const often = intervalMs === 0 ? "at once, each time" : `every ${intervalMs / 1_000} s at most`;
	const found: Finding[] = [
		intervalMs < borneMs
			? warning(
					"push interval",
					`SYNC_PUSH_INTERVAL=${syncPushInterval}: ${name} asks for at most six pushes a minute by ${counted(nodes, "node")}, which is every ${borneMs / 1_000} s`,
					"SYNC_PUSH_INTERVAL=auto in .sync_env",
				)
			: ok("push interval", `${often} (SYNC_PUSH_INTERVAL=${syncPushInterval}, ${name}, ${counted(nodes, "node")})`),
	];
	const mostBytes = maxFileMb * 1_000_000;
	const fileBytes = [...largestFiles].find(([known]) => host === known || host?.endsWith(`.${known}`))?.[1] ?? null;
	const pushBytes = await largestPush(repository, syncRemote);
	const limit = fileBytes ?? pushBytes;
	if (limit !== null && mostBytes > limit)
		found.push(
			warning(
				"hub limits",
				`MAX_FILE_MB=${maxFileMb}, and ${fileBytes === null ? "the hub takes pushes" : `${name} takes files`} of at most ${formatSize(limit)}${fileBytes === null ? " (receive.maxInputSize)" : ""}`,
				`MAX_FILE_MB=${Math.max(1, Math.floor((limit * 0.95) / 1_000_000))} in .sync_env`,
			),
		);
	else if (limit !== null) found.push(ok("hub limits", `${fileBytes === null ? "a push" : "a file"} of at most ${formatSize(limit)}`));
	return found;
}
