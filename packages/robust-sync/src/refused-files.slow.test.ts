import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { listPending } from "@robust-sync/workspace";
import { runCycle } from "./cycle.ts";
import type { CycleContext } from "./cycle-context.ts";
import { newMemory } from "./daemon.ts";
import { enqueueMessage } from "./outbox.ts";
import { pruneRefused, refusedFiles, refusedRefs } from "./refused-files.ts";
import { cycleContext } from "./testing/cycle-context.ts";

let scratch: Scratch;
let context: CycleContext;
beforeEach(async () => {
	scratch = new Scratch("refused");
	scratch.hub();
	scratch.init("helios", scratch.path("hub.git"));
	context = await cycleContext(scratch, "helios");
	context = { ...context, memory: { ...newMemory(context.paths, false), branch: "main" } };
	scratch.write("helios/a", "1");
	await runCycle(context);
});
afterEach(() => scratch.remove());

/** As push protection and file size limits answer: every new commit is looked at, the file is named on standard error. */
function refuse(condition: string, name = "pre-receive"): void {
	scratch.write(
		`hub.git/hooks/${name}`,
		`#!/bin/sh
while read old new ref; do for c in $(git rev-list $new --not --all); do
for f in $(git ls-tree -r --name-only $c); do if ${condition}; then echo "permission denied: $f holds a secret" >&2; exit 1; fi; done; done; done
`,
		0o755,
	);
}
const secret = 'git show "$c:$f" | grep -q SECRET';
const onHub = () => scratch.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n");
const wait = (file: string) => ({
	path: file,
	reason: "refused-by-hub",
	remedy: expect.stringContaining(`${file.split("/").at(-1)} holds a secret`),
});

test("push protection: one file of several → the others go out in the same cycle, it stays and is reported", async () => {
	refuse(secret);
	scratch.write("helios/b", "1");
	scratch.write("helios/key.txt", "SECRET");
	scratch.commitAll("helios", "by a person");
	scratch.write("helios/c/d", "1");
	expect(await runCycle(context)).toMatchObject({ skipped: [wait("key.txt")] });
	expect(onHub()).toEqual(["a", "b", "c/d"]);
	expect(scratch.read("helios/key.txt")).toBe("SECRET");
	expect(scratch.git("helios", "rev-parse", "HEAD").trim()).toBe(scratch.git("hub.git", "rev-parse", "main").trim());
	expect(scratch.git("hub.git", "log", "--all", "--format=%H", "--", "key.txt").trim()).toBe("");
	expect(scratch.git("helios", "log", "--format=%s")).toContain("by a person");
	// The old commits are here, for 30 days.
	const kept = scratch.git("helios", "for-each-ref", "--format=%(refname)", refusedRefs).trim();
	expect(scratch.git("helios", "show", `${kept}:key.txt`)).toBe("SECRET");
	await pruneRefused({ ...context, now: () => Date.now() + 29 * 86_400_000 });
	expect(scratch.git("helios", "for-each-ref", refusedRefs)).not.toBe("");
	await pruneRefused({ ...context, now: () => Date.now() + 31 * 86_400_000 });
	expect(scratch.git("helios", "for-each-ref", refusedRefs)).toBe("");
	// It waits, and holds nothing up; once it is otherwise, it goes out.
	scratch.write("helios/e", "1");
	expect(await runCycle(context)).toMatchObject({ committed: 1, pushed: 1, skipped: [wait("key.txt")] });
	scratch.write("helios/key.txt", "harmless now");
	expect(await runCycle(context)).toMatchObject({ committed: 1, skipped: [] });
	expect(onHub()).toContain("key.txt");
});

test("push protection: a new version of a published file → the old one stays on the hub, the new one here", async () => {
	refuse(secret);
	scratch.write("helios/a", "SECRET");
	scratch.write("helios/b", "1");
	expect(await runCycle(context)).toMatchObject({ skipped: [wait("a")] });
	expect(onHub()).toEqual(["a", "b"]);
	expect(scratch.git("hub.git", "show", "main:a")).toBe("1");
	expect(scratch.read("helios/a")).toBe("SECRET");
	expect(await runCycle(context)).toMatchObject({ committed: 0, skipped: [wait("a")] });
});

test.each(["pre-receive", "update"])(
	"protected branch by %s: everything is refused → PUSH_REJECTED, nothing is made again",
	async (hook) => {
		scratch.write(`hub.git/hooks/${hook}`, "#!/bin/sh\necho protected >&2\nexit 1\n", 0o755);
		scratch.write("helios/b", "1");
		scratch.write("helios/c", "1");
		await expect(runCycle(context)).rejects.toMatchObject({ code: "PUSH_REJECTED", remoteMessage: expect.stringContaining("protected") });
		expect(scratch.git("helios", "ls-tree", "--name-only", "HEAD").trim().split("\n")).toEqual(["a", "b", "c"]);
		expect(scratch.git("helios", "for-each-ref", refusedRefs)).toBe("");
		fs.rmSync(scratch.path(`hub.git/hooks/${hook}`));
		await runCycle(context);
		expect(onHub()).toEqual(["a", "b", "c"]);
	},
);

test("twenty files, three refused → found by a bounded number of pushes, in one cycle", async () => {
	refuse(`echo "$f" | grep -q -e 03 -e 11 -e 12`);
	for (let index = 0; index < 20; index++) scratch.write(`helios/f${String(index).padStart(2, "0")}`, String(index));
	const { skipped } = await runCycle(context);
	expect(skipped.map(({ path }) => path).sort()).toEqual(["f03", "f11", "f12"]);
	expect(onHub()).toHaveLength(18);
});

test("a message that the hub refuses → it waits in the outbox, others are delivered; allowed → delivered once", async () => {
	refuse(secret);
	enqueueMessage(context.paths, "bad", Buffer.from("SECRET"));
	enqueueMessage(context.paths, "good", Buffer.from("hello"));
	expect(await runCycle(context)).toMatchObject({ delivered: 1 });
	expect(listPending(context.paths).map(({ name }) => String(name))).toEqual(["bad"]);
	expect(await runCycle(context)).toMatchObject({ delivered: 0, committed: 0 });
	fs.rmSync(scratch.path("hub.git/hooks/pre-receive"));
	// The hub's rules changed: tried again after a day, or when the file is otherwise.
	expect(refusedFiles({ ...context, now: () => Date.now() + 25 * 3_600_000 }).size).toBe(0);
	const [file = ""] = fs
		.readdirSync(scratch.path("helios/messages/helios"), { recursive: true })
		.filter((name) => String(name).endsWith("-bad")) as string[];
	fs.utimesSync(scratch.path(`helios/messages/helios/${file}`), 1, 1);
	expect(await runCycle(context)).toMatchObject({ delivered: 1 });
	expect(onHub().filter((name) => name.endsWith("-bad"))).toHaveLength(1);
	expect(listPending(context.paths)).toEqual([]);
});

test("refused while another node pushed → merged, the rest goes out, published history stays", async () => {
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/from-chad", "1");
	const theirs = scratch.commitAll("chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	refuse(secret);
	scratch.write("helios/b", "1");
	scratch.write("helios/key.txt", "SECRET");
	await runCycle(context).catch(() => undefined);
	await runCycle(context);
	expect(onHub()).toEqual(["a", "b", "from-chad"]);
	expect(scratch.git("hub.git", "log", "--format=%H")).toContain(theirs);
	expect(scratch.read("helios/from-chad")).toBe("1");
});
