import { expect, test } from "@jest/globals";
import { workspaceRoot } from "@robust-sync/git";
import { PathError, selectedPath } from "./selected-paths.ts";

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
