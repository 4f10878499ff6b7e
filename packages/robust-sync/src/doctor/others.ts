import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import path from "node:path";
import { printable } from "@robust-sync/service/printable";
import { formatSize } from "@robust-sync/system/format-size";
import {
	type Config,
	peerStateSchema,
	readState,
	type SyncState,
	services,
	syncStateSchema,
	type WorkspacePaths,
	withRemoteMessage,
} from "@robust-sync/workspace";
import { type Finding, failed, ok, warning } from "./finding.ts";

const programTimeoutMs = 30_000;
/** Above this the monitor warns as well. */
const mostClockOffsetMs = 5_000;
const shownFiles = 20;

/** Runs another executable of ours and parses its JSON. @returns null: it printed none */
function ask(executable: string, args: readonly string[], paths: WorkspacePaths): Promise<unknown> {
	const program = path.join(path.dirname(realpathSync(process.argv[1] ?? "")), executable);
	return new Promise((resolve) => {
		execFile(
			process.execPath,
			[program, ...args, "--json", "--workspace", paths.root],
			{ timeout: programTimeoutMs, maxBuffer: 16_777_216 },
			(_error, stdout) => {
				try {
					resolve(JSON.parse(stdout));
				} catch {
					resolve(null);
				}
			},
		);
	});
}

interface Answers {
	readonly peers?: readonly {
		readonly peer: string;
		readonly answered: boolean;
		readonly rtt_ms: number | null;
		readonly reason: string | null;
	}[];
}

/** A heartbeat to each peer and back. */
export async function checkPeers(paths: WorkspacePaths, config: Config): Promise<Finding[]> {
	const check = "peers";
	const found: Finding[] = [];
	if (config.peers.length === 0) return [ok(check, "none is configured (PEERS)")];
	if (config.heartbeatKeys.length === 0)
		found.push(
			warning(
				check,
				"HEARTBEAT_KEY is not set: peers are accepted by their address alone",
				"put the same HEARTBEAT_KEY into .sync_env of every node",
			),
		);
	const answers = (await ask("heartbeat", ["--once"], paths)) as Answers | null;
	if (!Array.isArray(answers?.peers)) return [...found, failed(check, "heartbeat --once gave no answer", "heartbeat --once")];
	for (const { peer, answered, rtt_ms, reason } of answers.peers)
		found.push(
			answered
				? ok(check, `${peer} answers${rtt_ms === null ? "" : ` in ${rtt_ms.toFixed(1)} ms`}`)
				: failed(
						check,
						`${peer} does not answer: ${printable(reason ?? "no reason")}`,
						`heartbeat --once; on ${peer}: systemctl status ${peer}-heartbeat`,
					),
		);
	return found;
}

const causes: Readonly<Record<string, string>> = {
	stopped: "start heartbeat there",
	unresolved: "correct its address in PEERS",
	key: "put the same HEARTBEAT_KEY into .sync_env of both, then restart heartbeat (setup.sh --key-from)",
	address: "set HEARTBEAT_KEY on every node, or correct its address in PEERS",
	misdirected: "correct PEERS: its name belongs to another address",
	link: "open UDP between the two machines",
};

/** This node's last heartbeat records of each peer: why it is not heard, and whether it hears us. */
export function checkPeerStates(paths: WorkspacePaths, config: Pick<Config, "peers" | "heartbeatPort">): Finding[] {
	return config.peers.flatMap(({ name }) => {
		const read = readState(paths.peerState(name), peerStateSchema);
		if (read.kind !== "ok") return [];
		const { cause, reason, hears_us, status, clock_offset_ms } = read.state;
		const found: Finding[] = [];
		if (cause) found.push(failed("peers", `${name}: ${printable(reason ?? cause)}`, causes[cause] ?? "heartbeat --status"));
		if (hears_us === false && status === "alive")
			found.push(
				failed(
					"peers",
					`${name} is heard, and does not hear this node: one direction is blocked`,
					`on ${name}, and in every firewall between: open UDP port ${config.heartbeatPort}`,
				),
			);
		if (clock_offset_ms !== null && Math.abs(clock_offset_ms) > mostClockOffsetMs)
			found.push(
				warning(
					"peers",
					`the clock of ${name} differs by ${Math.round(Math.abs(clock_offset_ms) / 1_000)} s: conflict resolution compares commit times`,
					"sudo timedatectl set-ntp true, on both",
				),
			);
		return found;
	});
}

interface Channels {
	readonly channels?: readonly { readonly name: string; readonly ok: boolean; readonly message: string }[];
	readonly problem?: string | null;
}

/** The result of `monitor --test-alert --dry-run`. */
export function channelFindings(answer: Channels | null): Finding[] {
	const check = "channels";
	if (!Array.isArray(answer?.channels))
		return [failed(check, "monitor --test-alert --dry-run gave no answer", "monitor --test-alert --dry-run")];
	const found = answer.channels.map(({ name, ok: isOk, message }) =>
		isOk
			? ok(check, `${printable(name)}: ${printable(message)}`)
			: failed(check, `${printable(name)}: ${printable(message)}`, "correct it in .sync_env, then: monitor --test-alert"),
	);
	if (answer.problem) found.push(failed(check, printable(answer.problem), "correct .sync_env"));
	return found.length > 0
		? found
		: [ok(check, "none is configured: no alerts will be sent (CALEB_TELEGRAM_ID, ALERT_APPRISE_URLS, ALERT_WEBHOOK_URL)")];
}

/** Each way of alerting, by a test that sends nothing. */
export async function checkChannels(paths: WorkspacePaths): Promise<Finding[]> {
	return channelFindings((await ask("monitor", ["--test-alert", "--dry-run"], paths)) as Channels | null);
}

interface Checks {
	readonly checks?: readonly { readonly name: string; readonly status: string; readonly message: string }[];
}

/** The result of `monitor --check`: services, clock, conflicts, alerts and their channels. */
export async function checkByMonitor(paths: WorkspacePaths): Promise<Finding[]> {
	const isNew = readState(paths.syncState, syncStateSchema).kind === "missing";
	const answer = (await ask("monitor", ["--check"], paths)) as Checks | null;
	if (!Array.isArray(answer?.checks)) return [failed("monitor", "monitor --check gave no answer", "monitor --check")];
	return (
		answer.checks
			// Another check covers the disk, and the peers were just asked; before the first cycle there is no last one.
			.filter(({ name }) => name !== "disk" && !name.startsWith("heartbeat:") && !(isNew && name === "sync"))
			.map(({ name, status, message }) => {
				const [text = "", action] = printable(message).split(/ ?Do: /);
				if (status === "ok") return ok(name, text);
				return (status === "critical" ? failed : warning)(name, text, action ?? "monitor --check");
			})
	);
}

/** Files that are left out or held, from the state of the running instance, and its last failure. */
export function checkState(paths: WorkspacePaths): Finding[] {
	const read = readState(paths.syncState, syncStateSchema);
	// The check of the services reports whether it runs.
	if (read.kind === "missing") return [ok("sync", "no cycle yet")];
	if (read.kind === "invalid") return [failed("sync", `sync_state.json is not valid: ${printable(read.problem)}`, "restart robust-sync")];
	const { skipped, last_error, secrets } = read.state;
	const found = [...failure(last_error)];
	for (const { path: name, rule, line } of (secrets ?? []).slice(0, shownFiles))
		found.push(
			failed(
				"secrets",
				`${printable(name)}, line ${line}, holds a secret (${printable(rule)}) and is on the hub`,
				"change that key; docs/leaks.md",
			),
		);
	for (const { path: name, reason, remedy } of skipped.slice(0, shownFiles))
		found.push(
			warning("files", `${printable(name)} is not synced: ${reason}`, remedy ? printable(remedy) : "README.md, on leaving files out"),
		);
	if (skipped.length > shownFiles)
		found.push(warning("files", `${skipped.length - shownFiles} more are not synced`, "robust-sync --status --json"));
	if (skipped.length === 0) found.push(ok("files", "none is left out or held"));
	return found;
}

function failure(error: SyncState["last_error"]): Finding[] {
	if (error === null) return [];
	return [
		failed("sync", printable(`${error.code}: ${withRemoteMessage(error.message, error.remote_message)}`), "robust-sync --once --verbose"),
	];
}

/** Units of systemd, if it runs: enabled, and not older than their files. */
export async function checkUnits(config: Config): Promise<Finding[]> {
	if (!existsSync("/run/systemd/system")) return [];
	const names = services.map((service) => `${config.nodeName}-${service}.service`);
	const args = ["show", "--no-pager", `--property=${unitProperties}`, "--", ...names];
	const shown = await new Promise<string>((resolve) => {
		execFile("systemctl", args, { timeout: programTimeoutMs, env: { ...process.env, LC_ALL: "C" } }, (error, stdout) =>
			resolve(error ? "" : stdout),
		);
	});
	return unitFindings(shown, names, config);
}

const unitProperties = "Id,LoadState,UnitFileState,NeedDaemonReload,ActiveState,MemoryMax";

/** The problems of units, from the output of `systemctl show`. */
export function unitFindings(shown: string, names: readonly string[], config: Pick<Config, "memoryLimitMb">): Finding[] {
	const found: Finding[] = [];
	for (const block of shown.split(/\n\s*\n/)) {
		const value = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(block)?.[1] ?? "";
		const unit = value("Id");
		if (!names.includes(unit) || value("LoadState") !== "loaded") continue;
		if (value("NeedDaemonReload") === "yes")
			found.push(warning("units", `${unit} changed on disk since systemd read it`, "sudo systemctl daemon-reload"));
		if (value("ActiveState") === "failed")
			found.push(
				failed(
					"units",
					`${unit} has failed, and systemd does not start it again`,
					`systemctl status ${unit}; sudo systemctl restart ${unit}`,
				),
			);
		const mostBytes = Number(value("MemoryMax"));
		if (mostBytes > 0 && mostBytes <= config.memoryLimitMb * 1_000_000)
			found.push(
				warning(
					"units",
					`${unit} is killed at ${formatSize(mostBytes)} (MemoryMax), before it ends by itself at MEMORY_LIMIT_MB=${config.memoryLimitMb}`,
					`sudo systemctl edit ${unit}, with MemoryMax above MEMORY_LIMIT_MB; or a lower MEMORY_LIMIT_MB`,
				),
			);
		if (value("UnitFileState") === "disabled")
			found.push(warning("units", `${unit} does not start with the machine`, `sudo systemctl enable ${unit}`));
	}
	return found;
}
