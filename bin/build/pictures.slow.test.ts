import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { makePictures } from "./pictures.mjs";

const root = path.resolve(import.meta.dirname, "../..");

/** Width and height of a PNG, from its header. */
function sizeOf(file: string): number[] {
	const png = readFileSync(file);
	expect(png.toString("latin1", 1, 4)).toBe("PNG");
	return [png.readUInt32BE(16), png.readUInt32BE(20)];
}

const hasChromium = existsSync("/usr/bin/chromium");
if (!hasChromium) process.stderr.write("pictures.slow.test.ts: no /usr/bin/chromium: no pictures are made\n");

(hasChromium ? test : test.skip)("pictures: made from a demo that runs → every step, the page light and dark", async () => {
	const directory = mkdtempSync(path.join(os.tmpdir(), "robust-sync-pictures-"));
	try {
		await makePictures(directory);
		const svg = readFileSync(path.join(directory, "demo.svg"), "utf8");
		const sections = [...svg.matchAll(/>(\d)\. /g)].map(([, number]) => Number(number));
		expect(sections).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
		expect(svg).not.toMatch(/robust-sync-demo-|NaN|undefined/);
		for (const scheme of ["light", "dark"]) expect(sizeOf(path.join(directory, `page-${scheme}.png`))).toEqual([1100, 820]);
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
});

test("pictures: the README → shows those that are there", () => {
	const shown = [...readFileSync(path.join(root, "README.md"), "utf8").matchAll(/(?:src|srcset)="(docs\/pictures\/[^"]+)"/g)];
	expect(shown.map(([, file]) => file).sort()).toEqual([
		"docs/pictures/demo.svg",
		"docs/pictures/page-dark.png",
		"docs/pictures/page-light.png",
	]);
	for (const [, file] of shown) expect(existsSync(path.join(root, file as string))).toBe(true);
});
