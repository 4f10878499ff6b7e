#!/usr/bin/env node
// A hook for agents: `hook.mjs before|after [agent]`. It reads the event that the agent's program writes to standard input (JSON), names
// the run in the history before work begins, and waits for the hub when it ends. It never fails the agent: what went wrong is one line.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const [when, agent = "agent"] = process.argv.slice(2);
const waitSeconds = "30";

/** The event, or nothing that is known of it. */
function readEvent() {
	try {
		const event = JSON.parse(readFileSync(0, "utf8"));
		return typeof event === "object" && event !== null ? event : {};
	} catch {
		return {};
	}
}

const text = (value) => (typeof value === "string" && /^[\w.:@/-]{1,128}$/.test(value) ? value : null);
const event = readEvent();
// Prompts may hold secrets: the history gets names only.
const run = text(event.session_id ?? event.sessionId ?? event["thread-id"] ?? event.run_id);
const args =
	when === "before"
		? [`--annotate=${agent} at work`, `--agent=${agent}`, ...(run === null ? [] : [`--run=${run}`])]
		: ["--wait", `--timeout=${waitSeconds}`];
const { status, stderr, error } = spawnSync(process.env.ROBUST_SYNC ?? "robust-sync", args, {
	encoding: "utf8",
	stdio: ["ignore", "ignore", "pipe"],
	timeout: 60_000,
});
if (status !== 0) process.stderr.write(`robust-sync: ${(error?.message ?? stderr ?? "").trim().split("\n").at(-1)}\n`);
