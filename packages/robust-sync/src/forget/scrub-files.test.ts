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
		const store = async (contents: readonly Buffer[]) => stored.push(...contents.map(String));
		expect(await scrubBackup(text("files"), [text("files")], scrub, store)).toBe(1);
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
