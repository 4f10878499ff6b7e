import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { type ProgressState, parseConfig, readProgress, WorkspacePaths } from "@robust-sync/workspace";
import { syncOnce } from "../commands/once.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("progress");
	scratch.hub();
	for (const name of ["helios", "chad"]) scratch.init(name, scratch.path("hub.git"));
});
afterEach(() => scratch.remove());

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const megabyte = 1_000_000;

/** A cycle of a node. @returns each state of its progress file */
async function seenIn(name: string): Promise<ProgressState[]> {
	const paths = new WorkspacePaths(scratch.path(name));
	const seen: ProgressState[] = [];
	const timer = setInterval(() => {
		const now = readProgress(paths, Date.now());
		if (now !== null && now.updated_at !== seen.at(-1)?.updated_at) seen.push(now);
	}, 50);
	try {
		const outcome = await syncOnce({ paths, config: parseConfig({ NODE_NAME: name }), logger: silent as never });
		expect(outcome).toMatchObject({ ok: true });
	} finally {
		clearInterval(timer);
	}
	expect(fs.existsSync(paths.progress)).toBe(false);
	return seen;
}

/** The hub's programs read and write at most four megabytes a second. */
function throttle(name: string, program: "upload-pack" | "receive-pack"): void {
	const slowly = "perl -e 'while (sysread(STDIN, $b, 500000)) { select(undef, undef, undef, length($b) / 4e6); syswrite(STDOUT, $b) }'";
	const pipe = program === "upload-pack" ? `git-upload-pack "$@" | ${slowly}` : `${slowly} | git-receive-pack "$@"`;
	scratch.write(`${name}-${program}`, `#!/bin/sh\n${pipe}\n`, 0o755);
	scratch.git(name, "config", `remote.origin.${program.replace("-", "")}`, scratch.path(`${name}-${program}`));
}

test("progress: a long push and fetch → in sync/ while they last", async () => {
	const noise = Buffer.alloc(16 * megabyte);
	for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE((Math.random() * 2 ** 32) >>> 0, at);
	fs.writeFileSync(scratch.path("helios/noise.bin"), noise);
	throttle("helios", "receive-pack");
	throttle("chad", "upload-pack");
	const sent = await seenIn("helios");
	const pushes = sent.filter(({ what }) => what === "sending");
	expect(pushes.at(-1)).toMatchObject({ unit: "bytes" });
	expect(pushes.some(({ total }) => total !== null && total > 15 * megabyte && total < 18 * megabyte)).toBe(true);
	expect(pushes.some(({ done }) => done > 0 && done < 16 * megabyte)).toBe(true);
	const received = await seenIn("chad");
	expect(received.filter(({ what, done }) => what === "receiving" && done > 0)).not.toEqual([]);
	// A cycle without long work leaves no trace.
	expect(await seenIn("chad")).toEqual([]);
}, 120_000);
