import fs from "node:fs";
import { expect, test } from "@jest/globals";
import { blobOid } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { filesBelow, type Scrub, scrubBackup, scrubFiles } from "./scrub-files.ts";

const scrub: Scrub = {
	cleanInPlace: (content) => Buffer.from(content.toString("latin1").replaceAll("value", "+++++"), "latin1"),
	clean: (content) => Buffer.from(content.toString("latin1").replaceAll("value", "*****"), "latin1"),
	replacement: () => undefined,
	blobId: (content) => blobOid(content, "sha1"),
	instead: () => null,
};

test("scrub: names of any bytes, also of directories → all files without the value", async () => {
	const scratch = new Scratch("scrub");
	try {
		const at = (name: string) => Buffer.concat([Buffer.from(`${scratch.directory}/`), Buffer.from(name, "latin1")]);
		fs.mkdirSync(at("files"));
		fs.mkdirSync(at("files/d\xfe"));
		const names = ["files/plain", "files/q\xff", "files/d\xfe/q\xff"];
		for (const name of names) fs.writeFileSync(at(name), "a value");
		const text = (name: string) => `${scratch.directory}/${name}`;
		expect([...filesBelow(text("files"))].sort()).toEqual([text("files/d\udcfe/q\udcff"), text("files/plain"), text("files/q\udcff")]);
		expect(scrubFiles(text("files"), scrub)).toBe(3);
		expect(names.map((name) => fs.readFileSync(at(name), "utf8"))).toEqual(names.map(() => "a *****"));
		// Its size is unchanged: a comparison with the manifest must not find a late write.
		fs.writeFileSync(at("files/q\xff"), "a value");
		const { size, mtimeMs } = fs.lstatSync(at("files/q\xff"));
		const before = scrub.blobId(Buffer.from("a value"));
		fs.writeFileSync(at("files/manifest.json"), JSON.stringify({ files: [{ file: "q\xff", before, size, mtime_ms: mtimeMs }] }));
		const stored: string[] = [];
		const objects = { store: async (contents: readonly Buffer[]) => stored.push(...contents.map(String)), read: async () => new Map() };
		expect(await scrubBackup(text("files"), [text("files")], scrub, objects)).toBe(1);
		expect(stored).toEqual(["a +++++"]);
		const cleaned = scrub.blobId(Buffer.from("a +++++"));
		const after = fs.lstatSync(at("files/q\xff")).mtimeMs;
		expect(JSON.parse(fs.readFileSync(at("files/manifest.json"), "utf8"))).toEqual({
			files: [{ file: "q\xff", before: cleaned, size, mtime_ms: after }],
		});
	} finally {
		await scratch.remove();
	}
});

/** A backup with one kept file, which a manifest describes. */
function keptFile(scratch: Scratch, content: string, recorded: string) {
	const directory = scratch.path("backup");
	fs.mkdirSync(directory);
	fs.writeFileSync(`${directory}/log`, content);
	const { size, mtimeMs } = fs.lstatSync(`${directory}/log`);
	const before = scrub.blobId(Buffer.from(recorded));
	fs.writeFileSync(`${directory}/manifest.json`, JSON.stringify({ files: [{ file: "log", before, size, mtime_ms: mtimeMs }] }));
	return { directory, entry: () => JSON.parse(fs.readFileSync(`${directory}/manifest.json`, "utf8")).files[0] as { before: string } };
}

const blobs = (...contents: string[]) => new Map(contents.map((one) => [scrub.blobId(Buffer.from(one)), Buffer.from(one)]));

test("scrub: a kept file with a late write → its version is cleaned like the file", async () => {
	const scratch = new Scratch("scrub");
	try {
		const { directory, entry } = keptFile(scratch, "a value\nlate value\n", "a value\n");
		// The history has placeholders of another length.
		const [old, plain] = ["a value\n", "a *\n"].map((one) => scrub.blobId(Buffer.from(one))) as [string, string];
		const inHistory: Scrub = { ...scrub, clean: () => Buffer.from("a *\n"), replacement: (oid) => (oid === old ? plain : undefined) };
		const stored: string[] = [];
		const objects = {
			store: async (contents: readonly Buffer[]) => stored.push(...contents.map(String)),
			read: async () => blobs("a value\n"),
		};
		await scrubBackup(directory, [directory], inHistory, objects);
		expect(fs.readFileSync(`${directory}/log`, "utf8")).toBe("a +++++\nlate +++++\n");
		expect(entry().before).toBe(scrub.blobId(Buffer.from("a +++++\n")));
		expect(stored).toContain("a +++++\n");
	} finally {
		await scratch.remove();
	}
});

test("scrub: killed before a kept file is cleaned → cleaned by the next one", async () => {
	const scratch = new Scratch("scrub");
	try {
		const { directory, entry } = keptFile(scratch, "a value", "a value");
		const cleaned = scrub.blobId(Buffer.from("a +++++"));
		const objects = { store: async () => undefined, read: async () => blobs("a value", "a +++++") };
		const file = `${directory}/log`;
		let isKilled = false;
		const killed: Scrub = {
			...scrub,
			blobId: (content) => {
				// The versions are recorded: a file that is away stands for a kill at the file.
				if (content.toString() === "a +++++" && !isKilled) {
					isKilled = true;
					fs.renameSync(file, `${file}.away`);
				}
				return scrub.blobId(content);
			},
		};
		await expect(scrubBackup(directory, [directory], killed, objects)).rejects.toThrow("ENOENT");
		fs.renameSync(`${file}.away`, file);
		const { mtimeMs } = fs.lstatSync(file);
		expect(entry()).toMatchObject({ before: cleaned, size: 7, mtime_ms: mtimeMs });
		expect(await scrubBackup(directory, [directory], scrub, objects)).toBe(1);
		expect([fs.readFileSync(file, "utf8"), entry().before]).toEqual(["a +++++", cleaned]);
		expect(entry()).toMatchObject({ mtime_ms: fs.lstatSync(file).mtimeMs });
	} finally {
		await scratch.remove();
	}
});
