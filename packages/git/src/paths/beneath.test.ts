import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { beneath, openBeneath, PlacesBeneath } from "./beneath.ts";

let top: string;
let root: string;
beforeAll(() => {
	top = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-beneath-"));
	root = path.join(top, "workspace");
	fs.mkdirSync(path.join(root, "a/b"), { recursive: true });
	fs.mkdirSync(path.join(top, "outside/b"), { recursive: true });
	fs.symlinkSync("../outside", path.join(root, "link"));
	fs.symlinkSync(path.join(top, "outside"), path.join(root, "a/absolute"));
	fs.symlinkSync(".", path.join(root, "here"));
	fs.writeFileSync(path.join(root, "file"), "");
});
afterAll(() => fs.rmSync(top, { recursive: true }));

const write = (name: string, makeParents = false) =>
	beneath(root, Buffer.from(name, "latin1"), (file) => fs.writeFileSync(file, name, { flag: "wx" }), { makeParents });

describe("beneath", () => {
	test("beneath: names below directories → written there, missing ones made on request", () => {
		for (const name of ["top", "a/one", "a/b/two", "a/\xff\xfe/three"]) write(name, true);
		expect(fs.readFileSync(path.join(root, "a/b/two"), "utf8")).toBe("a/b/two");
		expect(fs.existsSync(Buffer.from(`${root}/a/\xff\xfe/three`, "latin1"))).toBe(true);
		expect(() => write("new/file")).toThrow(expect.objectContaining({ code: "ENOENT" }));
	});

	test.each(["link/x", "link/b/x", "a/absolute/x", "a/absolute/b/x", "here/x", "file/x", "link/new/x"])(
		"beneath: a link or file above %j → ENOTDIR, nothing is written",
		(name) => {
			for (const make of [false, true]) expect(() => write(name, make)).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
			expect(fs.readdirSync(path.join(top, "outside"))).toEqual(["b"]);
			expect(fs.readdirSync(path.join(top, "outside/b"))).toEqual([]);
		},
	);

	test.each(["", "/x", "a//x", "a/./x", "../outside/x", "a/../../outside/x", "a/", "..", ".", "a\0/x"])(
		"beneath: the name %j → EINVAL",
		(name) => {
			expect(() => write(name, true)).toThrow(expect.objectContaining({ code: "EINVAL" }));
		},
	);

	test("beneath: directory becomes a link after the check → the file goes where it was", () => {
		fs.mkdirSync(path.join(root, "swapped"));
		beneath(root, Buffer.from("swapped/x"), (file) => {
			fs.renameSync(path.join(root, "swapped"), path.join(root, "aside"));
			fs.symlinkSync("../outside", path.join(root, "swapped"));
			fs.writeFileSync(file, "");
		});
		expect(fs.existsSync(path.join(root, "aside/x"))).toBe(true);
		expect(fs.readdirSync(path.join(top, "outside"))).toEqual(["b"]);
	});

	test("beneath: a child process is given the name → it finds the same file", () => {
		const place = openBeneath(root, Buffer.from("a/b/from-child"));
		expect(spawnSync("touch", [place.file.toString()]).status).toBe(0);
		place.close();
		expect(fs.existsSync(path.join(root, "a/b/from-child"))).toBe(true);
	});

	test("beneath: used a thousand times, with failures → no descriptor is left open", () => {
		const before = fs.readdirSync("/proc/self/fd").length;
		for (let at = 0; at < 1000; at++) {
			expect(() => write("link/x")).toThrow();
			expect(beneath(root, Buffer.from("a/b/none"), (file) => fs.existsSync(file))).toBe(false);
		}
		expect(fs.readdirSync("/proc/self/fd").length).toBe(before);
	});

	test("beneath: files of two directories in turn → each in its own, none through a link", () => {
		const open = () => fs.readdirSync("/proc/self/fd").length;
		const before = open();
		const places = new PlacesBeneath(root, { makeParents: true });
		const names = ["many/1", "many/2", "other/1", "many/3", "top-1", "other/2"];
		for (const name of names) fs.writeFileSync(places.file(Buffer.from(name)), name, { flag: "wx" });
		for (const name of names) expect(fs.readFileSync(path.join(root, name), "utf8")).toBe(name);
		for (const [name, code] of [
			["link/x", "ENOTDIR"],
			["other/..", "EINVAL"],
			["other/", "EINVAL"],
			["../x", "EINVAL"],
		] as const) {
			places.file(Buffer.from("other/y"));
			expect(() => places.file(Buffer.from(name))).toThrow(expect.objectContaining({ code }));
		}
		places.close();
		expect(open()).toBe(before);
		expect(fs.readdirSync(path.join(top, "outside")).sort()).toEqual(["b"]);
	});
});
