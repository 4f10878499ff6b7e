import type { ErrorCode, ServiceName } from "@robust-sync/workspace";
import type { Facts } from "../readings/facts.ts";

/** The usual cause of an error of a cycle, and the remedy (docs/contract.md, section 5). */
export const adviceFor: Readonly<Record<ErrorCode, { cause: string; action: string }>> = {
	NOT_A_REPOSITORY: { cause: "the workspace is not a git working tree.", action: "git init, then git remote add origin <url>" },
	NO_REMOTE: { cause: "the remote, or its branch, is not there.", action: "follow the message; git remote -v shows the remotes" },
	NO_COMMITS: { cause: "the repository has no commit yet.", action: "robust-sync --once" },
	REMOTE_UNREACHABLE: { cause: "the network or the remote's host is down.", action: "git ls-remote" },
	AUTH_FAILED: { cause: "the remote refuses this machine's key or token, or its host key is unknown.", action: "git ls-remote" },
	PUSH_REJECTED: {
		cause: "the remote refuses the push: a protected branch, a hook or a quota.",
		action: "robust-sync --status shows the remote's answer; allow this node to push there",
	},
	PUSH_TOO_LARGE: {
		cause: "a commit or file is larger than the remote takes in one push.",
		action: "raise the limit of the remote's web server (nginx: client_max_body_size), or push over ssh",
	},
	RATE_LIMITED: {
		cause: "the remote limits requests; robust-sync asks again, less and less often.",
		action: "robust-sync --status shows when; if it happens again, raise SYNC_PUSH_INTERVAL and SYNC_INTERVAL in .sync_env on every node",
	},
	BRANCH_GONE: {
		cause: "the branch was renamed or deleted on the remote.",
		action: "the command that the message names; git ls-remote --heads lists the branches",
	},
	PUSH_RACE: { cause: "other nodes push all the time.", action: "robust-sync --once" },
	HISTORY_REWRITTEN: { cause: "someone force-pushed.", action: "git log --oneline --graph -20" },
	INDEX_LOCKED: { cause: "another git process holds the index.", action: "ps -C git" },
	CONFLICT_UNRESOLVED: {
		cause: "both sides changed the same place.",
		action: "conflict-resolver --report, then conflict-resolver --resolve",
	},
	OPERATION_OPEN: {
		cause: "a person began a merge, rebase, cherry-pick, revert or bisect here and left it open.",
		action: "git status; then finish it with --continue, or end it with --abort (of a bisect: git bisect reset)",
	},
	WRONG_BRANCH: {
		cause: "a person checked out another branch here.",
		action: "git checkout the branch that the message names; or set SYNC_BRANCH and restart",
	},
	DETACHED_HEAD: {
		cause: "a person checked out a single commit here.",
		action: "git checkout the branch that is to be synced; or set SYNC_BRANCH and restart",
	},
	DISK_FULL: { cause: "the disk is full.", action: "df -h . ; du -xsh sync logs" },
	PERMISSION_DENIED: { cause: "files belong to another user.", action: "ls -la, then chown the workspace" },
	GIT_TOO_OLD: { cause: "git is older than 2.38.", action: "install a newer git" },
	GIT_TIMEOUT: { cause: "the network or the remote is too slow.", action: "git ls-remote" },
	HOOK_FAILED: { cause: "a git hook fails.", action: "correct the hook that the message names, or set SYNC_HOOKS=0 in .sync_env" },
	CORRUPT_REPOSITORY: { cause: "the repository is damaged.", action: "git fsck --full" },
	REMOTE_DAMAGED: {
		cause: "the remote answers, and cannot hand out the newest commit of the branch.",
		action: "robust-sync --status names the commit, and the command that takes it back",
	},
	FORGOTTEN_RETURNED: {
		cause: "a node with another HEARTBEAT_KEY, or none, pushed the old history again.",
		action: "give that node the key of the others, then run robust-sync --forget",
	},
	PAUSED: { cause: "someone paused sync.", action: "robust-sync --resume" },
	INTERNAL: { cause: "a fault of robust-sync or something unforeseen.", action: "tail -n 50 logs/sync.log" },
};

/** The executable behind a service. */
export const executableOf: Readonly<Record<ServiceName, string>> = {
	sync: "robust-sync",
	heartbeat: "heartbeat",
	"health-server": "health-server",
	monitor: "monitor --daemon",
};

/** The command that shows why a service of this node does not run, or that starts it. */
export function serviceAction(facts: Facts, service: ServiceName): string {
	const unit = facts.units[service]?.unit;
	if (unit !== undefined) return `systemctl status ${unit}; journalctl -u ${unit} -n 50`;
	return `tail logs/${service.replaceAll("-", "_")}.log; start it: ${executableOf[service]}`;
}
