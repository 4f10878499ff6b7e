import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { listPending } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { runCycle } from "../cycle/cycle.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { enqueueMessage } from "../outbox/enqueue.ts";
import { cycleContext } from "../testing/cycle-context.ts";
import { HubPace } from "./hub-pace.ts";
import { refusedFiles } from "./refused-list.ts";
import { pruneReplaced, replacedRefs } from "./rewritten-head.ts";

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
afterEach(() => {
	// What is pushed is in the history of the branch here, or contains it: after a kill it is no second form of commits here.
	const twins = fs.existsSync(scratch.path("twins")) ? scratch.read("twins") : "";
	scratch.remove();
	expect(twins).toBe("");
});

/** Like push protection and file size limits: every new commit is checked, and the file is named on standard error. */
function refuse(condition: string, name = "pre-receive", pusher = "helios"): void {
	scratch.write(
		`hub.git/hooks/${name}`,
		`#!/bin/sh
printf x >> '${scratch.path("pushes")}'
while read old new ref; do
(unset $(git rev-parse --local-env-vars) GIT_QUARANTINE_PATH; cd '${scratch.path(pusher)}'; git merge-base --is-ancestor $new HEAD || git merge-base --is-ancestor HEAD $new || echo $new >> '${scratch.path("twins")}')
for c in $(git rev-list $new --not --all); do
for f in $(git ls-tree -r --name-only $c); do if ${condition}; then echo "permission denied: $f holds a secret" >&2; exit 1; fi; done; done; done
`,
		0o755,
	);
}
/** The number of pushes that reached the hub. */
const pushes = () => (fs.existsSync(scratch.path("pushes")) ? fs.readFileSync(scratch.path("pushes"), "utf8").length : 0);
const secret = 'git show "$c:$f" | grep -q SECRET';
const onHub = () => scratch.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim().split("\n");
const wait = (file: string) => ({
	path: file,
	reason: "refused-by-hub",
	remedy: expect.stringContaining(`${file.split("/").at(-1)} holds a secret`),
});

test("push protection: one file of several → the others go out, it stays, reported", async () => {
	refuse(secret);
	scratch.write("helios/b", "1");
	scratch.write("helios/key.txt", "SECRET");
	scratch.commitAll("helios", "by a person");
	scratch.write("helios/c/d", "1");
	expect(await runCycle(context)).toMatchObject({ skipped: [wait("key.txt")] });
	expect(onHub()).toEqual(["a", "b", "c/d"]);
	expect(scratch.read("helios/key.txt")).toBe("SECRET");
	expect(scratch.head("helios")).toBe(scratch.git("hub.git", "rev-parse", "main").trim());
	expect(scratch.git("hub.git", "log", "--all", "--format=%H", "--", "key.txt").trim()).toBe("");
	expect(scratch.git("helios", "log", "--format=%s")).toContain("by a person");
	// The old commits are here, for 30 days.
	const kept = scratch.git("helios", "for-each-ref", "--format=%(refname)", replacedRefs).trim();
	expect(scratch.git("helios", "show", `${kept}:key.txt`)).toBe("SECRET");
	await pruneReplaced({ ...context, now: () => Date.now() + 29 * 86_400_000 });
	expect(scratch.git("helios", "for-each-ref", replacedRefs)).not.toBe("");
	await pruneReplaced({ ...context, now: () => Date.now() + 31 * 86_400_000 });
	expect(scratch.git("helios", "for-each-ref", replacedRefs)).toBe("");
	// The file waits, and delays no other; after a change it is published.
	scratch.write("helios/e", "1");
	expect(await runCycle(context)).toMatchObject({ committed: 1, pushed: 1, skipped: [wait("key.txt")] });
	scratch.write("helios/key.txt", "harmless now");
	expect(await runCycle(context)).toMatchObject({ committed: 1, skipped: [] });
	expect(onHub()).toContain("key.txt");
});

test("push protection: new version of a published file → old on the hub, new here", async () => {
	refuse(secret);
	scratch.write("helios/a", "SECRET");
	scratch.write("helios/b", "1");
	expect(await runCycle(context)).toMatchObject({ skipped: [wait("a")] });
	expect(onHub()).toEqual(["a", "b"]);
	expect(scratch.git("hub.git", "show", "main:a")).toBe("1");
	expect(scratch.read("helios/a")).toBe("SECRET");
	expect(await runCycle(context)).toMatchObject({ committed: 0, skipped: [wait("a")] });
});

const healthy = (file: string) => ({ skipped: [{ ...wait(file), remedy: expect.stringContaining("change or remove the file") }] });

test.each([
	["push protection", () => refuse(secret)],
	["receive.maxInputSize", () => scratch.git("hub.git", "config", "receive.maxInputSize", "100000")],
] as const)("%s: only one file is unpublished → left out at once, reported", async (_rule, set) => {
	set();
	scratch.write("helios/key.txt", Buffer.concat([Buffer.from("SECRET"), randomBytes(200_000)]));
	const { skipped } = await runCycle(context);
	expect(skipped).toEqual(healthy("key.txt").skipped);
	expect(skipped[0]?.remedy).toMatch(/key.txt holds a secret|maximum allowed size/);
	expect(scratch.git("helios", "rev-parse", "HEAD")).toBe(scratch.git("hub.git", "rev-parse", "main"));
	expect(onHub()).toEqual(["a"]);
	expect(scratch.git("helios", "log", "-1", "--format=%s|%(trailers:key=Robust-Sync-Node,valueonly)").trim()).toBe(
		"helios: leave out what the hub refuses|helios",
	);
	// Another version is tried at once, without a commit of its own once the file is known to be the cause.
	const commits = scratch.git("hub.git", "rev-list", "--count", "main");
	scratch.write("helios/key.txt", Buffer.concat([Buffer.from("SECRET too"), randomBytes(200_001)]));
	expect(await runCycle(context)).toMatchObject(healthy("key.txt"));
	expect(scratch.git("hub.git", "rev-list", "--count", "main")).toBe(commits);
	scratch.write("helios/b", "1");
	scratch.write("helios/key.txt", "harmless");
	expect(await runCycle(context)).toMatchObject({ skipped: [] });
	expect(onHub()).toEqual(["a", "b", "key.txt"]);
});

test("push protection: each of several files, a deletion → left out, words stay", async () => {
	refuse(secret);
	for (const name of ["k1", "k2", "k3"]) scratch.write(`helios/${name}`, `SECRET ${name}`);
	scratch.commitAll("helios", "add keys");
	const { skipped } = await runCycle(context);
	expect(skipped.map(({ path }) => path).sort()).toEqual(["k1", "k2", "k3"]);
	expect(scratch.git("hub.git", "log", "-1", "--format=%s|%(trailers:key=Robust-Sync-Node,valueonly)", "main").trim()).toBe(
		"add keys|helios",
	);
	scratch.write("hub.git/hooks/pre-receive", '#!/bin/sh\nwhile read old new ref; do git cat-file -e "$new:a" || exit 1; done\n', 0o755);
	fs.rmSync(scratch.path("helios/a"));
	scratch.write("helios/b", "1");
	await runCycle(context);
	expect(onHub()).toEqual(["a", "b"]);
});

test("push protection: first push to an empty hub → the rest is published", async () => {
	scratch.hub("empty.git");
	fs.mkdirSync(scratch.path("empty.git/hooks"), { recursive: true });
	refuse(secret, "pre-receive", "chad");
	fs.copyFileSync(scratch.path("hub.git/hooks/pre-receive"), scratch.path("empty.git/hooks/pre-receive"));
	scratch.init("chad", scratch.path("empty.git"));
	const chad = await cycleContext(scratch, "chad");
	scratch.write("chad/b", "1");
	scratch.write("chad/key.txt", "SECRET");
	expect(await runCycle({ ...chad, memory: { ...newMemory(chad.paths, false), branch: "main" } })).toMatchObject(healthy("key.txt"));
	expect(scratch.git("empty.git", "ls-tree", "-r", "--name-only", "main").trim()).toBe("b");
});

test("fsck: an object of one file is refused → left out, the others are pushed", async () => {
	scratch.git("hub.git", "config", "receive.fsckObjects", "true");
	scratch.write("helios/.gitmodules", '[submodule "x"]\n\tpath = x\n\turl = -u./evil\n');
	scratch.write("helios/b", "1");
	expect(await runCycle(context)).toMatchObject({ skipped: [expect.objectContaining({ path: ".gitmodules", reason: "refused-by-hub" })] });
	expect(onHub()).toEqual(["a", "b"]);
});

test("push protection: a file is not stored → tried after a minute, ever more rarely", async () => {
	scratch.git("hub.git", "config", "receive.maxInputSize", "100000");
	scratch.write("helios/x", randomBytes(200_000));
	await runCycle(context);
	const start = Date.now();
	const waits: number[] = [];
	for (let at = start, from = start; waits.length < 3; at += 10_000) {
		const later = { ...context, now: () => at };
		if (refusedFiles(later).size > 0) continue;
		waits.push(Math.round((at - from) / 60_000));
		await runCycle(later);
		from = at;
	}
	expect(waits).toEqual([1, 2, 4]);
	scratch.git("hub.git", "config", "receive.maxInputSize", "0");
	await runCycle({ ...context, now: () => start + 3_600_000 });
	expect(onHub()).toEqual(["a", "x"]);
});

test("refused pushes: a push interval → one push a turn, then healthy", async () => {
	refuse(`echo "$f" | grep -q -e 03`);
	let now = 0;
	const pace = new HubPace(() => now);
	pace.configure(20_000, 0);
	context = { ...context, memory: { ...newMemory(context.paths, false), pace, branch: "main", indexChecked: true } };
	for (let index = 0; index < 8; index++) scratch.write(`helios/f0${index}`, String(index));
	const codes: string[] = [];
	for (; codes.at(-1) !== "healthy" && codes.length < 40; now += 10_000) {
		const count = pushes();
		codes.push(
			await runCycle(context).then(
				({ ahead }) => (ahead === 0 ? "healthy" : "waits"),
				({ code }) => code,
			),
		);
		expect(pushes() - count).toBeLessThanOrEqual(now % 20_000 === 0 ? 1 : 0);
	}
	expect(codes[0]).toBe("PUSH_REJECTED");
	expect(codes.at(-1)).toBe("healthy");
	expect(onHub()).toEqual(["a", "f00", "f01", "f02", "f04", "f05", "f06", "f07"]);
});

test.each(["pre-receive", "update"])("protected branch by %s: all is refused → PUSH_REJECTED, nothing is made again", async (hook) => {
	scratch.write(`hub.git/hooks/${hook}`, "#!/bin/sh\necho protected >&2\nexit 1\n", 0o755);
	scratch.write("helios/b", "1");
	scratch.write("helios/c", "1");
	await expect(runCycle(context)).rejects.toMatchObject({ code: "PUSH_REJECTED", remoteMessage: expect.stringContaining("protected") });
	expect(scratch.git("helios", "ls-tree", "--name-only", "HEAD").trim().split("\n")).toEqual(["a", "b", "c"]);
	expect(scratch.git("helios", "for-each-ref", replacedRefs)).toBe("");
	fs.rmSync(scratch.path(`hub.git/hooks/${hook}`));
	await runCycle(context);
	expect(onHub()).toEqual(["a", "b", "c"]);
});

test("push protection: twenty files, three refused → found by few pushes, in one cycle", async () => {
	refuse(`echo "$f" | grep -q -e 03 -e 11 -e 12`);
	for (let index = 0; index < 20; index++) scratch.write(`helios/f${String(index).padStart(2, "0")}`, String(index));
	const { skipped } = await runCycle(context);
	expect(skipped.map(({ path }) => path).sort()).toEqual(["f03", "f11", "f12"]);
	expect(onHub()).toHaveLength(18);
});

test("refused message: others are delivered → it waits; allowed → delivered once", async () => {
	refuse(secret);
	enqueueMessage(context.paths, "bad", Buffer.from("SECRET"));
	enqueueMessage(context.paths, "good", Buffer.from("hello"));
	expect(await runCycle(context)).toMatchObject({ delivered: 1 });
	expect(listPending(context.paths).map(({ name }) => String(name))).toEqual(["bad"]);
	expect(await runCycle(context)).toMatchObject({ delivered: 0, committed: 0 });
	fs.rmSync(scratch.path("hub.git/hooks/pre-receive"));
	// The hub's rules changed: the file is tried again after a day, or after a change.
	expect(refusedFiles({ ...context, now: () => Date.now() + 25 * 3_600_000 }).size).toBe(0);
	const [file = ""] = fs
		.readdirSync(scratch.path("helios/messages/helios"), { recursive: true })
		.filter((name) => String(name).endsWith("-bad")) as string[];
	fs.utimesSync(scratch.path(`helios/messages/helios/${file}`), 1, 1);
	expect(await runCycle(context)).toMatchObject({ delivered: 1 });
	expect(onHub().filter((name) => name.endsWith("-bad"))).toHaveLength(1);
	expect(listPending(context.paths)).toEqual([]);
});

test("push protection: another node pushed meanwhile → merged, published history stays", async () => {
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/from-chad", "1");
	const theirs = scratch.commitAll("chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	refuse(secret);
	scratch.write("helios/b", "1");
	scratch.write("helios/key.txt", "SECRET");
	expect(await runCycle(context)).toMatchObject(healthy("key.txt"));
	expect(onHub()).toEqual(["a", "b", "from-chad"]);
	expect(scratch.git("hub.git", "log", "--format=%H")).toContain(theirs);
	expect(scratch.read("helios/from-chad")).toBe("1");
});

test("push protection: a push is forced → a peer's commit goes back as it is", async () => {
	scratch.git(".", "clone", "-q", "hub.git", "chad");
	scratch.write("chad/from-chad", "1");
	const theirs = scratch.commitAll("chad", "by chad");
	scratch.git("chad", "push", "-q", "origin", "main");
	scratch.write("helios/b", "1");
	await runCycle(context);
	scratch.git("hub.git", "update-ref", "refs/heads/main", `${theirs}~1`);
	refuse(secret);
	scratch.write("helios/c", "1");
	scratch.write("helios/key.txt", "SECRET");
	for (let cycle = 0; cycle < 3; cycle++) await runCycle(context).catch(() => {});
	expect(onHub()).toEqual(["a", "b", "c", "from-chad"]);
	expect(scratch.git("hub.git", "rev-parse", "main")).toBe(scratch.git("helios", "rev-parse", "HEAD"));
	expect(scratch.git("hub.git", "log", "--format=%H", "--", "from-chad").trim()).toBe(theirs);
});
