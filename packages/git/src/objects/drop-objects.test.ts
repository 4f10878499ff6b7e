import fs from "node:fs";
import os from "node:os";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { type Oid, Repository } from "../process/repository.ts";
import { dropObjects, idsOf, listAllObjects, listWithSet, packNames, unneededAmong } from "./drop-objects.ts";
import { idLengthOf } from "./object-id.ts";
import { OidSet } from "./oid-set.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("drop-objects");
});
afterAll(() => scratch.remove());

const value = "the value";

/** A hub whose branch was replaced: an old blob is there, and no ref needs it. */
async function replacedHub(name: string, isPacked: boolean): Promise<{ hub: Repository; old: Oid; tip: Oid; blob: Oid; git: Git }> {
	const place = scratch.hub(`${name}.git`);
	const git: Git = (...args) => scratch.git(name, ...args).trim();
	scratch.init(name, place);
	scratch.write(`${name}/kept`, "kept\n");
	const base = scratch.commitAll(name, "base");
	scratch.write(`${name}/leak`, value);
	const old = scratch.commitAll(name, "old");
	const blob = git("rev-parse", "HEAD:leak");
	git("push", "-q", "origin", "main");
	if (isPacked) scratch.git(place, "repack", "-adq");
	git("checkout", "-q", "-B", "main", base);
	scratch.write(`${name}/new`, "new\n");
	const tip = scratch.commitAll(name, "new");
	git("push", "-qf", "origin", "main");
	if (isPacked) {
		// Objects that no ref needs are kept in a pack only where they are in one already.
		scratch.git(place, "-c", "gc.cruftPacks=false", "repack", "-adkq");
		expect(scratch.git(place, "count-objects")).toMatch(/^0 objects/);
	}
	const hub = new Repository({ ...(await scratch.open(name)), root: place, gitDirectory: place, commonDirectory: place });
	return { hub, old, tip, blob, git };
}
type Git = (...args: string[]) => string;

const has = (hub: Repository, oid: Oid) =>
	scratch.git(hub.root, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").includes(oid);
const fsck = (hub: Repository) => scratch.git(hub.root, "fsck", "--connectivity-only", "--no-dangling");
const leftIn = (hub: Repository) => fs.readdirSync(`${hub.commonDirectory}/objects`).filter((one) => one.startsWith("robust-sync"));

async function drop(hub: Repository, blob: Oid, meanwhile: () => void = () => undefined) {
	const list = await unneededAmong(hub, new OidSet(idLengthOf(hub), [blob]), []);
	expect(list.needed.size).toBe(0);
	return await dropObjects(hub, list, { whenAside: meanwhile });
}

test.each([true, false])("drop: packed %s → only the listed object is gone", async (isPacked) => {
	const { hub, old, tip, blob } = await replacedHub(`plain-${isPacked}`, isPacked);
	expect(await drop(hub, blob)).toEqual({ kind: "dropped", elsewhere: [] });
	expect([blob, old, tip].map((oid) => has(hub, oid))).toEqual([false, true, true]);
	expect([fsck(hub), ...leftIn(hub)]).toEqual([""]);
});

test.each(["1", "2,100"])("drop: a pack with an index of version %s → only the listed object is gone", async (version) => {
	const { hub, old, tip, blob } = await replacedHub(`version-${version}`, true);
	const [name = ""] = packNames(hub);
	const pack = `${hub.commonDirectory}/objects/pack/${name}`;
	fs.rmSync(`${pack}.idx`);
	scratch.git(hub.root, "index-pack", `--index-version=${version}`, "-o", `${pack}.idx`, `${pack}.pack`);
	expect(await drop(hub, blob)).toEqual({ kind: "dropped", elsewhere: [] });
	expect([blob, old, tip].map((oid) => has(hub, oid))).toEqual([false, true, true]);
	expect([fsck(hub), ...leftIn(hub)]).toEqual([""]);
});

test("drop: a packed object that stays is damaged, but loose too → packed whole", async () => {
	const { hub, old, tip, blob, git } = await replacedHub("damaged", true);
	const [name = ""] = packNames(hub);
	const pack = `${hub.commonDirectory}/objects/pack/${name}`;
	const kept = git("rev-parse", "main:kept");
	const entry =
		scratch
			.git(hub.root, "verify-pack", "-v", `${pack}.idx`)
			.split("\n")
			.find((line) => line.startsWith(kept)) ?? "";
	const [, , , size = "", offset = ""] = entry.split(/ +/);
	fs.renameSync(`${pack}.idx`, scratch.path("damaged.idx"));
	scratch.write("kept-alone", "kept\n");
	expect(scratch.git(hub.root, "hash-object", "-w", scratch.path("kept-alone")).trim()).toBe(kept);
	fs.renameSync(scratch.path("damaged.idx"), `${pack}.idx`);
	const content = fs.readFileSync(`${pack}.pack`);
	const at = Number(offset) + Number(size) - 1;
	content[at] = (content[at] as number) ^ 1;
	fs.chmodSync(`${pack}.pack`, 0o644);
	fs.writeFileSync(`${pack}.pack`, content);
	expect(await drop(hub, blob)).toEqual({ kind: "dropped", elsewhere: [] });
	expect([blob, old, tip].map((oid) => has(hub, oid))).toEqual([false, true, true]);
	const [made = ""] = packNames(hub);
	scratch.git(hub.root, "verify-pack", `${hub.commonDirectory}/objects/pack/${made}.idx`);
});

test.each([true, false])("drop: packed %s, a push that needs it meanwhile → all of it comes back", async (isPacked) => {
	const { hub, old, blob, git } = await replacedHub(`back-${isPacked}`, isPacked);
	// A hub that found the object before it went accepts the ref.
	const end = await drop(hub, blob, () => scratch.git(hub.root, "update-ref", "refs/heads/back", old));
	expect([end.kind, has(hub, blob)]).toEqual(["needed", true]);
	expect([fsck(hub), ...leftIn(hub)]).toEqual([""]);
	expect(git("ls-remote", "origin", "back")).toContain(old);
});

test("drop: a push of other commits meanwhile → they stay, the listed object goes", async () => {
	const { hub, blob, git } = await replacedHub("other", true);
	let pushed = "";
	const end = await drop(hub, blob, () => {
		scratch.write("other/more", "more\n");
		pushed = scratch.commitAll("other", "more");
		git("push", "-q", "origin", "main");
	});
	expect([end.kind, has(hub, blob), has(hub, pushed)]).toEqual(["dropped", false, true]);
	expect([fsck(hub), ...leftIn(hub)]).toEqual([""]);
});

test("drop: killed while the objects are aside → the next one goes on", async () => {
	const { hub, tip, blob } = await replacedHub("killed", true);
	const aside = `${hub.commonDirectory}/objects/robust-sync-aside-killed`;
	fs.mkdirSync(aside);
	fs.renameSync(`${hub.commonDirectory}/objects/pack`, `${aside}/pack`);
	fs.mkdirSync(`${hub.commonDirectory}/objects/pack`);
	const list = { oids: new OidSet(idLengthOf(hub), [blob]), clean: [] };
	expect(await dropObjects(hub, list)).toEqual({ kind: "dropped", elsewhere: [] });
	expect([blob, tip].map((oid) => has(hub, oid))).toEqual([false, true]);
	expect([fsck(hub), ...leftIn(hub)]).toEqual([""]);
});

test.each([
	["running", process.ppid, "busy"],
	["gone", 4_194_305, "dropped"],
])("drop: gc.pid of a process that is %s → by that", async (what, pid, kind) => {
	const { hub, blob } = await replacedHub(`gc-${what}`, true);
	const file = `${hub.commonDirectory}/gc.pid`;
	fs.writeFileSync(file, `${pid} ${os.hostname()}`);
	expect([(await drop(hub, blob)).kind, fs.existsSync(file)]).toEqual([kind, kind === "busy"]);
	expect(fs.existsSync(`${file}.lock`)).toBe(false);
});

test.each(["loose", "packed", "borrowed"])("all objects: %s → the set has exactly the listed ones", async (kind) => {
	const { hub } = await replacedHub(`list-${kind}`, kind !== "loose");
	const name = `borrower-${kind}.git`;
	if (kind === "borrowed") scratch.git(scratch.directory, "clone", "-q", "--bare", "--shared", hub.root, name);
	const root = kind === "borrowed" ? `${scratch.directory}/${name}` : hub.root;
	const { objects, all } = await listWithSet(new Repository({ ...hub, root, gitDirectory: root, commonDirectory: root }));
	expect(objects.commit).toHaveLength(3);
	expect([...all].sort()).toEqual([...idsOf(objects)].sort());
	expect([...idsOf(objects)].sort()).toEqual([...idsOf(await listAllObjects(hub))].sort());
});
