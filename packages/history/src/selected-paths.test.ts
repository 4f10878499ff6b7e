import { mkdirSync, symlinkSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { gitPath, workspaceRoot } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { isSelected, PathError, selectedPath } from "./selected-paths.ts";

const root = "/srv/work";

test.each([
	["notes.md", root, "notes.md"],
	["dir/", root, "dir"],
	["notes.md", "/srv/work/dir", "dir/notes.md"],
	["notes.md", "/srv/work-2", "notes.md"],
	["/srv/work/a*b", "/", "a*b"],
	[":(top)x", root, ":(top)x"],
	["-lead", root, "-lead"],
	[" ", root, " "],
	[".", root, workspaceRoot],
	["..", "/srv/work/dir", workspaceRoot],
	[root, "/", workspaceRoot],
])("path: %j asked from %s → %j", (text, cwd, expected) => {
	expect(selectedPath(root, cwd, text)).toBe(expected);
});

test.each(["", "..", "/srv/work-2/notes.md", "../work-2", ".git/config", "dir/.git/config", "sync", "logs/x"])(
	"path: %j → refused",
	(text) => {
		expect(() => selectedPath(root, root, text)).toThrow(PathError);
		expect(() => selectedPath(root, "/", text)).toThrow(PathError);
	},
);

test("path: reached through links → its name in the workspace, a last link stays", async () => {
	const scratch = new Scratch("selected");
	try {
		const [real, link, elsewhere] = [scratch.path("real"), scratch.path("link"), scratch.path("elsewhere")];
		mkdirSync(`${real}/dir`, { recursive: true });
		symlinkSync("real", link);
		symlinkSync("real/dir", elsewhere);
		symlinkSync("/etc", `${real}/etc`);
		for (const root of [real, link]) {
			expect(selectedPath(root, "/", `${link}/dir/gone/x`)).toBe("dir/gone/x");
			expect(selectedPath(root, "/", `${real}/dir`)).toBe("dir");
			expect(selectedPath(root, `${real}/dir`, "x")).toBe("dir/x");
			expect(selectedPath(root, "/", `${elsewhere}/x`)).toBe("dir/x");
			expect(selectedPath(root, "/", `${link}/etc`)).toBe("etc");
			expect(selectedPath(root, "/", link)).toBe(workspaceRoot);
			expect(() => selectedPath(root, "/", "/etc/hosts")).toThrow(PathError);
			expect(() => selectedPath(root, "/", `${link}/sync/x`)).toThrow(PathError);
		}
	} finally {
		await scratch.remove();
	}
});

const bytes = (text: string) => gitPath(Buffer.from(text, "latin1"));

test.each([
	["q\udcff", ["q\xff", "q\xff/x"]],
	["q\ufffd", ["q\xff", "q\xff/x", "q\xfe", "q\xef\xbf\xbd"]],
	["q", []],
])("path: %j → exactly the named paths", (text, expected) => {
	const names = ["q\xff", "q\xff/x", "q\xfe", "q\xef\xbf\xbd", "q\xff2"];
	const selected = [selectedPath(root, root, text)];
	expect(names.filter((name) => isSelected(bytes(name), selected))).toEqual(expected);
});
